"""Objects to bytes and back.

To encode, msgpack writes what it knows and asks `_Encoder.describe` for everything else, which answers
with a list: the type's tag, then its fields. Memory of tensors is collected beside and never passes
through msgpack.

To decode, the frame is split, the structure is walked once without building anything (`scan`), and
msgpack then builds it from the inside out, handing each list that begins with a tag to the entry of that
tag. Bytes that are not a message end in `DecodeError` and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import torch
from msgpack import Packer

from syft.core.messages import Command, Describe, Description
from syft.exceptions import DecodeError, SyftError, UnserializableError, UnsupportedOp
from syft.serde.compression import NO_COMPRESSION, Scheme, scheme_of
from syft.serde.frame import join, lay_out, split, split_parts
from syft.serde.limits import DEFAULT_LIMITS, Limits
from syft.serde.registry import REGISTRY, Entry, Registry
from syft.serde.scan import scan
from syft.serde.short_command import SHORT_COMMAND, decode_short, encode_short
from syft.serde.short_description import (
    SHORT_DESCRIBE,
    SHORT_DESCRIPTION,
    decode_describe,
    decode_description,
    encode_describe,
    encode_description,
)

_BYTES = frozenset({bytes, bytearray, memoryview})
_TO_SHORT: dict[type, Callable[[Any], bytes | None]] = {
    Command: encode_short,
    Describe: encode_describe,
    Description: encode_description,
}
_FROM_SHORT: dict[int, Callable[[Any], Any]] = {
    SHORT_COMMAND: decode_short,
    SHORT_DESCRIBE: decode_describe,
    SHORT_DESCRIPTION: decode_description,
}
_PACK_BUFFER = 1 << 12  # msgpack's own default of 256 KiB costs more than a small message


class _Encoder:
    """Encodes one object at a time, then the next: making one takes as long as a small message."""

    def __init__(self, registry: Registry, full: bool) -> None:
        self._registry, self._full = registry, full
        self._by_type = registry.by_type
        self._buffers: list[memoryview] = []
        self._packer = Packer(default=self.describe, strict_types=True, buf_size=_PACK_BUFFER)

    def encode(self, obj: Any) -> tuple[bytes, list[memoryview]]:
        self._buffers = []
        body: bytes = self._packer.pack(obj)
        buffers, self._buffers = self._buffers, []
        return body, buffers

    def describe(self, obj: Any) -> list[Any]:
        entry = self._by_type.get(type(obj)) or self._registry.find(type(obj))
        if entry is None:
            raise UnserializableError(_advice(obj))
        fields = entry.full_fields if self._full else entry.fields
        return [entry.marker, *fields(obj, self)]

    def add_buffer(self, memory: memoryview) -> int:
        self._buffers.append(memory)
        return len(self._buffers) - 1


# Taking from the end and putting back are atomic, so that threads and nested calls never share one.
_IDLE: list[_Encoder] = []
_MAX_IDLE = 8


def _idle_encoder() -> _Encoder:
    try:
        return _IDLE.pop()
    except IndexError:
        return _Encoder(REGISTRY, full=False)


def encode(obj: Any, compression: int = NO_COMPRESSION) -> bytes:
    """Turn an object into bytes.

    Args:
        obj: None, bool, int, float, str, bytes, a list, tuple, set, dict, numpy array, tensor, message, or
            an object of a registered type; nested as you like.
        compression: ``NO_COMPRESSION``, ``LZ4``, ``ZLIB`` or ``ZSTD``.

    Returns:
        A frame, see `syft.serde.frame`.

    Raises:
        UnserializableError: the object, or something in it, has no wire form.
        CompressionNotFoundException: there is no such compression.
        DependencyError: LZ4 or Zstandard was asked for and its package is missing.

    Example:
        >>> decode(encode({"shape": (2, 3), "of": {4.5}}))
        {'shape': (2, 3), 'of': {4.5}}
    """
    if compression == NO_COMPRESSION and (short := _short(obj)) is not None:
        return short
    return encode_with(obj, scheme_of(compression))


def _short(obj: Any) -> bytes | None:
    """The short form of a message, if it has one."""
    to_short = _TO_SHORT.get(type(obj))
    return None if to_short is None else to_short(obj)


def encode_with(obj: Any, scheme: Scheme, *, full: bool = False) -> bytes:
    """Turn an object into bytes with a compressing function, and with all it holds if ``full``.

    Raises:
        UnserializableError: as `encode`.
    """
    return join(*_taken_apart(obj, full), scheme)


def encode_in_parts(obj: Any) -> list[bytes | memoryview]:
    """Like `encode`, without copying: the parts of the frame in order, those of tensors being their own memory.

    Raises:
        UnserializableError: as `encode`.
    """
    if (short := _short(obj)) is not None:
        return [short]
    return lay_out(*_taken_apart(obj, False))


def _taken_apart(obj: Any, full: bool) -> tuple[bytes, list[memoryview]]:
    encoder = _Encoder(REGISTRY, full) if full else _idle_encoder()
    try:
        body, buffers = encoder.encode(obj)
    except (SyftError, MemoryError):
        raise
    except Exception as error:
        raise UnserializableError(f"can not serialize {_the(obj)}: {error}") from error
    if not full and len(_IDLE) < _MAX_IDLE:
        _IDLE.append(encoder)
    return body, buffers


def _the(obj: Any) -> str:
    return f"'{type(obj).__name__}' object"


def _advice(obj: Any) -> str:
    if type(obj) is int:
        way_out = f"it has {obj.bit_length()} bits, and -2**63 … 2**64 - 1 are sent; make a str or a float of it"
    elif isinstance(obj, torch.nn.Module):
        way_out = "send its parameters with .send(worker), or its .state_dict()"
    elif isinstance(obj, torch.Tensor):
        way_out = "make a plain tensor of it with .as_subclass(torch.Tensor), or register its class"
    elif hasattr(obj, "__next__"):
        way_out = "it yields its values once; send list(...) of it"
    elif callable(obj):
        way_out = "code is never sent; send what it returns"
    else:
        way_out = (
            "send plain values, tensors or arrays instead, or give its class a wire form with @syft.serde.serializable"
        )
    return f"can not serialize {_the(obj)}: {way_out}"


class _Decoder:
    """Builds one object: the receiving end of msgpack's hooks."""

    __slots__ = ("_buffers", "context", "entries", "limits")

    def __init__(self, context: Any, limits: Limits, buffers: list[memoryview | None]) -> None:
        self.context, self.limits, self._buffers = context, limits, buffers
        self.entries = 0

    def build(self, values: list[Any]) -> Any:
        if values:
            entry = values[0]
            if type(entry) is Entry:
                del values[0]
                try:
                    return entry.build(values, self)
                except UnsupportedOp as error:  # a name in the message, not what the worker does with it
                    raise DecodeError(f"what arrived is no {entry.tag!r}: {error}") from error
                except (SyftError, MemoryError):
                    raise
                except Exception as error:
                    raise DecodeError(f"what arrived is no {entry.tag!r}: {error}") from error
        return values

    def count(self, mapping: dict[Any, Any]) -> dict[Any, Any]:
        self.entries += len(mapping)
        return mapping

    def take_buffer(self, index: Any) -> memoryview:
        if type(index) is not int or not 0 <= index < len(self._buffers):
            raise ValueError(f"there is no buffer {index!r:.40} among {len(self._buffers)}")
        memory = self._buffers[index]
        if memory is None:
            raise ValueError(f"buffer {index} is used twice")
        self._buffers[index] = None
        return memory

    def check_all_used(self, entries: int) -> None:
        for index, memory in enumerate(self._buffers):
            if memory is not None:
                raise DecodeError(f"buffer {index} of the message belongs to nothing in it")
        if self.entries != entries:
            raise DecodeError("a dict in the message has a key twice")


