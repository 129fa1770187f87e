"""``x.encrypt(protocol="ckks" or "bfv", context=...)`` and ``x.decrypt()``."""

from __future__ import annotations

from array import array
from typing import Any

import torch

from syft.encoded.encryption import decryption, encryption
from syft.exceptions import EncodingError, KeyMismatchError, UsageError
from syft.he.levelled.context import BFVContext, CKKSContext, Context
from syft.he.levelled.operations import in_range
from syft.he.levelled.slots import KINDS, BFVTensor, CiphertextLink, CKKSTensor
from syft.he.levelled.tensor import CiphertextTensor


@encryption("ckks", call="x.encrypt(protocol='ckks', context=sy.he.ckks_context())", keys=(CKKSContext,))
def encrypt_real(tensor: torch.Tensor, context: Any = None, *, protocol: str = "ckks") -> CiphertextTensor:
    """Encrypt real numbers.

    Args:
        tensor: float32 or float64; its first dimension is that of the samples. Integers become float32.
        context: of `syft.he.ckks_context`, or its public part.
        protocol: its name.

    Raises:
        UsageError: no context, or one for integers.
        EncodingError: infinities, or numbers larger than the context holds, or more samples.
    """
    _fits(tensor, context, protocol)
    values = tensor.detach().to(torch.float64)
    p = context.parameters
    largest = 2.0 ** (p.prime_bits[0] - p.scale_bits - 1)
    if not bool(values.isfinite().all()) or (values.numel() and float(values.abs().max()) >= largest):
        raise EncodingError(
            f"numbers below {largest:g} fit this context, and no infinities; make one with sy.he.ckks_context("
            "largest=...), or make the numbers smaller"
        )
    dtype = tensor.dtype if tensor.dtype in (torch.float32, torch.float64) else torch.float32
    return CiphertextTensor(_encrypted(values, context, dtype))


@encryption("bfv", call="x.encrypt(protocol='bfv', context=sy.he.bfv_context())", keys=(BFVContext,))
def encrypt_integers(tensor: torch.Tensor, context: Any = None, *, protocol: str = "bfv") -> CiphertextTensor:
    """Encrypt integers.

    Args:
        tensor: integers; its first dimension is that of the samples.
        context: of `syft.he.bfv_context`, or its public part.
        protocol: its name.

    Raises:
        UsageError: no context, or one for real numbers.
        EncodingError: no integers, larger ones than the context holds, or more samples.
    """
    _fits(tensor, context, protocol)
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        raise EncodingError("BFV encrypts integers; use protocol='ckks' for numbers with fractional digits")
    return CiphertextTensor(_encrypted(in_range(tensor.to(torch.int64), context), context, torch.int64))


def _fits(tensor: torch.Tensor, context: Any, protocol: str) -> None:
    if not isinstance(context, Context) or context.scheme != protocol:
        have = f"a context of {context.scheme}" if isinstance(context, Context) else f"{type(context).__name__}"
        raise UsageError(
            f"protocol={protocol!r} needs context=sy.he.{protocol}_context(...), which has the keys, not {have}"
        )
    if tensor.dim() and not 1 <= tensor.shape[0] <= context.slots:
        raise EncodingError(
            f"the first dimension of a tensor is that of its samples, of which 1 to {context.slots} are encrypted "
            f"together, and this has {tensor.shape[0]}; split it into batches: x.split({context.slots})"
        )


def _encrypted(values: torch.Tensor, context: Context, dtype: torch.dtype) -> CiphertextLink:
    arithmetic = context.arithmetic
    batch = values.shape[0] if values.dim() else None
    shape = values.shape[1:]
    columns = values.reshape(1 if batch is None else batch, -1).t().contiguous().tolist()
    vectors = [arithmetic.encrypt(column) for column in columns]
    places = torch.arange(1, len(vectors) + 1).reshape(shape)
    link = KINDS[context.scheme](context, vectors, places, batch, context.depth, 1, dtype)
    link.fresh = True
    return link


@decryption(CKKSTensor, BFVTensor)
def decrypt_numbers(tensor: CiphertextTensor, context: Any = None) -> torch.Tensor:
    """The numbers.

    Those of CKKS are rounded to the useful bits of their context: what is below them is noise, from which the secret
    key can be computed (Li and Micciancio 2021). Rounding makes that harder, and is no reason to show decrypted
    numbers to whoever could have chosen what was computed.

    Args:
        tensor: encrypted.
        context: with the secret key; the one that it was encrypted with when None.

    Raises:
        UsageError: the secret key is not here.
        KeyMismatchError: it belongs to other numbers.
    """
    link: CiphertextLink = tensor.child
    context = context or link.context
    if not isinstance(context, Context) or not context.has_secret_key:
        raise UsageError(
            "decrypting needs the secret key, which is at whoever made the context and travels nowhere: "
            "x.decrypt(context=context)"
        )
    if context.id != link.context.id:
        raise KeyMismatchError("these numbers are encrypted under another context, whose secret key is another one")
    used, places = link.compact()
    kind = torch.int64 if context.scheme == "bfv" else torch.float64
    columns = [torch.zeros(link.size, dtype=kind), *[_readable(context, vector) for vector in used]]
    table = torch.stack([column[: link.size] for column in columns])
    if context.scheme == "ckks":
        step = 2.0**-context.parameters.precision
        table = (table / step).round_().mul_(step * link.factor)
    return table[places.reshape(-1)].t().reshape(link.shape).to(link.dtype)


def _readable(context: Context, vector: Any) -> torch.Tensor:
    if context.scheme == "ckks":
        return torch.frombuffer(array("d", context.decrypted(vector)), dtype=torch.float64)
    if context.noise_budget(vector) <= 0:
        raise EncodingError(
            "too much was computed on these integers: noise has destroyed them; make a context of more depth"
        )
    return torch.tensor(context.decrypted(vector), dtype=torch.int64)
