"""One websocket connection as a client sees it: a socket, and the websocket protocol of the ``websockets`` library.

The library's protocol object does no I/O of its own. So whoever sends writes to the socket itself, without handing
over to another thread, and one thread reads.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections import deque

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.frames import Frame, Opcode, apply_mask
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from syft.exceptions import AuthenticationError, ConnectionLost, SyftError
from syft.transports.addresses import Address
from syft.transports.frames import FrameReader, head
from syft.transports.stream import MAX_FRAME

SUBPROTOCOL = Subprotocol("syft.v1")
GOOD_BYE = 4000
"""The close code with which a client says that it will not come back."""
_READ = 1 << 18
_WORTH_A_CALL = 1 << 16  # bytes that take longer to be joined to the head of their frame than to be sent apart
_THERE = b"-"  # stands for what was read into its place
_END_OF_HEADERS = b"\r\n\r\n"


class Wire:
    """An open connection. One thread at a time may call `receive`; any may call `send` and `ping`.

    Args:
        address: of the worker.
        tls: verifies the worker; None for an address without TLS.
        timeout: seconds for connecting, and for each handshake.

    Raises:
        ConnectionLost: nobody answers there, or not in time.
        AuthenticationError: the worker's certificate is not one to trust.
    """

    def __init__(self, address: Address, tls: ssl.SSLContext | None, timeout: float) -> None:
        self.address = address
        self._deadline: float | None = time.monotonic() + timeout
        self.patience = timeout  # seconds without a sign of life until the other end is gone
        self._lock = threading.Lock()  # guards the protocol, the socket and what waits to be written
        self._waiting: deque[bytes | memoryview] = deque()
        self._frames: deque[bytes | bytearray] = deque()
        self._pieces: list[bytes] = []
        self._reader: FrameReader | None = None  # once the connection is open
        self._tail = b""  # of the headers so far
        self._told = True  # whether the library may have something to answer
        self._broken: str | None = None
        self.error: Exception | None = None  # why one of those who read gave it up
        self.final = False  # the worker closed it and would close the next one, too
        self.heard = time.monotonic()
        self._socket = self._connect(tls, timeout)
        self._protocol = ClientProtocol(
            parse_uri(address.url), subprotocols=[SUBPROTOCOL], extensions=None, max_size=MAX_FRAME
        )
        try:
            self._socket.setblocking(False)
            self._protocol.send_request(self._protocol.connect())
            self._write()
            while self._protocol.state is State.CONNECTING:
                self._frames.extendleft(
                    reversed(self.receive(timeout))
                )  # the first message may come with the last header
                if self._protocol.handshake_exc is not None:
                    raise self._protocol.handshake_exc
        except (InvalidHandshake, WebSocketException) as error:
            self.abort()
            raise ConnectionLost(f"{address.url} does not answer like a syft worker: {error}") from error
        except BaseException:
            self.abort()
            raise

    def _connect(self, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
        where = self.address.url
        try:
            plain = socket.create_connection((self.address.host, self.address.port), timeout)
        except OSError as error:
            raise ConnectionLost(
                f"no worker answers at {where}: {error}. Is it running, and is this its address?"
            ) from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return plain if tls is None else tls.wrap_socket(plain, server_hostname=self.address.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise AuthenticationError(
                f"the certificate of {where} is not to be trusted: {error.verify_message}. Name the authority that "
                "signed it with ca=..., or, to talk to anyone who answers there, pass insecure=True"
            ) from error
        except OSError as error:
            plain.close()
            raise ConnectionLost(f"no encrypted connection to {where} could be made: {error}") from error

    # --- out ----------------------------------------------------------------------------------------

    def send(self, data: bytes, deadline: float | None = None) -> bool:
        """Send one binary message.

        Args:
            data: its bytes.
            deadline: when to return at the latest; what is left then goes out with what is sent next, or by `flush`.

        Returns:
            Whether the operating system has all of it.

        Raises:
            ConnectionLost: the connection is broken, or the other end takes nothing.
        """
        mask = os.urandom(4)
        masked, first = apply_mask(data, mask), head(len(data), mask)
        with self._lock:
            self._check()
            if len(data) > _WORTH_A_CALL:
                self._waiting += (first, masked)
            else:
                self._waiting.append(first + masked)
            if self._send_waiting():
                return True
        return self._write(deadline)

    def flush(self, deadline: float | None = None) -> bool:
        """Send what is left of earlier messages; see `send`."""
        return not self._waiting or self._write(deadline)

    @property
    def behind(self) -> bool:
        """Whether something is left of earlier messages."""
        return bool(self._waiting)

    def ping(self) -> None:
        """Ask for a sign of life; never waits."""
        with self._lock:
            if self._broken is None and self._protocol.state is State.OPEN and not self._waiting:
                self._protocol.send_ping(b"")
                self._waiting.extend(self._protocol.data_to_send())
        self._write(wait=False)

    def _write(self, deadline: float | None = None, *, wait: bool = True) -> bool:
        blocked = False
        while True:
            with self._lock:
                self._waiting.extend(self._protocol.data_to_send())
                if not self._waiting:
                    return True
                self._check()
                left = len(self._waiting[0]), len(self._waiting)
                if self._send_waiting():
                    continue
                if self._broken is not None:
                    continue
                if blocked and left != (len(self._waiting[0]), len(self._waiting)):
                    self.heard = time.monotonic()  # the other end takes what is sent: a sign of life, too
            now, blocked = time.monotonic(), True
            if not wait or (deadline is not None and now >= deadline):
                return False
            if now - self.heard > self.patience:  # who looks for signs of life may be who waits here
                self._read()
                if now - self.heard > self.patience:
                    self.abort(f"{self.address.url} takes nothing and has given no sign of life")
                continue
            self._ready(write=True, timeout=0.2 if deadline is None else min(0.2, deadline - now))

    def _send_waiting(self) -> bool:
        # With the lock held: whether the operating system took all.
        try:
            while self._waiting:
                data = self._waiting[0]
                sent = self._socket.send(data) if len(data) else 0
                if sent < len(data):
                    self._waiting[0] = memoryview(data)[sent:]
                else:
                    self._waiting.popleft()
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            self._break(f"the connection to {self.address.url} broke while sending: {error}")
            return False
        return True

    # --- in -----------------------------------------------------------------------------------------

    def wait(self, timeout: float | None, also: int) -> None:
        """Wait until something can be received.

        Args:
            timeout: seconds to wait at most.
            also: a file descriptor whose readiness ends the wait, too.
        """
        if not self._frames and not self._pending():
            self._ready(write=False, timeout=timeout, also=also)

    def wait_for(self, other: int, timeout: float) -> None:
        """Wait for a file descriptor alone, at most so many seconds."""
        poll = select.poll()
        poll.register(other, select.POLLIN)
        poll.poll(int(timeout * 1000))

    def receive(self, timeout: float | None) -> list[bytes | bytearray]:
        """Wait for messages.

        Args:
            timeout: seconds to wait at most; None waits for as long as it takes.

        Returns:
            The binary messages that arrived; none when the time is up.

        Raises:
            ConnectionLost: the connection is broken.
        """
        if self._deadline is not None and timeout is not None:
            timeout = min(timeout, max(0.001, self._deadline - time.monotonic()))
        if timeout != 0 and not self._frames and not self._pending():
            self._ready(write=False, timeout=timeout)
        self._read()
        if self._told or self._waiting:
            self._told = False
            with contextlib.suppress(ConnectionLost):  # what came before the end is given out first
                self._write(wait=False)  # what the library answers by itself, such as pongs
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise ConnectionLost(f"{self.address.url} took the connection and does not answer")
        with self._lock:
            frames = list(self._frames)
            self._frames.clear()
            if not frames:
                self._check()
        return frames

    def receive_one(self, deadline: float) -> bytes | bytearray:
        """Wait for a single message; those that came with it are given out later.

        Raises:
            ConnectionLost: the connection is broken, or it is too late.
        """
        while True:
            frames = self.receive(max(0.01, deadline - time.monotonic()))
            if frames:
                self._frames.extendleft(reversed(frames[1:]))
                return frames[0]

    def opened(self, patience: float) -> None:
        """The handshakes are over: waiting is no longer bounded by their time.

        Args:
            patience: seconds without a sign of life until the other end is gone.
        """
        self._deadline, self.patience = None, patience

    def _read(self) -> None:
        with self._lock:
            if self._broken is not None:
                return
            reader, count = self._reader, 0
            room = None if reader is None else reader.room
            try:
                if room is None:
                    data = self._socket.recv(_READ)
                else:
                    count = self._socket.recv_into(room)
                    data = b"" if not count else _THERE
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._break(f"the connection to {self.address.url} broke: {error}")
                return
            self.heard = time.monotonic()
            if not data:
                self._told = True
                self._protocol.receive_eof()
            elif reader is None:
                self._open_with(data)
            else:
                self._frames += reader.feed(data) if room is None else reader.filled(count)
            if self._told:
                self._take_events()
            if not data or self._protocol.state in (State.CLOSING, State.CLOSED):
                self._break(self._why_closed())

    def _open_with(self, data: bytes) -> None:
        """Give the library the answer to our request, and what comes after it to a reader of frames."""
        before = len(self._tail)
        end = (self._tail + data).find(_END_OF_HEADERS)
        if end < 0:
            self._tail = (self._tail + data)[1 - len(_END_OF_HEADERS) :]
            self._tell_protocol(data)
            return
        cut = end + len(_END_OF_HEADERS) - before
        self._tell_protocol(data[:cut])
        if self._protocol.state is State.OPEN:
            self._reader = FrameReader(self._tell_protocol, MAX_FRAME, masked=False)
            self._frames += self._reader.feed(data[cut:])
        else:
            self._tell_protocol(data[cut:])

    def _tell_protocol(self, data: bytes) -> None:
        self._told = True
        self._protocol.receive_data(data)

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if not isinstance(event, Frame) or event.opcode not in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
                continue
            if event.fin and not self._pieces:
                self._frames.append(bytes(event.data))
                continue
            self._pieces.append(bytes(event.data))
            if event.fin:
                self._frames.append(b"".join(self._pieces))
                self._pieces.clear()

    def _why_closed(self) -> str:
        received = self._protocol.close_rcvd
        self.final = received is not None and received.code in (1002, 1003, 1008, 1009)
        if received is not None and received.reason:
            return f"{self.address.url} closed the connection: {received.reason}"
        return f"the connection to {self.address.url} was closed"

    # --- the end ------------------------------------------------------------------------------------

    def close(self, code: int = 1000) -> None:
        """Say why, and close."""
        with self._lock:
            if self._broken is None and self._protocol.state is State.OPEN:
                self._protocol.send_close(code)
        try:
            self._write(wait=False)
        except ConnectionLost:
            pass
        self.abort()

    def give_up(self, error: BaseException) -> None:
        """Close at once, for whoever connects anew: after an interrupt, too, which may have lost bytes."""
        lost = error if isinstance(error, (SyftError, OSError)) else ConnectionLost("it was interrupted")
        self.error = lost
        self.abort(str(lost))

    def abort(self, reason: str = "the connection was closed") -> None:
        """Close at once; everybody who uses this wire gets a `ConnectionLost`."""
        with self._lock:
            self._break(reason)

    def _break(self, reason: str) -> None:
        if self._broken is None:
            self._broken = reason
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._socket.close()

    def _check(self) -> None:
        if self._broken is not None:
            raise ConnectionLost(self._broken)

    def _pending(self) -> bool:
        with self._lock:
            return isinstance(self._socket, ssl.SSLSocket) and self._broken is None and self._socket.pending() > 0

    def _ready(self, *, write: bool, timeout: float | None, also: int | None = None) -> None:
        poll = select.poll()
        descriptor = self._socket.fileno()
        if descriptor < 0:
            return
        poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
        if also is not None:
            poll.register(also, select.POLLIN)
        poll.poll(None if timeout is None else max(0, int(timeout * 1000)))
