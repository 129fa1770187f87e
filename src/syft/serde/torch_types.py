"""The wire forms of torch's small types: sizes, devices, dtypes, layouts and memory formats.

The tables below are made of what this torch has. A name that arrives is looked up in them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from syft.serde.checks import flag, integer, one_of, optional, text
from syft.serde.registry import REGISTRY, Sink, Source

T = TypeVar("T")


def _named(kind: type[T]) -> dict[str, T]:
    found = [value for value in vars(torch).values() if isinstance(value, kind)]
    return {str(value).removeprefix("torch."): value for value in found}


DTYPES = _named(torch.dtype)
LAYOUTS = _named(torch.layout)
MEMORY_FORMATS = _named(torch.memory_format)

DEVICE_TYPES = frozenset({"cpu", "cuda", "hip", "hpu", "ipu", "lazy", "meta", "mps", "mtia", "vulkan", "xla", "xpu"})
_MAX_DEVICES = 128


def _register_names(kind: type[T], tag: str, table: dict[str, T]) -> None:
    def fields(value: T, sink: Sink) -> tuple[str]:
        return (str(value).removeprefix("torch."),)

    def build(received: list[Any], source: Source) -> T:
        (name,) = received
        value = table.get(text(name))
        if value is None:
            raise ValueError(
                f"torch {torch.__version__} has no {kind.__name__} {name!r:.40}; use one version on both ends"
            )
        return value

    REGISTRY.add(kind, tag, fields, build)


def make_device(kind: Any, index: Any) -> torch.device:
    """The device of a type and an index, or of a type only, as they arrived.

    Raises:
        ValueError: there is no such type of device, or the index is out of range.
    """
    if text(kind) not in DEVICE_TYPES:
        raise ValueError(f"{kind!r:.40} is not a type of device that is sent")
    if index is None:
        return torch.device(kind)
    if not 0 <= integer(index) < _MAX_DEVICES:
        raise ValueError(f"the index {index} of a device is not in 0 … {_MAX_DEVICES - 1}")
    return torch.device(kind, index)


def device_fields(device: torch.device) -> tuple[str, int | None]:
    """What `make_device` needs to make this device.

    Raises:
        ValueError: it is of a type that is not sent.
    """
    if device.type not in DEVICE_TYPES:
        raise ValueError(f"a device of type {device.type!r} is not sent")
    return device.type, device.index


def _device(fields: list[Any], source: Source) -> torch.device:
    kind, index = fields
    return make_device(kind, index)


def _size(fields: list[Any], source: Source) -> torch.Size:
    return torch.Size([integer(size) for size in fields])


_register_names(torch.dtype, "torch.dtype", DTYPES)
_register_names(torch.layout, "torch.layout", LAYOUTS)
_register_names(torch.memory_format, "torch.memory_format", MEMORY_FORMATS)
REGISTRY.add(torch.device, "torch.device", lambda device, sink: device_fields(device), _device)
REGISTRY.add(torch.Size, "torch.size", lambda size, sink: tuple(size), _size)


LossOptions: Any = getattr(torch.nn, "LinearCrossEntropyOptions", None)
"""How to chunk ``F.linear_cross_entropy``: plain values in a class of newer torch versions, else None."""


def _loss_options_fields(options: Any, sink: Sink) -> tuple[Any, ...]:
    return (
        options.allow_retain_graph,
        options.batch_chunk_size,
        options.chunking_method,
        options.acc_policy,
        options.acc_dtype,
    )


def _loss_options(received: list[Any], source: Source) -> Any:
    retain, chunk, method, policy, dtype = received
    return LossOptions(
        allow_retain_graph=flag(retain),
        batch_chunk_size=optional(integer)(chunk),
        chunking_method=optional(text)(method),
        acc_policy=text(policy),
        acc_dtype=optional(one_of(torch.dtype))(dtype),
    )


if LossOptions is not None:
    REGISTRY.add(LossOptions, "torch.linear_cross_entropy_options", _loss_options_fields, _loss_options)
