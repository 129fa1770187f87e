"""Messages with a field of the wrong kind never come into being."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch

from syft.core import messages as m
from syft.exceptions import DecodeError, UnserializableError
from syft.serde import decode, encode
from syft.serde.registry import REGISTRY
from tests.serde.craft import frame, tagged
from tests.serde.samples import samples

REF = tagged("ref", 1, [])
NOT_AN_ID = [None, True, 1.5, b"1", [1], {}, REF]
NOT_A_STR = [None, True, 1, b"a", ["a"], {}, REF]
NOT_A_BOOL = [None, 0, 1, "True", [], {}]
NOT_A_LIST = [None, 1, "ab", b"ab", {"a": 1}, tagged("tuple", 1), tagged("set", 1), REF]
NOT_A_DICT = [None, 1, "ab", [], [["a", 1]], tagged("ordered_dict", {"a": 1}), {1: 1}, {b"a": 1}, {None: 1}]
NOT_A_REF = [None, 1, "a", [1, []], {}, tagged("stored", 1), tagged("tuple", 1, [])]

# tag -> a sound message, and for each of its fields what may not stand there
FIELDS: dict[str, tuple[list[Any], list[list[Any]]]] = {
    "ref": ([1, ["grad"]], [NOT_AN_ID, [*NOT_A_LIST, [1], [None], [["a"]], ["a", b"b"]]]),
    "put": (
        [[[1, "obj"]], None, False, True, False],
        [
            [*NOT_A_LIST, [1], [[1]], [[1, 2, 3]], [[None, 2]], [[True, 2]], [tagged("tuple", 1, 2)]],
            [],
            NOT_A_BOOL,
            NOT_A_BOOL,
            NOT_A_BOOL,
        ],
    ),
    "gradients": ([[[1, None]]], [[*NOT_A_LIST, [1], [[1]], [[None, None]], [[1, 2]], [[1, REF]]]]),
    "command": (
        ["add", [REF], {}, 5, True, [7]],
        [NOT_A_STR, NOT_A_LIST, NOT_A_DICT, NOT_AN_ID[1:], NOT_A_BOOL, [*NOT_A_LIST, [None]]],
    ),
    "call": (
        [REF, [], {}, None, "forward", True],
        [NOT_A_REF, NOT_A_LIST, NOT_A_DICT, NOT_AN_ID[1:], NOT_A_STR, NOT_A_BOOL],
    ),
    "take": ([[REF], None, "", False], [[*NOT_A_LIST, [1], [None]], [], NOT_A_STR, NOT_A_BOOL]),
    "relay": (
        [[1], "bob", [2], False, None],
        [[*NOT_A_LIST, [None], [[1]]], NOT_AN_ID, [*NOT_A_LIST, [1.5]], NOT_A_BOOL, []],
    ),
    "fetch": ([1], [NOT_AN_ID]),
    "forget": ([[1, "b"]], [[*NOT_A_LIST, [None], [True]]]),
    "describe": ([REF], [NOT_A_REF]),
    "is_none": ([REF], [NOT_A_REF]),
    "search": ([["#a", 5]], [NOT_A_LIST]),
    "tag": ([1, tagged("frozenset", "#a"), "d"], [NOT_AN_ID, [[], ["#a"], tagged("set", "#a"), "#a"], NOT_A_STR[1:]]),
    "stored": ([1], [NOT_AN_ID]),
    "shown": ([[]], [[*NOT_A_LIST, [1]]]),
    "named": ([["values"], [1]], [[*NOT_A_LIST, [1]], NOT_A_LIST]),
    "description": (
        [
            [2],
            tagged("torch.dtype", "float32"),
            tagged("torch.device", "cpu", None),
            tagged("torch.layout", "strided"),
            [1],
            False,
            True,
        ],
        [
            [*NOT_A_LIST, [-1], [2**63], ["2"], [True], tagged("torch.size", 2)],
            [None, "float32", tagged("torch.layout", "strided")],
            [None, "cpu", tagged("torch.dtype", "float32")],
            [None, "strided", tagged("torch.dtype", "float32")],
            [1, "1", [-1], [1.5]],
            NOT_A_BOOL,
            NOT_A_BOOL,
        ],
    ),
    "found": (
        [1, "tensor", ["#a"], None, [2]],
        [NOT_AN_ID, NOT_A_STR, NOT_A_LIST, NOT_A_STR[1:], [1, "1", [-1], [2**63], [None]]],
    ),
    "failure": (["KeyError", "m", "add", "t", []], [NOT_A_STR, NOT_A_STR, NOT_A_STR, NOT_A_STR, NOT_A_LIST]),
}

CASES = [(tag, at, value) for tag, (_, wrong) in FIELDS.items() for at, values in enumerate(wrong) for value in values]


def message_tags() -> set[str]:
    return {entry.tag for entry in REGISTRY.by_type.values() if entry.cls.__module__ == m.__name__}


def test_the_table_has_every_field_of_every_message() -> None:
    assert set(FIELDS) == message_tags()
    for tag, (sound, wrong) in FIELDS.items():
        declared = len(fields(REGISTRY.by_tag[tag.encode()].cls))
        assert (tag, len(sound), len(wrong)) == (tag, declared, declared)


@pytest.mark.parametrize("tag", FIELDS)
def test_control_the_sound_message_is_accepted(tag: str) -> None:
    message = decode(frame(tagged(tag, *FIELDS[tag][0])))
    assert type(message) is REGISTRY.by_tag[tag.encode()].cls


@pytest.mark.parametrize(("tag", "at", "value"), CASES)
def test_a_wrong_field_is_refused(tag: str, at: int, value: Any) -> None:
    received = list(FIELDS[tag][0])
    received[at] = value
    with pytest.raises(DecodeError, match=f"no '{tag}'"):
        decode(frame(tagged(tag, *received)))


@pytest.mark.parametrize("tag", FIELDS)
def test_a_field_too_many_or_too_few_is_refused(tag: str) -> None:
    sound = FIELDS[tag][0]
    for received in (sound[:-1], [*sound, None], []):
        with pytest.raises(DecodeError, match=f"no '{tag}'"):
            decode(frame(tagged(tag, *received)))


@pytest.mark.parametrize("name", sorted(name for name in samples() if name in FIELDS))
def test_tuples_of_a_message_are_tuples_again(name: str) -> None:
    sent = samples()[name]
    arrived = decode(encode(sent))
    kinds = {f.name: type(vars_of(sent)[f.name]) for f in fields(sent)}
    assert {f.name: type(vars_of(arrived)[f.name]) for f in fields(arrived)} == kinds


def vars_of(message: Any) -> dict[str, Any]:
    return {f.name: getattr(message, f.name) for f in fields(message)}


def test_a_size_in_a_description_is_sent_as_a_tuple() -> None:
    shape = torch.ones(2, 3).shape
    sent = m.Description(shape, torch.float32, torch.device("cpu"), torch.strided, None, False, True)
    assert type(decode(encode(sent)).shape) is tuple


def test_a_message_that_cannot_be_sent_says_what_in_it() -> None:
    with pytest.raises(UnserializableError, match="'function' object: code is never sent"):
        encode(m.Command("add", (m.Ref(1), lambda: 0)))
    with pytest.raises(UnserializableError, match="'Forget' object"):
        encode(m.Forget(5))  # type: ignore[arg-type]


def test_a_small_command_stays_small() -> None:
    assert len(encode(m.Command("add", (m.Ref(2**62), m.Ref(2**61)), {}, 2**60))) <= 80
