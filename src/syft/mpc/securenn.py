"""0.2.4's building blocks for networks on shared integers, by their names there, over the protocols of here.

The names are those of Wagh, Gupta and Chandran, "SecureNN: 3-Party Secure Computation for Neural Network Training"
(PoPETs 2019, section 3). Comparisons are those of `syft.mpc.comparisons`, which take two holders or more, look at all
64 bits and open nothing at the client. All functions take shared tensors with their wrapper or without, and
answer alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import torch
from torch.nn import functional as F

from syft.encoded.tensor import EncodedTensor, link_under
from syft.exceptions import NotSupportedError, UsageError
from syft.mpc.shared import AdditiveSharingTensor

Q_BITS = 64
_LONGEST_QUOTIENT = 61


def _either_form(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function on wrapped tensors take and return bare links, too."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bare = any(isinstance(a, AdditiveSharingTensor) for a in (*args, *kwargs.values()))
        with torch.no_grad():
            out = function(*map(_wrapped, args), **{name: _wrapped(value) for name, value in kwargs.items()})
        return _unwrapped(out) if bare else out

    return call


def _wrapped(value: Any) -> Any:
    return EncodedTensor(value) if isinstance(value, AdditiveSharingTensor) else value


def _unwrapped(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_unwrapped, value))
    return link_under(value) if isinstance(value, EncodedTensor) else value


def decompose(tensor: Any) -> Any:
    """The bits of public integers, the lowest first, in a last dimension of 64.

    Args:
        tensor: int64, here or at workers.

    Raises:
        NotSupportedError: the integers are shared.

    Example:
        >>> decompose(torch.tensor(6))[:4]
        tensor([0, 1, 1, 0])
    """
    if isinstance(tensor, (AdditiveSharingTensor, EncodedTensor)):
        raise NotSupportedError(
            "the bits of shared integers are not computed: comparisons need none of them. Use x > y, msb(x) or relu(x)"
        )
    return torch.stack([(tensor >> bit) & 1 for bit in range(Q_BITS)], -1)


@_either_form
def flip(x: Any, dim: int) -> Any:
    """The elements in reversed order along a dimension."""
    return x.flip(dim)


@_either_form
def select_share(alpha: Any, x: Any, y: Any) -> Any:
    """``x`` where ``alpha`` is 0, ``y`` where it is 1.

    Args:
        alpha: shared bits.
        x: shared.
        y: shared.
    """
    return x + alpha * (y - x)


def private_compare(*args: Any, **kwargs: Any) -> NoReturn:
    """Refuse: it gave the client the results of comparisons, up to one flip for all of them.

    Raises:
        NotSupportedError: always.
    """
    raise NotSupportedError(
        "private_compare opened its result at the client, which chose what it was masked with, and does not exist "
        "here; use x > y, of which the result stays shared"
    )


def share_convert(*args: Any, **kwargs: Any) -> NoReturn:
    """Refuse: it opened the values at the client under one mask for all of them.

    Raises:
        NotSupportedError: always.
    """
    raise NotSupportedError(
        "share_convert opened the values at the client under one mask, which shows their differences, and does not "
        "exist here; all functions take values as they are shared"
    )


@_either_form
def msb(a_sh: Any) -> Any:
    """1 where a shared value is negative, else 0. It is not converted before, as in 0.2.4.

    Example:
        >>> import syft as sy
        >>> hook = sy.TorchHook(torch)
        >>> alice, bob, james = (sy.VirtualWorker(hook, id=i) for i in ("alice", "bob", "james"))
        >>> msb(torch.tensor([5, -5]).share(alice, bob, crypto_provider=james)).get()
        tensor([0, 1])
    """
    return a_sh < 0


@_either_form
def relu_deriv(a_sh: Any) -> Any:
    """1 where a shared value is zero or more, else 0."""
    return a_sh >= 0


@_either_form
def relu(a_sh: Any) -> Any:
    """The shared value where it is positive, else 0."""
    return torch.relu(a_sh)


@_either_form
def division(x_sh: Any, y_sh: Any, bit_len_max: int = 31) -> Any:
    """The whole part of the quotient of shared integers that are not negative.

    Two bits at a time: the next digit of the quotient is how many of the first three multiples of the divisor are not
    above the rest, which takes one round of comparisons (long division; SecureNN, section 3.7, has one bit at a time).

    Args:
        x_sh: shared, from 0 to 2^63 - 1.
        y_sh: shared, of a shape that broadcasts; below 2^(63 - ``bit_len_max``).
        bit_len_max: bits that the quotient has at most, up to 61.

    Returns:
        Shared integers of the common shape; 2^``bit_len_max`` - 1 where the divisor is zero, and 0 where only ``x_sh``
        is negative.

    Raises:
        UsageError: another number of bits.
    """
    if not 1 <= bit_len_max <= _LONGEST_QUOTIENT:
        raise UsageError(f"quotients have 1 to {_LONGEST_QUOTIENT} bits, not {bit_len_max}")
    shape = torch.broadcast_shapes(x_sh.shape, y_sh.shape)
    rest, y_sh = x_sh.expand(shape), y_sh.expand(shape)
    quotient, at = 0 * rest, bit_len_max
    while at:
        width = 1 if at % 2 else 2
        at -= width
        multiples = torch.stack([y_sh * (count << at) for count in range(1, 1 << width)])
        fits = rest >= multiples
        quotient = quotient + fits.sum(0) * (1 << at)
        rest = rest - (fits * y_sh).sum(0) * (1 << at)  # bits by the divisor: both have been opened under masks
    return quotient


@_either_form
def maxpool(x_sh: Any) -> Any:
    """The largest element, and where it stands among all, the first of several.

    Returns:
        Two shared scalars.
    """
    flat = x_sh.reshape(-1)
    values, places = torch.max(flat, 0)
    return values, places + 0 * flat[0]  # the place of a single one is not shared, but public


@_either_form
def maxpool_deriv(x_sh: Any) -> Any:
    """1 where the largest element stands, the first of several, and 0 elsewhere; of any size."""
    return x_sh.argmax(one_hot=True) + 0 * x_sh


@_either_form
def maxpool2d(a_sh: Any, kernel_size: int = 1, stride: int = 1, padding: int = 0) -> Any:
    """The largest elements of windows; what is padded is smaller than all.

    Args:
        a_sh: shared, (batch, channels, height, width).
        kernel_size: of the windows.
        stride: between them.
        padding: at most half of the windows' size.
    """
    return F.max_pool2d(a_sh, kernel_size, stride, padding)
