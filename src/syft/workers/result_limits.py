"""How much memory the result of an op will take, worked out before it runs.

Nearly every call is let through by a glance at the sizes of its operands: for the ops that computing is made of, a
bound on the result follows from those alone. Where it does not, the op runs on meta tensors, which have a shape and no
memory, and the storages it makes are added up; the answer is remembered by the operands' shapes. Ops whose result
depends on values (``one_hot``, ``nonzero`` …) are worked out from the values.

What is bounded is the result, not what a kernel needs while it works.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from syft.core.ops import Op, Returns
from syft.exceptions import LimitExceededError
from syft.tensors.text_sizes import longest
from syft.workers.meta_runs import FACTORIES, prepare, run_on_meta
from syft.workers.tensor_sizes import (
    CONTAINERS,
    PLAIN,
    broadcast_numel,
    expanded,
    nbytes_of,
    tensors_in,
    uncovered,
)
from syft.workers.valued_sizes import size_by_value

__all__ = [
    "check_kept", "check_result", "check_stored", "check_text", "nbytes_held", "nbytes_of", "prepare", "run_within",
]  # fmt: skip

_SCALARS = frozenset({int, float, bool, complex, type(None), str, torch.dtype, torch.device, slice, type(Ellipsis)})
_WIDEST = 5  # 2**5 bytes: two results of complex128 for each element
_DEEPEST = 60

# At most one element for each element of the largest operand, whatever the plain values.
_LARGEST = frozenset(
    """abs acos acosh alias_copy all alpha_dropout amax amin aminmax angle any argmax argmin argsort asin asinh atan
    atanh batch_norm bernoulli bfloat16 bitwise_not bool byte cdouble ceil celu cfloat chalf char clone conj
    conj_physical contiguous cos cosh count_nonzero cpu cross_entropy ctc_loss cuda cummax cummin cumprod cumsum
    data deg2rad detach detach_copy device diagonal digamma dim double dropout dropout1d dropout2d dropout3d dtype
    element_size elu erf erfc erfinv exp exp2 expm1 fill flatten flip fliplr flipud float floor frac frexp gather
    gelu get_device glu group_norm half hardshrink hardsigmoid hardswish hardtanh i0 index_add index_copy index_fill
    int is_complex is_contiguous is_floating_point is_leaf isfinite isinf isnan isneginf isposinf isreal itemsize
    kthvalue layer_norm leaky_relu lgamma log log10 log1p log2 log_softmax logcumsumexp logical_not logit logsigmoid
    logsumexp long mean median mish mode movedim msort nan_to_num nanmean nanmedian nansum narrow native.batch_norm
    native.ctc_loss native.elu native.glu native.hardsigmoid native.hardswish native.hardtanh native.leaky_relu
    native.mish native.nll_loss native.nll_loss_nd native.relu6 native.silu native_batch_norm native_layer_norm
    nbytes ndim neg nll_loss norm normalize numel ones_like permute positive prod rad2deg rand_like randn_like ravel
    reciprocal relu relu6 requires_grad reshape reshape_as resolve_conj resolve_neg retains_grad rms_norm roll rot90
    round rrelu rsqrt scatter scatter_add select selu shape short sigmoid sign signbit silu sin sinc sinh size
    softmax softmin softplus softshrink softsign sort special.expit special.log_softmax special.softmax sqrt square
    squeeze std std_mean stride sum sum_to_size t take tan tanh tanhshrink threshold topk trace transpose tril triu
    trunc type_as unsqueeze var var_mean view view_as zeros_like""".split()
)

# At most one element for each element of the operands' common shape.
_BROADCAST = frozenset(
    """add addcdiv addcmul atan2 binary_cross_entropy binary_cross_entropy_with_logits bitwise_and bitwise_left_shift
    bitwise_or bitwise_right_shift bitwise_xor clamp clamp_max clamp_min complex copysign dist div eq float_power
    floor_divide fmax fmin fmod gaussian_nll_loss ge gt heaviside huber_loss hypot isclose kl_div l1_loss le lerp
    logaddexp logaddexp2 logical_and logical_or logical_xor lt masked_fill max maximum min minimum mse_loss mul
    native.binary_cross_entropy native.binary_cross_entropy_with_logits native.huber_loss native.kl_div
    native.l1_loss native.mse_loss native.smooth_l1_loss native.soft_margin_loss ne nextafter poisson_nll_loss polar
    pow rdiv remainder rfloor_divide rpow rremainder rsub smooth_l1_loss soft_margin_loss sub xlogy""".split()
)

# At most the product of the operands' elements.
_PRODUCT = frozenset(("embedding", "getitem", "ger", "index_select", "kron", "linalg.lstsq", "outer"))

# The same, over the square of the last dimension of the first of these two operands, which is summed over.
_CONTRACTION = MappingProxyType(
    dict.fromkeys(
        """bmm cdist dot dsmm hsmm inner linalg.matmul linear matmul mm mv native.cdist smm sparse.mm vdot""".split(),
        (0, 1),
    )
    | dict.fromkeys(("addmm", "addmv", "baddbmm", "saddmm", "sparse.addmm", "sspaddmm"), (1, 2))
)
_TAME = _LARGEST | _BROADCAST | _PRODUCT | _CONTRACTION.keys()

_JOINING = frozenset(("cat", "stack", "hstack", "vstack", "dstack", "column_stack"))

# In-place ops after which a tensor has the memory of another.
_GIVEN = frozenset(("set_", "data.set", "grad.set"))

# In-place ops that change how a tensor is looked at, not what is in it.
_VIEWS_IN_PLACE = frozenset(("detach_", "requires_grad_", "squeeze_", "t_", "transpose_", "unsqueeze_"))


def check_result(op: Op, args: Iterable[Any], kwargs: Mapping[str, Any], limit_bytes: int) -> bool:
    """Refuse an op whose result would take more memory than a worker allows, before it allocates any.

    Views take no memory of their own. Of private tensors and other links over tensors that are here, what is under
    them is looked at; calls with pointers pass, as they run elsewhere.

    Args:
        op: the op.
        args: its positional operands, real tensors among them.
        kwargs: its named operands.
        limit_bytes: what one result may take.

    Returns:
        Whether the size is known to be within the limit. False if only the result itself can tell, which may be an
        operand that is changed: run the op, and hand the result to `check_stored`.

    Raises:
        LimitExceededError: the result would exceed the limit, or an operand is an expanded view that stands for more.

    Example:
        >>> from syft.core.ops import BY_NAME
        >>> check_result(BY_NAME["torch.zeros"], [3, 3], {}, limit_bytes=100)
        True
        >>> check_result(BY_NAME["torch.zeros"], [10**12], {}, limit_bytes=100)
        Traceback (most recent call last):
        ...
        syft.exceptions.LimitExceededError: the result of 'torch.zeros' would take 4,000,000,000,000 bytes, ...
    """
    if op.key in _TAME:
        bound = 1
        for value in args:
            kind = type(value)
            if kind in PLAIN:
                bound *= value.numel()
            elif kind not in _SCALARS:
                break
        else:
            if not kwargs and 0 < bound <= limit_bytes >> _WIDEST:
                return True
    return _look_closer(op, tuple(args), dict(kwargs), limit_bytes) and "out" not in kwargs


_WAY_OUT = "ask for smaller sizes, work in parts, or let the owner of the worker raise the limit"


def _refuse(op: Op, nbytes: int, limit_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        f"the result of {op.name!r} would take {nbytes:,} bytes, and this worker allows {limit_bytes:,} a result; "
        f"{_WAY_OUT}"
    )


# --- the second look ----------------------------------------------------------------------------------


def _look_closer(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any], limit: int) -> bool:
    operands: list[torch.Tensor] = []
    if not _collect((args, kwargs), operands):
        args, kwargs = uncovered(args), uncovered(kwargs)
        operands = []
        if not _collect((args, kwargs), operands):
            return True
    if op.name.endswith(("__get__", "__set__", "__delete__")):
        return op.key not in _GIVEN
    stands_for = max([expanded(t) for t in operands if t.layout is torch.strided], default=0)
    if op.returns in (Returns.SELF, Returns.NOTHING):
        if stands_for > limit and op.key not in _VIEWS_IN_PLACE:
            raise _too_expanded(op, stands_for, limit)
        return not _may_grow(op, operands)
    bound = None if stands_for > limit or "out" in kwargs else _bound(op.key, args, kwargs, operands)
    if bound is not None and bound <= limit:
        return True
    exact = size_by_value(op.key, args, kwargs)
    if exact is None:
        size = run_on_meta(op, args, kwargs, operands)
        if size is not None and size.anything and stands_for > limit:
            raise _refuse(op, size.nbytes, limit) if size.nbytes > limit else _too_expanded(op, stands_for, limit)
        exact = None if size is None else size.nbytes
    if exact is not None:
        if exact > limit:
            raise _refuse(op, exact, limit)
        return True
    if stands_for > limit:
        raise _too_expanded(op, stands_for, limit)
    asked = max(map(_elements_asked, (*args, *kwargs.values())), default=0)
    if bound is not None and operands:
        asked = (bound >> _WIDEST) * max(t.element_size() for t in operands)
    if asked > limit:
        raise _refuse(op, asked, limit)
    return False


def _may_grow(op: Op, operands: list[torch.Tensor]) -> bool:
    # In place, only sparse tensors take more memory than before, and those that are given another's.
    return op.key in _GIVEN or (bool(operands) and operands[0].layout is not torch.strided)


def _too_expanded(op: Op, stands_for: int, limit: int) -> LimitExceededError:
    return LimitExceededError(
        f"an operand of {op.name!r} is an expanded view that stands for {stands_for:,} bytes, and this worker allows "
        f"{limit:,}; use the tensor as it was before .expand(), or work in parts"
    )


def _collect(value: Any, operands: list[torch.Tensor], depth: int = 0) -> bool:
    """Gather the tensors; False if a rule of another type is going to decide."""
    kind = type(value)
    if kind in PLAIN:
        operands.append(value)
        return True
    if kind in _SCALARS:
        return True
    if kind in CONTAINERS or kind is dict:
        if depth > _DEEPEST:
            return False
        parts = value.values() if kind is dict else value
        return all([_collect(part, operands, depth + 1) for part in parts])
    return not hasattr(kind, "__torch_function__")


def _bound(key: str, args: tuple[Any, ...], kwargs: dict[str, Any], operands: list[torch.Tensor]) -> int | None:
    """Bytes that the result cannot exceed, from the operands' sizes alone; None for ops that have no such bound."""
    elements: int | None = None
    if key in _JOINING:
        dtypes = {t.dtype for t in operands}
        return sum([t.numel() for t in operands]) * functools.reduce(torch.promote_types, dtypes, torch.bool).itemsize
    if key in FACTORIES and not operands:
        return _of_factory(args, kwargs)
    if key not in _TAME or not operands or not all([t.numel() for t in operands]):
        return None  # what has no elements can still have a long dimension, which a sum leaves over
    if key in _LARGEST:
        elements = max(t.numel() for t in operands)
    elif key in _BROADCAST:
        elements = broadcast_numel(operands)
    elif key in _CONTRACTION and len(args) > _CONTRACTION[key][1]:
        first, second = (args[i] for i in _CONTRACTION[key])
        if type(first) in PLAIN and type(second) in PLAIN and first.dim():
            inner = first.shape[-1]
            elements = first.numel() * second.numel() // inner**2
    elif all(type(value) not in CONTAINERS for value in args):
        elements = math.prod(t.numel() for t in operands)
    return None if elements is None else elements << _WIDEST


