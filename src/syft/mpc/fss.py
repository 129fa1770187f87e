"""Function secret sharing for two holders and a dealer: `[x < alpha]` and `[x == alpha]` in shares of one bit.

The dealer knows a secret `alpha`, usually the mask that hides a value. Each holder gets a random root and the same
correction words; later both learn a public `x`, and each computes by itself, without a message, one bit. The XOR of
the two bits is the answer. It is the distributed comparison function of Boyle, Gilboa and Ishai, "Function Secret
Sharing: Improvements and Extensions" (CCS 2016), in the form of Boyle et al., "Function Secret Sharing for Mixed-Mode
and Fixed-Point Secure Computation" (EUROCRYPT 2021), section 3, for payloads of one bit.

How it works: a binary tree stands over all values, and each holder walks from its root to the leaf `x`. At each node a
holder has a seed and a control bit. On the way to `alpha` the seeds of the two are independent and their control bits
differ; everywhere else both are equal, so that all that follows cancels. A correction word for each level keeps it so:
a holder applies it where its control bit is 1. The child that leaves the path to the left also gets a value bit that
differs, which makes the answer 1. The last seven levels are one block of 128 bits, a bit for each leaf: the early
termination of the CCS paper.

A block is two uint64. The top four bits of the first one are no part of a seed: a child on the left takes its control
and value bit from bits 63 and 61, a child on the right from 62 and 60, and the corrections have the same places.

Formal guarantee: what one holder has, its root and the correction words, is computationally independent of `alpha`,
when both roots are uniform, unknown to the other holder, and used for one key only. Seeds have 124 bits; AES under a
fixed key is taken for a random permutation, so with K keys of n bits in all and T computations of AES the advantage
is about K n T / 2^124. Holders are expected to follow the protocol: a wrong bit goes unnoticed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from syft.exceptions import UsageError

Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
Bits: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

ROOT_BYTES = 16
"""Random bytes that a holder needs for each key."""

_LEAF_LEVELS = 7
_CHUNK = 8192  # keys at a time: what a chunk needs fits an L2 cache of 1 MiB
_U64 = np.uint64
_SEED = _U64((1 << 60) - 1)
_LEFT = _U64(0b1010 << 60)  # the control and value bit of a child on the left; on the right they are one bit lower
_CONTROL = _U64(1 << 63)
_VALUE = 61
_ONES = _U64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, slots=True)
class CorrectionWords:
    """The part of N keys that both holders have, as arrays of uint64.

    Attributes:
        levels: of shape ``(max(bits - 7, 0), N, 2)``.
        leaf: of shape ``(N, 2)``.
    """

    levels: Words
    leaf: Words


def words_bytes(count: int, bits: int) -> int:
    """How large correction words are.

    Args:
        count: of keys.
        bits: the width of the values, 1 to 64.

    Returns:
        Bytes.

    >>> words_bytes(1000, 63)
    912000
    """
    return 16 * count * (max(bits - _LEAF_LEVELS, 0) + 1)


def comparison_keys(alpha: Words, bits: int, roots: tuple[Words, Words]) -> CorrectionWords:
    """The dealer's part of ``[x < alpha]``.

    Args:
        alpha: the secrets, below ``2**bits``: uint64 of shape ``(N,)``.
        bits: the width of the values, 1 to 64.
        roots: uniform random bits of the first and of the second holder, uint64 of shape ``(N, 2)`` each. A root is
            used for one key and never again, not even for a key of the other kind.

    Returns:
        What both holders get.

    Raises:
        UsageError: a shape, a type or a range is not as above, or both holders have the same root.

    Example:
        >>> from syft.core.random import Tape
        >>> tapes = Tape(bytes(16)), Tape(bytes(15) + b"1")  # use SYSTEM_RANDOM.key()
        >>> first, second = (tape.strip(0, 3 * ROOT_BYTES).view(np.uint64).reshape(3, 2) for tape in tapes)
        >>> words = comparison_keys(np.array([5, 6, 7], np.uint64), 63, (first, second))
        >>> x = np.array([6, 6, 6], np.uint64)
        >>> evaluate_comparison(0, first, words, x, 63) ^ evaluate_comparison(1, second, words, x, 63)
        array([0, 0, 1], dtype=uint8)
    """
    return _keys(alpha, bits, roots, _below)


def equality_keys(alpha: Words, bits: int, roots: tuple[Words, Words]) -> CorrectionWords:
    """The dealer's part of ``[x == alpha]``; arguments, result and errors are those of `comparison_keys`."""
    return _keys(alpha, bits, roots, _at)


