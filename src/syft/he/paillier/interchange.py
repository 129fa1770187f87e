"""Ciphertexts as plain integers, as python-paillier and other libraries have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from syft.core.optional import require
from syft.exceptions import UsageError
from syft.he.paillier.ciphertexts import multiples
from syft.he.paillier.keys import PaillierPublicKey
from syft.he.paillier.plaintexts import BASE_BITS, kind_of
from syft.he.paillier.tensor import CipherTensor, PaillierTensor, array, link_under


def to_ciphertexts(tensor: Any) -> list[tuple[int, int]]:
    """The ciphertexts of an encrypted tensor, as random as new ones, in the order of the elements.

    With python-paillier: ``[EncryptedNumber(phe_key, c, e) for c, e in to_ciphertexts(x)]``.

    Args:
        tensor: encrypted under a Paillier key, and not packed.

    Returns:
        A ciphertext and the exponent of 16 for each number.

    Raises:
        UsageError: it is something else.
    """
    link = link_under(tensor) if isinstance(tensor, CipherTensor) else None
    if not isinstance(link, PaillierTensor):
        raise UsageError("only a tensor that x.encrypt(public_key) made, without packing, has a ciphertext a number")
    return [(int(value), link.exponent) for value in link.refreshed()]


def from_ciphertexts(
    public_key: PaillierPublicKey,
    pairs: Iterable[tuple[int, int]],
    shape: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float64,
    bits: int | None = None,
) -> CipherTensor:
    """An encrypted tensor of ciphertexts from elsewhere.

    With python-paillier: ``from_ciphertexts(key, [(x.ciphertext(), x.exponent) for x in numbers])``.

    Args:
        public_key: what they are encrypted under.
        pairs: a ciphertext and the exponent of 16 for each number.
        shape: of the tensor; a vector when None.
        dtype: what they are decrypted to.
        bits: their integers are below 2 to this power, up or down; half of the key's length when None.

    Raises:
        UsageError: a number is no ciphertext under the key.
    """
    gmpy2, modulus = require("gmpy2", "he"), public_key.nsquare
    found = [(gmpy2.mpz(value), int(exponent)) for value, exponent in pairs]
    if any(not 0 < value < modulus or gmpy2.gcd(value, public_key.n) != 1 for value, _ in found):
        raise UsageError(f"a ciphertext under {public_key!r} is a number below n squared, coprime to n")
    lowest = min([exponent for _, exponent in found], default=0)
    factors = [1 << (exponent - lowest) * BASE_BITS for _, exponent in found]
    values = array(multiples([value for value, _ in found], factors, modulus))
    bits = public_key.bits // 2 if bits is None else bits
    length = max([factor.bit_length() - 1 for factor in factors], default=0)
    places = (len(found),) if shape is None else tuple(shape)
    link = PaillierTensor.of(public_key, values.reshape(places), lowest, bits + length, kind_of(dtype))
    return CipherTensor(link)