def _of_factory(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    numbers: list[int] = []
    for value in (*args, *kwargs.values()):
        if type(value) in CONTAINERS:
            numbers.extend(value if all(type(size) is int for size in value) else (1 << 62,))
        elif type(value) in (int, float):
            numbers.append(int(abs(value)) + 1 if math.isfinite(value) else 1 << 62)
    # Squared, as the one number of eye() is two sizes; a step of less than 1 is left to the meta run.
    if any(type(value) is float for value in (*args, *kwargs.values())):
        return None
    return math.prod(max(abs(number), 2) for number in numbers) ** 2 << _WIDEST


def _elements_asked(value: Any) -> int:
    """How many elements an operand asks for, if it is a size."""
    if type(value) is int:
        return abs(value)
    if type(value) in CONTAINERS and value and all(type(size) is int for size in value):
        return math.prod(map(abs, value))
    return 0


def check_stored(out: Any, limit_bytes: int) -> None:
    """Refuse a result that takes more memory than a worker allows.

    Args:
        out: what an op returned: a tensor, or containers of tensors and anything else.
        limit_bytes: what it may take. A view counts with what it shows or with all that is behind it, whichever is
            less.

    Raises:
        LimitExceededError: it takes more.

    Example:
        >>> check_stored([torch.zeros(3), torch.zeros(1).expand(10**6)], limit_bytes=16)
    """
    shown: dict[int, int] = {}
    behind: dict[int, int] = {}
    for tensor in tensors_in(out):
        if tensor.layout is torch.strided:
            storage = tensor.untyped_storage()
            key = storage._cdata
            behind[key] = storage.nbytes()
        else:
            key = id(tensor)
            behind[key] = nbytes_of(tensor)
        shown[key] = shown.get(key, 0) + nbytes_of(tensor)
    total = sum(min(shown[key], behind[key]) for key in shown)
    if total > limit_bytes:
        raise LimitExceededError(
            f"the result takes {total:,} bytes, and this worker keeps at most {limit_bytes:,} a result; {_WAY_OUT}"
        )


def check_text(method: str, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], limit_bytes: int) -> None:
    """Refuse a method of a text whose result could take more memory than a worker allows, before it runs.

    Raises:
        LimitExceededError: it could.
    """
    nbytes = longest(method, text, args, kwargs)
    if nbytes > limit_bytes:
        raise LimitExceededError(
            f"the result of {method!r} could take {nbytes:,} bytes, and this worker allows {limit_bytes:,} a result; "
            f"{_WAY_OUT}"
        )