def evaluate_comparison(party: int, root: Words, words: CorrectionWords, x: Words, bits: int) -> Bits:
    """A holder's share of ``[x < alpha]``.

    Args:
        party: 0 for the first holder, 1 for the second.
        root: the holder's roots, uint64 of shape ``(N, 2)``.
        words: from `comparison_keys`.
        x: the public values, below ``2**bits``: uint64 of shape ``(N,)``.
        bits: the width of the values, 1 to 64.

    Returns:
        0 or 1 for each value, uint8 of shape ``(N,)``; the XOR of both holders' is the answer.

    Raises:
        UsageError: a shape, a type or a range is not as above.
    """
    _check_evaluation(party, root, words, x, bits)
    out = np.empty(len(x), np.uint8)
    for part in _chunks(len(x)):
        values, leaf = _walk(party, root[part], words.levels[:, part], words.leaf[part], x[part], bits)
        out[part] = (values ^ leaf) & _U64(1)
    return out


def evaluate_equality(party: int, root: Words, words: CorrectionWords, x: Words, bits: int) -> Bits:
    """A holder's share of ``[x == alpha]``.

    The words are from `equality_keys`; arguments, result and errors are those of `evaluate_comparison`.
    """
    _check_evaluation(party, root, words, x, bits)
    out = np.empty(len(x), np.uint8)
    for part in _chunks(len(x)):
        _, leaf = _walk(party, root[part], words.levels[:, part], words.leaf[part], x[part], bits)
        out[part] = leaf & _U64(1)
    return out


# --- the dealer ---


def _keys(alpha: Words, bits: int, roots: tuple[Words, Words], pattern: Callable[[Words], Words]) -> CorrectionWords:
    _check_values("The secrets", alpha, bits)
    for root in roots:
        _check_words("The roots of a holder", root, (len(alpha), 2))
    difference = roots[0] ^ roots[1]
    if not (difference[:, 0] & _SEED | difference[:, 1]).all():
        raise UsageError(
            "Both holders have the same root for one key, and its correction words would tell them the secret. "
            "Draw the roots of each holder from a key of its own."
        )
    levels = np.empty((max(bits - _LEAF_LEVELS, 0), len(alpha), 2), _U64)
    leaf = np.empty((len(alpha), 2), _U64)
    for part in _chunks(len(alpha)):
        seeds = _grow(alpha[part], bits, (roots[0][part], roots[1][part]), levels[:, part])
        leaf[part] = seeds[0] ^ seeds[1] ^ pattern(alpha[part])
    return CorrectionWords(levels, leaf)


def _grow(alpha: Words, bits: int, roots: tuple[Words, Words], levels: Words) -> Words:
    """Walk both holders along the path to alpha and write the correction words; returns their two leaf blocks."""
    count = len(alpha)
    children = np.empty((2, 2, count, 2), _U64)  # kept or lost, holder, key, word
    kept, lost = children
    scratch = _scratch(children)
    kept[0] = roots[0]
    first = kept[0, :, 0]
    first &= _SEED
    difference = roots[0] ^ roots[1]  # of the holders' kept seeds
    difference[:, 0] &= _SEED
    sibling = np.array([1, 0], _U64) * np.ones((count, 1), _U64)
    control = np.zeros((count, 2), _U64)  # of the first holder, as a mask; the second holder's is its complement
    corrected = np.empty((count, 2), _U64)
    bit, places = np.empty((2, count), _U64)
    for level, word in enumerate(levels):
        _bit(alpha, bits - 1 - level, bit)
        first ^= bit
        np.bitwise_xor(kept[0], difference, out=kept[1])
        np.bitwise_xor(kept, sibling, out=lost)
        _hash(children, scratch)
        np.bitwise_xor(lost[0], lost[1], out=word)
        np.bitwise_xor(kept[0], kept[1], out=difference)
        difference ^= word
        _correct_bits(word[:, 0], difference[:, 0], bit, places)
        # The control bits of the holders differ here, so one of them applies the word and the other does not.
        np.bitwise_and(word, control, out=corrected)
        kept[0] ^= corrected
        _control(first, bit, places, control)
        first &= _SEED
        difference[:, 0] &= _SEED
    np.bitwise_xor(kept[0], difference, out=kept[1])
    _hash(kept, scratch)
    return kept


def _correct_bits(word: Words, difference: Words, bit: Words, places: Words) -> None:
    """Set the top bits of a correction word, which makes all those of the lost child equal, like its seed.

    For the kept child all are to be equal, too, and then the control bit to differ; and the value bit of the lost
    child is to differ where that child is on the left. `places` is room to work in.
    """
    np.right_shift(_LEFT, bit, out=places)
    places &= difference
    word ^= places
    np.left_shift(bit, _U64(_VALUE), out=places)
    np.subtract(_CONTROL, places, out=places)  # 0b1000 at the top where alpha goes left, 0b0110 where it goes right
    word ^= places


