"""What torch's ops are on numbers under a Paillier key: sums of them, and multiples by what is not encrypted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from syft.exceptions import DivisionByZeroError, UnsupportedOp, UsageError
from syft.he.paillier.ciphertexts import combinations, inverses, multiples, products
from syft.he.paillier.plaintexts import EXPONENTS, exponent_for, kind_of, longest, whole
from syft.he.paillier.tensor import Ciphertexts, PaillierTensor, array, check_size, on_meta

Rule = Callable[..., Any]
OPS: dict[str, Rule] = {}
"""By the name of the aten op: a rule gets the op, links in the place of encrypted tensors, and returns links."""
PaillierTensor.ops = OPS

_CIPHERS = "two encrypted numbers cannot be multiplied under a Paillier key"
_ELSE = (
    "Decrypt first, use what can be computed (sums, and products with plain tensors), or encrypt otherwise: "
    "protocol='ckks' also multiplies, and protocol='mpc' also compares"
)
_COMPARED = "eq ne lt le gt ge equal maximum minimum max min argmax argmin sort topk sign abs relu clamp where".split()


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of aten ops."""

    def register(function: Rule) -> Rule:
        OPS.update(dict.fromkeys(names, function))
        return function

    return register


def refusal(name: str) -> str:
    """Why there is no rule for an op, and the way out."""
    if name in _COMPARED:
        return f"{name!r} would compare encrypted numbers, which tells what they are: only the private key can. {_ELSE}"
    return f"{name!r} cannot be computed under a Paillier key. {_ELSE}"


PaillierTensor.refusal = staticmethod(refusal)  # type: ignore[method-assign]


@rule("add")
def _add(func: Any, a: Any, b: Any, alpha: Any = 1) -> Any:
    out = on_meta_of(torch.add, a, b, alpha=alpha)
    return _sum(a, b, out, alpha)


@rule("sub")
def _sub(func: Any, a: Any, b: Any, alpha: Any = 1) -> Any:
    out = on_meta_of(torch.sub, a, b, alpha=alpha)
    return _sum(a, b, out, -alpha)


@rule("rsub")
def _rsub(func: Any, a: Any, b: Any, alpha: Any = 1) -> Any:
    out = on_meta_of(torch.rsub, a, b, alpha=alpha)
    return _sum(b, a, out, -alpha)


@rule("neg")
def _neg(func: Any, a: Any) -> Any:
    return _negative(a)


@rule("mul")
def _mul(func: Any, a: Any, b: Any) -> Any:
    out = on_meta_of(torch.mul, a, b)
    if isinstance(a, PaillierTensor) and isinstance(b, PaillierTensor):
        raise UnsupportedOp(f"{_CIPHERS}. {_ELSE}")
    return _times(a, b, out) if isinstance(a, PaillierTensor) else _times(b, a, out)


