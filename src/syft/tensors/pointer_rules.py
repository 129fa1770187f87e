"""What a pointer answers by itself, or by another message than a `Command`."""

from __future__ import annotations

import math
from typing import Any

import torch

from syft.core.ops import Op
from syft.exceptions import TensorsNotCollocatedException
from syft.tensors.base import SyftTensor
from syft.tensors.pointer import PointerTensor, dangling

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


def _pointer(args: Args, op: Op) -> PointerTensor:
    first = args[0] if args else None
    if isinstance(first, PointerTensor):
        return first
    other = next((a for a in args if isinstance(a, PointerTensor)), None)
    raise TensorsNotCollocatedException(first, other, attr=op.name)


@PointerTensor.implements("grad")
def _grad(op: Op, args: Args, kwargs: Kwargs) -> Any:
    if op.name != "Tensor.grad.__get__":
        return PointerTensor.default(op, args, kwargs)
    return _pointer(args, op).grad


@PointerTensor.implements("data")
def _data(op: Op, args: Args, kwargs: Kwargs) -> Any:
    return _pointer(args, op).data


@PointerTensor.implements("data.set", "requires_grad.set")
def _set_and_ask_again(op: Op, args: Args, kwargs: Kwargs) -> None:
    PointerTensor.default(op, args, kwargs)
    _pointer(args, op).forget_info()


@PointerTensor.implements("grad.set", "grad.del")
def _set_grad(op: Op, args: Args, kwargs: Kwargs) -> None:
    PointerTensor.default(op, args, kwargs)
    pointer = _pointer(args, op)
    key = (pointer.id_at_location, pointer.path)
    if len(args) < 2 or args[1] is None:
        pointer.location.gradients[key] = None
    else:
        pointer.location.gradients.pop(key, None)


@PointerTensor.implements("backward", "autograd.backward")
def _backward(op: Op, args: Args, kwargs: Kwargs) -> Any:
    # 0.2 programs print what backward() returns and expect a pointer; nothing stands behind it.
    first = args[0] if args else next(iter(kwargs.values()))
    pointer: PointerTensor = first[0] if isinstance(first, (list, tuple)) else first
    pointer.check_alive()
    # Cleared first: a worker far away answers with the gradients that there are now.
    pointer.location.gradients.clear()
    PointerTensor.default(op, args, {k: v for k, v in kwargs.items() if v is not None})
    return dangling(pointer)


@PointerTensor.implements("shape", "size", "dim", "ndim", "numel", "__len__")
def _shape(op: Op, args: Args, kwargs: Kwargs) -> Any:
    shape = _pointer(args, op).shape
    if op.key == "shape":
        return shape
    if any(isinstance(size, torch.SymInt) for size in shape):  # of a plan that is being recorded
        return _of_symbols(op.key, shape, *args[1:], **kwargs)
    return op.fn(torch.empty(shape, device="meta"), *args[1:], **kwargs)


def _of_symbols(key: str, shape: torch.Size, dim: int | None = None) -> Any:
    if key in ("dim", "ndim"):
        return len(shape)
    if key == "numel":
        return math.prod(shape)
    if key == "__len__":
        return int(shape[0])
    return shape if dim is None else shape[dim]


@PointerTensor.implements("dtype", "layout", "device", "is_leaf")
def _described(op: Op, args: Args, kwargs: Kwargs) -> Any:
    return getattr(_pointer(args, op).info, op.key)


@PointerTensor.implements("is_complex", "is_floating_point", "is_signed", "itemsize")
def _by_dtype(op: Op, args: Args, kwargs: Kwargs) -> Any:
    return getattr(_pointer(args, op).info.dtype, op.key)


@PointerTensor.implements("is_sparse", "is_sparse_csr")
def _by_layout(op: Op, args: Args, kwargs: Kwargs) -> bool:
    return bool(_pointer(args, op).info.layout is (torch.sparse_coo if op.key == "is_sparse" else torch.sparse_csr))


@PointerTensor.implements("element_size", "nbytes", "stride", "is_contiguous", "is_quantized", "is_mkldnn", "is_nested")
def _by_description(op: Op, args: Args, kwargs: Kwargs) -> Any:
    info = _pointer(args, op).info
    if info.stride is None:  # sparse and the like have no strides to build a stand-in from
        return PointerTensor.default(op, args, kwargs)
    stand_in = torch.empty_strided(info.shape, info.stride, dtype=info.dtype, device="meta")
    return op.fn(stand_in, *args[1:], **kwargs)


@PointerTensor.implements(
    "is_cuda", "is_cpu", "is_meta", "is_mps", "is_xpu", "is_xla", "is_ipu", "is_mtia", "is_vulkan"
)
def _by_device(op: Op, args: Args, kwargs: Kwargs) -> bool:
    return bool(_pointer(args, op).info.device.type == op.key.removeprefix("is_"))


@PointerTensor.implements("requires_grad")
def _requires_grad(op: Op, args: Args, kwargs: Kwargs) -> Any:
    # Not remembered: backward, detach_ and other pointers to the same tensor change it.
    pointer = _pointer(args, op)
    pointer._info = None
    return pointer.info.requires_grad


@PointerTensor.implements("set_")
def _set(op: Op, args: Args, kwargs: Kwargs) -> Any:
    if len(args) != 2 or kwargs or not isinstance(args[1], SyftTensor):
        raise TensorsNotCollocatedException(_pointer(args, op), args[1] if len(args) > 1 else None, attr=op.name)
    return PointerTensor.default(op, args, kwargs)