def _entry_of(code: int, tag: bytes) -> Entry:
    entry = REGISTRY.by_tag.get(tag)
    if entry is None:
        raise DecodeError(
            f"the message has an object of type {tag.decode(errors='replace')!r}, which is not known here; "
            "import the module that registers it"
        )
    return entry


def decode(data: bytes | bytearray | memoryview, context: Any = None, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Turn received bytes into the object they describe.

    Args:
        data: a frame. It may come from anyone and is not kept: tensors get memory of their own.
        context: the worker that receives it; handed to ``from_wire`` of the types that ask for it.
        limits: what is acceptable.

    Returns:
        The object.

    Raises:
        DecodeError: the bytes are not a message within the limits.
        SyftError: what ``from_wire`` of a registered type answered, such as `ObjectNotFoundError`.
    """
    if type(data) in _BYTES and len(data) and (decode_short_form := _FROM_SHORT.get(data[0])) is not None:
        return decode_short_form(data)
    return _put_together(*split(data, limits), context, limits)


def decode_parts(
    parts: Sequence[bytes | bytearray | memoryview], context: Any = None, limits: Limits = DEFAULT_LIMITS
) -> Any:
    """Like `decode`, for a frame in the parts of a `Landing`: its long tensors stay where they are.

    Raises:
        DecodeError: as `decode`.
    """
    if len(parts) == 1:
        return decode(parts[0], context, limits)
    return _put_together(*split_parts(parts, limits), context, limits)


def _put_together(body: bytes, buffers: list[memoryview | None], context: Any, limits: Limits) -> Any:
    entries = scan(body, limits)
    decoder = _Decoder(context, limits, buffers)
    try:
        value = msgpack.unpackb(
            body, list_hook=decoder.build, object_hook=decoder.count, ext_hook=_entry_of, strict_map_key=False
        )
    except (SyftError, MemoryError):
        raise
    except Exception as error:
        raise DecodeError(f"the structure of the message is damaged: {error}") from error
    decoder.check_all_used(entries)
    return value