def _below(alpha: Words) -> Words:
    """The leaf block of ``x < alpha``: of its 128 bits those below the last seven bits of alpha are set."""
    low, high = _at(alpha).T
    return np.stack([np.where(high, _ONES, low - _U64(1)), high - (high != 0)], axis=1)


def _at(alpha: Words) -> Words:
    """The leaf block of ``x == alpha``: of its 128 bits the one at the last seven bits of alpha is set."""
    one = _U64(1) << (alpha & _U64(63))
    in_second = (alpha >> _U64(6)) & _U64(1)
    return np.stack([one * (in_second ^ _U64(1)), one * in_second], axis=1)


# --- a holder ---


def _walk(party: int, root: Words, levels: Words, leaf: Words, x: Words, bits: int) -> tuple[Words, Words]:
    """Walk one holder to the leaves x; returns its value bits, summed, and its bits of the leaf, each as bit 0."""
    count = len(x)
    seed = root.copy()
    first = seed[:, 0]
    first &= _SEED
    scratch = _scratch(seed)
    control = np.full((count, 2), _ONES if party else _U64(0))  # a mask
    values, bit, own = np.zeros(count, _U64), np.empty(count, _U64), np.empty(count, _U64)
    word = np.empty((count, 2), _U64)
    for level, shared in enumerate(levels):
        _bit(x, bits - 1 - level, bit)
        first ^= bit
        _hash(seed, scratch)
        np.bitwise_and(shared, control, out=word)
        seed ^= word
        _control(first, bit, own, control)
        values ^= own
        first &= _SEED
    _hash(seed, scratch)
    seed ^= leaf & control
    chosen = np.where(x & _U64(64), seed[:, 1], first)
    return values >> _U64(_VALUE), chosen >> (x & _U64(63))


# --- both ---


class _Cipher(threading.local):
    """The fixed permutation. One of each thread's own, because an encryptor refuses to be used by two at a time."""

    def __init__(self) -> None:
        # Nothing is encrypted: the key is public, and each block is an input of its own.
        self.encryptor: Any = Cipher(algorithms.AES(bytes(range(16))), modes.ECB()).encryptor()  # noqa: S305


_CIPHER = _Cipher()


def _hash(blocks: Words, scratch: Bits) -> None:
    """Matyas-Meyer-Oseas: AES(block) ^ block for each, in place."""
    flat = blocks.reshape(-1)
    _CIPHER.encryptor.update_into(flat.view(np.uint8), scratch)
    flat ^= scratch[: flat.nbytes].view(_U64)


def _scratch(blocks: Words) -> Bits:
    return np.empty(blocks.nbytes + 15, np.uint8)  # update_into wants room for a block more


def _bit(values: Words, place: int, out: Words) -> None:
    np.right_shift(values, _U64(place), out=out)
    out &= _U64(1)


def _control(first: Words, bit: Words, own: Words, control: Words) -> None:
    """Bring the control and value bit of the child that was taken to the top of `own`; spread the control bit."""
    np.left_shift(first, bit, out=own)
    mask = (own.view(np.int64) >> 63).view(_U64)
    control[:, 0] = mask
    control[:, 1] = mask


def _chunks(count: int) -> Iterator[slice]:
    return (slice(at, at + _CHUNK) for at in range(0, count, _CHUNK))


def _check_evaluation(party: int, root: Words, words: CorrectionWords, x: Words, bits: int) -> None:
    if party not in (0, 1):
        raise UsageError(f"There are two holders, and party is {party!r}. Give 0 for the first one or 1.")
    _check_values("The public values", x, bits)
    _check_words("The roots", root, (len(x), 2))
    _check_words("The correction words", words.levels, (max(bits - _LEAF_LEVELS, 0), len(x), 2))
    _check_words("The correction words of the leaf", words.leaf, (len(x), 2))


def _check_values(what: str, values: Words, bits: int) -> None:
    if not 1 <= bits <= 64:
        raise UsageError(f"Values of {bits} bits cannot be compared. Choose a width of 1 to 64 bits.")
    if values.ndim != 1:
        raise UsageError(f"{what} have the shape {values.shape}. Flatten them with .reshape(-1).")
    _check_words(what, values, values.shape)
    if (values >> _U64(bits)).any():  # a shift by all 64 gives 0 in numpy
        raise UsageError(f"{what} do not all fit in {bits} bits. Take their low bits with & {(1 << bits) - 1:#x}.")


def _check_words(what: str, array: Words, shape: tuple[int, ...]) -> None:
    if array.dtype != _U64 or array.shape != shape:
        raise UsageError(
            f"{what} are {array.dtype} of shape {array.shape}, and uint64 of shape {shape} is needed. "
            "Use .view(np.uint64) and .reshape(), and make one root and one correction word for each value."
        )
