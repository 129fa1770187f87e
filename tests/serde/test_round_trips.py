"""What is sent arrives as it was: every tag of this room, every value its strategy can make."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syft.core import messages as m
from syft.core.metadata import metadata_of
from syft.serde import decode, encode
from syft.serde.compression import NO_COMPRESSION, ZLIB
from syft.serde.registry import REGISTRY, Registry
from tests.serde.craft import body_of, tagged
from tests.serde.same import same
from tests.strategies import BY_TAG, values

_SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def tags_of_this_room(registry: Registry) -> set[str]:
    """The tags that the modules of syft.serde register; other rooms and users go through `register`."""
    return {
        entry.tag
        for entry in registry.by_tag.values()
        if entry.build.__module__.startswith("syft.serde.") and entry.build.__module__ != "syft.serde.registry"
    }


def test_every_tag_has_a_strategy() -> None:
    assert tags_of_this_room(REGISTRY) == set(BY_TAG)


def test_control_a_tag_without_a_strategy_is_found() -> None:
    registry = Registry()
    registry.by_tag.update(REGISTRY.by_tag)
    build = REGISTRY.by_tag[b"slice"]
    registry.add(bytearray, "new", build.fields, build.build)
    assert tags_of_this_room(registry) - set(BY_TAG) == {"new"}


def test_every_message_has_a_wire_form() -> None:
    declared = {cls for name, cls in vars(m).items() if isinstance(cls, type) and hasattr(cls, "__dataclass_fields__")}
    assert len(declared) >= 17
    assert declared <= set(REGISTRY.by_type)


@pytest.mark.parametrize("tag", sorted(BY_TAG))
def test_a_tag_survives(tag: str) -> None:
    @_SETTINGS
    @given(BY_TAG[tag], st.sampled_from([NO_COMPRESSION, ZLIB]))
    def check(value: Any, compression: int) -> None:
        binary = encode(value, compression)
        assert same(value, decode(binary))
        assert same(value, decode(bytearray(binary)))

    check()


@_SETTINGS
@given(values)
def test_nested_values_survive(value: Any) -> None:
    assert same(value, decode(memoryview(encode(value))))


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -0.0,
        -(2**63),
        2**64 - 1,
        [[], (), {}, set(), frozenset()],
        {1: "int", "1": "str", (1, 2): "tuple", None: "none", b"1": "bytes", 2.5: "float"},
        "",
        "\0𝒮",
        b"\xff" * 300,
        "x" * 70_000,
        list(range(70_000)),
        dict.fromkeys(range(70_000)),
        range(0, 10, 3),
        slice(None, -1),
        slice((1, 2), "a", ...),
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]}".encode("ascii", "replace").decode(),
)
def test_edge_values_survive(value: Any) -> None:
    assert same(value, decode(encode(value)))


@pytest.mark.parametrize("length", [*range(40), 255, 256, 257, 65535, 65536])
def test_containers_of_every_length_survive(length: int) -> None:
    # msgpack has three or four spellings of each, by length.
    numbers = list(range(length))
    for value in (numbers, tuple(numbers), dict.fromkeys(numbers), "a" * length, b"a" * length):
        assert decode(encode(value)) == value


def test_a_set_may_hold_two_nans() -> None:
    assert len(decode(encode({float("nan"), float("inf") - float("inf")}))) == 2


def test_bytearray_and_memoryview_come_back_as_bytes() -> None:
    assert same(b"ab", decode(encode(bytearray(b"ab"))))
    assert same(b"ab", decode(encode(memoryview(b"ab"))))


def test_named_results_of_torch_come_back_as_tuples() -> None:
    values, indices = decode(encode(torch.max(torch.tensor([[1.0, 3.0]]), dim=1)))
    assert type(decode(encode(torch.max(torch.eye(2), dim=0)))) is tuple
    assert values.tolist() == [3.0]
    assert indices.tolist() == [1]


def test_numpy_scalars_of_long_long_come_back_as_their_fixed_size_twin() -> None:
    assert decode(encode(np.longlong(7))) == np.int64(7)


def test_equal_sets_have_equal_bytes() -> None:
    words = [f"word {n}" for n in range(50)]
    assert encode(set(words)) == encode(set(reversed(words)))


def test_control_same_tells_values_apart() -> None:
    tensor = torch.tensor([1.0, 2.0])
    other_metadata = tensor.clone()
    metadata_of(other_metadata).description = "other"
    pairs = [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ([1], (1,)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.float32(1), np.float64(1)),
        (tensor, tensor.double()),
        (tensor, tensor + 1e-7),
        (tensor, tensor.clone().requires_grad_()),
        (tensor, other_metadata),
        (m.Ref(1), m.Ref("1")),
    ]
    assert [same(a, b) for a, b in pairs] == [False] * len(pairs)


def test_the_encoder_writes_what_the_format_says() -> None:
    assert body_of(encode((1, "a"))) == msgpack.packb(tagged("tuple", 1, "a"))
