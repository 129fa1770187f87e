"""Function secret sharing: two holders' bits give the answer, and one holder's view gives nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from syft.core.random import SYSTEM_RANDOM, Tape
from syft.exceptions import UsageError
from syft.mpc import fss
from syft.mpc.fss import CorrectionWords

U64 = np.uint64
Array = np.ndarray[Any, np.dtype[Any]]
Roots = tuple[Array, Array]


class Scheme(NamedTuple):
    """One of the two functions that are shared, with what it must answer."""

    keys: Callable[[Array, int, Roots], CorrectionWords]
    evaluate: Callable[[int, Array, CorrectionWords, Array, int], Array]
    answer: Callable[[Array, Array], Array]

    def both(self, alpha: Array, x: Array, bits: int) -> Array:
        """What fresh keys of alpha make of x."""
        roots = fresh_roots(len(alpha))
        return self.opened(roots, self.keys(alpha, bits, roots), x, bits)

    def opened(self, roots: Roots, words: CorrectionWords, x: Array, bits: int) -> Array:
        first, second = (self.evaluate(party, roots[party], words, x, bits) for party in (0, 1))
        assert first.dtype == second.dtype == np.uint8 and first.shape == second.shape == x.shape
        return first ^ second


COMPARISON = Scheme(fss.comparison_keys, fss.evaluate_comparison, np.less)
EQUALITY = Scheme(fss.equality_keys, fss.evaluate_equality, np.equal)
schemes = pytest.mark.parametrize("scheme", [COMPARISON, EQUALITY], ids=["comparison", "equality"])


def uniform(count: int, bits: int = 64) -> Array:
    return SYSTEM_RANDOM.bytes(8 * count).view(U64) >> U64(64 - bits)


def fresh_roots(count: int) -> Roots:
    return uniform(2 * count).reshape(count, 2), uniform(2 * count).reshape(count, 2)


def every(bits: int) -> Array:
    return np.arange(1 << bits, dtype=U64)


# --- the answers ---


@schemes
@pytest.mark.parametrize("bits", [1, 2, 6, 7, 8, 9, 10])
def test_every_value_against_every_secret(scheme: Scheme, bits: int) -> None:
    alpha, x = np.repeat(every(bits), 1 << bits), np.tile(every(bits), 1 << bits)
    assert np.array_equal(scheme.both(alpha, x, bits), scheme.answer(x, alpha))


@schemes
@pytest.mark.parametrize("bits", [11, 32, 63, 64])
def test_random_secrets_and_what_is_next_to_them(scheme: Scheme, bits: int) -> None:
    top = U64((1 << bits) - 1)
    secrets = np.concatenate([uniform(40, bits), np.array([0, 1, 127, 128, top - 1, top], U64)])
    one_bit_away = U64(1) << np.arange(bits, dtype=U64)
    for x in (
        *(secrets + U64(step) & top for step in (0, 1, 2**64 - 1)),
        *(np.full_like(secrets, edge) for edge in (0, top)),
        *(secrets ^ flip for flip in one_bit_away),
        uniform(len(secrets), bits),
    ):
        assert np.array_equal(scheme.both(secrets, x, bits), scheme.answer(x, secrets))


@schemes
def test_many_random_pairs_and_no_pair(scheme: Scheme) -> None:
    alpha, x = uniform(20_001, 63), uniform(20_001, 63)
    x[::3] = alpha[::3]
    assert np.array_equal(scheme.both(alpha, x, 63), scheme.answer(x, alpha))
    assert len(scheme.both(alpha[:0], x[:0], 63)) == 0


@schemes
def test_roots_can_come_from_tapes(scheme: Scheme) -> None:
    tapes = Tape(SYSTEM_RANDOM.key()), Tape(SYSTEM_RANDOM.key())
    first, second = (tape.strip(3, 9 * fss.ROOT_BYTES).view(U64).reshape(9, 2) for tape in tapes)
    alpha = np.full(9, 4, U64)
    words = scheme.keys(alpha, 63, (first, second))
    assert np.array_equal(scheme.opened((first, second), words, every(4)[:9], 63), scheme.answer(every(4)[:9], alpha))


@schemes
def test_the_bits_of_a_root_that_are_no_seed_do_not_matter(scheme: Scheme) -> None:
    alpha, x, roots = uniform(64, 20), uniform(64, 20), fresh_roots(64)
    words = scheme.keys(alpha, 20, roots)
    for top in (1, 2, 4, 8, 15):
        other = roots[0] ^ np.array([top << 60, 0], U64), roots[1]
        again = scheme.keys(alpha, 20, other)
        assert np.array_equal(again.levels, words.levels) and np.array_equal(again.leaf, words.leaf)
        assert np.array_equal(scheme.opened(other, words, x, 20), scheme.answer(x, alpha))


@schemes
def test_arguments_are_left_as_they_are(scheme: Scheme) -> None:
    alpha, x, roots = uniform(8, 32), uniform(8, 32), fresh_roots(8)
    words = scheme.keys(alpha, 32, roots)
    held = (alpha, x, *roots, words.levels, words.leaf)
    for array in held:
        array.flags.writeable = False
    scheme.keys(alpha, 32, roots)
    scheme.opened(roots, words, x, 32)


def test_holders_can_be_threads_of_one_process() -> None:
    alpha, x, roots = uniform(20_000, 63), uniform(20_000, 63), fresh_roots(20_000)
    words = fss.comparison_keys(alpha, 63, roots)
    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(lambda party: fss.evaluate_comparison(party, roots[party], words, x, 63), (0, 1, 0, 1)))
    for first, second in (shares[:2], shares[2:]):
        assert np.array_equal(first ^ second, x < alpha)


def flipped(words: CorrectionWords) -> Iterator[CorrectionWords]:
    """The words with each one of their bits flipped in turn."""
    for word, bit in np.ndindex(2, 64):
        flip = np.zeros(2, U64)
        flip[word] = 1 << bit
        yield replace(words, levels=words.levels ^ flip)
        yield replace(words, leaf=words.leaf ^ flip)


def test_control_one_wrong_bit_of_a_correction_word_is_a_wrong_answer() -> None:
    bits, x = 8, every(8)
    for secret in (77, 200):
        roots = tuple(np.repeat(root, len(x), axis=0) for root in fresh_roots(1))
        words = fss.comparison_keys(np.full_like(x, secret), bits, (roots[0], roots[1]))
        answers = [COMPARISON.opened((roots[0], roots[1]), broken, x, bits) for broken in flipped(words)]
        assert len(answers) == 256
        assert all((answer != (x < U64(secret))).any() for answer in answers)


def share_by_definition(party: int, root: Array, levels: Array, leaf: Array, x: int, bits: int) -> tuple[int, int]:
    """A holder's sum of value bits and its bit of the leaf, for one key, in integers of 128 bits."""
    encryptor = Cipher(algorithms.AES(bytes(range(16))), modes.ECB()).encryptor()

    def block(words: Array) -> int:
        return int(words[0]) | int(words[1]) << 64

    def one_way(seed: int) -> int:
        return int.from_bytes(encryptor.update(seed.to_bytes(16, "little")), "little") ^ seed

    no_seed = 0b1111 << 60
    seed, control, value = block(root) & ~no_seed, party, 0
    for level, word in enumerate(levels):
        right = x >> (bits - 1 - level) & 1
        child = one_way(seed ^ right) ^ control * block(word)
        control, value = child >> (63 - right) & 1, value ^ child >> (61 - right) & 1
        seed = child & ~no_seed
    return value, (one_way(seed) ^ control * block(leaf)) >> (x & 127) & 1