@rule("div")
def _div(func: Any, a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    out = on_meta_of(torch.div, a, b)
    if isinstance(b, PaillierTensor) or rounding_mode is not None:
        what = "the divisor is encrypted" if rounding_mode is None else "quotients cannot be rounded"
        raise UnsupportedOp(f"{what}, and only the private key could do that. {_ELSE}")
    divisor = _tensor(b).to(torch.float64)
    if not bool(divisor.all()):
        raise DivisionByZeroError("an encrypted tensor is divided by zero; nothing was computed")
    return _times(a, divisor.reciprocal(), out)


@rule("sum")
def _total(func: Any, a: Any, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
    out = on_meta_of(torch.sum, a, **({} if dim is None else {"dim": dim, "keepdim": keepdim}), **kwargs)
    return _summed(a, dim, out)


@rule("mean")
def _mean(func: Any, a: Any, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
    out = on_meta_of(torch.mean, a, **({} if dim is None else {"dim": dim, "keepdim": keepdim}), **kwargs)
    count = a.places.numel() // max(out.numel(), 1)
    return _times(_summed(a, dim, out), 1 / max(count, 1), out)


@rule("mm", "mv", "dot", "bmm")
def _matmul(func: Any, a: Any, b: Any) -> Any:
    if a.dtype != b.dtype:  # without values, torch does not say so
        raise UsageError(f"expected matrices of the same dtype, but got {a.dtype} and {b.dtype}; convert one of them")
    out = on_meta_of(func, a, b)
    if isinstance(a, PaillierTensor) and isinstance(b, PaillierTensor):
        raise UnsupportedOp(f"{_CIPHERS}, and so cannot encrypted matrices. {_ELSE}")
    if isinstance(a, PaillierTensor):
        values, exponent, bits = _contracted(a, a.child, b)
    else:  # the transpose of what their transposes give, the other way round
        left = b.child.swapaxes(-1, -2) if b.places.dim() > 1 else b.child
        values, exponent, bits = _contracted(b, left, a.mT if a.dim() > 1 else a)
        if b.places.dim() > 1:
            values = values.reshape(*out.shape[:-2], out.shape[-1], out.shape[-2]).swapaxes(-1, -2)
    key = a.key if isinstance(a, PaillierTensor) else b.key
    return PaillierTensor.of(key, values.reshape(tuple(out.shape)), exponent, bits, out.dtype)


@rule("addmm", "addmv", "baddbmm")
def _addmm(func: Any, bias: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    out = on_meta_of(func, bias, a, b, beta=beta, alpha=alpha)
    if not isinstance(a, PaillierTensor) and not isinstance(b, PaillierTensor):
        return _sum(_scaled(bias, beta, out), alpha * torch.matmul(a, b), out)
    product = _matmul(_PRODUCTS[func.overloadpacket], a, b)
    return _sum(_scaled(product, alpha, out), bias, out, beta)


_PRODUCTS = {
    torch.ops.aten.addmm: torch.mm,
    torch.ops.aten.addmv: torch.mv,
    torch.ops.aten.baddbmm: torch.bmm,
}


@rule("_to_copy")
def _to(func: Any, a: Any, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Any:
    kind = a.dtype if dtype is None else kind_of(dtype)
    if kind is torch.int64 and a.dtype is not torch.int64:
        raise UnsupportedOp(f"encrypted numbers cannot be rounded to integers. {_ELSE}")
    if device is not None and torch.device(device).type != "cpu":
        raise UnsupportedOp("ciphertexts are computed on by the CPU; leave the device as it is")
    return PaillierTensor.of(a.key, a.child, a.exponent, a.bits, kind, fresh=a.memory.fresh)


def on_meta_of(func: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
    """What torch says of an op on operands of these shapes and dtypes: a tensor without values.

    Raises:
        UsageError: the result has a dtype that encrypted numbers do not have.
    """
    found: torch.Tensor = func(*on_meta(args), **on_meta(kwargs))
    check_size(found)
    return found if found.dtype in EXPONENTS else found.to(kind_of(found.dtype))


# --- sums ----------------------------------------------------------------------------------------------


def _sum(a: Any, b: Any, out: torch.Tensor, factor: Any = 1) -> Any:
    """``a + factor * b``, of which one at least is encrypted."""
    if not isinstance(b, PaillierTensor):
        return _plus(a, b, factor, out)
    b = _scaled(b, factor, out)
    if not isinstance(a, PaillierTensor):
        return _plus(b, a, 1, out)
    exponent = min(a.exponent, b.exponent)
    (left, left_bits), (right, right_bits) = a.at(exponent), b.at(exponent)
    values = np.asarray(left * right % a.key.nsquare, dtype=object)
    return PaillierTensor.of(a.key, values, exponent, max(left_bits, right_bits) + 1, out.dtype)


def _plus(a: Any, plain: Any, factor: Any, out: torch.Tensor) -> Any:
    values = _tensor(plain)
    if isinstance(factor, float):
        values, factor = values * factor, 1
    # With as many digits as such numbers are encrypted with, whatever this one is.
    exponent = min(a.exponent, EXPONENTS[out.dtype] if values.dtype.is_floating_point else 0)
    encrypted, bits = a.at(exponent)
    integers = [factor * integer for integer in whole(values, exponent)]
    n, modulus = a.key.n, a.key.nsquare
    added = array(1 + n * integer for integer in integers).reshape(tuple(values.shape))
    result = np.asarray(encrypted * added % modulus, dtype=object)
    return PaillierTensor.of(a.key, result, exponent, max(bits, longest(integers)) + 1, out.dtype)


def _negative(a: Any) -> Any:
    values = array(inverses(a.child.reshape(-1), a.key.nsquare)).reshape(tuple(a.shape))
    return PaillierTensor.of(a.key, values, a.exponent, a.bits, a.dtype)


def _summed(a: Any, dim: Any, out: torch.Tensor) -> Any:
    values = a.child
    axes = range(values.ndim) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
    axes = [axis % values.ndim for axis in axes] if values.ndim else []
    count = math.prod(values.shape[axis] for axis in axes)
    kept = [axis for axis in range(values.ndim) if axis not in axes]
    rows = values.transpose(*kept, *axes).reshape(out.numel(), count)
    total = products(rows, a.key.nsquare) if count else array([1] * out.numel())
    bits = a.bits + max(count - 1, 0).bit_length()
    return PaillierTensor.of(a.key, total.reshape(tuple(out.shape)), a.exponent, bits, out.dtype)


# --- multiples -----------------------------------------------------------------------------------------


def _scaled(a: Any, factor: Any, out: torch.Tensor) -> Any:
    if not isinstance(a, PaillierTensor):
        return _tensor(a) * factor
    if factor == 1:
        return a
    like = torch.empty(a.shape, dtype=out.dtype, device="meta")
    return _negative(a) if factor == -1 else _times(a, factor, like)


def _times(a: Any, plain: Any, out: torch.Tensor) -> Any:
    values = _tensor(plain)
    exponent = exponent_for(values)
    factors = whole(values, exponent)
    bits = a.bits + longest(factors)
    _check_room(a, bits)
    shape = tuple(out.shape)
    encrypted = np.broadcast_to(a.child, shape).reshape(-1)
    spread = np.broadcast_to(array(factors).reshape(tuple(values.shape)), shape).reshape(-1)
    result = array(multiples(list(encrypted), list(spread), a.key.nsquare)).reshape(shape)
    return PaillierTensor.of(a.key, result, a.exponent + exponent, bits, out.dtype)


def _tensor(plain: Any) -> torch.Tensor:
    # A Python float is a double, and what it is as a float32 is another number.
    if isinstance(plain, torch.Tensor):
        return plain
    return torch.tensor(plain, dtype=torch.float64 if isinstance(plain, float) else torch.int64)


def _check_room(a: Any, bits: int) -> None:
    if bits > a.key.room:
        Ciphertexts(a.key, array([]), 0, bits)  # raises, before anything is computed


def _contracted(a: Any, values: Any, b: torch.Tensor) -> tuple[Any, int, int]:
    """``values @ b``, flat, with its exponent and bits; values are ciphertexts of a, with one to three dimensions."""
    exponent, count = exponent_for(b), values.shape[-1]
    batch = values.shape[0] if values.ndim > 2 else 1
    blocks = values.reshape(batch, -1, count) if count else values.reshape(batch, math.prod(values.shape[-2:-1]), 0)
    matrices = b.reshape(batch, count, b.shape[-1] if b.dim() > 1 else 1)
    out, bits = [], a.bits
    for block, matrix in zip(blocks, matrices, strict=True):
        integers = whole(matrix.t(), exponent)
        columns = [integers[at * count : (at + 1) * count] for at in range(matrix.shape[1])]
        bits = max(bits, a.bits + longest(integers) + count.bit_length())
        _check_room(a, bits)
        for row in block:
            out += combinations(row, columns, a.key.nsquare)
    return array(out), a.exponent + exponent, bits
