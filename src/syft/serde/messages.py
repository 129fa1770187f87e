"""The wire form of each message: its fields in order, and what each must be when it arrives.

A field declared as a tuple travels as a list, which is cheaper, and its check makes a tuple of it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from syft.core import messages as m
from syft.serde.checks import (
    Check,
    anything,
    dimension,
    each,
    flag,
    keywords,
    object_id,
    one_of,
    optional,
    pair,
    sequence,
    text,
)
from syft.serde.registry import REGISTRY, Sink, Source

_IDS = each(object_id)
_NAMES = each(text)
_SHAPE = each(dimension)
_REF = one_of(m.Ref)
_TAGS = optional(one_of(frozenset))


def _message(cls: type[Any], tag: str, fields: Callable[[Any], Sequence[Any]], *checks: Check) -> None:
    def send(message: Any, sink: Sink) -> Sequence[Any]:
        return fields(message)

    def build(received: list[Any], source: Source) -> Any:
        if len(received) != len(checks):
            raise ValueError(f"{len(checks)} fields were expected, not {len(received)}")
        return cls(*[check(value) for check, value in zip(checks, received, strict=False)])

    REGISTRY.add(cls, tag, send, build)


def _optional_list(values: Iterable[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _ref(received: list[Any], source: Source) -> m.Ref:
    id, path = received
    return m.Ref(object_id(id), () if path == [] else _NAMES(path))


# By hand, for there are several in every command.
REGISTRY.add(m.Ref, "ref", lambda x, sink: (x.id, list(x.path)), _ref)
_message(
    m.Put,
    "put",
    lambda x: ([[id, obj] for id, obj in x.objects], x.user, x.owning, x.giving, x.lasting),
    each(pair(object_id, anything)),
    anything,
    flag,
    flag,
    flag,
)
_message(
    m.Command,
    "command",
    lambda x: (x.op, list(x.args), x.kwargs, x.result, x.grad_enabled, list(x.forget)),
    text,
    sequence,
    keywords,
    optional(object_id),
    flag,
    _IDS,
)
_message(
    m.Call,
    "call",
    lambda x: (x.target, list(x.args), x.kwargs, x.result, x.method, x.grad_enabled),
    _REF,
    sequence,
    keywords,
    optional(object_id),
    text,
    flag,
)
_message(m.Take, "take", lambda x: (list(x.refs), x.user, x.reason, x.keep), each(_REF), anything, text, flag)
_message(
    m.Relay,
    "relay",
    lambda x: (list(x.ids), x.destination, list(x.as_ids), x.leave_pointer, x.user),
    _IDS,
    object_id,
    _IDS,
    flag,
    anything,
)
_message(m.Fetch, "fetch", lambda x: (x.id,), object_id)
_message(m.Forget, "forget", lambda x: (list(x.ids),), _IDS)
_message(m.Describe, "describe", lambda x: (x.ref,), _REF)
_message(m.IsNone, "is_none", lambda x: (x.ref,), _REF)
_message(m.Search, "search", lambda x: (list(x.query),), sequence)
_message(m.Tag, "tag", lambda x: (x.id, x.tags, x.description), object_id, _TAGS, optional(text))

# --- answers -----------------------------------------------------------------------------------------

_message(m.Stored, "stored", lambda x: (x.id,), object_id)
_message(m.Shown, "shown", lambda x: (list(x.values),), each(one_of(torch.Tensor)))
_message(m.Named, "named", lambda x: (list(x.names), list(x.results)), _NAMES, sequence)
_message(
    m.Description,
    "description",
    lambda x: (list(x.shape), x.dtype, x.device, x.layout, _optional_list(x.stride), x.requires_grad, x.is_leaf),
    _SHAPE,
    one_of(torch.dtype),
    one_of(torch.device),
    one_of(torch.layout),
    optional(_SHAPE),
    flag,
    flag,
)
_message(
    m.Gradients,
    "gradients",
    lambda x: ([[id, known] for id, known in x.of],),
    each(pair(object_id, optional(one_of(m.Description)))),
)
_message(
    m.Found,
    "found",
    lambda x: (x.id, x.kind, list(x.tags), x.description, _optional_list(x.shape)),
    object_id,
    text,
    sequence,
    optional(text),
    optional(_SHAPE),
)
_message(
    m.Failure,
    "failure",
    lambda x: (x.kind, x.message, x.op, x.traceback, list(x.details)),
    text,
    text,
    text,
    text,
    sequence,
)
