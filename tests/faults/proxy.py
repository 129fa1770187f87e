"""A proxy on loopback that does to a connection what networks do: cut it, stall it, slow it down."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal

Way = Literal["up", "down"]
"""From the client to the worker, or back."""

_CHUNK = 1 << 16
_BUFFER = 1 << 17  # small, so that what was sent is not all in here


class Proxy:
    """Passes connections on to a port, and counts their bytes.

    Args:
        target: the port.

    Attributes:
        port: where to connect instead.
        passed: bytes that went through, all connections together.
        cuts: how many connections were cut.
        delay: seconds that each chunk waits before it goes on.
        refuses: whether new connections are closed at once.
        encrypted: whether what passes is TLS, for whoever connects.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        self.cuts, self.delay, self.refuses, self.encrypted = 0, 0.0, False, False
        self._cut_at: tuple[Way, int] | None = None
        self._then_refuse = False
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)  # what is accepted has it, too
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    # --- faults -------------------------------------------------------------------------------------

    def cut_after(self, way: Way, offset: int, *, then_refuse: bool = False) -> None:
        """Cut, once, when so many bytes more went that way: those pass, the next one does not.

        Args:
            way: which bytes are counted.
            offset: how many.
            then_refuse: let no new connection through afterwards, until ``refuses`` is False again.
        """
        with self._lock:
            self._cut_at, self._then_refuse = (way, self.passed[way] + offset), then_refuse

    def cut(self) -> None:
        """Cut all connections now."""
        with self._lock:
            sockets = list(self._open)
            self._open.clear()
        self.cuts += len(sockets) // 2
        for end in sockets:
            _shut(end)

    def stall(self) -> None:
        """Let nothing pass; connections stay, and new ones are taken."""
        self._flows.clear()

    def go_on(self) -> None:
        """Let everything pass again."""
        self._flows.set()

    def close(self) -> None:
        """End all connections and the port."""
        self._closed = True
        self._flows.set()
        _shut(self._listening)
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- the threads --------------------------------------------------------------------------------

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                if self.refuses or self._closed:
                    raise ConnectionRefusedError
                worker = socket.create_connection(("127.0.0.1", self.target), 5)
                for end in (client, worker):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
                worker.settimeout(None)
            except OSError:
                client.close()
                continue
            for end in (client, worker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, worker}
            self._threads = [t for t in self._threads if t.is_alive()]
            self._start(self._pass, client, worker, "up")
            self._start(self._pass, worker, client, "down")

    def _pass(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        try:
            for data in self._chunks(source):
                allowed, cut = self._allowed(way, len(data))
                sink.sendall(data[:allowed])
                if cut:
                    self.cut()
                    return
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, sink}
            _shut(source)
            _shut(sink)

    def _chunks(self, source: socket.socket) -> Iterator[bytes]:
        while True:
            if self._due_before_any():
                yield b""  # a cut at offset 0 does not wait for a byte
            self._flows.wait()
            try:
                data = source.recv(_CHUNK)
            finally:
                self._flows.wait()  # a stalled connection does not end either
            if not data:
                return
            if self.delay:
                time.sleep(self.delay)
            yield data

    def _due_before_any(self) -> bool:
        return self._cut_at is not None and self.passed[self._cut_at[0]] >= self._cut_at[1]

    def _allowed(self, way: Way, length: int) -> tuple[int, bool]:
        with self._lock:
            planned = self._cut_at
            if planned is not None and (planned[0] == way or self._due_before_any()):
                room = planned[1] - self.passed[planned[0]]
                if room <= length:
                    self._cut_at = None
                    self.refuses = self.refuses or self._then_refuse
                    length, cut = max(0, room) if planned[0] == way else 0, True
                    self.passed[way] += length
                    return length, cut
            self.passed[way] += length
            return length, False


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
