"""Keys of Paillier's cryptosystem: their lengths, their printed forms, and that the private one stays where it is."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import DecodeError, KeyMismatchError, NotSupportedError, UnserializableError, UsageError
from syft.he.paillier import PaillierPrivateKey, PaillierPublicKey
from syft.he.paillier.keys import DEFAULT_BITS
from syft.serde import decode, encode
from tests.he.paillier_keys import keys
from tests.serde.craft import frame, tagged

gmpy2 = pytest.importorskip("gmpy2", reason="Paillier's cryptosystem needs gmpy2")

pytestmark = pytest.mark.usefixtures("hook")


def test_the_primes_are_what_the_proof_asks_for() -> None:
    public, private = keys()
    p, q = private.p, private.q
    assert p * q == public.n and public.bits == 2048 and public.g == public.n + 1
    assert gmpy2.is_prime(p, 50) and gmpy2.is_prime(q, 50)
    assert p % 4 == q % 4 == 3 and gmpy2.gcd(p - 1, q - 1) == 2
    assert p.bit_length() == q.bit_length() == 1024 and abs(p - q).bit_length() > 924
    # -h is a square, and -1 is none: h is a generator of numbers with Jacobi symbol 1, with overwhelming probability.
    assert gmpy2.jacobi(public.h, public.n) == 1 and gmpy2.jacobi(-public.h, p) == gmpy2.jacobi(-public.h, q) == 1


def test_keys_differ_and_have_3072_bits_if_nothing_else_is_said() -> None:
    assert DEFAULT_BITS == 3072
    (a, _), (b, _) = keys(), keys(1)
    assert a != b and hash(a) != hash(b) and a.h != b.h and repr(a) != repr(b)
    assert a == PaillierPublicKey(a.n) and hash(a) == hash(PaillierPublicKey(a.n))  # whoever makes the noise


def test_the_printed_forms_are_those_of_0_2_4() -> None:
    public, private = keys()
    assert re.fullmatch(r"<PaillierPublicKey [0-9a-f]{10}>", repr(public))
    assert repr(private) == f"<PaillierPrivateKey for {public}>"


@pytest.mark.parametrize("bits", [1024, 2046, 2049, 0, -2048, 8194, 2048.0, None])
def test_other_lengths_are_refused(bits: Any) -> None:
    with pytest.raises(UsageError, match="there are no keys of .* can be factored. Take"):
        sy.keygen(n_length=bits)


def test_what_is_no_key_is_refused() -> None:
    public, private = keys()
    for n in (15, public.n >> 8, public.n + 1, "n", 1 << 9000):
        with pytest.raises(UsageError, match="an odd number of 2048 to 8192 bits"):
            PaillierPublicKey(n)  # type: ignore[arg-type]
    for h in (0, 1, -3, public.n - 1, public.n + 5, private.p, 2.5):
        with pytest.raises(UsageError, match="the h of a Paillier key"):
            PaillierPublicKey(public.n, h)  # type: ignore[arg-type]
    for p, q in ((3, 5), (1, public.n), (private.p, private.p)):
        with pytest.raises(UsageError, match="not the prime factors"):
            PaillierPrivateKey(public, p, q)


def test_a_keyring_gets_the_private_key() -> None:
    with pytest.raises(NotSupportedError, match="a keyring has a method add"):
        sy.keygen(object(), 2048)
    ring: set[Any] = set()
    _, private = sy.keygen(private_keyring=ring, n_length=2048)
    assert ring == {private}


def test_the_old_path_is_the_same_function() -> None:
    from syft.frameworks.torch.he.paillier import keygen  # type: ignore[import-not-found]

    assert keygen is sy.keygen


def test_a_key_of_its_numbers_decrypts() -> None:
    public, private = keys()
    again = PaillierPrivateKey(PaillierPublicKey(public.n), private.q, private.p)
    assert torch.tensor([1.5]).encrypt(public).decrypt(again).tolist() == [1.5]


def test_a_public_key_travels() -> None:
    public, _ = keys()
    arrived = decode(encode([public]))[0]
    assert arrived == public and arrived.h == public.h
    assert decode(encode(PaillierPublicKey(public.n))).h is None


@pytest.mark.parametrize("send", [encode, pickle.dumps, lambda key: encode({"a": [key]}), lambda key: encode((1, key))])
def test_a_private_key_does_not(send: Any) -> None:
    with pytest.raises(UnserializableError, match="a private key stays where it is"):
        send(keys()[1])
    assert copy.deepcopy(keys()[1]) is keys()[1]


def test_nobody_takes_a_private_key() -> None:
    with pytest.raises(DecodeError, match="never sent, so nobody takes one"):
        decode(frame(tagged("syft.paillier.private_key", [3, 5])))


@pytest.mark.parametrize(
    "data",
    [None, [], [b"", None], [b"\x01" * 2000, None], [15, None], [b"\xff" * 256, b"\0"], ["n", None], [b"\xff" * 256]],
)
def test_what_is_no_public_key_is_a_decode_error(data: Any) -> None:
    with pytest.raises(DecodeError):
        decode(frame(tagged("syft.paillier.public_key", data)))


def test_no_message_holds_a_secret() -> None:
    """Search what travels for the primes, and for what is as good: whoever has p - 1 has p."""
    public, private = keys()
    x = torch.tensor([3.0]).encrypt(private)
    sent = encode([public, x, x + x, torch.tensor([3.0]).encrypt(private, packed=True)]) + repr(private).encode()
    secrets = [private.p, private.q, private.p - 1, private.q - 1, (private.p - 1) * (private.q - 1)]
    for secret in secrets:
        short = secret >> 64  # so that a leak of most of it is found, too
        for order in ("little", "big"):
            assert short.to_bytes((short.bit_length() + 7) // 8, order)[8:-8] not in sent
    assert public.n.to_bytes(256, "little") in sent  # control: what is public is found


def test_a_key_decrypts_only_what_is_its_own() -> None:
    (public, _), (other, wrong) = keys(), keys(1)
    x = torch.tensor([1.0]).encrypt(public)
    with pytest.raises(KeyMismatchError, match="encrypted_number was encrypted against a different key!"):
        x.decrypt(wrong)
    with pytest.raises(KeyMismatchError, match="numbers encrypted against different public keys"):
        x + torch.tensor([1.0]).encrypt(other)
    for key in (None, public, 7):
        with pytest.raises(UsageError, match="needs the second of the keys"):
            x.decrypt(key)
    with pytest.raises(UsageError, match="needs a key of keygen"):
        torch.ones(1).encrypt(protocol="paillier")
