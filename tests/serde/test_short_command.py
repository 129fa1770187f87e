"""The short form of commands: the same command comes back, what does not fit takes the general form, nothing else passes."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from syft.core import messages as m
from syft.exceptions import DecodeError
from syft.serde.codec import decode, encode
from syft.serde.short_command import SHORT_COMMAND, decode_short, encode_short

ids = st.integers(0, 2**63 - 1) | st.text(max_size=8)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8)
operands = st.builds(m.Ref, ids) | plain
short = st.builds(
    m.Command,
    st.text(max_size=20),
    st.lists(operands, max_size=6).map(tuple),
    st.none(),
    st.none() | ids,
    st.booleans(),
    st.lists(ids, max_size=4).map(tuple),
)


@given(short)
def test_a_command_comes_back_from_its_short_form(command: m.Command) -> None:
    data = encode(command)
    assert data[0] == SHORT_COMMAND
    back = decode(data)
    assert back == command
    assert [type(a) for a in back.args] == [type(a) for a in command.args]


@pytest.mark.parametrize(
    "command",
    [
        m.Command("add", (m.Ref(1),), {"alpha": 2}, 3),
        m.Command("add", (m.Ref(1, ("grad",)),), None, 3),
        m.Command("cat", ([m.Ref(1), m.Ref(2)],), None, 3),
        m.Command("to", (m.Ref(1), torch.float64), None, 3),
        m.Command("x" * 2000, (m.Ref(1),), None, 3),
        m.Command("add", (m.Ref(1),) * 33, None, 3),
        m.Command("add", (m.Ref(1),), None, 3, True, tuple(range(2000))),
    ],
    ids=["keywords", "attribute", "container", "dtype", "long", "many", "much to forget"],
)
def test_what_does_not_fit_takes_the_general_form(command: m.Command) -> None:
    assert encode_short(command) is None
    data = encode(command)
    assert data[0] != SHORT_COMMAND
    assert decode(data) == command


def _frame(*fields: Any) -> bytes:
    return bytes((SHORT_COMMAND,)) + msgpack.packb(list(fields))


@pytest.mark.parametrize(
    "data",
    [
        b"+",
        b"+\xc1",
        _frame(),
        _frame("add", 1, 1, 0),
        _frame(b"add", 1, 1, 0, 0),
        _frame("add", 1.5, 1, 0, 0),
        _frame("add", True, 1, 0, 0),
        _frame("add", 1, 2, 0, 0),
        _frame("add", 1, 1, 1, 0),
        _frame("add", 1, 1, -1, 0, 5),
        _frame("add", 1, 1, 2, 0, 5),
        _frame("add", 1, 1, 1, 0, 5.0),
        _frame("add", 1, 1, 1, 0, True),
        _frame("add", 1, 1, 0, 2, 5),
        _frame("add", 1, 1, 0, -1, 5),
        _frame("add", 1, 1, 0, 1, None),
        _frame("add", 1, 1, 0, 0, [1]),
        _frame("add", 1, 1, 0, 0, {"a": 1}),
        _frame("add", 1, 1, 0, 0, b"bytes"),
        _frame("add", 1, 1, 0, 0, msgpack.Timestamp(1)),
        _frame("add", 1, 1, 0, 0, msgpack.ExtType(5, b"ref")),
        _frame("add", 1, 1, 0, 0, *range(33)),
        _frame("add", 1, 1, 0, 0) + b"\x00",
        _frame("x" * 2000, 1, 1, 0, 0),
        bytes((SHORT_COMMAND,)) + b"\x91" * 1000,
        bytes((SHORT_COMMAND,)) + b"\xdd\xff\xff\xff\xff",
        bytes((SHORT_COMMAND,)) + b"\xc6\xff\xff\xff\xff",
    ],
)
def test_damaged_ones_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    try:
        command = decode_short(bytes((SHORT_COMMAND,)) + data)
    except DecodeError:
        return
    assert type(command) is m.Command
    assert decode(encode(command)) == command or any(a != a for a in command.args)  # NaN is not itself


@given(short, st.data())
def test_a_changed_byte_gives_a_command_or_is_refused(command: m.Command, data: st.DataObject) -> None:
    encoded = bytearray(encode(command))
    at = data.draw(st.integers(1, len(encoded) - 1))
    encoded[at] = data.draw(st.integers(0, 255))
    try:
        assert type(decode(bytes(encoded))) is m.Command
    except DecodeError:
        pass
