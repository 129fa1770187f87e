"""Ciphertexts of python-paillier and ours: each decrypts and adds what the other has encrypted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rich.console import Console

import syft as sy
from syft.exceptions import EncodingError, UsageError
from syft.he.paillier import PaillierPrivateKey, PaillierPublicKey, from_ciphertexts, to_ciphertexts
from syft.he.paillier.decryption import decrypted
from syft.he.paillier.processes import hidden
from tests.he.paillier_keys import keys

phe = pytest.importorskip("phe", reason="python-paillier is not installed")
pytestmark = pytest.mark.usefixtures("hook")

NUMBERS = [1.5, -2.25, 1e-12, 3e8, 7, 0.1, -0.0]


def theirs() -> tuple[Any, Any]:
    public, private = keys()
    key = phe.PaillierPublicKey(public.n)
    return key, phe.PaillierPrivateKey(key, private.p, private.q)


def test_what_python_paillier_encrypts_is_decrypted_here_with_all_its_exponents() -> None:
    their_key, _ = theirs()
    numbers = [their_key.encrypt(number) for number in NUMBERS]
    assert len({number.exponent for number in numbers}) > 2
    x: Any = from_ciphertexts(keys()[0], [(n.ciphertext(), n.exponent) for n in numbers])
    assert x.decrypt(keys()[1]).tolist() == pytest.approx(NUMBERS, rel=1e-15)
    assert (2 * x + 1).decrypt(keys()[1]).tolist() == pytest.approx([2 * n + 1 for n in NUMBERS], rel=1e-15)


def test_what_is_encrypted_here_python_paillier_decrypts_and_computes_on() -> None:
    their_key, their_private = theirs()
    x = torch.tensor(NUMBERS, dtype=torch.float64).encrypt(keys()[0])  # type: ignore[attr-defined]
    numbers = [phe.EncryptedNumber(their_key, c, e) for c, e in to_ciphertexts(x - 1)]
    assert [their_private.decrypt(n) for n in numbers] == pytest.approx([n - 1 for n in NUMBERS], abs=1e-15)
    assert their_private.decrypt(numbers[0] * 3 + numbers[1]) == pytest.approx(0.5 * 3 - 3.25)


def test_keys_of_python_paillier_are_ours() -> None:
    their_key, their_private = phe.generate_paillier_keypair(n_length=2048)
    public = PaillierPublicKey(their_key.n)
    private = PaillierPrivateKey(public, their_private.p, their_private.q)
    x = torch.tensor([1.5, -3]).encrypt(public) + torch.tensor([1.0, 1]).encrypt(private)  # type: ignore[attr-defined]
    assert x.decrypt(private).tolist() == [2.5, -2.0]
    assert their_private.decrypt(phe.EncryptedNumber(their_key, *to_ciphertexts(x)[0])) == 2.5


def test_ciphertexts_that_leave_are_as_random_as_new_ones() -> None:
    x = torch.tensor([1.0]).encrypt(keys()[0]) * 1  # type: ignore[attr-defined]
    bare = int(x.child.child[0])
    assert to_ciphertexts(x)[0][0] != bare


def test_shapes_and_dtypes_are_as_asked_for() -> None:
    public, private = keys()
    pairs = [(int(value), 0) for value in hidden([1, 2, 3, -4], private)]
    x: Any = from_ciphertexts(public, pairs, (2, 2), torch.int64, bits=3)
    assert x.decrypt(private).tolist() == [[1, 2], [3, -4]] and x.dtype == torch.int64
    empty: Any = from_ciphertexts(public, [])
    assert empty.decrypt(private).shape == (0,)
    wrong: Any = from_ciphertexts(public, pairs, bits=1)
    with pytest.raises(EncodingError, match="an overflow was found"):
        wrong.decrypt(private)


def test_numbers_with_a_high_exponent_are_computed_on_as_any_others() -> None:
    their_key, _ = theirs()
    number = their_key.encrypt(3.0 * 2**70)
    assert number.exponent > 0
    x: Any = from_ciphertexts(keys()[0], [(number.ciphertext(), number.exponent)] * 2)
    y = torch.cat([x + 2.0**60, torch.tensor([1.5], dtype=torch.float64)])
    x[0] = 0.25
    assert (y * 0.5).decrypt(keys()[1]).tolist() == [3 * 2.0**69 + 2.0**59] * 2 + [0.75]
    assert x.decrypt(keys()[1]).tolist() == [0.25, 3.0 * 2**70]


def test_what_is_no_ciphertext_is_refused() -> None:
    public, private = keys()
    for value in (0, -1, int(public.nsquare), private.p, public.n):
        with pytest.raises(UsageError, match="coprime to n"):
            from_ciphertexts(public, [(value, 0)])
    for x in (torch.ones(1), torch.ones(1).encrypt(public, packed=True)):  # type: ignore[attr-defined]
        with pytest.raises(UsageError, match="has a ciphertext a number"):
            to_ciphertexts(x)


# --- several processes ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_several_processes_encrypt_the_same_numbers_with_noise_of_their_own() -> None:
    public, private = keys()
    integers = [number % 7 - 3 for number in range(2100)]  # of which each process gets some
    values = hidden(integers, public, processes=2)
    assert decrypted(values, private, 8) == integers
    assert len(set(values)) == len(values), "two processes have drawn the same random numbers"


def test_a_bar_is_shown_if_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, width=80)
    hidden([1, 2], keys()[1], progress=True, console=console)
    assert "encrypting" in capsys.readouterr().out
    hidden([1, 2], keys()[1], console=console)
    assert capsys.readouterr().out == ""


def test_a_private_key_stays_in_its_process() -> None:
    with pytest.raises(UsageError, match="not given to other processes"):
        hidden([1], keys()[1], processes=2)
    for count in (0, 1.5, 10**6):
        with pytest.raises(UsageError, match="processes cannot encrypt"):
            hidden([1], keys()[0], processes=count)  # type: ignore[arg-type]
    assert sy.he is not None
