"""What went over a connection: messages and bytes in each direction, by kind."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Traffic:
    """Counts for one kind of message.

    Attributes:
        messages_in: how many arrived.
        messages_out: how many were sent.
        bytes_in: their bytes, without what encryption and websocket frames add.
        bytes_out: likewise.
    """

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class TrafficMeter:
    """Counts what a worker sends and receives.

    Example:
        >>> meter = TrafficMeter()
        >>> meter.sent("Command", 80)
        >>> meter.by_kind()["Command"].bytes_out, meter.total.messages_out
        (80, 1)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[str, Traffic] = {}

    def sent(self, kind: str, size: int) -> None:
        """Count a message that was sent."""
        with self._lock:
            entry = self._kinds.get(kind) or self._kinds.setdefault(kind, Traffic())
            entry.messages_out += 1
            entry.bytes_out += size

    def received(self, kind: str, size: int) -> None:
        """Count a message that arrived."""
        with self._lock:
            entry = self._kinds.get(kind) or self._kinds.setdefault(kind, Traffic())
            entry.messages_in += 1
            entry.bytes_in += size

    def by_kind(self) -> dict[str, Traffic]:
        """Counts by kind of message: a copy."""
        with self._lock:
            return {
                kind: Traffic(t.messages_in, t.messages_out, t.bytes_in, t.bytes_out) for kind, t in self._kinds.items()
            }

    @property
    def total(self) -> Traffic:
        """All kinds together."""
        total = Traffic()
        for entry in self.by_kind().values():
            total.messages_in += entry.messages_in
            total.messages_out += entry.messages_out
            total.bytes_in += entry.bytes_in
            total.bytes_out += entry.bytes_out
        return total

    def reset(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._kinds.clear()

    def __repr__(self) -> str:
        total = self.total
        return (
            f"<traffic: {total.messages_out} messages of {total.bytes_out} bytes out, "
            f"{total.messages_in} of {total.bytes_in} bytes in>"
        )
