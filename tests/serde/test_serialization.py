"""``serialize`` and ``deserialize`` as 0.2 programs call them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from syft import serde
from syft.core.session import SESSION
from syft.exceptions import DecodeError
from syft.serde import deserialize, serialize
from syft.serde.registry import Registry
from tests.serde.same import same


class _Receiver:
    pass


@pytest.fixture
def probe(registry: Registry) -> type:
    """A type that remembers who received it."""

    class Probe:
        def __init__(self, receiver: Any = None) -> None:
            self.receiver = receiver

    registry.register(Probe, "test.probe", lambda probe: None, lambda data, context: Probe(context))
    return Probe


def test_a_value_survives() -> None:
    value = [1, (2.5, {"a": torch.ones(2)}), None]
    assert same(value, deserialize(serialize(value)))
    assert serialize(value)[0] == 40


def test_the_arguments_of_0_2_are_accepted() -> None:
    assert deserialize(serialize([1], worker=None, simplified=True, force_full_simplification=True), worker=None) == [1]


def test_the_receiver_is_the_given_worker_or_the_local_one(probe: type, monkeypatch: pytest.MonkeyPatch) -> None:
    me, other = _Receiver(), _Receiver()
    monkeypatch.setattr(SESSION, "local_worker", me)
    assert deserialize(serialize(probe())).receiver is me
    assert deserialize(serialize(probe()), worker=other).receiver is other


def test_a_strategy_takes_over() -> None:
    assert serialize(5, None, strategy=lambda obj, worker, simplified, full: b"%d %d" % (obj, full)) == b"5 0"
    worker = _Receiver()
    assert deserialize(b"x", worker, strategy=lambda binary, receiver: (binary, receiver)) == (b"x", worker)


def test_empty_bytes_are_no_message() -> None:
    with pytest.raises(DecodeError, match="empty"):
        deserialize(b"")


def test_what_is_listed_is_there() -> None:
    assert {"serialize", "deserialize", "encode", "decode", "serializable", "register", "Limits", "compression"} <= set(
        serde.__all__
    )
    assert all(hasattr(serde, name) for name in serde.__all__)
