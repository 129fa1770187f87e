"""Which parameters are chosen, and that unsafe ones are refused with advice."""

from __future__ import annotations

import struct

import pytest

import syft as sy
from syft.exceptions import EncryptionParametersError, SyftError
from syft.he.levelled import context as contexts
from syft.he.levelled.parameters import SECURE_BITS, Parameters, bfv_parameters, check_security, ckks_parameters, primes
from tests.he.contexts import ckks

UNSAFE = [
    (1024, [27, 27]), (2048, [30, 30]), (4096, [40, 35, 35]), (4096, [60, 40, 40, 60]), (8192, [60, 50, 50, 60]),
    (8192, [60, 40, 40, 40, 60]), (16384, [60] * 8), (32768, [60] * 15),
]  # fmt: skip
IMPOSSIBLE = [
    (8192, [60]), (8192, []), (8192, [61, 40, 61]), (8192, [60, 10, 60]), (1000, [40, 40]), (0, [40, 40]),
    (-8192, [40, 40]), (65536, [60, 60]), (512, [20, 20]),
]  # fmt: skip


@pytest.mark.parametrize(("degree", "bits"), UNSAFE)
def test_less_than_128_bits_of_security_is_refused_with_advice(degree: int, bits: list[int]) -> None:
    with pytest.raises(EncryptionParametersError, match="128 bits of security") as error:
        sy.he.ckks_context(degree=degree, prime_bits=bits, scale_bits=20)
    assert str(sum(bits)) in str(error.value)
    assert "depth" in str(error.value)


@pytest.mark.parametrize(("degree", "bits"), IMPOSSIBLE)
def test_what_seal_cannot_do_is_refused(degree: int, bits: list[int]) -> None:
    with pytest.raises(EncryptionParametersError):
        check_security(degree, bits)


def test_control_the_largest_safe_ones_pass() -> None:
    for degree, bits in SECURE_BITS.items():
        if degree >= 4096:
            parts = -(-bits // 60)
            check_security(degree, [bits // parts] * parts)


def test_a_refusal_of_seals_own_reaches_the_user_as_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "check_security", lambda degree, bits: None)
    with pytest.raises(SyftError, match=r"SEAL refuses these parameters.*Leave the choice to ckks_context"):
        contexts._fresh(Parameters("ckks", 4096, (60, 40, 40, 60), 2, 40, 20))


def test_every_choice_is_safe_and_has_the_depth() -> None:
    for depth in range(12):
        for precision in (1, 8, 20, 25):
            chosen = ckks_parameters(precision, depth, None, 1000, rotations=False)
            check_security(chosen.degree, chosen.prime_bits)
            assert len(chosen.prime_bits) == depth + 2
            assert chosen.prime_bits[0] - chosen.scale_bits >= 11  # 1000, a sign, and what sums add


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ((20, 40, None, 1000), "depth=18 works"),
        ((50, 1, None, 1000), "Ask for precision="),
        ((20, 1, 20000, 1000), "holds 16384 samples at most"),
        ((0, 1, None, 1000), "precision=0"),
        ((20, -1, None, 1000), "depth=-1"),
        ((20, 1, None, 0.5), "at least 1"),
    ],
)
def test_what_cannot_be_had_says_what_can(settings: tuple[int, int, int | None, float], says: str) -> None:
    with pytest.raises(EncryptionParametersError, match=says):
        ckks_parameters(*settings, rotations=False)


def test_the_advised_depth_works() -> None:
    assert ckks_parameters(20, 18, None, 1000, rotations=False).depth == 18


def test_slots_ask_for_a_larger_degree() -> None:
    assert ckks_parameters(20, 1, 5000, 1000, rotations=False).degree == 16384
    assert bfv_parameters(1000, 1, 5000, rotations=False).degree == 8192


def test_integers_that_are_too_large_or_too_deep_are_refused() -> None:
    with pytest.raises(EncryptionParametersError, match="bits at most"):
        bfv_parameters(2**60, 1, None, rotations=False)
    with pytest.raises(EncryptionParametersError, match="smaller depth="):
        bfv_parameters(2**40, 30, None, rotations=False)


def test_the_plain_modulus_is_a_prime_that_has_slots() -> None:
    chosen = bfv_parameters(10**6, 1, None, rotations=False)
    assert chosen.plain_modulus > 2 * 10**6
    assert chosen.plain_modulus % (2 * chosen.degree) == 1
    assert pow(3, chosen.plain_modulus - 1, chosen.plain_modulus) == 1


def test_the_primes_are_those_that_seal_makes() -> None:
    zstandard = pytest.importorskip("zstandard", reason="SEAL compresses what it writes")
    context = ckks()
    written = contexts._seal_parameters(context.parameters)
    (size,) = struct.unpack_from("<Q", written, 8)
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(written[16:size])
    expected = primes(context.parameters.degree, context.parameters.prime_bits)
    assert [struct.unpack_from("<Q", raw, 17 + 24 * i + 16)[0] for i in range(len(expected))] == list(expected)


def test_parameters_by_hand_come_all_or_not_at_all() -> None:
    with pytest.raises(EncryptionParametersError, match="set all three by hand"):
        sy.he.ckks_context(degree=8192)
    with pytest.raises(EncryptionParametersError, match="scale of 50 bits"):
        sy.he.ckks_context(degree=8192, prime_bits=[60, 40, 40, 60], scale_bits=50)
    context = sy.he.ckks_context(degree=8192, prime_bits=[60, 40, 40, 60], scale_bits=40)
    assert (context.depth, context.slots) == (2, 4096)
