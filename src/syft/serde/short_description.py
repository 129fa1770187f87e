"""The short forms of the commonest question, what a tensor is like, and of its answer: flat msgpack arrays.

A program that asks for a shape waits for it, so what counts here is time. Attributes of objects, and tensors that are
not dense or not in the memory of the processor, take the general form.

    byte 0      45: the question; then [id]
    byte 0      46: the answer; then [dtype, whether a gradient is required, whether it is a leaf, sizes…, strides…]
"""

from __future__ import annotations

from typing import Any

import msgpack
import torch

from syft.core.messages import Describe, Description, Ref
from syft.exceptions import DecodeError
from syft.serde.short_form import LONGEST, packed
from syft.serde.torch_types import DTYPES

SHORT_DESCRIBE, SHORT_DESCRIPTION = 45, 46
"""The first bytes, where the general form has a compression code."""
_QUESTION, _ANSWER = bytes((SHORT_DESCRIBE,)), bytes((SHORT_DESCRIPTION,))
_MOST_DIMENSIONS = 32
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_CPU = torch.device("cpu")


def encode_describe(question: Describe) -> bytes | None:
    """The short form of a question; None if it has none."""
    ref = question.ref
    return None if ref.path or type(ref.id) not in (int, str) else packed(_QUESTION, [ref.id])


def encode_description(answer: Description) -> bytes | None:
    """The short form of an answer; None if it has none."""
    stride = answer.stride
    if stride is None or answer.device != _CPU or answer.layout is not torch.strided or len(stride) > _MOST_DIMENSIONS:
        return None
    name = _NAMES[answer.dtype]
    return packed(_ANSWER, [name, answer.requires_grad, answer.is_leaf, *answer.shape, *stride])


def decode_describe(data: bytes | bytearray | memoryview) -> Describe:
    """The question that these bytes are the short form of.

    Raises:
        DecodeError: they are not.
    """
    try:
        (id,) = _unpacked(data)
        if type(id) is not int and type(id) is not str:
            raise ValueError("it asks about no id")
    except Exception as error:
        raise DecodeError(f"the short form of a question is damaged: {error}") from error
    return Describe(Ref(id))


def decode_description(data: bytes | bytearray | memoryview) -> Description:
    """The answer that these bytes are the short form of.

    Raises:
        DecodeError: they are not.
    """
    try:
        name, requires_grad, is_leaf, *sizes = _unpacked(data)
        dtype = DTYPES[name]
        half, odd = divmod(len(sizes), 2)
        if odd or half > _MOST_DIMENSIONS or type(requires_grad) is not bool or type(is_leaf) is not bool:
            raise ValueError("its fields are of the wrong type")
        for size in sizes:
            if type(size) is not int or not 0 <= size < 1 << 63:
                raise ValueError(f"a size is an int from 0 to 2**63 - 1, not {size!r:.40}")
    except Exception as error:
        raise DecodeError(f"the short form of a description is damaged: {error}") from error
    shape, stride = tuple(sizes[:half]), tuple(sizes[half:])
    return Description(shape, dtype, _CPU, torch.strided, stride, requires_grad, is_leaf)


def _unpacked(data: bytes | bytearray | memoryview) -> list[Any]:
    if len(data) > LONGEST:
        raise ValueError(f"it has at most {LONGEST} bytes, not {len(data)}")
    fields = msgpack.unpackb(data[1:])
    if type(fields) is not list:
        raise ValueError("it is no list")
    return fields
