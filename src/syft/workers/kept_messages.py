"""`KeptMessages`: the last messages of a session, for a client that wants to look at what it has sent."""

from __future__ import annotations

from collections import deque


class KeptMessages:
    """Messages as they arrived; the oldest make room for new ones.

    Args:
        limit: bytes that they may take together. A message that is longer is not kept.

    Example:
        >>> kept = KeptMessages(limit=1000)
        >>> for message in (b"a" * 400, b"b" * 400, b"c" * 400):
        ...     kept.append(message)
        >>> len(kept), kept[0][:1]
        (2, b'b')
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._nbytes = limit, 0
        self._messages: deque[bytes] = deque()

    def append(self, message: bytes) -> None:
        """Keep one more."""
        if len(message) > self._limit:
            return
        self._messages.append(message)
        self._nbytes += len(message)
        while self._nbytes > self._limit or len(self._messages) > self._limit // _BESIDE:
            self._nbytes -= len(self._messages.popleft())

    def __len__(self) -> int:
        return len(self._messages)

    def __getitem__(self, index: int) -> bytes:
        return self._messages[index]


_BESIDE = 64  # bytes that a message takes besides its own
