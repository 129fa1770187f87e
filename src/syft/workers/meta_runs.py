"""What an op would make, found out by running it on meta tensors, which have a shape and no memory."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch

from syft.core.ops import BY_NAME, Op
from syft.workers.tensor_sizes import CONTAINERS, PLAIN, tensors_in

_META = torch.device("meta")
_REMEMBERED = 4096  # calls
_LONGEST = 512  # values in a call that is remembered

# These make tensors of nothing, and would make them on a real device.
FACTORIES = frozenset(
    """arange bartlett_window blackman_window empty empty_permuted empty_strided eye full hamming_window hann_window
    kaiser_window linspace logspace normal ones rand randint randn randperm range scalar_tensor tensor tril_indices
    triu_indices zeros""".split()
)


def prepare() -> None:
    """Load what torch needs to work on meta tensors: about a second, once a process, otherwise paid by the first call.

    Example:
        >>> prepare()
    """
    _predicted(BY_NAME["torch.add"], (_Like((1,), (1,), torch.float32, torch.strided),) * 2, (), torch.float32)


class _Like(NamedTuple):
    """A tensor without its values."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    layout: torch.layout

    def make(self) -> torch.Tensor:
        if self.layout is not torch.strided:
            return torch.empty(self.shape, dtype=self.dtype, layout=self.layout, device=_META)
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=_META)


class _Value(NamedTuple):
    """A plain value; 1, 1.0 and True differ in their type."""

    kind: type
    value: Any


class _Container(NamedTuple):
    kind: type
    parts: tuple[Any, ...]


class Made(NamedTuple):
    """What an op makes.

    Attributes:
        nbytes: new memory, and that by which an operand grows.
        anything: whether there is any; views are made of nothing.
    """

    nbytes: int
    anything: bool


def run_on_meta(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any], operands: list[torch.Tensor]) -> Made | None:
    """Run an op on operands without values.

    Args:
        op: the op.
        args: its positional operands; they stay as they are.
        kwargs: its named operands.
        operands: the tensors among them.

    Returns:
        What it makes, or None if it needs values or the call makes no sense.
    """
    if not operands and op.key not in FACTORIES:
        return None
    kwargs = {name: value for name, value in kwargs.items() if type(value) is not torch.Generator}
    if "pin_memory" in kwargs:
        kwargs["pin_memory"] = False
    if "device" in kwargs or (op.key in FACTORIES and not (op.key == "normal" and operands)):
        kwargs["device"] = _META
    if op.key == "to":
        args = tuple([_META if type(a) is str else a for a in args])
    elif op.key == "getitem" and len(args) == 2:
        args = (args[0], _without_masks(args[1]))
    default = torch.get_default_dtype()
    predicted = _predicted if _length((args, kwargs)) <= _LONGEST else _predicted.__wrapped__
    try:
        size = predicted(op, _spec(args).parts, _spec(kwargs).parts, default)
        if size is None and any(t.dim() == 0 and _is_whole(t) for t in operands):
            # A tensor of one whole number may stand for a size; the op has just asked for its value.
            size = predicted(op, _spec(args, numbers=True).parts, _spec(kwargs, numbers=True).parts, default)
    except TypeError:  # an operand that cannot be hashed
        return None
    return size


def _length(value: Any) -> int:
    """About how long the value is to remember."""
    kind = type(value)
    if kind in CONTAINERS:
        return len(value) + sum(map(_length, value))
    if kind is dict:
        return len(value) + sum(map(_length, value.values()))
    return len(value) >> 4 if kind is str else 1


def _is_whole(tensor: torch.Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_meta)


def _without_masks(index: Any) -> Any:
    """The index with each mask replaced by what it picks: as many indices as are set in it, in each dimension."""
    if type(index) in (list, tuple):
        parts: list[Any] = []
        for part in index:
            found = _without_masks(part)
            parts.extend(found) if type(part) in PLAIN and type(found) is tuple else parts.append(found)
        return type(index)(parts)
    if type(index) in PLAIN and index.dtype in (torch.bool, torch.uint8) and index.dim():
        return (torch.empty(int(index.count_nonzero()), dtype=torch.int64, device=_META),) * index.dim()
    return index


def _spec(value: Any, numbers: bool = False) -> Any:
    """The value without what is in its tensors: hashable, and all that a meta run depends on."""
    kind = type(value)
    if kind in PLAIN:
        if numbers and value.dim() == 0 and _is_whole(value):
            return _Value(int, int(value))
        stride = value.stride() if value.layout is torch.strided else ()
        return _Like(tuple(value.shape), stride, value.dtype, value.layout)
    if kind in CONTAINERS:
        return _Container(kind, tuple([_spec(part, numbers) for part in value]))
    if kind is dict:
        return _Container(dict, tuple([(name, _spec(part, numbers)) for name, part in value.items()]))
    if kind is slice:
        return _Container(slice, tuple([_spec(part, numbers) for part in (value.start, value.stop, value.step)]))
    return _Value(kind, _META if kind is torch.device else value)


def _made(spec: Any, copies: list[torch.Tensor]) -> Any:
    kind = type(spec)
    if kind is _Value:
        return spec.value
    if kind is _Like:
        copies.append(spec.make())
        return copies[-1]
    if spec.kind is dict:
        return {name: _made(part, copies) for name, part in spec.parts}
    parts = [_made(part, copies) for part in spec.parts]
    return slice(*parts) if spec.kind is slice else spec.kind(parts)


@functools.lru_cache(_REMEMBERED)
def _predicted(op: Op, args: tuple[Any, ...], kwargs: tuple[Any, ...], default: torch.dtype) -> Made | None:
    """The storages that the op makes or lets grow; None if it does not run on meta tensors."""
    copies: list[torch.Tensor] = []
    try:
        positional = [_made(spec, copies) for spec in args]
        named = {name: _made(spec, copies) for name, spec in kwargs}
        before = {storage._cdata: storage.nbytes() for storage in map(_storage, copies) if storage is not None}
        out = op.fn(*positional, **named)
        after = {}
        for tensor in tensors_in((out, named.get("out"))):
            storage = _storage(tensor)
            if storage is not None:
                after[storage._cdata] = storage.nbytes()
    except Exception:  # not on meta tensors, or an error of the call that running it will show
        return None
    grown = [max(0, nbytes - before.get(key, 0)) for key, nbytes in after.items()]
    return Made(sum(grown), bool(after.keys() - before.keys()) or any(grown))


def _storage(tensor: torch.Tensor) -> torch.UntypedStorage | None:
    return tensor.untyped_storage() if tensor.layout is torch.strided else None
