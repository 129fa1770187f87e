"""The short forms of the question what a tensor is like: both come back, the rest goes the long way, nothing else passes."""

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
from syft.serde.short_description import (
    SHORT_DESCRIBE,
    SHORT_DESCRIPTION,
    decode_describe,
    decode_description,
    encode_describe,
    encode_description,
)
from syft.tensors.verbs import description_of
from tests.strategies import dtypes

CPU = torch.device("cpu")


@given(st.integers(0, 2**63 - 1) | st.text(max_size=8))
def test_a_question_comes_back_from_its_short_form(id: int | str) -> None:
    data = encode(m.Describe(m.Ref(id)))
    assert data[0] == SHORT_DESCRIBE
    assert decode(data) == m.Describe(m.Ref(id))


sizes = st.integers(0, 2**63 - 1)


@given(dtypes, st.lists(st.tuples(sizes, sizes), max_size=5), st.booleans(), st.booleans())
def test_an_answer_comes_back_from_its_short_form(
    dtype: torch.dtype, dimensions: list[tuple[int, int]], requires_grad: bool, is_leaf: bool
) -> None:
    shape, stride = tuple([size for size, _ in dimensions]), tuple([step for _, step in dimensions])
    answer = m.Description(shape, dtype, CPU, torch.strided, stride, requires_grad, is_leaf)
    data = encode(answer)
    assert data[0] == SHORT_DESCRIPTION
    assert decode(data) == answer


def test_gradients_and_leaves_are_told_apart() -> None:
    leaf = torch.zeros(2, requires_grad=True)
    for tensor in (leaf, leaf * 2, leaf.detach()):
        assert decode(encode(description_of(tensor))) == description_of(tensor)


@pytest.mark.parametrize(
    "message",
    [
        m.Describe(m.Ref(1, ("grad",))),
        m.Describe(m.Ref("x" * 2000)),
        m.Description((2,), torch.float32, torch.device("cuda", 0), torch.strided, (1,), False, True),
        m.Description((2,), torch.float32, CPU, torch.sparse_coo, None, False, True),
        m.Description((1,) * 33, torch.float32, CPU, torch.strided, (1,) * 33, False, True),
    ],
    ids=["attribute", "long", "device", "sparse", "dimensions"],
)
def test_what_does_not_fit_takes_the_general_form(message: Any) -> None:
    short = encode_describe(message) if isinstance(message, m.Describe) else encode_description(message)
    assert short is None
    assert encode(message)[0] not in (SHORT_DESCRIBE, SHORT_DESCRIPTION)


def question(*fields: Any) -> bytes:
    """A question with these fields."""
    return bytes((SHORT_DESCRIBE,)) + msgpack.packb(list(fields))


def answer(*fields: Any) -> bytes:
    """An answer with these fields."""
    return bytes((SHORT_DESCRIPTION,)) + msgpack.packb(list(fields))


@pytest.mark.parametrize(
    "data",
    [
        question(),
        question(1, 2),
        question(None),
        question(True),
        question([1]),
        question("x" * 2000),
        bytes((SHORT_DESCRIBE,)),
        bytes((SHORT_DESCRIBE, 1)),
        bytes((SHORT_DESCRIBE,)) + b"\x91" * 900,
        question(1) + b"\0",
        answer(),
        answer("float32", True),
        answer("float33", True, True),
        answer(["float32"], True, True),
        answer("float32", 1, True),
        answer("float32", True, None),
        answer("float32", True, True, 1),
        answer("float32", True, True, -1, 1),
        answer("float32", True, True, 1, 1.0),
        answer("float32", True, True, True, 1),
        answer("float32", True, True, 2**63, 1),
        answer("float32", True, True, *[1] * 66),
        bytes((SHORT_DESCRIPTION,)) + msgpack.packb({"float32": 1}),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="is damaged"):
        decode(data)


def test_control_sound_fields_pass() -> None:
    assert decode_describe(question(7)) == m.Describe(m.Ref(7))
    known = m.Description((2, 1), torch.float32, CPU, torch.strided, (1, 1), True, False)
    assert decode_description(answer("float32", True, False, 2, 1, 1, 1)) == known
