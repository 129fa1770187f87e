"""Rules of arithmetic and of moving elements on encrypted tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.encoded.moves import MOVES, move, moved_shape
from syft.exceptions import UnsupportedOp
from syft.he.levelled import operations
from syft.he.levelled.operations import add_plain, multiply_plain, negate, total, weighted
from syft.he.levelled.slots import CiphertextLink, check_elements
from syft.he.levelled.tensor import CiphertextTensor, composed, rule

aten = torch.ops.aten
Link = CiphertextLink


def _moving(name: str) -> Callable[..., Link]:
    def moved(a: Link, *args: Any) -> Link:
        check_elements(moved_shape(name, a.shape, args).numel())
        return a.moved(lambda places: move(name, places, *args))

    return moved


_SHAPES = ("_reshape_alias", "_unsafe_view", "view")
for _name, _packet in MOVES.items():
    if _name not in (*_SHAPES, "constant_pad_nd") and not _name.endswith("_backward"):
        rule(_packet)(_moving(_name))


@rule(aten._reshape_alias, aten._unsafe_view, aten.view)
def _view(a: Link, shape: Any, *strides: Any) -> Link:
    if a.batch is not None and shape and shape[0] == a.batch:  # each sample by itself, as flatten does
        return a.with_places(a.places.reshape(shape[1:]))
    return a.moved(lambda places: places.reshape(shape))


@rule(aten.constant_pad_nd)
def _pad(a: Link, pad: Any, value: Any = 0) -> Link:
    if value:
        raise UnsupportedOp("an encrypted tensor is padded with zeros; add other numbers afterwards")
    check_elements(moved_shape("constant_pad_nd", a.shape, (list(pad), 0)).numel())
    return a.moved(lambda places: torch.constant_pad_nd(places, list(pad), 0))


@rule(aten.detach, aten.alias_copy, aten.clone, aten.contiguous, aten.lift_fresh)
def _same(a: Link, **kwargs: Any) -> Link:
    return a


@rule(aten._to_copy)
def _to(a: Link, dtype: Any = None, **kwargs: Any) -> Link:
    out = a.with_places(a.places)
    out.dtype = a.dtype if dtype is None else dtype
    if out.dtype.is_floating_point != a.dtype.is_floating_point:
        raise UnsupportedOp("encrypted integers stay integers, and real numbers real; convert before encrypting")
    return out


def plain(value: Any) -> torch.Tensor:
    """A public operand as a tensor."""
    if isinstance(value, torch.Tensor):
        return value
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else torch.int64)


def multiply(a: Any, b: Any) -> Link:
    """The product of operands of which one is encrypted."""
    if isinstance(a, Link) and isinstance(b, Link):
        return operations.multiply(a, b)
    return multiply_plain(a, plain(b)) if isinstance(a, Link) else multiply_plain(b, plain(a))


@rule(aten.add)
def _add(a: Any, b: Any, alpha: Any = 1) -> Link:
    if alpha != 1:
        b = multiply(b, alpha) if isinstance(b, Link) else plain(b) * alpha
    if isinstance(a, Link) and isinstance(b, Link):
        return operations.add(a, b)
    return add_plain(a, plain(b)) if isinstance(a, Link) else add_plain(b, plain(a))


def _operator(rule: Callable[..., Link]) -> Callable[..., CiphertextTensor]:
    def operate(a: Any, b: Any, **kwargs: Any) -> CiphertextTensor:
        first, second = (x.child if type(x) is CiphertextTensor else x for x in (a, b))
        return CiphertextTensor(rule(first, second, **kwargs))

    return operate


@rule(aten.sub)
def _sub(a: Any, b: Any, alpha: Any = 1) -> Link:
    if alpha == 1 and isinstance(a, Link) and isinstance(b, Link):
        return operations.subtract(a, b)
    return _add(a, negate(b) if isinstance(b, Link) else -plain(b), alpha)


@rule(aten.rsub)
def _rsub(a: Any, b: Any, alpha: Any = 1) -> Link:
    return _sub(b, a, alpha)


@rule(aten.neg)
def _neg(a: Link) -> Link:
    return negate(a)


@rule(aten.mul)
def _mul(a: Any, b: Any) -> Link:
    return multiply(a, b)


# The commonest operators need nothing of what torch does on the way to its elementary ops.
composed(torch.Tensor.add)(_operator(_add))
composed(torch.Tensor.sub)(_operator(_sub))
composed(torch.Tensor.mul)(_operator(_mul))


@rule(aten.div)
def _div(a: Any, b: Any, rounding_mode: str | None = None) -> Link:
    if isinstance(b, Link) or rounding_mode or not a.arithmetic.free_scaling:
        raise UnsupportedOp(
            "ciphertexts are divided by plain numbers only, and encrypted integers by none; multiply by a reciprocal "
            "that was found before encrypting"
        )
    return multiply_plain(a, 1 / plain(b).double())


@rule(aten.pow)
def _pow(a: Any, exponent: Any) -> Link:
    if not isinstance(a, Link) or not isinstance(exponent, int | float) or exponent != int(exponent) or exponent < 0:
        raise UnsupportedOp("encrypted numbers have powers with a plain exponent of 0, 1, 2 and so on")
    return _power(a, int(exponent))


def _power(a: Link, exponent: int) -> Link:
    """A natural power in as few levels as it can."""
    if exponent == 0:
        return add_plain(a.with_places(torch.zeros_like(a.places)), torch.tensor(1))
    if exponent == 1:
        return a
    half = _power(a, exponent // 2)
    return operations.multiply(half, half if exponent % 2 == 0 else _power(a, exponent - exponent // 2))


@rule(aten.square)
def _square(a: Link) -> Link:
    return operations.square(a)


@rule(aten.sum)
def _sum(a: Link, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Link:
    return total(a, _dims(a, dim), keepdim)


@rule(aten.mean)
def _mean(a: Link, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Link:
    if not a.arithmetic.free_scaling:
        raise UnsupportedOp("encrypted integers have no mean; take their sum, and divide it once it is decrypted")
    dims = _dims(a, dim)
    count = 1
    for d in dims:
        count *= a.shape[d]
    return total(a, dims, keepdim).scaled(1 / max(1, count))


def _dims(a: Link, dim: Any) -> list[int]:
    size = len(a.shape)
    if dim is None or dim == []:
        return list(range(size))
    return sorted({d % size for d in ([dim] if isinstance(dim, int) else dim)})


@rule(aten.cat)
def _cat(parts: Any, dim: int = 0) -> Link:
    if not all(isinstance(part, Link) for part in parts):
        raise UnsupportedOp("plain and encrypted tensors are not joined; encrypt the plain ones first")
    return operations.concatenated(list(parts), dim)


@rule(aten.stack)
def _stack(parts: Any, dim: int = 0) -> Link:
    where = dim % (len(parts[0].shape) + 1)
    return _cat([part.moved(lambda places: places.unsqueeze(where)) for part in parts], where)


@rule(aten.mm, aten.matmul, aten.mv)
def _mm(a: Any, b: Any) -> Link:
    if not isinstance(a, Link) or a.batch is None:
        raise UnsupportedOp(
            "the samples of an encrypted tensor are its first dimension, so it stands on the left of a matrix product"
        )
    if isinstance(b, Link):
        return _encrypted_product(a, b)
    columns = b.unsqueeze(1) if b.dim() == 1 else b
    if a.places.dim() != 1 or columns.dim() != 2 or columns.shape[0] != a.places.shape[0]:
        raise UnsupportedOp(f"shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be multiplied")
    out = weighted(a, a.places.unsqueeze(0), columns.t())
    return out.with_places(out.places[0, 0] if b.dim() == 1 else out.places[0])


def _encrypted_product(a: Link, b: Link) -> Link:
    raise UnsupportedOp(
        f"the matrix product of two encrypted tensors, {tuple(a.shape)} and {tuple(b.shape)}, would mix their samples; "
        "(x * y).sum(1) multiplies them sample by sample"
    )


@rule(aten.addmm, aten.addmv)
def _addmm(bias: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Link:
    product = _mm(a, b)
    return _add(product if alpha == 1 else multiply(product, alpha), bias if beta == 1 else bias * beta)


@rule(aten.dot)
def _dot(a: Any, b: Any) -> Link:
    product = multiply(a, b)
    return total(product, [0])