@pytest.mark.parametrize("party", [0, 1])
@pytest.mark.parametrize("bits", [7, 8, 40, 63])
def test_a_holders_share_is_that_of_the_definition(party: int, bits: int) -> None:
    alpha, x, roots = uniform(30, bits), uniform(30, bits), fresh_roots(30)
    x[:10] = alpha[:10]
    for scheme in (COMPARISON, EQUALITY):
        words = scheme.keys(alpha, bits, roots)
        shares = scheme.evaluate(party, roots[party], words, x, bits)
        for key, share in enumerate(shares.tolist()):
            value, leaf = share_by_definition(
                party, roots[party][key], words.levels[:, key], words.leaf[key], int(x[key]), bits
            )
            assert share == (value ^ leaf if scheme is COMPARISON else leaf)


# --- what one holder sees ---

KEYS = 4096
BITS = 63


def view(scheme: Scheme, party: int, secret: int, roots: Roots) -> dict[str, Array]:
    """What a holder has of many keys of one secret, and sums of parts of it: arrays with the keys as first axis."""
    alpha = np.full(KEYS, secret, U64)
    words = scheme.keys(alpha, BITS, roots)
    levels, root = words.levels.transpose(1, 0, 2), roots[party]
    near = {(secret + step) % (1 << BITS) for step in (-1, 0, 1)} | {0, (1 << BITS) - 1}
    outputs = np.stack([scheme.evaluate(party, root, words, np.full_like(alpha, x), BITS) for x in near], axis=1)
    return {
        "levels": levels,
        "neighbouring levels": levels[:, 1:] ^ levels[:, :-1],
        "levels and root": levels ^ root[:, None],
        "leaf": words.leaf,
        "leaf and last level": words.leaf ^ levels[:, -1],
        "outputs": outputs * np.uint8(255),
        "outputs and leaf": words.leaf[:, None] ^ (U64(0) - outputs.astype(U64))[..., None],
    }


