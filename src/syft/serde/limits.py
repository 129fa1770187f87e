"""What a receiver is willing to decode.

Every limit is checked against bytes that have really arrived: a length that a message merely declares
never makes the decoder allocate anything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one message; the defaults suit a worker that serves people it does not know.

    Attributes:
        max_bytes: length of the frame, and of what it decompresses to.
        max_expansion: a compressed frame of ``n`` bytes may grow to ``max_expansion * n`` bytes plus one MiB.
        max_depth: containers within containers, a tensor or message counting as one.
        max_items: values in the structure of the message: elements, keys and fields, but not the
            numbers inside tensors and arrays, which travel beside it.
        max_buffers: tensors and arrays.
        max_ndim: dimensions of one tensor or array.
        max_str: UTF-8 bytes of one string.

    Example:
        >>> Limits(max_bytes=1 << 20).max_depth
        64
    """

    max_bytes: int = 1 << 30
    max_expansion: int = 64
    max_depth: int = 64
    max_items: int = 1 << 18
    max_buffers: int = 1 << 16
    max_ndim: int = 32
    max_str: int = 1 << 24

    def decompressed(self, compressed: int) -> int:
        """How far a compressed payload may grow.

        Args:
            compressed: its length in bytes.

        Returns:
            The greatest length in bytes that is accepted after decompression.
        """
        return min(self.max_bytes, self.max_expansion * compressed + (1 << 20))


DEFAULT_LIMITS = Limits()
"""The limits of `syft.serde.decode` unless others are given."""
