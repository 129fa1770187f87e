"""Tags and descriptions."""

from __future__ import annotations

import pytest
import torch

import syft as sy

Worker = sy.VirtualWorker


@pytest.fixture
def x(hook: sy.TorchHook) -> torch.Tensor:
    """A local tensor."""
    return torch.tensor([1, 2])


def test_tag_adds_to_a_set_and_returns_the_tensor(x: torch.Tensor) -> None:
    assert x.tag("#a") is x
    assert x.tag("#b", "#a").tags == {"#a", "#b"}


def test_describe_returns_the_tensor_and_both_chain(x: torch.Tensor) -> None:
    assert x.describe("text").tag("#a").describe("other") is x
    assert x.description == "other"


@pytest.mark.parametrize("tag", [7, ("a", 1), "", "é✓", 2.5])
def test_any_printable_value_is_a_tag(x: torch.Tensor, bob: Worker, tag: object) -> None:
    p = x.tag(tag).send(bob)
    assert p.tags == {tag}
    (stored,) = bob._objects.values()
    assert stored.tags == {tag}
    assert p.get().tags == {tag}


def test_tags_can_be_cleared(x: torch.Tensor) -> None:
    x.tag("#a").tags = None
    assert x.tags is None
    assert repr(x) == "tensor([1, 2])"


def test_tags_travel_with_send_and_get(x: torch.Tensor, bob: Worker) -> None:
    p = x.tag("#a").describe("text").send(bob)
    (stored,) = bob._objects.values()
    assert (stored.tags, stored.description) == ({"#a"}, "text")
    back = p.get()
    assert (back.tags, back.description) == ({"#a"}, "text")


def test_the_sent_tags_are_a_copy(x: torch.Tensor, bob: Worker) -> None:
    p = x.tag("#a").send(bob)
    x.tag("#b")
    (stored,) = bob._objects.values()
    assert stored.tags == {"#a"}
    assert p.tags == {"#a"}


def test_results_copies_slices_and_clones_have_none(x: torch.Tensor, bob: Worker) -> None:
    x.tag("#a").describe("text")
    p = x.send(bob)
    for result in (x + 1, x.copy(), x[:1], x.clone(), p + 1, p.copy(), p[:1], p.clone()):
        assert result.tags is None
        assert result.description is None
        del result
    p2 = p + 1
    assert len(bob.search("#a")) == 1
    assert p2.tags is None


def test_tagging_a_pointer_reaches_the_worker(x: torch.Tensor, bob: Worker) -> None:
    p = x.send(bob)
    assert p.tag("#late") is p
    assert p.describe("late text") is p
    (found,) = bob.search("#late")
    assert found.description == "late text"
    back = p.get()
    assert (back.tags, back.description) == ({"#late"}, "late text")


def test_tagging_a_pointer_adds_to_what_travelled(x: torch.Tensor, bob: Worker) -> None:
    p = x.tag("#a").send(bob)
    p.tag("#b")
    assert len(bob.search(["#a", "#b"])) == 1
    assert x.tags == {"#a"}


def test_tagging_a_result_reaches_the_worker(x: torch.Tensor, bob: Worker) -> None:
    p = x.send(bob)
    q = (p + p).tag("#sum")
    (found,) = bob.search("#sum")
    assert found.tolist() == [2, 4]
    assert q.get().tags == {"#sum"}


def test_a_description_prints_its_first_line(x: torch.Tensor, bob: Worker) -> None:
    x.describe("first\nsecond")
    assert "\tDescription: first..." in repr(x)
    assert "second" not in repr(x)
    p = x.send(bob)
    assert "\tDescription: first..." in repr(p)
    assert "second" not in repr(p)


def test_tags_die_with_their_tensor(hook: sy.TorchHook) -> None:
    for i in range(50):
        x = torch.tensor([i])
        assert x.tags is None
        x.tag(f"#{i}")