def bias(array: Array) -> float:
    """How many standard deviations the most biased bit is away from being 1 in half of the keys."""
    bits = np.unpackbits(np.ascontiguousarray(array).view(np.uint8).reshape(KEYS, -1), axis=1)
    return float(np.abs(bits.sum(axis=0, dtype=np.int64) - KEYS / 2).max() / np.sqrt(KEYS / 4))


@schemes
@pytest.mark.statistical
@pytest.mark.parametrize(("party", "secret"), [(0, 0), (1, (1 << BITS) - 1), (0, 0x5A5A_0F0F_1234_8001), (1, 1 << 62)])
def test_one_holders_view_is_uniform_whatever_the_secret(scheme: Scheme, party: int, secret: int) -> None:
    # 22 000 bits at 6 standard deviations: each test gives a false alarm in one of 20 000 runs.
    for name, array in view(scheme, party, secret & ((1 << BITS) - 1), fresh_roots(KEYS)).items():
        assert bias(array) < 6, name


@schemes
@pytest.mark.parametrize("party", [0, 1])
def test_control_keys_of_known_roots_are_not_uniform(scheme: Scheme, party: int) -> None:
    known = np.zeros((KEYS, 2), U64), np.ones((KEYS, 2), U64)
    assert min(bias(array) for array in view(scheme, party, 12345, known).values()) > 6


@schemes
def test_control_keys_of_a_linear_generator_are_not_uniform(scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fss, "_hash", lambda blocks, scratch: None)
    seen = view(scheme, 0, 12345, fresh_roots(KEYS))
    assert bias(seen["levels"]) > 6 and bias(seen["neighbouring levels"]) > 6


@schemes
def test_control_a_value_in_the_clear_is_not_uniform(scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fss, "_grow", lambda alpha, *rest: np.zeros((2, len(alpha), 2), U64))
    assert bias(view(scheme, 0, 12345, fresh_roots(KEYS))["leaf"]) > 6


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bits": 0}, "Values of 0 bits"),
        ({"bits": 65}, "Values of 65 bits"),
        ({"bits": 8}, "The secrets do not all fit in 8 bits. Take their low bits with & 0xff"),
        ({"alpha": np.full((2, 2), 300, U64)}, r"The secrets have the shape \(2, 2\). Flatten"),
        ({"alpha": np.full(4, 300, np.int64)}, r"The secrets are int64 of shape \(4,\)"),
        ({"alpha": np.full(5, 300, U64)}, r"The roots of a holder are uint64 of shape \(4, 2\), and .* \(5, 2\)"),
        ({"roots": (np.zeros((4, 2), U64), np.zeros((4, 16), np.uint8))}, "The roots of a holder are uint8"),
        ({"roots": (np.ones((4, 2), U64), np.ones((4, 2), U64))}, "the same root for one key"),
        ({"roots": (np.zeros((4, 2), U64), np.full((4, 2), [1 << 63, 0], U64))}, "the same root for one key"),
    ],
)
@schemes
def test_what_no_keys_are_made_of(scheme: Scheme, change: dict[str, Any], sentence: str) -> None:
    arguments = {"alpha": np.full(4, 300, U64), "bits": 9, "roots": fresh_roots(4)}
    scheme.keys(**arguments)
    with pytest.raises(UsageError, match=sentence):
        scheme.keys(**arguments | change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"party": 2}, "party is 2"),
        ({"bits": 10}, r"The correction words are uint64 of shape \(2, 4, 2\), and .* \(3, 4, 2\)"),
        ({"bits": 8}, "The public values do not all fit in 8 bits"),
        ({"x": np.full(4, 300, np.int64)}, "The public values are int64"),
        ({"x": np.full(5, 300, U64)}, "The roots are uint64"),
        ({"root": np.zeros((4, 2), np.int64)}, "The roots are int64"),
        ({"words": CorrectionWords(np.zeros((2, 4, 2), U64), np.zeros((3, 2), U64))}, "words of the leaf are"),
        ({"words": CorrectionWords(np.zeros((2, 4, 2)), np.zeros((4, 2), U64))}, "words are float64"),
    ],
)
@schemes
def test_what_is_not_evaluated(scheme: Scheme, change: dict[str, Any], sentence: str) -> None:
    alpha, roots = np.full(4, 300, U64), fresh_roots(4)
    arguments = {"party": 0, "root": roots[0], "words": scheme.keys(alpha, 9, roots), "x": alpha, "bits": 9}
    scheme.evaluate(**arguments)
    with pytest.raises(UsageError, match=sentence):
        scheme.evaluate(**arguments | change)


def test_a_refusal_does_not_tell_the_secret() -> None:
    with pytest.raises(UsageError) as caught:
        fss.comparison_keys(np.full(1, 987654, U64), 9, fresh_roots(1))
    assert "987654" not in str(caught.value)
