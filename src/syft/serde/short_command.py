"""The short form of a command: one flat msgpack array, for what most commands are.

A training step is mostly ops on stored tensors and numbers. The general form of such a command takes longer to write
and to read than the op takes to run; this one needs neither the walk over the structure nor the hooks, for there is
nothing inside anything. What does not fit (keywords, attributes of objects, containers, long texts) takes the general
form.

    byte 0      43
    then        [op, result, flags, which arguments stand for objects (a bit each), how many ids are forgotten,
                 these ids…, the arguments…]
"""

from __future__ import annotations

from typing import Any

import msgpack

from syft.core.messages import Command, ObjectId, Ref
from syft.exceptions import DecodeError
from syft.serde.short_form import LONGEST, packed

SHORT_COMMAND = 43
"""The first byte, where the general form has a compression code."""
_FIRST = bytes((SHORT_COMMAND,))
_FIXED = 5  # the fields before the ids
_GRAD_ENABLED = 1
_PLAIN = frozenset({int, float, bool, type(None), str})
_MOST_ARGUMENTS = 32


def encode_short(command: Command) -> bytes | None:
    """The short form of a command; None if it has none."""
    args, forget = command.args, command.forget
    if command.kwargs or len(args) > _MOST_ARGUMENTS:
        return None
    fields = [command.op, command.result, _GRAD_ENABLED if command.grad_enabled else 0, 0, len(forget), *forget]
    refs, bit = 0, 1
    for arg in args:
        kind = type(arg)
        if kind is Ref:
            if arg.path:
                return None
            refs |= bit
            fields.append(arg.id)
        elif kind in _PLAIN:
            fields.append(arg)
        else:
            return None
        bit <<= 1
    fields[3] = refs
    return packed(_FIRST, fields)


def decode_short(data: bytes | bytearray | memoryview) -> Command:
    """The command that these bytes are the short form of.

    Raises:
        DecodeError: they are not.
    """
    if len(data) > LONGEST:
        raise DecodeError(f"a short command has at most {LONGEST} bytes, not {len(data)}")
    try:
        op, result, flags, refs, forgotten, *rest = msgpack.unpackb(data[1:])
        if type(op) is not str or flags not in (0, _GRAD_ENABLED) or not (result is None or _is_id(result)):
            raise ValueError("its fields are of the wrong type")
        if type(refs) is not int or type(forgotten) is not int or not 0 <= forgotten <= len(rest):
            raise ValueError("its numbers are wrong")
        forget = tuple(rest[:forgotten])
        args = rest[forgotten:]
        if len(args) > _MOST_ARGUMENTS or not 0 <= refs < 1 << len(args):
            raise ValueError(f"it has {len(args)} arguments, and more or other objects among them")
        for id in forget:
            if not _is_id(id):
                raise ValueError("what it forgets is no id")
        for i, arg in enumerate(args):
            if refs >> i & 1:
                if not _is_id(arg):
                    raise ValueError("an object has no id")
                args[i] = Ref(arg)
            elif type(arg) not in _PLAIN:
                raise ValueError(f"an argument is a {type(arg).__name__}")
    except Exception as error:
        raise DecodeError(f"the short form of a command is damaged: {error}") from error
    return Command(op, tuple(args), None, result, flags == _GRAD_ENABLED, forget)


def _is_id(value: ObjectId | Any) -> bool:
    return type(value) is int or type(value) is str
