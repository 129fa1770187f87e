"""The object store of a worker, and how its objects are found."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import ObjectNotFoundError

Worker = sy.VirtualWorker


def test_objects_is_a_live_dict_in_insertion_order(bob: Worker) -> None:
    objects = bob._objects
    assert objects == {}
    assert isinstance(objects, dict)
    p, q = torch.tensor([1]).send(bob), torch.tensor([2]).send(bob)
    assert list(objects) == [p.id_at_location, q.id_at_location]
    assert repr(objects) == f"{{{p.id_at_location}: tensor([1]), {q.id_at_location}: tensor([2])}}"


def test_objects_can_be_assigned(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    bob._objects = {}
    assert str(bob) == "<VirtualWorker id:bob #objects:0>"
    with pytest.raises(ObjectNotFoundError):
        p.get()
    q = torch.tensor([2]).send(bob)
    assert list(bob._objects) == [q.id_at_location]


def test_current_objects_is_a_shallow_copy(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    copied = bob.current_objects()
    assert copied == bob._objects
    assert copied[p.id_at_location] is bob._objects[p.id_at_location]
    copied.clear()
    assert len(bob._objects) == 1


def test_set_obj_stores_under_the_object_s_id(bob: Worker) -> None:
    x = torch.tensor([1]).tag("#x")
    bob.set_obj(x)
    assert bob._objects[x.id] is x
    assert bob.search("#x") == [x]


def test_register_obj_stores_under_a_chosen_id(bob: Worker) -> None:
    x = torch.tensor([1])
    bob.register_obj(x, "weights")
    assert bob.get_obj("weights") is x
    assert x.id == "weights"
    y = torch.tensor([2])
    bob.register_obj(y)
    assert bob.get_obj(y.id) is y


def test_get_obj_says_what_is_missing(bob: Worker) -> None:
    with pytest.raises(ObjectNotFoundError, match='Object "17" not found on worker'):
        bob.get_obj(17)


def test_looking_at_a_stored_pointer_deletes_nothing(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    pp = p.send(alice)
    seen = alice.get_obj(pp.id_at_location)
    assert seen.location == bob
    del seen
    assert pp.get().get().tolist() == [1, 2]


@pytest.mark.parametrize("remove", ["rm_obj", "force_rm_obj"])
def test_removing_by_id_is_silent_when_there_is_nothing(bob: Worker, remove: str) -> None:
    x = torch.tensor([1])
    bob.set_obj(x)
    getattr(bob, remove)(x.id)
    assert bob._objects == {}
    getattr(bob, remove)(x.id)


def test_de_register_obj_removes_by_object(bob: Worker) -> None:
    x = torch.tensor([1])
    bob.set_obj(x)
    bob.de_register_obj(x)
    assert bob._objects == {}
    bob.de_register_obj(x)


def test_clear_objects_returns_the_worker(bob: Worker) -> None:
    torch.tensor([1]).send(bob, garbage_collect_data=False)
    assert bob.clear_objects() is bob
    assert bob._objects == {}
    assert bob.clear_objects(return_self=False) is None


def test_find_by_id_gives_the_object_or_none(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert bob.find_by_id(p.id_at_location).tolist() == [1]
    assert bob.find_by_id(5) is None


def test_find_by_tag_gives_a_list(bob: Worker) -> None:
    p = torch.tensor([1]).tag("#a").send(bob)
    assert [t.tolist() for t in bob.find_by_tag("#a")] == [[1]]
    assert bob.find_by_tag("#b") == []
    assert p.location is bob


def test_load_data_stores_and_owns(bob: Worker) -> None:
    x = torch.tensor([1])
    bob.load_data([x])
    assert bob._objects == {x.id: x}
    assert x.owner == bob


def test_storing_under_a_taken_id_replaces(bob: Worker) -> None:
    first, second = torch.tensor([1]), torch.tensor([2])
    first.id = second.id = 11
    p = first.send(bob)
    q = second.send(bob, garbage_collect_data=False)
    assert list(bob._objects) == [11]
    assert q.copy().get().tolist() == [2]
    assert p.copy().get().tolist() == [2]


# --- search -----------------------------------------------------------------------------------------


@pytest.fixture
def lab(bob: Worker) -> Worker:
    """A worker with three tagged tensors and one without tags."""
    bob.load_data(
        [
            torch.tensor([1, 2]).tag("#a", "#b").describe("first of all"),
            torch.tensor([3]).tag("#a"),
            torch.tensor([4, 5, 6]).tag("#c"),
            torch.tensor([7]),
        ]
    )
    return bob


def found(objects: list[Any]) -> list[Any]:
    return [o.tolist() for o in objects]


def test_search_gives_the_objects_themselves(lab: Worker) -> None:
    (hit,) = lab.search("#b")
    assert hit is next(iter(lab._objects.values()))


def test_search_keeps_the_order_of_storing(lab: Worker) -> None:
    assert found(lab.search("#a")) == [[1, 2], [3]]


def test_every_term_must_match(lab: Worker) -> None:
    assert found(lab.search(["#a", "#b"])) == [[1, 2]]
    assert lab.search(["#a", "#c"]) == []


@pytest.mark.parametrize("query", [["nope", "#a"], ["#a", "nope"], "nope", ["nope"]])
def test_a_term_that_matches_nothing_finds_nothing(lab: Worker, query: Any) -> None:
    assert lab.search(query) == []


def test_an_empty_query_finds_every_tagged_object(lab: Worker) -> None:
    assert found(lab.search([])) == [[1, 2], [3], [4, 5, 6]]


def test_search_finds_by_id(lab: Worker) -> None:
    ids = list(lab._objects)
    assert found(lab.search(ids[0])) == [[1, 2]]
    assert found(lab.search([ids[2]])) == [[4, 5, 6]]
    assert found(lab.search([ids[0], "#b"])) == [[1, 2]]
    assert lab.search([ids[0], "#c"]) == []


def test_words_of_a_description_are_not_searched(lab: Worker) -> None:
    assert lab.search("first") == []
    assert lab.search("first of all") == []


def test_parts_of_a_tag_do_not_match(lab: Worker) -> None:
    assert lab.search("a") == []


def test_removed_objects_are_found_no_more(lab: Worker) -> None:
    lab.rm_obj(next(iter(lab._objects)))
    assert found(lab.search([])) == [[3], [4, 5, 6]]
    assert found(lab.search("#a")) == [[3]]
    lab.clear_objects()
    assert lab.search([]) == []


def test_request_search_gives_pointers(lab: Worker, me: Any) -> None:
    (hit,) = me.request_search(["#a", "#b"], location=lab)
    assert hit.is_wrapper
    assert hit.location == lab
    assert hit.owner is me
    assert hit.gc is False
    assert hit.tags == {"#a", "#b"}
    assert hit.description == "first of all"
    assert (hit + 1).get().tolist() == [2, 3]


def test_a_search_result_knows_its_shape_without_asking(lab: Worker, me: Any) -> None:
    (hit,) = me.request_search("#c", location=lab)
    lab.log_msgs = True
    assert hit.shape == (3,)
    assert lab.msg_history == []


def test_request_search_keeps_the_order(lab: Worker, me: Any) -> None:
    ids = list(lab._objects)
    assert [p.id_at_location for p in me.request_search("#a", location=lab)] == ids[:2]
    assert [p.id_at_location for p in me.request_search([], location=lab)] == ids[:3]
    assert [p.id_at_location for p in me.request_search(ids[3], location=lab)] == ids[3:]


def test_search_results_print_as_in_the_manual(lab: Worker, me: Any) -> None:
    (hit,) = me.request_search(["#c"], location=lab)
    text = f"(Wrapper)>[PointerTensor | me:{hit.id} -> bob:{hit.id_at_location}]\n\tTags: #c \n\tShape: torch.Size([3])"
    assert str(hit) == text


def test_find_or_request_asks_the_worker(lab: Worker, me: Any) -> None:
    assert [p.location for p in me.find_or_request("#c", location=lab)] == [lab]


def test_find_or_request_survives_a_local_tensor_with_the_tag(lab: Worker, me: Any) -> None:
    local = torch.tensor([9]).tag("#c")
    me.register_obj(local)
    hits = me.find_or_request("#c", location=lab)
    me.rm_obj(local.id)
    assert [p.get().tolist() for p in hits] == [[4, 5, 6]]


def test_the_example_of_the_manual(make_worker: Any) -> None:
    lab = make_worker("lab")
    torch.tensor([0, 1]).tag("#age").send(lab, garbage_collect_data=False)
    (stored,) = lab.search("#age")
    assert str(stored) == "tensor([0, 1])\n\tTags: #age \n\tShape: torch.Size([2])"
    (pointer,) = sy.local_worker.request_search(["#age"], location=lab)
    assert pointer.id_at_location == stored.id
