"""How contexts and encrypted tensors travel: without the secret key, which has no wire form.

A tensor names its context, which goes to a worker once, before (`Context.send`). What arrives is a stranger's: sizes
are checked before SEAL sees anything, and SEAL checks keys and ciphertexts against the parameters.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch

from syft.exceptions import EncryptionParametersError
from syft.he.levelled.context import Context, context_named, context_of, is_known, known
from syft.he.levelled.parameters import LARGEST_PRIME, Parameters, check_security
from syft.he.levelled.seal import ciphertext_of
from syft.he.levelled.slots import KINDS, BFVTensor, CiphertextLink, CKKSTensor
from syft.he.levelled.tensor import CiphertextTensor
from syft.serde.checks import dimension, each, flag, integer, items, one_of, optional, text
from syft.serde.registry import register
from syft.tensors.base import unwrap

Link = TypeVar("Link", bound=CiphertextLink)

_DTYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64}
_SPARE = 1 << 12
"""How many bytes SEAL may write beside the numbers of a polynomial."""


def _context_fields(context: Context) -> Any:
    p = context.parameters
    numbers = [p.degree, list(p.prime_bits), p.depth, p.scale_bits, p.precision, p.plain_modulus, p.rotations]
    return p.scheme, numbers, list(context.keys)


def _context_from(data: Any, receiver: Any) -> Context:
    scheme, numbers, keys = data
    context = context_of(_parameters(scheme, numbers), _keys(keys))
    if not is_known(context):
        _check_sizes(context)
        _ = context.arithmetic  # SEAL reads the keys
    return known(context)


def _parameters(scheme: Any, numbers: Any) -> Parameters:
    degree, bits, depth, scale, precision, modulus, rotations = items(numbers)
    if text(scheme) not in KINDS:
        raise ValueError(f"there is no scheme {scheme!r}; there are {sorted(KINDS)}")
    out = Parameters(
        scheme, integer(degree), each(integer)(bits), integer(depth), integer(scale), integer(precision),
        integer(modulus), flag(rotations),
    )  # fmt: skip
    try:
        check_security(out.degree, out.prime_bits)
    except EncryptionParametersError as error:
        raise ValueError(str(error)) from None
    if scheme == "ckks":
        fits = out.depth == len(out.prime_bits) - 2 and 0 < out.precision <= out.scale_bits <= min(out.prime_bits)
        if not fits or out.plain_modulus:
            raise ValueError("a CKKS context has a level for each prime but two, and a scale that fits them")
    elif not (1 < out.plain_modulus < 1 << LARGEST_PRIME and 0 <= out.depth <= 64) or out.scale_bits or out.precision:
        raise ValueError("a BFV context has a plain modulus, and no scale")
    return out


def _keys(keys: Any) -> tuple[bytes, bytes, bytes]:
    public, multiply, rotate = [one_of(bytes)(key) for key in items(keys)]
    return public, multiply, rotate


def _check_sizes(context: Context) -> None:
    """Refuse keys that are longer than keys of these parameters can be."""
    p = context.parameters
    pair = 16 * p.degree * len(p.prime_bits) + _SPARE
    switching = pair * (len(p.prime_bits) - 1)
    rotations = 2 * p.degree.bit_length() * switching if p.rotations else 0
    for key, most in zip(context.keys, (pair, switching, rotations), strict=True):
        if len(key) > most or (most and not key):
            raise ValueError(f"a key of {len(key)} bytes, where those of these parameters have up to {most}")


def _link_fields(link: CiphertextLink) -> Any:
    used, places = link.compact()
    if not link.fresh:
        used = [_refreshed(vector, link) for vector in used]
    ciphertexts = [ciphertext_of(vector.serialize()) for vector in used]
    dtype = str(link.dtype).removeprefix("torch.")
    return link.context.id, link.batch, link.level, float(link.factor), dtype, places.contiguous(), ciphertexts


def _refreshed(vector: Any, link: CiphertextLink) -> Any:
    """The same numbers in a ciphertext that does not show from which others it was computed."""
    arithmetic = link.arithmetic
    return arithmetic.add(vector, arithmetic.lower(arithmetic.encrypt([0] * vector.size()), link.level))


def _link_from(kind: type[Link], data: Any) -> Link:
    scheme = kind.scheme
    id, batch, level, factor, dtype, places, ciphertexts = data
    context = context_named(text(id))
    if context.scheme != scheme:
        raise ValueError(f"numbers of {scheme} name a context of {context.scheme}")
    batch, level, factor = optional(dimension)(batch), dimension(level), one_of(float)(factor)
    dtype, places = _DTYPES.get(text(dtype)), one_of(torch.Tensor)(places)
    count = len(items(ciphertexts))
    if batch is not None and not 1 <= batch <= context.slots:
        raise ValueError(f"a ciphertext of this context holds 1 to {context.slots} samples, not {batch}")
    if dtype is None or dtype.is_floating_point is not (scheme == "ckks") or not _in_places(places, count):
        raise ValueError("an encrypted tensor has numbers of its scheme, and a place for each of its ciphertexts")
    if not math.isfinite(factor) or (scheme == "bfv" and factor != 1):
        raise ValueError(f"{factor} is no factor of encrypted numbers")
    if level > context.depth:
        raise ValueError(f"a context of depth {context.depth} has no level {level}")
    size = 1 if batch is None else batch
    vectors = [_vector(one_of(bytes)(ciphertext), context, size, level) for ciphertext in ciphertexts]
    exact: float = factor if scheme == "ckks" else 1
    return kind(context, vectors, places, batch, level, exact, dtype)


def _tensor_from(link: Any, receiver: Any) -> CiphertextTensor:
    return CiphertextTensor(one_of(CKKSTensor, BFVTensor)(unwrap(link)))


def _in_places(places: torch.Tensor, count: int) -> bool:
    if places.dtype != torch.int64 or type(places) is not torch.Tensor or count > places.numel():
        return False
    return not places.numel() or (0 <= int(places.min()) and int(places.max()) <= count)


def _vector(ciphertext: bytes, context: Context, size: int, level: int) -> Any:
    p = context.parameters
    if len(ciphertext) > 16 * p.degree * len(p.prime_bits) + _SPARE:
        raise ValueError(f"a ciphertext of {len(ciphertext)} bytes is too long for its parameters")
    return context.arithmetic.load(ciphertext, size, level)


register(Context, "syft.he.context", _context_fields, _context_from, subclasses=True)
register(CKKSTensor, "syft.he.ckks", _link_fields, lambda data, receiver: _link_from(CKKSTensor, data))
register(BFVTensor, "syft.he.bfv", _link_fields, lambda data, receiver: _link_from(BFVTensor, data))
register(CiphertextTensor, "syft.he.tensor", lambda tensor: tensor.child, _tensor_from)
