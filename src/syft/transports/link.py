"""`Link`: a client's connection to a worker, through any number of broken sockets.

What is posted is sent by whoever waits next for an answer, or by the link's own thread a moment later, so that many
small messages share a frame. Whoever waits for an answer reads it from the socket himself, as handing it over from
thread to thread takes longer than the round trip; the link's thread reads when nobody does so. It also sends
heartbeats, and when the connection breaks tries for a while to go on with the same session.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from syft.exceptions import ConnectionLost, DecodeError, LimitExceededError, RequestTimeoutError, SessionLost, SyftError
from syft.transports import handshake
from syft.transports.answered import Answered
from syft.transports.settings import Settings
from syft.transports.stream import REPLY, REQUEST, Buffer, Stream
from syft.transports.wire import GOOD_BYE, Wire

_FLUSH_AT = 1 << 16
_FIRST_WINDOW = 1 << 25
_MOST_FRUITLESS = 20
_GATHER = 0.001  # seconds for which small messages are gathered into a frame
_READERS_TIME = 0.02  # seconds after a request in which the next one is expected, whose sender reads by himself
_LOOK_AROUND = 0.25  # seconds between looks at whether the answer came another way
_TELL_AT_ONCE = 1 << 16  # bytes of answers that are acknowledged at once: the worker keeps them until then


class Link:
    """A session with a worker.

    Args:
        settings: where, and as whom.
        idle: called by the link's thread from time to time; it may post, without waiting.
    """

    def __init__(self, settings: Settings, idle: Callable[[], None]) -> None:
        self.settings, self._idle = settings, idle
        self._lock = threading.Lock()  # guards what follows
        self._waiting: dict[int, Answered] = {}
        self._posted = 0  # bytes since the last flush
        self._untold = 0  # bytes that arrived since the last flush because of them
        self._sending: Any = threading.RLock()  # held while frames are taken from the stream and sent, in order
        self._reading = threading.Lock()  # held by whoever reads from the wire
        self._read_at = 0.0  # when a request was last answered to its own thread
        self._wire: Wire | None = None
        self._stream: Stream | None = None
        self._failure: ConnectionLost | None = None
        self._ends = False  # whether the session was given up with the connection
        self.welcome: handshake.Welcome | None = None
        self.worker = ""
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        weakref.finalize(self, _close_pipe, self._wake_read, self._wake_write)
        self._awake = False
        self._fruitless = 0  # connections in a row that brought nothing
        self._thread: threading.Thread | None = None

    # --- connecting ---------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether messages pass at the moment, as far as is known."""
        return self._wire is not None and self._failure is None

    @property
    def moved(self) -> int:
        """Bytes that have gone either way in this session, pieces of long messages included."""
        stream = self._stream
        return 0 if stream is None else stream.moved

    def connect(self) -> bool:
        """Connect, with the session of before if the worker still has it.

        Returns:
            Whether an earlier session goes on.

        Raises:
            ConnectionLost: nobody answers.
            AuthenticationError: the worker does not let us in, or we do not trust it.
        """
        if self.connected:
            return True
        had = self.welcome is not None
        try:
            resumed = self._open(time.monotonic() + self.settings.connect_timeout)
        except SessionLost:
            self.welcome = self._stream = None
            resumed = self._open(time.monotonic() + self.settings.connect_timeout)
        thread = threading.Thread(target=self._run, name=f"syft-link-{self.worker}", daemon=True)
        self._thread, self._failure = thread, None  # in this order: the thread of before may still be about to end
        thread.start()
        return resumed if had else False

    def _open(self, deadline: float) -> bool:
        settings = self.settings
        if self._stream is not None:
            self._stream.rewind()
        wire = Wire(settings.address, settings.tls, max(0.05, deadline - time.monotonic()))
        try:
            challenge = handshake.Challenge.unpack(bytes(wire.receive_one(deadline)))
            before, stream = self.welcome, self._stream
            token = settings.token
            reply = handshake.answer(
                challenge,
                None if token is None else token.sign,
                bytes(32) if token is None else token.public,
                settings.invitation,
                handshake.NO_SESSION if before is None else before.session,
                b"" if before is None else before.secret,
                handshake.FRESH if stream is None else stream.received,
            )
            wire.send(reply.pack())
            welcome = handshake.Welcome.unpack(bytes(wire.receive_one(deadline)))
        except BaseException:
            wire.close()
            raise
        if before is not None and not welcome.resumed:
            wire.close()
            raise SessionLost(
                f"worker {challenge.worker!r} at {settings.address.url} no longer has this session: it was restarted, "
                "or was without its client for longer than its lease. What was there is gone; "
                "connect() starts a new session"
            )
        if stream is None or before is None:
            self._stream = Stream(settings.max_parcel, min(welcome.window, _FIRST_WINDOW))
        else:
            stream.resume(welcome.received)
        # With connecting anew, less than two keepalives.
        wire.opened(max(1.25 * welcome.keepalive, 1.75 * welcome.keepalive - settings.reconnect))
        self.worker, self.welcome, self._wire = challenge.worker, welcome, wire
        return bool(welcome.resumed)

    # --- sending ------------------------------------------------------------------------------------

    def post(self, parts: Sequence[Buffer], *, wait: bool = True, given: bool = False) -> None:
        """Send without waiting for an answer.

        Args:
            parts: the bytes of a message. Memory that is still in use is copied, or, if it is more than half of the
                window, the call returns when the worker has dealt with it.
            wait: wait while more is on its way than the window allows.
            given: nobody will change the bytes any more; they are not copied.

        Raises:
            ConnectionLost: the connection is broken.
        """
        size = sum([len(p) for p in parts])
        stream = self._open_stream()
        given = given and size > _FLUSH_AT  # short ones are kept in one piece
        if 2 * size > stream.window and not given:
            number = stream.put(parts)
            self._flush()
            while not stream.wait_acknowledged(number, 1.0):
                self._check()
            return
        if wait and stream.full(size):
            self._flush()
        stream.put(parts if given else [b"".join(parts)], wait=wait)
        self._posted += size
        if wait and self._posted >= _FLUSH_AT:
            self._flush()
        elif not self._awake:
            self._wake()

    def request(self, parts: Sequence[Buffer], timeout: float | None) -> Sequence[Buffer]:
        """Send bytes, not to be changed before the answer, and wait for it; without a timeout while the worker lives.

        Raises:
            ConnectionLost: the connection is broken.
            RequestTimeoutError: there was no answer in time.
        """
        return self.asked(parts, timeout)()

    def asked(self, parts: Sequence[Buffer], timeout: float | None) -> Callable[[], Sequence[Buffer]]:
        """Send a request; what this returns waits for the answer. The time counts from now; see `request`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        number, answered = self.begin(parts, deadline=deadline)

        def answer() -> Sequence[Buffer]:
            self._read_until(answered, deadline)
            if not answered.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                with self._lock:
                    self._waiting.pop(number, None)
                raise RequestTimeoutError(
                    f"worker {self.worker!r} did not answer within {timeout} s; it is alive and may still carry the "
                    "request out. Give more time with timeout=..."
                )
            return answered.result()

        return answer

    def begin(
        self, parts: Sequence[Buffer], done: Callable[[Answered], None] | None = None, deadline: float | None = None
    ) -> tuple[int, Answered]:
        """Send a request without waiting for more than it takes, or the deadline; its number, and its answer's place.

        Raises:
            ConnectionLost: the connection is broken.
        """
        answered = Answered(done)
        stream = self._open_stream()
        with self._lock:
            number = stream.put(parts, REQUEST, wait=False)
            self._waiting[number] = answered
        if self._failure is not None:  # broken in between: nobody would settle it
            self._settle(number, (), self._failure)
        if not self._flush(deadline=deadline) or done is not None:
            self._wake()  # the thread is to send what is left, or to read
        return number, answered

    def _read_until(self, answered: Answered, deadline: float | None) -> None:
        """Read until this answer is there, unless another thread reads or the connection breaks."""
        if not self._reading.acquire(blocking=False):
            return
        wire = self._wire
        try:
            while wire is not None and not answered.settled:
                wait = _LOOK_AROUND if deadline is None else min(_LOOK_AROUND, deadline - time.monotonic())
                if wait <= 0.0:
                    break
                for data in wire.receive(wait):
                    self._take_in(data)
        except BaseException as error:
            if wire is not None:
                wire.give_up(error)
            if not isinstance(error, (SyftError, OSError)):
                raise
        finally:
            self._read_at = time.monotonic()
            self._reading.release()
            if self._waiting or (wire is not None and wire.error is not None):
                self._wake()  # now the thread is to read, or to connect anew

    def _open_stream(self) -> Stream:
        self._check()
        if self._stream is None:
            raise ConnectionLost("there is no connection; call connect() first")
        return self._stream

    def _check(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _flush(self, *, wait: bool = True, deadline: float | None = None) -> bool:
        """Send what there is, and say whether the deadline left time for that."""
        stream, wire = self._stream, self._wire
        while stream is not None and (stream.unsent or stream.owes or (wire is not None and wire.behind)):
            left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                if not (self._sending.acquire(timeout=left) if wait else self._sending.acquire(blocking=False)):
                    return not wait  # whoever holds it looks again when done
                self._posted = 0
                wire = self._wire
                if wire is None or not wire.flush(deadline):
                    return wire is None
                while (parts := stream.take(acknowledge=True)) is not None:
                    if not wire.send(b"".join(parts), deadline):
                        return False
            except ConnectionLost:
                return True  # what was taken is kept; the thread connects anew and sends it again
            except BaseException as error:
                if wire is not None:
                    wire.give_up(error)
                    self._wake()
                raise
            finally:
                if self._sending._is_owned():  # Ctrl-C may come right after it was acquired
                    self._sending.release()
        return True

    def _wake(self) -> None:
        self._awake = True
        try:
            os.write(self._wake_write, b"\0")
        except (BlockingIOError, OSError):
            pass

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._failure is None and self._thread is threading.current_thread():
            wire = self._wire
            if wire is None:
                return
            try:
                self._serve(wire)
            except (SyftError, OSError) as error:
                wire.abort(str(error))
                if self._failure is None:
                    self._recover(error, wire.final)
            except BaseException as error:
                self._give_up(error)  # a bug, and yet nobody is to wait for ever
                raise

    def _serve(self, wire: Wire) -> None:
        keepalive = 10.0 if self.welcome is None else self.welcome.keepalive
        asked = time.monotonic()
        self._flush(wait=False)
        while self._failure is None:
            left = wire.heard + wire.patience - time.monotonic()
            frames = self._receive(wire, min(keepalive / 4, max(0.01, left)))
            if self._awake:
                self._gather()
                self._flush(wait=False)
            if not frames:
                self._idle()
            now = time.monotonic()
            if now - wire.heard > wire.patience:
                raise ConnectionLost(
                    f"worker {self.worker!r} at {self.settings.address.url} has given no sign of life for "
                    f"{now - wire.heard:.1f} s"
                )
            if now - max(wire.heard, asked) >= keepalive / 2 or now - asked >= keepalive:
                asked = now
                wire.ping()

    def _receive(self, wire: Wire, timeout: float) -> int:
        """Read what arrives, if no other thread does; how many frames."""
        if self._reading.locked() or (not self._waiting and time.monotonic() - self._read_at < _READERS_TIME):
            wire.wait_for(self._wake_read, _READERS_TIME)
        else:
            wire.wait(timeout, self._wake_read)
        if not self._reading.acquire(blocking=False):
            return 1
        try:
            if wire.error is not None:
                raise wire.error
            frames = wire.receive(0)
            for data in frames:
                self._take_in(data)
        finally:
            self._reading.release()
        return len(frames)

    def _gather(self) -> None:
        stream = self._stream
        if stream is not None and stream.unsent and not self._waiting:
            time.sleep(_GATHER)
        self._awake = False
        try:
            os.read(self._wake_read, 64)
        except BlockingIOError:
            pass

    def _take_in(self, data: bytes | bytearray) -> None:
        stream = self._stream
        if stream is None:
            return
        parcels = stream.receive(data)
        self._fruitless = 0
        for parcel in parcels:
            if not parcel.flags & REPLY:
                raise DecodeError("a worker sends answers only")
            self._settle(parcel.answers, parcel.parts, None)  # nobody waits any more after a timeout
            stream.dealt(parcel.number)
            self._untold += parcel.size
            if self._untold > _TELL_AT_ONCE:
                self._untold = 0
                self._flush(wait=False)

    def _settle(self, number: int, value: Sequence[Buffer], error: Exception | None) -> None:
        with self._lock:
            answered = self._waiting.pop(number, None)
        if answered is not None:
            answered.settle(value, error)

    def _recover(self, error: Exception, final: bool) -> None:
        deadline = time.monotonic() + self.settings.reconnect
        self._fruitless += 1
        if final or self._fruitless > _MOST_FRUITLESS or isinstance(error, (DecodeError, LimitExceededError)):
            deadline = 0.0  # another connection would bring the same
        with self._sending:
            self._wire = None
        reason: Exception = error
        while time.monotonic() < deadline and self._failure is None:
            try:
                with self._reading:
                    self._open(deadline)
            except SessionLost as lost:
                reason = lost
                break
            except SyftError as failed:
                reason = failed
                time.sleep(0.05)
            else:
                if self._failure is not None:  # closed while the connection was made anew
                    self._hang_up()
                return
        if self._failure is None:
            self._give_up(reason)

    def _give_up(self, error: BaseException) -> None:
        text = str(error)
        if not isinstance(error, SessionLost):
            stop = "" if text.endswith((".", "?")) else "."
            text = (
                f"the connection to worker {self.worker!r} at {self.settings.address.url} is lost: {text}{stop} "
                "What was sent may have been carried out; connect() takes the session up again if the worker still "
                "has it"
            )
        self._fail(SessionLost(text) if isinstance(error, SessionLost) else ConnectionLost(text))

    def _fail(self, failure: ConnectionLost, end: bool = False) -> None:
        with self._lock:
            self._failure, self._ends = failure, end
            waiting, self._waiting = self._waiting, {}
        self._hang_up()
        stream, self._stream = self._stream, None
        if stream is not None:
            # Whoever is told that it is lost may do it again; it must not be sent on later, too.
            stream.close(str(failure))
        for answered in waiting.values():
            answered.settle((), type(failure)(str(failure)))

    def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close(GOOD_BYE if self._ends else 1000)

    def close(self, *, end: bool = False, timeout: float | None = None) -> None:
        """Close the connection. The worker keeps the session for the time of its lease, unless it is to ``end``.

        Args:
            end: whether the session ends with it.
            timeout: seconds for sending what was posted; None sends all of it.
        """
        if self._failure is None:
            if self._wire is not None:
                try:
                    self._flush(deadline=None if timeout is None else time.monotonic() + timeout)
                except SyftError:
                    pass
            closed = f"the connection to worker {self.worker!r} was closed; open it with connect()"
            self._fail(ConnectionLost(closed), end)
            self._wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(2.0)


def _close_pipe(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
