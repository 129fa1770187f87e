"""The wire form of tensors and parameters: raw memory, described by a header that must fit it exactly.

What arrives is always a leaf with memory of its own. After the name of the layout come

    strided                  dtype, shape, buffer
    sparse_coo               shape, indices, values, whether coalesced
    sparse_csr, csc, …       shape, compressed indices, plain indices, values

and then the traits, None for a plain tensor without any: requires_grad, whether it is a parameter, its
device, gradient and metadata.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from syft.core.metadata import existing_metadata, metadata_of
from syft.serde.checks import dimension, flag, items, object_id, one_of, optional, text
from syft.serde.landing import landed
from syft.serde.numpy_types import bytes_of, check_bools, checked_shape
from syft.serde.registry import REGISTRY, Sink, Source
from syft.serde.torch_types import DTYPES, LAYOUTS, device_fields, make_device

_DTYPES = {
    name: DTYPES[name]
    for name in (
        "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex32 complex64 "
        "complex128 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu"
    ).split()
    if name in DTYPES
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
_BY_ROW = (torch.sparse_csr, torch.sparse_bsr)
_MAX_NUMEL = (1 << 63) - 1

_tags = optional(one_of(set))
_description = optional(text)


@contextmanager
def _quiet() -> Iterator[None]:
    # torch warns that complex32 and compressed tensors are young, each time a process makes its first.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- out ---------------------------------------------------------------------------------------------


def _fields(tensor: torch.Tensor, sink: Sink) -> tuple[Any, ...]:
    traits = _traits(tensor)
    layout = tensor.layout
    if layout is torch.strided:
        return "strided", _dtype_name(tensor), list(tensor.shape), sink.add_buffer(_memory(tensor)), traits
    bare = tensor.detach()
    if layout is torch.sparse_coo:
        indices, values = bare._indices().cpu(), bare._values().cpu()  # the public names refuse uncoalesced tensors
        return "sparse_coo", list(bare.shape), indices, values, bare.is_coalesced(), traits
    if layout not in _COMPRESSED:
        raise ValueError(f"a tensor of layout {layout} is not sent; convert it with .to_dense() or .contiguous()")
    compressed = bare.crow_indices() if layout in _BY_ROW else bare.ccol_indices()
    plain = bare.col_indices() if layout in _BY_ROW else bare.row_indices()
    name = str(layout).removeprefix("torch.")
    return name, list(bare.shape), compressed.cpu(), plain.cpu(), bare.values().cpu(), traits


def _traits(tensor: torch.Tensor) -> list[Any] | None:
    requires_grad = tensor.requires_grad
    parameter = type(tensor) is torch.nn.Parameter
    device = None if tensor.device.type == "cpu" else list(device_fields(tensor.device))
    grad = tensor.grad if tensor.is_leaf or tensor.retains_grad else None  # of others, .grad only warns
    entry = existing_metadata(tensor)
    if entry is None and device is None and grad is None and not requires_grad and not parameter:
        return None
    metadata = None
    if entry is not None:
        metadata = [entry.id, None if entry.tags is None else set(entry.tags), entry.description]
    return [requires_grad, parameter, device, grad, metadata]


def _dtype_name(tensor: torch.Tensor) -> str:
    name = _NAMES.get(tensor.dtype)
    if name is None:
        raise ValueError(f"a tensor of dtype {tensor.dtype} is not sent; convert it with .dequantize() or .to(dtype)")
    if tensor.device.type == "meta":
        raise ValueError("a tensor on the meta device has no values to send; make a real one with torch.empty_like")
    return name


def _memory(tensor: torch.Tensor) -> memoryview:
    """The values as bytes; the tensor's own memory if that is in order."""
    if tensor.dtype is torch.complex32:
        with _quiet():
            whole = _in_order(tensor)
    else:
        whole = _in_order(tensor)
    flat = whole.as_strided((whole.numel(),), (1,))  # not view(-1): a dimension of size 1 may have any stride
    # Not .numpy(): that marks the storage of the user's tensor as one that cannot be resized any more.
    return bytes_of(np.from_dlpack(flat.view(torch.uint8)), bools=whole.dtype is torch.bool)


