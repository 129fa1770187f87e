"""Checks that torch leaves out: these kernels trust sizes and indices, and read or write beyond their operands.

Each check looks at the operands of one call that is about to run on real tensors. What it refuses would return, or
overwrite, memory of other objects of the worker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from syft.exceptions import CommandNotPermittedError

Check = Callable[..., bool]

_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _place(value: torch.Tensor) -> Any:
    return tuple(value.shape), value.stride()


def _fused(*args: Any, **kwargs: Any) -> bool:
    """parameters, gradients and states of one shape each, alike in memory, and single numbers as step counts"""
    groups = [a for a in (*args, *kwargs.values()) if isinstance(a, (list, tuple))]
    first = [_place(p) for p in groups[0]]
    if any(_place(torch.empty_like(p)) != place for p, place in zip(groups[0], first, strict=True)):
        return False  # parameters with gaps between their elements, or over each other
    for group in groups:
        shapes = [_place(t) for t in group]
        counts = len(group) == len(first) and all(shape == ((), ()) for shape in shapes)
        if shapes and shapes != first and not (counts and group is _steps(args, kwargs)):
            return False
    return True


def _steps(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return kwargs["state_steps"] if "state_steps" in kwargs else [a for a in args if isinstance(a, (list, tuple))][-1]


def _batch_norm(input: Any, weight: Any = None, bias: Any = None, mean: Any = None, var: Any = None, *_: Any) -> bool:
    """one number for each channel in every vector"""
    channels = input.shape[1] if input.dim() > 1 else -1
    return all(v is None or _shape(v) == (channels,) for v in (weight, bias, mean, var))


def _weight_norm(v: torch.Tensor, g: torch.Tensor, dim: int = 0) -> bool:
    """one norm for each slice along the dimension"""
    return v.numel() > 0 and g.shape == torch.norm_except_dim(v, 2, dim).shape


def _lu_unpack(lu: torch.Tensor, pivots: torch.Tensor, *_: Any, **__: Any) -> bool:
    """as many pivots as rows or columns"""
    return lu.dim() >= 2 and tuple(pivots.shape) == (*lu.shape[:-2], min(lu.shape[-2:]))


def _bag(
    weight: Any, indices: Any, offsets: Any, scale: Any = False, mode: Any = 0, sparse: Any = False,
    samples: Any = None, last: Any = False, *_: Any, per_sample_weights: Any = None, include_last_offset: Any = False,
    **__: Any,
) -> bool:  # fmt: skip
    """offsets that rise from 0 to at most the number of indices"""
    samples = per_sample_weights if samples is None else samples
    if not isinstance(offsets, torch.Tensor):
        return True
    if indices.dim() != 1 or offsets.dim() != 1 or offsets.numel() < (2 if last or include_last_offset else 0):
        return False
    if isinstance(samples, torch.Tensor) and samples.shape != indices.shape:
        return False
    rises = not offsets.numel() or (offsets[0] == 0 and offsets[-1] <= indices.numel() and (offsets.diff() >= 0).all())
    return bool(rises)


def _functional_bag(
    indices: Any, weight: Any, offsets: Any = None, max_norm: Any = None, norm_type: Any = 2, scale: Any = False,
    mode: Any = "mean", sparse: Any = False, samples: Any = None, last: Any = False, *_: Any, **named: Any,
) -> bool:  # fmt: skip
    """offsets that rise from 0 to at most the number of indices"""
    return _bag(weight, indices, offsets, samples=samples, last=last, **named)


def _ctc_loss(log_probs: torch.Tensor, targets: torch.Tensor, *_: Any, **__: Any) -> bool:
    """targets that are classes"""
    return not targets.numel() or bool(targets.min() >= 0 and targets.max() < log_probs.shape[-1])


def _segment_reduce(
    data: torch.Tensor, reduce: str, *, lengths: Any = None, indices: Any = None, offsets: Any = None,
    axis: int = 0, unsafe: bool = False, initial: Any = None,
) -> bool:  # fmt: skip
    """lengths that add up to at most the size of the axis, or offsets that rise from 0 to at most it"""
    given, size = lengths if offsets is None else offsets, data.shape[axis]
    if given is None or (lengths is not None and offsets is not None) or given.shape[:-1] != data.shape[:axis]:
        return False
    if offsets is None:
        return bool((given >= 0).all() and (given.sum(-1) <= size).all())
    return bool((given[..., 0] == 0).all() and (given.diff() >= 0).all() and (given[..., -1] <= size).all())


def _lstm(*args: Any) -> bool:
    """weights that fit the input and the state"""
    packed = isinstance(args[1], torch.Tensor)  # input, batch sizes, state … instead of input, state …
    state, weights, biased, layers = args[2 if packed else 1 :][:4]
    two_ways = args[8 if packed else 7] if packed is False or len(args) > 8 else args[-1]
    hidden, out, ways = state[1].shape[-1], state[0].shape[-1], 2 if two_ways else 1
    expected: list[tuple[int, ...]] = []
    for layer in range(layers):
        width = args[0].shape[-1] if layer == 0 else out * ways
        one = [(4 * hidden, width), (4 * hidden, out)] + [(4 * hidden,)] * (2 if biased else 0)
        expected += (one + ([(out, hidden)] if out != hidden else [])) * ways
    return [_shape(w) for w in weights] == expected


CHECKS: Mapping[str, Check] = MappingProxyType(
    dict.fromkeys(("_fused_sgd_", "_fused_adam_", "_fused_adamw_", "_fused_adagrad_"), _fused)
    | {
        "native_batch_norm": _batch_norm,
        "_weight_norm": _weight_norm,
        "lu_unpack": _lu_unpack,
        "native.embedding_bag": _bag,
        "embedding_bag": _functional_bag,
        "native.ctc_loss": _ctc_loss,
        "ctc_loss": _ctc_loss,
        "segment_reduce": _segment_reduce,
        "lstm": _lstm,
    }
)
"""What must hold before a call runs, by key."""


def checked(key: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """A callable that looks at its operands first.

    Args:
        key: the key of the op.
        fn: what runs it.

    Returns:
        A callable that raises `CommandNotPermittedError` where torch would reach beyond the operands.
    """
    check = CHECKS[key]

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        if _is_real((args, kwargs)):  # a tensor of ours comes back here with what is under it
            try:
                fits = check(*args, **kwargs)
            except (AttributeError, IndexError, TypeError, ValueError, RuntimeError):
                fits = False
            if not fits:
                raise CommandNotPermittedError(
                    f"the operands of {key!r} do not fit each other, and torch would not notice: "
                    f"they must have {check.__doc__}"
                )
        return fn(*args, **kwargs)

    return run


def _is_real(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_real, value))
    if isinstance(value, dict):
        return all(map(_is_real, value.values()))
    return not isinstance(value, torch.Tensor) or (type(value) in _PLAIN and value.device.type != "meta")
