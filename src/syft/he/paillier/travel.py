"""How keys and encrypted tensors travel: public keys and fresh ciphertexts do, private keys never."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
import torch

from syft.core.optional import require
from syft.exceptions import DecodeError, UnserializableError, UsageError
from syft.he.paillier.keys import MOST_BITS, WHY_PRIVATE, PaillierPrivateKey, PaillierPublicKey
from syft.he.paillier.packed import PackedCiphertexts, PackedPaillierTensor, Packing
from syft.he.paillier.tensor import MOST_ELEMENTS, CipherLink, CipherTensor, PaillierTensor, array, link_under
from syft.serde.checks import dimension, each, integer, object_id, optional, text
from syft.serde.registry import register

_DTYPES = {"int64": torch.int64, "float32": torch.float32, "float64": torch.float64}
_MOST_BYTES = MOST_BITS // 8
_MOST_EXPONENT = 1 << 12
_SHAPE = each(dimension)


def number_bytes(number: int) -> bytes:
    """An integer as few bytes, the least significant one first."""
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def number_from(value: Any) -> int:
    """The integer of at most 8192 bits that bytes stand for."""
    if type(value) is not bytes or len(value) > _MOST_BYTES:
        raise ValueError(f"a number of a key is at most {_MOST_BYTES} bytes")
    return int.from_bytes(value, "little")


def _key_fields(key: PaillierPublicKey) -> Any:
    return number_bytes(key.n), None if key.h is None else number_bytes(key.h)


def _key_from(data: Any, context: Any) -> PaillierPublicKey:
    n, h = data
    try:
        return PaillierPublicKey(number_from(n), optional(number_from)(h))
    except UsageError as error:
        raise DecodeError(f"{error}") from None


def packed_bytes(values: list[Any], width: int) -> Any:
    """Ciphertexts as an array of bytes, ``width`` each."""
    return np.frombuffer(b"".join([int(value).to_bytes(width, "little") for value in values]), np.uint8)


def ciphertexts_from(data: Any, key: PaillierPublicKey, count: int) -> Any:
    """So many ciphertexts out of an array of bytes.

    Raises:
        DecodeError: they are not that many, or one is no ciphertext under the key.
    """
    gmpy2, width = require("gmpy2", "he"), key.ciphertext_bytes
    if type(data) is not np.ndarray or data.dtype != np.uint8 or data.shape != (count * width,):
        raise DecodeError(f"{count} ciphertexts under {key!r} are an array of {count * width} bytes")
    memory = data.tobytes()
    values = [
        gmpy2.mpz(int.from_bytes(memory[at : at + width], "little")) for at in range(0, len(memory), max(width, 1))
    ]
    product = gmpy2.mpz(1)
    for value in values:
        product = product * value % key.n
    if any(not 0 < value < key.nsquare for value in values) or gmpy2.gcd(product, key.n) != 1:
        raise DecodeError(f"a ciphertext under {key!r} is a number below n squared that has no factor in common with n")
    return array(values)


def _form(link: CipherLink) -> Any:
    names = [link._id, None if link.tags is None else frozenset(link.tags), link.description]
    return link.key, str(link.dtype).removeprefix("torch."), list(link.shape), names


def _numbers(link: PaillierTensor) -> Any:
    return *_form(link), link.exponent, link.bits, packed_bytes(link.refreshed(), link.key.ciphertext_bytes)


def _packed(link: PackedPaillierTensor) -> Any:
    packing = [link.packing.fraction_bits, link.packing.additions, link.packing.slot_bits]
    return *_form(link), packing, link.addends, packed_bytes(link.refreshed(), link.key.ciphertext_bytes)


def _numbers_from(fields: Any, context: Any) -> PaillierTensor:
    key, dtype, shape, names, exponent, bits, data = fields
    dtype, shape, count = _checked(key, dtype, shape)
    if abs(integer(exponent)) > _MOST_EXPONENT or not 0 <= integer(bits) <= key.room:
        raise DecodeError(
            f"encrypted numbers have an exponent of {-_MOST_EXPONENT} to {_MOST_EXPONENT}, and integers of at most "
            f"{key.room} bits under this key"
        )
    values = ciphertexts_from(data, key, count).reshape(shape)
    link: PaillierTensor = PaillierTensor.of(key, values, exponent, bits, dtype, fresh=True)
    _name(link, names, context)
    return link


def _packed_from(fields: Any, context: Any) -> PackedPaillierTensor:
    key, dtype, shape, names, packing, addends, data = fields
    dtype, shape, count = _checked(key, dtype, shape)
    try:
        manner = Packing(*each(integer)(packing))
    except UsageError as error:
        raise DecodeError(f"{error}") from None
    if not 0 <= integer(addends) <= manner.additions:
        raise DecodeError(f"a sum of packed numbers has no addend at least, and {manner.additions} at most")
    values = ciphertexts_from(data, key, -(-count // manner.slots(key)))
    link = PackedPaillierTensor(key, PackedCiphertexts(values, addends, fresh=True), shape, manner, dtype)
    _name(link, names, context)
    return link


def _checked(key: Any, dtype: Any, shape: Any) -> tuple[torch.dtype, tuple[int, ...], int]:
    if type(key) is not PaillierPublicKey or dtype not in _DTYPES:
        raise DecodeError("an encrypted tensor has a public key, and is decrypted to int64, float32 or float64")
    shape = _SHAPE(shape)
    count = math.prod(shape)
    if count > MOST_ELEMENTS:
        raise DecodeError(f"an encrypted tensor has at most {MOST_ELEMENTS} elements")
    return _DTYPES[dtype], shape, count


def _name(link: CipherLink, names: Any, owner: Any) -> None:
    id, tags, description = names
    if tags is not None and (type(tags) is not frozenset or not all(type(tag) is str for tag in tags)):
        raise DecodeError("tags are a frozenset of words")
    link._id, link.owner = optional(object_id)(id), owner
    link.tags, link.description = None if tags is None else set(tags), optional(text)(description)


def _tensor_from(link: Any, context: Any) -> CipherTensor:
    if not isinstance(link, CipherLink):
        raise DecodeError(f"a tensor of ciphertexts has no {type(link).__name__} under it")
    return CipherTensor(link)


def _refuse(key: PaillierPrivateKey) -> NoReturn:
    raise UnserializableError(WHY_PRIVATE)


def _refuse_to_build(data: Any, context: Any) -> NoReturn:
    raise DecodeError("a private key is never sent, so nobody takes one")


register(PaillierPublicKey, "syft.paillier.public_key", _key_fields, _key_from)
register(PaillierPrivateKey, "syft.paillier.private_key", _refuse, _refuse_to_build)
register(PaillierTensor, "syft.paillier.numbers", _numbers, _numbers_from)
register(PackedPaillierTensor, "syft.paillier.packed", _packed, _packed_from)
register(CipherTensor, "syft.paillier.tensor", link_under, _tensor_from)
