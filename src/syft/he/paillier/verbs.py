"""``x.encrypt(public_key)`` and ``x.decrypt(private_key)`` under a Paillier key."""

from __future__ import annotations

from typing import Any

import torch

from syft.encoded.encryption import decryption, encryption
from syft.exceptions import UsageError
from syft.he.paillier import structure as _structure  # noqa: F401 - registers its rules
from syft.he.paillier.decryption import decrypted
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey
from syft.he.paillier.noise import noise_for
from syft.he.paillier.plaintexts import BASE_BITS, EXPONENTS, LARGEST_BITS, check_range, kind_of, numbers_of, whole
from syft.he.paillier.tensor import CipherTensor, PaillierTensor, array, link_under
from syft.tensors.base import is_wrapper, link_of

Key = PaillierPublicKey | PaillierPrivateKey


@encryption("paillier", call="x.encrypt(public_key)", keys=(PaillierPublicKey, PaillierPrivateKey))
def encrypted(tensor: torch.Tensor, public_key: Any = None, *, protocol: str = "paillier") -> CipherTensor:
    """Encrypt each element of a tensor.

    Args:
        tensor: real numbers below 2^64, of any dtype and shape.
        public_key: the key; its holder may give the private one, which is faster.
        protocol: ``"paillier"``.

    Returns:
        ``(Wrapper)>PaillierTensor>...``, of dtype int64 for integers, float64 for float64, and float32 for others.
        Numbers have 64 bits after the point, those of float64 96.

    Raises:
        EncodingError: a value is NaN, infinite, or too large.
        UsageError: there is no key, or the tensor is not a plain one.
    """
    key = checked(tensor, public_key)
    dtype = kind_of(tensor.dtype)
    exponent = EXPONENTS[dtype]
    integers = whole(tensor, exponent)
    check_range(integers, exponent)
    public = key.public_key if isinstance(key, PaillierPrivateKey) else key
    values = array(hidden(integers, key)).reshape(tuple(tensor.shape))
    bits = LARGEST_BITS - exponent * BASE_BITS
    return CipherTensor(PaillierTensor.of(public, values, exponent, bits, dtype, fresh=True))


@decryption(PaillierTensor)
def opened(tensor: Any, private_key: Any = None, **_ignored: Any) -> torch.Tensor:
    """The numbers of an encrypted tensor.

    Args:
        tensor: the encrypted one; it stays as it is.
        private_key: the key.
        **_ignored: ``protocol``, which 0.2 code may say.

    Raises:
        EncodingError: an overflow was found, or a number has no room in the dtype of the tensor.
        KeyMismatchError: it was encrypted under another key.
        UsageError: there is no key.
    """
    link, key = link_under(tensor), private(private_key)
    key.check(link.key)
    integers = decrypted(list(link.child.reshape(-1)), key, link.bits)
    return numbers_of(integers, link.exponent, link.dtype).reshape(link.shape)


def hidden(integers: Any, key: Key) -> Any:
    """Ciphertexts of integers, one after the other."""
    public = key.public_key if isinstance(key, PaillierPrivateKey) else key
    n, modulus = public.n, public.nsquare
    noise = noise_for(key).draw(len(integers))
    return ((1 + n * integer) * r % modulus for integer, r in zip(integers, noise, strict=True))


def checked(tensor: torch.Tensor, key: Any) -> Key:
    """The key to encrypt a tensor with.

    Raises:
        UsageError: it is none, or the tensor is not a plain one.
    """
    if is_wrapper(tensor):
        raise UsageError(
            f"only numbers that are here and in the open can be encrypted under a Paillier key, and this is "
            f"{link_of(tensor)}; fetch or decode it first"
        )
    if not isinstance(key, Key):
        raise UsageError(
            f"x.encrypt(public_key) needs a key of keygen(), and got {type(key).__name__}: public, private = "
            "sy.keygen()"
        )
    return key


def private(key: Any) -> PaillierPrivateKey:
    """The key to decrypt with.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(key, PaillierPrivateKey):
        raise UsageError(
            f"x.decrypt(private_key) needs the second of the keys that keygen() gave, and got {type(key).__name__}"
        )
    return key