def _in_order(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()


# --- in ----------------------------------------------------------------------------------------------


def _build(fields: list[Any], source: Source) -> torch.Tensor:
    layout = LAYOUTS.get(text(fields[0]))
    *header, traits = fields[1:]
    if layout is torch.strided:
        tensor = _dense(source, *header)
    elif layout is torch.sparse_coo:
        tensor = _coo(source, *header)
    elif layout in _COMPRESSED:
        tensor = _compressed(source, layout, *header)
    else:
        raise ValueError(f"{fields[0]!r:.40} is not a layout that is sent")
    return tensor if traits is None else _with_traits(tensor, *items(traits))


def _dense(source: Source, name: Any, sizes: Any, index: Any) -> torch.Tensor:
    dtype = _DTYPES.get(text(name))
    if dtype is None:
        raise ValueError(f"{name!r:.40} is not a dtype that torch {torch.__version__} has and syft sends")
    memory = source.take_buffer(index)
    shape = checked_shape(sizes, dtype.itemsize, memory.nbytes, source)
    if dtype is torch.bool:
        check_bools(memory)
    if dtype is torch.complex32:
        with _quiet():
            return _filled(memory, dtype, shape)
    return _filled(memory, dtype, shape)


def _filled(memory: memoryview, dtype: torch.dtype, shape: list[int]) -> torch.Tensor:
    if not memory.nbytes:
        return torch.empty(shape, dtype=dtype, device="cpu")
    strides = [math.prod(shape[after:]) for after in range(1, len(shape) + 1)]
    storage = landed(memory)
    if storage is None:
        storage = torch.UntypedStorage.from_buffer(memory, dtype=torch.uint8)  # a copy: aligned, writable, resizable
    return torch.empty(0, dtype=dtype, device="cpu").set_(storage, 0, shape, strides)


def _coo(source: Source, sizes: Any, indices: Any, values: Any, coalesced: Any) -> torch.Tensor:
    shape = _sparse_shape(sizes, source)
    parts = _indices(indices), _part(values)
    tensor = torch.sparse_coo_tensor(*parts, shape, check_invariants=True)
    return tensor.coalesce() if flag(coalesced) else tensor


def _compressed(
    source: Source, layout: torch.layout, sizes: Any, compressed: Any, plain: Any, values: Any
) -> torch.Tensor:
    shape = _sparse_shape(sizes, source)
    parts = _indices(compressed), _indices(plain), _part(values)
    with _quiet():
        return torch.sparse_compressed_tensor(*parts, shape, layout=layout, check_invariants=True)


def _sparse_shape(value: Any, source: Source) -> list[int]:
    shape = [dimension(size) for size in items(value)]
    if len(shape) > source.limits.max_ndim:
        raise ValueError(f"{len(shape)} dimensions; at most {source.limits.max_ndim} are accepted")
    if math.prod(shape) > _MAX_NUMEL:
        raise ValueError(f"a sparse tensor of shape {shape} has more than 2**63 - 1 elements")
    return shape


def _part(value: Any) -> torch.Tensor:
    if type(value) is not torch.Tensor or value.layout is not torch.strided or value.requires_grad:
        raise ValueError("the parts of a sparse tensor are plain dense tensors")
    return value


def _indices(value: Any) -> torch.Tensor:
    part = _part(value)
    if part.dtype not in (torch.int64, torch.int32):  # torch would round others
        raise ValueError(f"the indices of a sparse tensor are int64 or int32, not {part.dtype}")
    return part


def _with_traits(
    tensor: torch.Tensor, requires_grad: Any, parameter: Any, device: Any, grad: Any, metadata: Any
) -> torch.Tensor:
    if flag(requires_grad) and not (tensor.is_floating_point() or tensor.is_complex()):
        raise ValueError(f"a tensor of dtype {tensor.dtype} cannot require a gradient")
    if device is not None:
        tensor = _placed(tensor, device)
    if flag(parameter):
        tensor = torch.nn.Parameter(tensor, requires_grad)
    else:
        tensor.requires_grad_(requires_grad)
    if grad is not None:
        if not isinstance(grad, torch.Tensor):
            raise ValueError(f"a gradient is a tensor, not {type(grad).__name__}")
        tensor.grad = grad
    if metadata is not None:
        id, tags, description = items(metadata)
        entry = metadata_of(tensor)
        entry.id, entry.tags, entry.description = object_id(id), _tags(tags), _description(description)
    return tensor


def _placed(tensor: torch.Tensor, device: Any) -> torch.Tensor:
    """The tensor on the device that it was on, if it is there on this machine, too."""
    place = make_device(*items(device))
    if place.type != "cuda" or not torch.cuda.is_available() or (place.index or 0) >= torch.cuda.device_count():
        return tensor
    return tensor.to(place)


REGISTRY.also(torch.nn.Parameter, REGISTRY.add(torch.Tensor, "tensor", _fields, _build))
