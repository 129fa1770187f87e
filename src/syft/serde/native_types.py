"""The wire forms of Python's own types; None, bool, int, float, str, bytes, list and dict are msgpack's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from types import EllipsisType
from typing import Any

import torch

from syft.serde.registry import REGISTRY, Sink, Source


def _elements(values: Iterable[Any], sink: Sink) -> Iterable[Any]:
    return values


def _sorted(values: set[Any] | frozenset[Any], sink: Sink) -> Iterable[Any]:
    # In one order wherever there is one, so that equal sets have equal bytes in every process.
    try:
        return sorted(values)
    except (TypeError, ValueError, RuntimeError):
        return values


def _set(fields: list[Any], source: Source) -> set[Any]:
    values = set(fields)
    if len(values) != len(fields):
        raise ValueError("a set has an element twice")
    return values


def _range(fields: list[Any], source: Source) -> range:
    start, stop, step = fields
    return range(start, stop, step)


def _slice(fields: list[Any], source: Source) -> slice:
    start, stop, step = fields
    return slice(start, stop, step)


def _ellipsis(fields: list[Any], source: Source) -> EllipsisType:
    if fields:
        raise ValueError("an ellipsis has no fields")
    return ...


def _complex(fields: list[Any], source: Source) -> complex:
    real, imaginary = fields
    if type(real) is not float or type(imaginary) is not float:
        raise ValueError("the parts of a complex number are floats")
    return complex(real, imaginary)


def _ordered_dict(fields: list[Any], source: Source) -> OrderedDict[Any, Any]:
    (entries,) = fields
    if type(entries) is not dict:
        raise ValueError("an ordered dict is made of a dict")
    return OrderedDict(entries)


TUPLE = REGISTRY.add(tuple, "tuple", _elements, lambda fields, source: tuple(fields))
REGISTRY.add(set, "set", _sorted, _set)
REGISTRY.add(frozenset, "frozenset", _sorted, lambda fields, source: frozenset(_set(fields, source)))
REGISTRY.add(range, "range", lambda x, sink: (x.start, x.stop, x.step), _range)
REGISTRY.add(slice, "slice", lambda x, sink: (x.start, x.stop, x.step), _slice)
REGISTRY.add(EllipsisType, "ellipsis", lambda x, sink: (), _ellipsis)
REGISTRY.add(complex, "complex", lambda x, sink: (x.real, x.imag), _complex)
REGISTRY.add(OrderedDict, "ordered_dict", lambda x, sink: (dict(x),), _ordered_dict)

# What torch.max(x, dim=0) and its like return: a tuple with names, sent as a tuple.
for _result in vars(torch.return_types).values():
    if isinstance(_result, type) and issubclass(_result, tuple):
        REGISTRY.also(_result, TUPLE)
