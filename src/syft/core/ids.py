"""Object ids: 63 random bits that a client chooses without asking anyone.

They come from the operating system's generator, drawn in blocks because one call each would cost
more than a remote operation may.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Iterable

from syft.exceptions import IdNotUniqueError

_BLOCK = 256
_UNPACK = struct.Struct(f"<{_BLOCK}Q").unpack
_MASK = (1 << 63) - 1
_REMEMBERED_BLOCKS = 64


class IdProvider:
    """Hands out object ids, unguessable unless a test sets them.

    Args:
        given_ids: ids to hand out first, from the **end** of the list.

    Example:
        >>> provider = IdProvider(given_ids=[7, 8])
        >>> provider.pop(), provider.pop()
        (8, 7)
        >>> 0 <= provider.pop() < 2**63
        True
    """

    def __init__(self, given_ids: Iterable[int] | None = None) -> None:
        self._given: list[int] = []
        self._ever_given: set[int] = set()
        self._recorded: list[int] | None = None
        self._forget_drawn()
        os.register_at_fork(after_in_child=self._forget_drawn)
        if given_ids is not None:
            self.set_next_ids(list(given_ids))

    def _forget_drawn(self) -> None:
        # A forked child must not hand out its parent's ids.
        self._fresh: list[int] = []
        self._drawn: deque[tuple[int, ...]] = deque(maxlen=_REMEMBERED_BLOCKS)

    def pop(self, *_ignored: object) -> int:
        """Draw the next id.

        Returns:
            An unused integer in ``[0, 2**63)``. Arguments are ignored, as in 0.2.4.
        """
        if self._given:
            new = self._given.pop()
        else:
            try:
                new = self._fresh.pop() & _MASK  # list.pop is atomic: two threads never get one id
            except IndexError:
                block = _UNPACK(os.urandom(8 * _BLOCK))
                self._drawn.append(block)
                self._fresh = list(block)
                new = self._fresh.pop() & _MASK
        if self._recorded is not None:
            self._recorded.append(new)
        return new

    def set_next_ids(self, given_ids: Iterable[int], check_ids: bool = True) -> None:
        """Choose the next ids.

        Args:
            given_ids: ids to hand out, from the **end** of the list.
            check_ids: refuse ids that were handed out before. The last 16 384 drawn ids and all ids
                ever given are remembered.

        Raises:
            IdNotUniqueError: an id was handed out before.
        """
        given = list(given_ids)
        if check_ids:
            fresh = set(self._fresh)
            drawn = {n & _MASK for block in self._drawn for n in block if n not in fresh}
            clash = [i for i in given if i in self._ever_given or i in drawn]
            if clash:
                raise IdNotUniqueError(
                    f"these ids were handed out before: {clash}; choose others or pass check_ids=False"
                )
        self._ever_given.update(given)
        self._given = given

    def start_recording_ids(self) -> None:
        """Remember every id handed out from now on."""
        self._recorded = []

    def get_recorded_ids(self, continue_recording: bool = False) -> list[int]:
        """The ids handed out since recording started.

        Args:
            continue_recording: go on recording afterwards.

        Returns:
            The ids in the order they were handed out.
        """
        recorded = list(self._recorded or [])
        if not continue_recording:
            self._recorded = None
        return recorded


ID_PROVIDER = IdProvider()
"""The source of this process's ids (``sy.ID_PROVIDER``)."""

new_id = ID_PROVIDER.pop