def run_within(op: Op, args: Iterable[Any], kwargs: Mapping[str, Any], limit_bytes: int) -> Any:
    """Run an op whose result may take no more memory than this.

    Raises:
        LimitExceededError: it takes more; nearly always before it runs.
    """
    args = tuple(args)
    known = check_result(op, args, kwargs, limit_bytes)
    out = op.fn(*args, **kwargs)
    if not known:
        check_stored(out, limit_bytes)
    return out


def nbytes_held(objects: Iterable[Any]) -> int:
    """The bytes of the memory behind all tensors in these, memory that is shared counted once."""
    found: dict[int, int] = {}
    for tensor in tensors_in(list(objects)):
        if tensor.layout is torch.strided:
            storage = tensor.untyped_storage()
            found[storage._cdata] = storage.nbytes()
        else:
            found[-id(tensor)] = nbytes_of(tensor)
    return sum(found.values())


def check_kept(nbytes: int, limit_bytes: int) -> None:
    """Refuse to go on if the results of steps take more memory together than they may.

    Raises:
        LimitExceededError: they do.
    """
    if nbytes > limit_bytes:
        raise LimitExceededError(
            f"the results that this plan keeps for later steps take {nbytes:,} bytes, and this worker allows "
            f"{limit_bytes:,}; {_WAY_OUT}"
        )
