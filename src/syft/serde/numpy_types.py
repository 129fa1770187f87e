"""The wire forms of numpy's arrays and scalars: numbers and bools only, never objects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from syft.serde.checks import dimension, items
from syft.serde.registry import REGISTRY, Sink, Source

# By the names that are written on the wire, in both byte orders.
_DTYPES: dict[str, np.dtype[Any]] = {
    np.dtype(order + code).str: np.dtype(order + code)
    for order in "<>"
    for code in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
}


def checked_shape(value: Any, itemsize: int, nbytes: int, source: Source) -> list[int]:
    """The shape that arrived for so many bytes of memory.

    Raises:
        ValueError: it is no shape, has too many dimensions, or does not fit the memory.
    """
    shape = [dimension(size) for size in items(value)]
    if len(shape) > source.limits.max_ndim:
        raise ValueError(f"{len(shape)} dimensions; at most {source.limits.max_ndim} are accepted")
    if math.prod(shape) * itemsize != nbytes:
        raise ValueError(f"shape {shape} of {itemsize} bytes an element does not fit {nbytes} bytes of memory")
    return shape


def bytes_of(array: np.ndarray[Any, Any], *, bools: bool) -> memoryview:
    """The memory of a contiguous array; bools of uninitialised memory are made 0 or 1."""
    if bools:
        values = array.reshape(-1).view(np.uint8)
        if values.size and values.max() > 1:
            array = values != 0
    memory: Any = array
    return memoryview(memory)


def check_bools(memory: bytes | memoryview) -> None:
    """Refuse bytes that are no bools: what a bool of value 7 does is undefined.

    Raises:
        ValueError: some byte is neither 0 nor 1.
    """
    values = np.frombuffer(memory, np.uint8)
    if values.size and values.max() > 1:
        raise ValueError("a bool is neither 0 nor 1")


def _dtype_name(dtype: np.dtype[Any]) -> str:
    if dtype.str not in _DTYPES:
        raise ValueError(f"numpy's dtype {dtype} is not sent; convert it to numbers with .astype(...)")
    return dtype.str


def _dtype(name: Any) -> np.dtype[Any]:
    dtype = _DTYPES.get(name) if type(name) is str else None
    if dtype is None:
        raise ValueError(f"{name!r:.40} is not a dtype that is sent")
    return dtype


def _array_fields(array: np.ndarray[Any, Any], sink: Sink) -> tuple[Any, ...]:
    name = _dtype_name(array.dtype)
    whole = array if array.flags.c_contiguous else array.copy(order="C")
    return name, list(array.shape), sink.add_buffer(bytes_of(whole, bools=array.dtype.kind == "b"))


def _array(fields: list[Any], source: Source) -> np.ndarray[Any, Any]:
    name, sizes, index = fields
    dtype = _dtype(name)
    memory = source.take_buffer(index)
    shape = checked_shape(sizes, dtype.itemsize, memory.nbytes, source)
    if dtype.kind == "b":
        check_bools(memory)
    return np.ndarray(shape, dtype, buffer=memory).copy()


def _scalar_fields(scalar: np.generic, sink: Sink) -> tuple[Any, ...]:
    return _dtype_name(scalar.dtype), scalar.tobytes()


def _scalar(fields: list[Any], source: Source) -> Any:
    name, memory = fields
    dtype = _dtype(name)
    if type(memory) is not bytes:
        raise ValueError("the value of a scalar is bytes")
    checked_shape([], dtype.itemsize, len(memory), source)
    if dtype.kind == "b":
        check_bools(memory)
    return np.ndarray((), dtype, buffer=memory)[()]  # indexed with nothing, an array gives its scalar


REGISTRY.add(np.ndarray, "numpy.array", _array_fields, _array)
_SCALAR = REGISTRY.add(np.generic, "numpy.scalar", _scalar_fields, _scalar)
for _kind in {dtype.type for dtype in _DTYPES.values()} | {np.longlong, np.ulonglong}:
    REGISTRY.also(_kind, _SCALAR)
