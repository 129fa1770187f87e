"""The op table: every torch callable that a tensor may meet, under one name.

torch hands a callable to ``__torch_function__``; here it becomes an `Op`. The name is its exact spelling
(``torch.add``, ``Tensor.add``, ``Tensor.__radd__``): spellings of one op differ in their arguments, and what travels
is the spelling that was called. The *key* groups the spellings, so that one rule of a tensor type serves them all.

The table is an allow-list. The names stand in ``ops.txt`` beside this file, one ``name returns key`` a line, written by
``scripts/snapshot_ops.py`` and reviewed by people: a new torch release cannot widen it. Names are resolved here, at
import, and only names of that file; a name that came over a wire is looked up in a dict and nothing else. What this
version of torch lacks is left out.

Two rules hold for all entries:

* What does I/O, runs code, shares memory or hands out raw storage is in `DENIED`, with what to use instead.
* No op hands out memory that nobody wrote (``empty_like`` and its family return zeros here), nor the indices of a
  sparse tensor for writing (``indices`` and its family return copies), as torch trusts them to be inside the tensor.

Besides torch's there are kernels of our own protocols, defined in the rooms above with `kernel`. Their names, too, are
lines of the file.

Two entries need a guard from whoever runs them: ``Tensor.set_`` must get one tensor and nothing else, as a storage or
sizes would reach beyond it, and ``Tensor.data.__set__`` a tensor that the caller may read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import torch.overrides

from syft.core import op_guards
from syft.core.messages import Shown
from syft.exceptions import UnsupportedOp


class Returns(Enum):
    """What an op gives back, as far as that is known before it runs."""

    TENSOR = "tensor"
    """Always exactly one tensor. It may be an argument itself, as with ``out=`` or ``F.relu(x, inplace=True)``."""
    SELF = "self"
    """In-place: the first argument, be it a tensor or a list of tensors."""
    NOTHING = "nothing"
    """``None``."""
    ANY = "any"
    """Numbers, tuples, one tensor or many, depending on the arguments: the reply must be looked at."""


@dataclass(frozen=True, slots=True)
class Op:
    """One spelling of one torch op.

    Attributes:
        name: the spelling, for example ``Tensor.__radd__``; what travels and what permissions speak of.
        key: the group of spellings that share a rule, for example ``add``.
        fn: what runs it on real tensors; never called on tensors of ours.
        returns: what is known of its result.
    """

    name: str
    key: str
    fn: Callable[..., Any]
    returns: Returns


_GET = "the values live with their owner: fetch the tensor with .get() first"
_MEMORY = "it exposes or shares raw memory"
_STALE = "it would hand out memory that nobody wrote: use zeros, new_zeros or reshape"
_CODE = "it runs code of the caller where the data lives: send a plan instead"
_HOOK = "hooks run code of the caller where the data lives"
_STRIDED = "it reads outside the view it is given: use slices, view or unfold"
_FILES = "it reads or writes files: send the tensor with .send() instead"
_LOCAL = "Python answers it where the tensor object is, without a worker"
_INTERNAL = "it shows the inside of the autograd graph or of the tensor object"
_UNCHECKED = "nothing checks its indices: use to_sparse"

DENIED: Mapping[str, str] = MappingProxyType(
    {
        "item": _GET,
        "tolist": _GET,
        "numpy": _GET,
        "__array__": _GET,
        "__array_wrap__": _GET,
        "data_ptr": _MEMORY,
        "const_data_ptr": _MEMORY,
        "mutable_data_ptr": _MEMORY,
        "storage": _MEMORY,
        "untyped_storage": _MEMORY,
        "typed_storage": _MEMORY,
        "_typed_storage": _MEMORY,
        "storage_type": _MEMORY,
        "share_memory_": _MEMORY,
        "is_shared": _MEMORY,
        "pin_memory": _MEMORY,
        "record_stream": _MEMORY,
        "__dlpack__": _MEMORY,
        "__dlpack_device__": _MEMORY,
        "from_dlpack": _MEMORY,
        "to_dlpack": _MEMORY,
        "from_numpy": _MEMORY,
        "frombuffer": _MEMORY,
        "asarray": _MEMORY,
        "as_tensor": _MEMORY,
        "_from_blob": _MEMORY,
        "__cuda_array_interface__": _MEMORY,
        "_cdata": _MEMORY,
        "resize": _STALE,
        "resize_": _STALE,
        "resize_as": _STALE,
        "resize_as_": _STALE,
        "resize_as_sparse_": _STALE,
        "sparse_resize_": _STALE,
        "sparse_resize_and_clear_": _STALE,
        "new": "it may return memory that nobody wrote, or an alias: use new_zeros, new_tensor or clone",
        "empty_quantized": _STALE,
        "as_strided": _STRIDED,
        "as_strided_": _STRIDED,
        "as_strided_copy": _STRIDED,
        "as_strided_scatter": _STRIDED,
        "_base": "it shows the data around a view",
        "sparse_coo_tensor": _UNCHECKED,
        "sparse_compressed_tensor": _UNCHECKED,
        "sparse_csr_tensor": _UNCHECKED,
        "sparse_csc_tensor": _UNCHECKED,
        "sparse_bsr_tensor": _UNCHECKED,
        "sparse_bsc_tensor": _UNCHECKED,
        "apply_": _CODE,
        "map_": _CODE,
        "map2_": _CODE,
        "compile": _CODE,
        "vmap": _CODE,
        "while_loop": _CODE,
        "autocast": _CODE,
        "triplet_margin_with_distance_loss": "it calls a function of the caller: use triplet_margin_loss",
        "lobpcg": "it calls a function of the caller: use linalg.eigh",
        "register_hook": _HOOK,
        "register_post_accumulate_grad_hook": _HOOK,
        "_backward_hooks": _HOOK,
        "_post_accumulate_grad_hooks": _HOOK,
        "grad_fn": _INTERNAL,
        "_grad_fn": _INTERNAL,
        "_python_dispatch": _INTERNAL,
        "module_load": "load_state_dict copies values: use copy_",
        "load": _FILES,
        "save": _FILES,
        "from_file": _FILES,
        "__reduce_ex__": "tensors are not pickled: send them with .send() or use sy.serde",
        "__setstate__": "tensors are not pickled: send them with .send() or use sy.serde",
        "__deepcopy__": "use .copy() or .clone()",
        "__repr__": _LOCAL,
        "__format__": _LOCAL,
        "__dir__": _LOCAL,
        "__hash__": _LOCAL,
        "__iter__": "torch iterates through unbind",
    }
)
"""The torch names that no tensor of ours answers, by their last part, and why."""


def _zeroed(fn: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    @functools.wraps(fn)
    def allocate(*args: Any, **kwargs: Any) -> torch.Tensor:
        with torch.no_grad():  # the result may be a leaf that requires grad
            return fn(*args, **kwargs).zero_()

    return allocate


def _copied(fn: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    @functools.wraps(fn)
    def part(*args: Any, **kwargs: Any) -> torch.Tensor:
        return fn(*args, **kwargs).clone()

    return part


def _single(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def pool(*args: Any, **kwargs: Any) -> Any:
        result = fn(*args, **kwargs)
        if isinstance(result, tuple):  # torch itself spells this call with another function
            raise UnsupportedOp(f"{fn.__name__} was asked for indices too: call {fn.__name__}_with_indices for them.")
        return result

    return pool


def _operator(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def operate(*args: Any, **kwargs: Any) -> Any:
        result = fn(*args, **kwargs)
        if result is NotImplemented:  # a word between Python's operators, not a value
            kinds = " and ".join(type(arg).__name__ for arg in args)
            raise UnsupportedOp(f"{fn.__name__} does not take {kinds}: give it tensors or numbers of matching dtypes.")
        return result

    return operate


_GUARDED: Mapping[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = MappingProxyType(
    dict.fromkeys(("empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"), _zeroed)
    | dict.fromkeys(("indices", "values", "_indices", "_values"), _copied)
    | dict.fromkeys(("crow_indices", "col_indices", "ccol_indices", "row_indices"), _copied)
    | dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _single)
    | dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"), _single)
    | dict.fromkeys(("fractional_max_pool2d", "fractional_max_pool3d"), _single)
)
"""What is run instead, by key."""

_ROOTS: Mapping[str, Any] = {"torch": torch, "Tensor": torch.Tensor}
_ACCESSORS = ("__get__", "__set__", "__delete__")
_LONGEST = 120  # of a name that an error repeats, as it may have come over a wire
PROTOCOLS = "mpc"
"""The service of a worker that kernels of protocols work with."""
KERNEL = f"{PROTOCOLS}."
"""What their names begin with."""
_SNAPSHOT = Path(__file__).with_name("ops.txt")


def _resolve(name: str) -> Callable[..., Any] | None:
    root, *path = name.split(".")
    found: Callable[..., Any] | None = _ROOTS[root]
    for part in path:
        found = getattr(found, part, None)
        if found is None:
            return None
    return found


def _is_operator(name: str) -> bool:
    return name.startswith("Tensor.__") and name.endswith("__")


_KERNELS: dict[str, Returns] = {}
_BY_NAME: dict[str, Op] = {}


def _load() -> tuple[Mapping[str, Op], Mapping[Callable[..., Any], Op]]:
    by_name = _BY_NAME
    by_func: dict[Callable[..., Any], Op] = {}
    returns = {member.value: member for member in Returns}
    for line in _SNAPSHOT.read_text(encoding="utf-8").splitlines():
        name, kind, key = line.split(" ")
        if name.startswith(KERNEL):
            _KERNELS[name] = returns[kind]
            continue
        func = _resolve(name)
        if func is None:
            continue
        guard = _GUARDED.get(key) or (_operator if _is_operator(name) else None)
        run = guard(func) if guard else func
        if key in op_guards.CHECKS:
            run = op_guards.checked(key, run)
        by_name[name] = op = Op(name, key, run, returns[kind])
        by_func.setdefault(func, op)
    return MappingProxyType(by_name), MappingProxyType(by_func)


BY_NAME, BY_FUNC = _load()


@dataclass(frozen=True, slots=True)
class Step:
    """What a kernel returns that shows something, and keeps something under the id that the client chose.

    Attributes:
        shown: goes to the client.
        kept: stays.
    """

    shown: Shown
    kept: Any


def kernel(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Define a kernel of a protocol: what a worker does at one step of it.

    A worker calls it with its own service ``mpc``, followed by the operands of the command.

    Args:
        name: a line of ``ops.txt`` that begins with ``mpc.``.

    Returns:
        A decorator for the function.

    Raises:
        UnsupportedOp: no such line, or another function has it.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        if name not in _KERNELS or name in _BY_NAME:
            raise UnsupportedOp(f"{name!r} is not a free line of ops.txt: add it there, where it is reviewed.")
        _BY_NAME[name] = Op(name, name, function, _KERNELS[name])
        return function

    return define


def op_of(func: Callable[..., Any]) -> Op:
    """The op behind a callable that torch handed to ``__torch_function__``.

    Args:
        func: a function, a method descriptor of ``torch.Tensor`` or a bound ``__get__``, ``__set__`` or ``__delete__``.

    Returns:
        Its entry of the table.

    Raises:
        UnsupportedOp: the op is denied, or unknown.

    >>> op_of(torch.add).key, op_of(torch.Tensor.__radd__).key, op_of(torch.Tensor.grad.__get__).name
    ('add', 'add', 'Tensor.grad.__get__')
    """
    try:
        return BY_FUNC[func]
    except (KeyError, TypeError):  # TypeError: not hashable, and so nothing of torch's
        raise _unsupported(_spell(func)) from None


def op_named(name: str) -> Op:
    """The op of a name that came over a wire or out of a permission.

    Args:
        name: the exact spelling.

    Returns:
        Its entry of the table.

    Raises:
        UnsupportedOp: the op is denied, or unknown.

    >>> op_named("Tensor.add_").returns
    <Returns.SELF: 'self'>
    """
    op = BY_NAME.get(name) if isinstance(name, str) else None
    if op is None:
        raise _unsupported(str(name)[:_LONGEST])
    return op


def _unsupported(name: str) -> UnsupportedOp:
    parts = name.split(".")
    reason = DENIED.get(parts[-2] if parts[-1] in _ACCESSORS and len(parts) > 1 else parts[-1])
    if reason is None:
        return UnsupportedOp(f"{name!r} is not in the op table, so no remote or encoded tensor runs it.")
    return UnsupportedOp(f"{name!r} is not allowed on a remote or encoded tensor: {reason}.")


def _spell(func: Any) -> str:
    last = getattr(func, "__name__", None) or repr(func)
    if last in _ACCESSORS:
        owner = func.__self__
        owner = getattr(owner, "fget", None) or owner
        return f"Tensor.{getattr(owner, '__name__', owner)}.{last}"
    spelled: str | None = torch.overrides.resolve_name(func) if callable(func) else None
    if spelled is not None:
        return spelled.removeprefix("torch.") if spelled.startswith("torch.Tensor.") else spelled
    return f"{getattr(func, '__module__', None) or type(func).__name__}.{last}"


def is_allowed(name: str) -> bool:
    """Whether a dotted torch name is in the op table.

    >>> is_allowed("torch.add"), is_allowed("torch.load")
    (True, False)
    """
    return name in BY_NAME
