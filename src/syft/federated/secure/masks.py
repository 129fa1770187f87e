"""Masks: uniform vectors over the ring of 32- or 64-bit integers, from keys of 16 bytes.

A mask is an AES-CTR keystream (`syft.core.random.Tape`), so it is as hard to tell from random as its key is to guess.
"""

from __future__ import annotations

import torch

from syft.core.random import KEY_BYTES, Tape
from syft.exceptions import AggregationError

DTYPES = {32: torch.int32, 64: torch.int64}
"""The tensors that hold numbers of the ring of so many bits; their sums wrap around as the ring's do."""

_ON_THE_WIRE = {32: "<i4", 64: "<i8"}  # the same on machines of either byte order


def mask_of(key: bytes, size: int, bits: int) -> torch.Tensor:
    """The mask of a key.

    Args:
        key: 16 bytes; it makes one mask and nothing else.
        size: how many numbers.
        bits: 32 or 64.

    Returns:
        A vector of int32 or int64 of that size, uniform over all values.

    Raises:
        AggregationError: the key has not 16 bytes.
    """
    if len(key) != KEY_BYTES:
        raise AggregationError(f"a mask needs a key of {KEY_BYTES} bytes, not {len(key)}")
    stream = Tape(key).strip(0, size * bits // 8).view(_ON_THE_WIRE[bits])
    return torch.from_numpy(stream.astype(stream.dtype.newbyteorder("="), copy=False))
