"""Rules of arithmetic and comparisons on encoded tensors."""

from __future__ import annotations

from typing import Any

import torch

from syft.encoded import functions
from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.tensor import number, rule
from syft.exceptions import UsageError

aten = torch.ops.aten


def both(a: Any, b: Any) -> tuple[Number, Number]:
    """The operands of an op as numbers, one of which is encoded."""
    like = a if isinstance(a, Number) else b
    return number(a, like), number(b, like)


@rule(aten.add)
def _add(a: Any, b: Any, alpha: Any = 1) -> Number:
    a, b = both(a, b)
    return n.add(a, b if alpha == 1 else n.multiply(b, number(alpha, b)))


@rule(aten.sub)
def _sub(a: Any, b: Any, alpha: Any = 1) -> Number:
    a, b = both(a, b)
    return n.sub(a, b if alpha == 1 else n.multiply(b, number(alpha, b)))


@rule(aten.rsub)
def _rsub(a: Any, b: Any, alpha: Any = 1) -> Number:
    return _sub(b, a, alpha)


@rule(aten.neg)
def _neg(a: Number) -> Number:
    return n.neg(a)


@rule(aten.mul)
def _mul(a: Any, b: Any) -> Number:
    return n.multiply(*both(a, b))


@rule(aten.addcmul)
def _addcmul(a: Any, b: Any, c: Any, value: Any = 1) -> Number:
    product = _mul(b, c)
    return n.add(number(a, product), product if value == 1 else n.multiply(product, number(value, product)))


@rule(aten.lerp)
def _lerp(a: Any, b: Any, weight: Any) -> Number:
    a, b = both(a, b)
    return n.add(a, n.multiply(n.sub(b, a), number(weight, a)))


@rule(aten.pow)
def _pow(a: Any, exponent: Any) -> Number:
    if not isinstance(a, Number) or isinstance(exponent, Number):
        raise UsageError("an encrypted exponent is not supported; use exp() and log()")
    if exponent == int(exponent):
        return power(a if exponent >= 0 else functions.reciprocal(a), abs(int(exponent)))
    if 2 * exponent == int(2 * exponent):
        return power(functions.sqrt(a) if exponent > 0 else functions.rsqrt(a), abs(int(2 * exponent)))
    raise UsageError(f"x ** {exponent} has no rule; use exp() and log(), or an exponent that is a multiple of 0.5")


def power(a: Number, exponent: int) -> Number:
    """A natural power by squaring."""
    if exponent == 0:
        return a.with_raw(torch.ones(a.shape, dtype=torch.int64), 1)
    if exponent == 1:
        return a
    half = power(n.square(a), exponent // 2)
    return n.multiply(half, a) if exponent & 1 else half


@rule(aten.matmul, aten.mm, aten.bmm, aten.mv, aten.dot)
def _matmul(a: Any, b: Any) -> Number:
    a, b = both(a, b)
    return n.multiply(a, b, "matmul")


@rule(aten.addmm, aten.addmv, aten.baddbmm)
def _addmm(bias: Any, a: Any, b: Any, beta: Any = 1, alpha: Any = 1) -> Number:
    product = _matmul(a, b)
    if alpha != 1:
        product = n.multiply(product, number(alpha, product))
    bias = number(bias, product)
    return n.add(product, bias if beta == 1 else n.multiply(bias, number(beta, bias)))


@rule(aten.lt)
def _lt(a: Any, b: Any) -> Number:
    return n.less(*both(a, b))


@rule(aten.gt)
def _gt(a: Any, b: Any) -> Number:
    a, b = both(a, b)
    return n.less(b, a)


@rule(aten.ge)
def _ge(a: Any, b: Any) -> Number:
    return n.complement(n.less(*both(a, b)))


@rule(aten.le)
def _le(a: Any, b: Any) -> Number:
    a, b = both(a, b)
    return n.complement(n.less(b, a))


@rule(aten.eq)
def _eq(a: Any, b: Any) -> Number:
    return n.equal(*both(a, b))


@rule(aten.ne)
def _ne(a: Any, b: Any) -> Number:
    return n.complement(n.equal(*both(a, b)))


@rule(aten.sign, aten.sgn)
def _sign(a: Number) -> Number:
    a = settled(a)
    return n.sub(n.negative(n.neg(a)), n.negative(a))


@rule(aten.abs)
def _abs(a: Number) -> Number:
    return n.multiply(a, n.sub(number(1, a), n.multiply(n.negative(a), number(2, a))))
