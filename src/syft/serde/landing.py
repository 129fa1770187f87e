"""Memory in which a long message arrives, and in which its tensors can stay without being copied.

The head of a message says where its long buffers will be. Each gets memory of torch's own; the rest of the message
shares a piece. So a tensor that came in many pieces was copied once, and still has memory that nobody else has.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import torch

from syft.exceptions import DecodeError
from syft.serde.frame import places_of

_WORTH_IT = 1 << 16  # bytes of a buffer that is not copied; what is shorter is quicker copied


class _Landed(np.ndarray[Any, Any]):
    """Bytes over a storage of torch's, which knows it."""

    storage: torch.UntypedStorage


class Landing:
    """Memory for a message of so many bytes. Nothing of it is touched before something arrives.

    Args:
        size: of the whole message.
        beginning: its first bytes, not copied yet.

    Raises:
        MemoryError: there is not so much.
    """

    def __init__(self, size: int, beginning: memoryview) -> None:
        self.size, self.filled = size, 0
        self._starts = [0]
        try:
            places = [(start, length) for start, length in places_of(beginning, size) if length >= _WORTH_IT]
        except DecodeError:
            places = []  # who decodes it says what is wrong
        for start, length in places:
            self._starts += (start, start + length)
        ends = [*self._starts[1:], size]
        self.parts = [_memory(end - start) for start, end in zip(self._starts, ends, strict=True)]

    def write(self, data: memoryview) -> None:
        """Put down the next bytes.

        Raises:
            DecodeError: they are more than the message has.
        """
        if self.filled + len(data) > self.size:
            raise DecodeError(f"a message of {self.size} bytes came in pieces that are longer together")
        while data:
            number = bisect_right(self._starts, self.filled) - 1
            at = self.filled - self._starts[number]
            part = self.parts[number]
            taken = min(len(part) - at, len(data))
            part[at : at + taken] = data[:taken]
            self.filled += taken
            data = data[taken:]


def _memory(size: int) -> memoryview:
    if not size:
        return memoryview(bytearray())
    try:
        storage = torch.UntypedStorage(size)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise MemoryError(f"no memory for {size} bytes of a message") from error
    whole = torch.empty(0, dtype=torch.uint8, device="cpu").set_(storage, 0, (size,), (1,))
    array = np.from_dlpack(whole).view(_Landed)
    array.storage = storage
    return memoryview(array)  # type: ignore[arg-type]


def landed(memory: memoryview) -> torch.UntypedStorage | None:
    """The storage that these bytes are all of; None if they lie elsewhere or are not alone."""
    owner: Any = memory.obj
    return owner.storage if type(owner) is _Landed and owner.nbytes == memory.nbytes else None
