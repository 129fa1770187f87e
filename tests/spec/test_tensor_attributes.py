"""What every tensor gains: ids, owners, children, tags, and the small methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import SyftError

Worker = sy.VirtualWorker


@pytest.fixture
def x(hook: sy.TorchHook) -> torch.Tensor:
    """A local tensor."""
    return torch.tensor([1.0, 2.0])


@pytest.fixture
def p(bob: Worker) -> Any:
    """A pointer to a tensor at bob."""
    return torch.tensor([1.0, 2.0]).send(bob)


def test_a_local_tensor_has_a_lasting_random_id(x: torch.Tensor) -> None:
    assert isinstance(x.id, int)
    assert x.id == x.id
    assert x.id != torch.tensor([1.0]).id


def test_the_id_of_a_local_tensor_can_be_set(x: torch.Tensor) -> None:
    x.id = 7
    assert x.id == 7
    x.id = "seven"
    assert x.id == "seven"


def test_the_id_of_a_wrapper_is_its_child_s(p: Any) -> None:
    assert p.id == p.child.id
    p.id = 12
    assert p.child.id == 12


def test_a_local_tensor_belongs_to_me_unless_set(x: torch.Tensor, me: Any, bob: Worker) -> None:
    assert x.owner is me
    x.owner = bob
    assert x.owner is bob


def test_a_wrapper_belongs_to_me(p: Any, me: Any) -> None:
    assert p.owner is me
    assert p.child.owner is me


def test_is_wrapper_tells_wrappers_from_plain_tensors(x: torch.Tensor, p: Any) -> None:
    assert x.is_wrapper is False
    assert p.is_wrapper is True


def test_only_wrappers_have_a_child(x: torch.Tensor, p: Any) -> None:
    with pytest.raises(AttributeError):
        x.child  # noqa: B018
    assert type(p.child) is sy.PointerTensor


def test_has_child_tells_the_same(x: torch.Tensor, p: Any) -> None:
    assert x.has_child() is False
    assert p.has_child() is True


def test_the_location_is_none_here_and_the_worker_there(x: torch.Tensor, p: Any, bob: Worker) -> None:
    assert x.location is None
    assert p.location is bob


def test_only_pointers_have_an_id_at_location(x: torch.Tensor, p: Any, bob: Worker) -> None:
    with pytest.raises(AttributeError):
        x.id_at_location  # noqa: B018
    assert [p.id_at_location] == list(bob._objects)


def test_tags_and_description_are_none_until_set(x: torch.Tensor) -> None:
    assert x.tags is None
    assert x.description is None
    x.tag("#a").describe("text")
    assert x.tags == {"#a"}
    assert x.description == "text"


def test_tags_and_description_of_a_wrapper_are_its_child_s(bob: Worker) -> None:
    p = torch.tensor([1]).tag("#a").describe("text").send(bob)
    assert p.tags == p.child.tags == {"#a"}
    assert p.description == p.child.description == "text"


def test_the_shape_of_a_wrapper_is_the_remote_shape(bob: Worker) -> None:
    assert torch.zeros(2, 3).send(bob).shape == torch.Size([2, 3])


def test_ptr_is_a_weak_reference_to_the_last_pointer(x: torch.Tensor, bob: Worker) -> None:
    assert x.ptr is None
    p = x.send(bob)
    assert x.ptr() is p.child
    del p
    assert x.ptr() is None


@pytest.mark.parametrize("name", ["gc", "garbage_collection", "disable_gc"])
def test_only_pointers_collect(x: torch.Tensor, p: Any, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(x, name)
    assert hasattr(p, name)


def test_metadata_do_not_travel_in_checkpoints(x: torch.Tensor, bob: Worker, tmp_path: Path) -> None:
    x.tag("#secret").owner = bob
    torch.save({"x": x}, tmp_path / "x.pt")
    back = torch.load(tmp_path / "x.pt", weights_only=True)["x"]
    assert back.tolist() == [1.0, 2.0]
    assert back.tags is None
    assert b"#secret" not in (tmp_path / "x.pt").read_bytes()


# --- methods ----------------------------------------------------------------------------------------


def test_on_puts_a_syft_tensor_under_the_wrapper_of_a_plain_one(x: torch.Tensor) -> None:
    logged = sy.LoggingTensor().on(x)
    assert logged.is_wrapper
    assert type(logged.child) is sy.LoggingTensor
    assert type(logged.child.child) is torch.Tensor
    assert str(logged) == "(Wrapper)>LoggingTensor>tensor([1., 2.])"


def test_on_puts_a_syft_tensor_under_the_wrapper_of_a_pointer(p: Any) -> None:
    logged = sy.LoggingTensor().on(p)
    assert str(logged) == f"(Wrapper)>LoggingTensor>{p.child}"


def test_on_without_wrap_gives_the_link(x: torch.Tensor) -> None:
    link = sy.LoggingTensor().on(x, wrap=False)
    assert type(link) is sy.LoggingTensor
    assert link.child.tolist() == [1.0, 2.0]


def test_tensor_on_takes_a_wrapped_link(x: torch.Tensor) -> None:
    logged = sy.LoggingTensor().on(x, wrap=False)
    assert logged.wrap().is_wrapper


def test_wrap_gives_any_syft_object_a_wrapper(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob, no_wrap=True)
    wrapped = p.wrap()
    assert isinstance(wrapped, torch.Tensor)
    assert wrapped.child is p
    assert p.wrap(register=False, type=torch.Tensor).is_wrapper


def test_only_torch_tensors_wrap(bob: Worker) -> None:
    with pytest.raises(SyftError):
        torch.tensor([1, 2]).send(bob, no_wrap=True).wrap(type=int)


def test_a_local_copy_has_a_new_id_and_no_tags(x: torch.Tensor) -> None:
    x.tag("#a")
    c = x.copy()
    assert c.tolist() == [1.0, 2.0]
    assert c.id != x.id
    assert c.tags is None
    c[0] = 5
    assert x[0] == 1


def test_a_remote_copy_is_another_remote_object(p: Any, bob: Worker) -> None:
    c = p.copy()
    assert c.id_at_location != p.id_at_location
    assert len(bob._objects) == 2
    c.add_(1)
    assert p.get().tolist() == [1.0, 2.0]
    assert c.get().tolist() == [2.0, 3.0]


def test_a_local_clone_drops_the_tags(x: torch.Tensor) -> None:
    c = x.tag("#a").clone()
    assert c.tags is None
    assert torch.equal(c, x)


def test_torch_type_names_the_type(x: torch.Tensor) -> None:
    assert x.torch_type() == "torch.FloatTensor"
    assert x.long().torch_type() == "torch.LongTensor"


def test_serialize_and_ser_give_bytes(x: torch.Tensor) -> None:
    for binary in (x.serialize(), x.ser()):
        assert isinstance(binary, bytes)
        assert sy.serde.deserialize(binary).tolist() == [1.0, 2.0]


def test_everybody_may_see_a_public_tensor(x: torch.Tensor, p: Any) -> None:
    assert x.allow("anybody") is True
    assert p.allow("anybody") is True
