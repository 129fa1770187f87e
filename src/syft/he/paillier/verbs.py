"""``x.encrypt(public_key)`` and ``x.decrypt(private_key)`` under a Paillier key."""

from __future__ import annotations

import sys
from typing import Any

import torch

from syft.encoded.encryption import decryption, encryption
from syft.exceptions import UsageError
from syft.he.paillier import structure as _structure  # noqa: F401 - registers its rules
from syft.he.paillier import travel as _travel  # noqa: F401 - registers the wire forms
from syft.he.paillier.decryption import decrypted
from syft.he.paillier.keys import PaillierPrivateKey, PaillierPublicKey
from syft.he.paillier.packed import (
    ADDITIONS,
    PackedCiphertexts,
    PackedPaillierTensor,
    Packing,
    side_by_side,
    unpacked,
)
from syft.he.paillier.plaintexts import BASE_BITS, EXPONENTS, LARGEST_BITS, check_range, kind_of, numbers_of, whole
from syft.he.paillier.processes import SHOWN_FROM, hidden
from syft.he.paillier.tensor import CipherTensor, PaillierTensor, array, link_under
from syft.tensors.base import is_wrapper, link_of

Key = PaillierPublicKey | PaillierPrivateKey


@encryption("paillier", call="x.encrypt(public_key)", keys=(PaillierPublicKey, PaillierPrivateKey))
def encrypted(
    tensor: torch.Tensor,
    public_key: Any = None,
    *,
    protocol: str = "paillier",
    packed: bool = False,
    additions: int = ADDITIONS,
    fraction_bits: int | None = None,
    slot_bits: int = 64,
    processes: int = 1,
    progress: bool | None = False,
) -> CipherTensor:
    """Encrypt each element of a tensor, or many of them together.

    Args:
        tensor: real numbers of any dtype and shape; below 2^64, and packed ones below 2^21 (integers 2^53) unless they
            are packed otherwise.
        public_key: the key; its holder may give the private one, which is faster.
        protocol: ``"paillier"``.
        packed: put as many numbers in one ciphertext as have room, 47 under a key of 3072 bits. They can only be added,
            subtracted and multiplied by whole numbers, as tensors.
        additions: how many packed tensors a sum may have.
        fraction_bits: bits after the point of packed numbers; half of them when None, and none for integers. Others
            have 64, and those of float64 96.
        slot_bits: bits of a packed number in all; with fewer, more go into a ciphertext.
        processes: how many to use; see `syft.he.paillier.processes.hidden`.
        progress: show a bar; for long tensors in a terminal when None.

    Returns:
        ``(Wrapper)>PaillierTensor>...``, of dtype int64 for integers, float64 for float64, and float32 for others.

    Raises:
        EncodingError: a value is NaN, infinite, or too large.
        UsageError: there is no key, or the tensor is not a plain one.
    """
    key = checked(tensor, public_key)
    public = key.public_key if isinstance(key, PaillierPrivateKey) else key
    dtype, exponent = kind_of(tensor.dtype), EXPONENTS[kind_of(tensor.dtype)]
    if packed:
        after = (0 if dtype is torch.int64 else slot_bits // 2) if fraction_bits is None else fraction_bits
        packing = Packing(after, additions, slot_bits)
        integers = side_by_side(packing.integers(tensor), public, packing)
    elif (fraction_bits, additions, slot_bits) != (None, ADDITIONS, 64):
        raise UsageError(
            "additions, fraction_bits and slot_bits are for numbers that are packed; say packed=True as well"
        )
    else:
        integers = whole(tensor, exponent)
        check_range(integers, exponent)
    shown = sys.stdout.isatty() and len(integers) >= SHOWN_FROM if progress is None else progress
    values = array(hidden(integers, key, processes, shown))
    if packed:
        memory = PackedCiphertexts(values, 1, fresh=True)
        return CipherTensor(PackedPaillierTensor(public, memory, tensor.shape, packing, dtype))
    bits = LARGEST_BITS - exponent * BASE_BITS
    return CipherTensor(
        PaillierTensor.of(public, values.reshape(tuple(tensor.shape)), exponent, bits, dtype, fresh=True)
    )


@decryption(PaillierTensor, PackedPaillierTensor)
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
    if isinstance(link, PackedPaillierTensor):
        return unpacked(link, key)
    integers = decrypted(list(link.child.reshape(-1)), key, link.bits)
    return numbers_of(integers, link.exponent, link.dtype).reshape(link.shape)


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
