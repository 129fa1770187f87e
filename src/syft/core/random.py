"""Randomness for secrets: AES-CTR keystreams (NIST SP 800-38A, 6.5) under keys of the operating system's.

Masks, shares and blinding values come from here and from nowhere else. It is faster than ``torch.randint``, and no
seed of torch, numpy or `random` has any influence on it.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from syft.exceptions import UsageError

KEY_BYTES = 16
KeyBytes = bytes
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_ZEROS = np.zeros(1 << 16, np.uint8)
_ZEROS.flags.writeable = False
_REKEY_AFTER = 1 << 36  # bytes of one stream; far below the 2^64 blocks after which a key wears out


class Tape:
    """Random bytes that two parties with the same key can both compute, one strip for each number.

    Args:
        key: 16 bytes that nobody else knows.

    Raises:
        UsageError: a key of another length.

    Example:
        >>> here, there = Tape(bytes(16)), Tape(bytes(16))
        >>> (here.strip(7, 100) == there.strip(7, 100)).all(), (here.strip(7, 9) == here.strip(8, 9)).all()
        (np.True_, np.False_)
    """

    __slots__ = ("_streams",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise UsageError(f"the key of a tape has {KEY_BYTES} bytes, not {len(key)}")
        self._streams = _Streams(algorithms.AES(key))

    def strip(self, number: int, nbytes: int, start: int = 0) -> Bytes:
        """Bytes of a strip.

        Args:
            number: which strip, below 2^64. Strips of different numbers have nothing in common.
            nbytes: how many bytes.
            start: the first one, a multiple of 16.

        Returns:
            An array of uint8 of shape ``(nbytes,)``.
        """
        return _keystream(self._streams.at(number, start), nbytes)

    def covered(self, data: Bytes, number: int, start: int = 0) -> Bytes:
        """Bytes under those of a strip: their exclusive or, from which the other party gets them back in the same way.

        Args:
            data: uint8, in one dimension and without gaps.
            number: which strip.
            start: its first byte that is used, a multiple of 16.

        Returns:
            An array of uint8 of the same shape.
        """
        return _keystream(self._streams.at(number, start), data.size, data)


class _Streams(threading.local):
    """A cipher of a tape for each thread: to set one back takes less than to make one."""

    def __init__(self, algorithm: algorithms.AES) -> None:
        self._cipher: Any = Cipher(algorithm, modes.CTR(bytes(16))).encryptor()

    def at(self, number: int, start: int) -> Any:
        """The cipher at a place of a strip."""
        # The number is the upper half of the block counter, so strips of less than 2^64 blocks never meet.
        self._cipher.reset_nonce(number.to_bytes(8, "big") + (start >> 4).to_bytes(8, "big"))
        return self._cipher


class _Stream(threading.local):
    """The stream of one thread; the child of a fork starts another one."""

    encryptor: Any = None
    left = 0
    generation = -1


class SystemRandom:
    """Fresh random values, a stream for each thread, keyed by `os.urandom`.

    >>> SYSTEM_RANDOM.integers((2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self) -> None:
        self._stream = _Stream()
        self._generation = 0
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._generation += 1

    def bytes(self, nbytes: int) -> Bytes:
        """Uniform bytes: an array of uint8 of shape ``(nbytes,)``."""
        if nbytes < 0:
            raise UsageError(f"{nbytes} random bytes cannot be drawn")
        stream = self._stream
        if stream.left < nbytes or stream.generation != self._generation:
            stream.encryptor = Cipher(algorithms.AES(os.urandom(KEY_BYTES)), modes.CTR(os.urandom(16))).encryptor()
            stream.left, stream.generation = _REKEY_AFTER, self._generation
        stream.left -= nbytes
        return _keystream(stream.encryptor, nbytes)

    def key(self) -> KeyBytes:
        """A key for a `Tape`."""
        return os.urandom(KEY_BYTES)

    def integers(self, shape: Any) -> torch.Tensor:
        """Uniform over all of int64.

        Args:
            shape: of the result.

        Returns:
            A tensor of torch.int64.
        """
        size = torch.Size(shape)
        return torch.from_numpy(self.bytes(8 * size.numel()).view(np.int64)).reshape(size)


def _keystream(encryptor: Any, nbytes: int, data: Bytes | None = None) -> Bytes:
    out = np.empty(nbytes + 15, np.uint8)  # update_into wants room for a block more
    if data is not None:
        encryptor.update_into(data, out)
        return out[:nbytes]
    for at in range(0, nbytes, len(_ZEROS)):  # in pieces that stay in the cache
        encryptor.update_into(_ZEROS[: nbytes - at], out[at:])
    return out[:nbytes]


SYSTEM_RANDOM = SystemRandom()
"""The process's source of secrets."""
