"""How a worker elsewhere is told of objects that nobody points to any more."""

from __future__ import annotations

import threading
from collections import deque

from syft.core import messages as m
from syft.serde.codec import encode_in_parts
from syft.transports.link import Link
from syft.transports.traffic import TrafficMeter


class Forgetting:
    """The part of a `WebsocketClientWorker` that collects what to forget and tells it with the next message."""

    traffic: TrafficMeter
    _link: Link
    _posts: int
    _forgotten: deque[m.ObjectId]
    _telling: threading.Lock  # held from taking ids until they are on their way

    def forget(self, id: m.ObjectId) -> None:
        """The last pointer to an object died: the worker is told with the next message. Never waits, never raises."""
        self._forgotten.append(id)

    def _take_forgotten(self) -> tuple[m.ObjectId, ...]:
        ids = []
        while self._forgotten:
            try:
                ids.append(self._forgotten.popleft())
            except IndexError:  # another thread was faster
                break
        return tuple(ids)

    def _send_forgotten(self, *, wait: bool = True) -> None:
        if not self._telling.acquire(blocking=wait):
            return  # by a thread that may wait for the link's own, which asks without waiting
        try:
            self._posts += 1  # before they are taken: who looks finds them there, or sees that something was posted
            ids = self._take_forgotten()
            if ids:
                parts = encode_in_parts(m.Forget(ids))
                self.traffic.sent("Forget", sum([len(p) for p in parts]))
                self._link.post(parts, wait=wait)
        finally:
            self._telling.release()

    def _wait_until_told(self) -> None:
        """Another thread has taken ids: what they stand for is to be gone before the next message is dealt with."""
        with self._telling:
            pass
