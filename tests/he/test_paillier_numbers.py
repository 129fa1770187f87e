"""Integers, ciphertexts and what hides them, against Python's own arithmetic."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.exceptions import EncodingError
from syft.he.paillier import PaillierPublicKey
from syft.he.paillier.ciphertexts import combinations, inverses, multiples, products
from syft.he.paillier.decryption import decrypted
from syft.he.paillier.noise import FixedBase, HoldersNoise, Noise, noise_for
from syft.he.paillier.plaintexts import exponent_for, numbers_of, whole
from syft.he.paillier.processes import hidden
from syft.he.paillier.tensor import array
from tests.he.paillier_keys import keys

gmpy2 = pytest.importorskip("gmpy2", reason="Paillier's cryptosystem needs gmpy2")

RNG = random.Random(5)
EXACT = st.floats(-(2.0**60), 2.0**60, allow_nan=False, width=64)


@given(st.lists(EXACT, max_size=6), st.integers(-24, 0))
@settings(max_examples=200, deadline=None)
def test_integers_are_the_nearest_to_the_numbers(values: list[float], exponent: int) -> None:
    scale = 16**-exponent
    for value, found in zip(values, whole(torch.tensor(values, dtype=torch.float64), exponent), strict=True):
        numerator, denominator = value.as_integer_ratio()
        assert abs(found * denominator - numerator * scale) * 2 <= denominator


@given(st.lists(EXACT.map(lambda x: x if abs(x) > 2.0**-64 else 0.0), max_size=6))
@settings(max_examples=200, deadline=None)
def test_factors_are_exact_and_come_back(values: list[float]) -> None:
    tensor = torch.tensor(values, dtype=torch.float64)
    exponent = exponent_for(tensor)
    assert torch.equal(numbers_of(whole(tensor, exponent), exponent, torch.float64), tensor)
    if exponent:  # and it is the highest one that is exact
        assert any(number % 16 for number in whole(tensor, exponent))


@pytest.mark.parametrize("values", [[float("nan")], [1.0, float("inf")], [-float("inf")]])
def test_what_is_not_finite_is_refused(values: list[float]) -> None:
    for refused in (lambda x: whole(x, -4), exponent_for):
        with pytest.raises(EncodingError, match="only finite numbers"):
            refused(torch.tensor(values))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int8, torch.uint8, torch.bool])
def test_numbers_of_every_dtype_are_written_exactly(dtype: torch.dtype) -> None:
    values = torch.tensor([0, 1, 1, 0]).to(dtype)
    assert whole(values, -2) == [0, 256, 256, 0]


def test_what_has_no_room_in_its_dtype_is_refused() -> None:
    for integers, exponent, dtype in (
        ([1 << 63], 0, torch.int64),
        ([1 << 130], 0, torch.float32),
        ([1 << 1100], -4, torch.float64),
        ([3], 400, torch.float64),
    ):
        with pytest.raises(EncodingError, match="no room in"):
            numbers_of(integers, exponent, dtype)
    assert numbers_of([-(1 << 63)], 0, torch.int64).tolist() == [-(2**63)]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_inverses_multiples_and_products(count: int) -> None:
    modulus = gmpy2.mpz(10**9 + 7)
    values = [gmpy2.mpz(RNG.randrange(1, modulus)) for _ in range(count)]
    factors = [RNG.randrange(-1000, 1000) for _ in values]
    assert inverses(values, modulus) == [gmpy2.invert(value, modulus) for value in values]
    assert multiples(values, factors, modulus) == [
        pow(int(v), f, int(modulus)) for v, f in zip(values, factors, strict=True)
    ]
    if count:
        expected = 1
        for value in values:
            expected = expected * int(value) % int(modulus)
        assert products(array(values).reshape(1, -1), modulus).tolist() == [expected]


@given(st.lists(st.lists(st.integers(-(2**70), 2**70), min_size=3, max_size=3), max_size=4))
@settings(max_examples=100, deadline=None)
def test_combinations_are_products_of_powers(columns: list[list[int]]) -> None:
    modulus, bases = gmpy2.mpz(10**9 + 7), [gmpy2.mpz(3), gmpy2.mpz(65537), gmpy2.mpz(10**9)]
    for column, found in zip(columns, combinations(bases, columns, modulus), strict=True):
        expected = 1
        for base, factor in zip(bases, column, strict=True):
            expected = expected * pow(int(base), factor, int(modulus)) % int(modulus)
        assert found == expected


def test_tabled_powers_are_powers() -> None:
    modulus = gmpy2.mpz(2**89 - 1)
    table = FixedBase(gmpy2.mpz(12345), modulus, 5)
    for exponent in (0, 1, 255, 256, 2**40 - 1, RNG.randrange(2**40)):
        assert table.power(exponent.to_bytes(5, "little")) == gmpy2.powmod(12345, exponent, modulus)


@pytest.mark.parametrize("bits", [0, 1, 63, 64, 160, 700, 1500])
def test_integers_come_back_however_many_are_decrypted_together(bits: int) -> None:
    public, private = keys()
    most = (1 << bits) - 1
    integers = [0, most, -most, most, 1 if bits else 0, -most, *[RNG.randint(-most, most) for _ in range(20)]]
    assert decrypted(hidden(integers, private), private, bits) == integers
    assert decrypted([], private, bits) == []


def test_integers_that_are_too_long_are_noticed() -> None:
    public, private = keys()
    for integers, bits in (([16], 4), ([-16], 4), ([0, 16, 0], 4), ([0, 0, -16], 4), ([1 << 1000], 160)):
        with pytest.raises(EncodingError, match="an overflow was found"):
            decrypted(hidden(integers, private), private, bits)
    # What is random is no number that fits, either, but for a chance of one in eight.
    n = public.n
    for integer in (n // 2 - 5, -(n // 2 - 5)):
        with pytest.raises(EncodingError, match="an overflow was found"):
            decrypted(hidden([integer], private), private, public.room)


def _residues(source: Noise | HoldersNoise, count: int) -> list[Any]:
    return list(islice(source.draw(count), count))


@pytest.mark.parametrize("h", [True, False])
@pytest.mark.parametrize("holder", [True, False])
def test_noise_is_nothing_once_it_is_decrypted(h: bool, holder: bool) -> None:
    public, private = keys(0 if h else 2)
    key: Any = private if holder else public
    if not h:
        bare = PaillierPublicKey(public.n)
        key = type(private)(bare, private.p, private.q) if holder else bare
    source = noise_for(key)
    found = [*_residues(source, 3), *_residues(source, 70 if h else 3)]  # before there is a table, and after
    assert decrypted(found, private, 1) == [0] * len(found)
    assert len(set(found)) == len(found) and all(1 < value < public.nsquare for value in found)
    # An n-th residue, and no power of n + 1.
    order = (private.p - 1) * (private.q - 1)
    assert all(gmpy2.powmod(value, order, public.nsquare) == 1 for value in found[:5])


def test_the_exponents_of_noise_have_full_length(monkeypatch: pytest.MonkeyPatch) -> None:
    public, _ = keys()
    drawn: list[int] = []
    random_bytes = Noise.draw.__globals__["SYSTEM_RANDOM"]

    class Watched:
        def bytes(self, count: int) -> Any:
            drawn.append(count)
            return random_bytes.bytes(count)

    monkeypatch.setitem(Noise.draw.__globals__, "SYSTEM_RANDOM", Watched())
    _residues(noise_for(public), 10)
    assert drawn == [10 * 2048 // 2 // 8]
