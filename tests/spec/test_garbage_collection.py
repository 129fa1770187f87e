"""A remote object lives as long as the pointer that owns it."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
import torch

import syft as sy

Worker = sy.VirtualWorker


@pytest.fixture(autouse=True)
def without_the_cycle_collector() -> Any:
    """Reference counting alone must do it."""
    gc.disable()
    yield
    gc.enable()


def test_del_removes_at_once(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    del p
    assert bob._objects == {}


def test_rebinding_removes(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    first = p.id_at_location
    p = p + 1
    assert first not in bob._objects
    assert len(bob._objects) == 1


def test_leaving_a_function_removes(bob: Worker) -> None:
    def work() -> None:
        p = torch.tensor([1]).send(bob)
        (p + p).sum()

    work()
    assert bob._objects == {}


def test_an_unused_result_is_removed(bob: Worker) -> None:
    torch.tensor([1]).send(bob)
    assert bob._objects == {}


def test_two_names_for_one_pointer(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    q = p
    del p
    assert len(bob._objects) == 1
    del q
    assert bob._objects == {}


def test_a_bare_pointer_keeps_the_object(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    bare = p.child
    del p
    assert len(bob._objects) == 1
    del bare
    assert bob._objects == {}


def test_intermediates_go_as_they_are_used_up(bob: Worker) -> None:
    p = torch.tensor([1.0]).send(bob)
    q = (p + p) * 2 + 1
    assert sorted(bob._objects) == sorted([p.id_at_location, q.id_at_location])


def test_after_an_error_nothing_stays(bob: Worker) -> None:
    p = torch.tensor([1.0, 2.0]).send(bob)
    with pytest.raises(RuntimeError):
        (p + p).view(7)
    assert list(bob._objects) == [p.id_at_location]


SWITCHES: dict[str, Any] = {
    "gc": lambda p: setattr(p, "gc", False), "garbage_collection": lambda p: setattr(p, "garbage_collection", False),
    "disable_gc": lambda p: p.disable_gc, "child.gc": lambda p: setattr(p.child, "gc", False),
    "child.garbage_collect_data": lambda p: setattr(p.child, "garbage_collect_data", False),
}  # fmt: skip


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES.keys())
def test_collection_can_be_switched_off(bob: Worker, switch: Any) -> None:
    p = torch.tensor([1]).send(bob)
    assert p.gc is True
    switch(p)
    assert p.gc is False
    assert p.garbage_collection is False
    del p
    assert len(bob._objects) == 1


def test_collection_can_be_switched_on_again(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob, garbage_collect_data=False)
    p.gc = True
    del p
    assert bob._objects == {}


def test_disable_gc_gives_the_pointer(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert p.disable_gc is p
    assert p.child.disable_gc is p.child


def test_attribute_pointers_delete_nothing(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    w.sum().backward()
    g, d = w.grad, w.data
    assert g.gc is False
    del g, d
    assert w.get().grad.tolist() == [1.0]


def test_deleting_a_pointer_to_a_pointer_deletes_both_ends(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    pp = p.send(alice)
    del p
    assert len(bob._objects) == len(alice._objects) == 1
    del pp
    assert bob._objects == alice._objects == {}


def test_search_results_delete_nothing(bob: Worker, me: Any) -> None:
    p = torch.tensor([1]).tag("#a").send(bob)
    found = me.request_search("#a", location=bob)
    assert [f.gc for f in found] == [False]
    del found
    assert p.get().tolist() == [1]


def test_a_search_result_that_is_sent_on_deletes_nothing(workers: list[Worker], me: Any) -> None:
    bob, alice, _ = workers
    bob.load_data([torch.tensor([1]).tag("#a")])
    for place in (alice, bob):
        (found,) = me.request_search("#a", location=bob)
        sent_on = found.send(place)
        del sent_on, found
        assert [t.tolist() for t in bob.search("#a")] == [[1]]
    assert alice._objects == {}


def test_a_search_result_that_is_sent_on_and_fetched_deletes_nothing(bob: Worker, alice: Worker, me: Any) -> None:
    bob.load_data([torch.tensor([1]).tag("#a")])
    (found,) = me.request_search("#a", location=bob)
    back = found.send(alice).get()
    del back, found
    assert [t.tolist() for t in bob.search("#a")] == [[1]]


def test_data_sent_without_collection_survive_pointers_to_pointers(bob: Worker, alice: Worker) -> None:
    pp = torch.tensor([1]).send(bob, garbage_collect_data=False).send(alice)
    del pp
    assert alice._objects == {}
    assert len(bob._objects) == 1


def test_results_computed_from_search_results_are_mine(bob: Worker, me: Any) -> None:
    p = torch.tensor([1]).tag("#a").send(bob)
    (found,) = me.request_search("#a", location=bob)
    q = found + 1
    assert q.gc is True
    del q
    assert list(bob._objects) == [p.id_at_location]


def test_a_chain_over_a_pointer_owns_the_data(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    chain = sy.LoggingTensor().on(p)
    del p
    assert len(bob._objects) == 1
    del chain
    assert bob._objects == {}


def test_after_get_nothing_is_left_to_delete(bob: Worker) -> None:
    x = torch.tensor([1])
    p = x.send(bob)
    p.get()
    q = x.send(bob)
    del p
    assert q.get().tolist() == [1]


def test_clones_own_what_they_point_to(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    c = p.clone()
    assert c.get().tolist() == [1]
    assert p.copy().get().tolist() == [1]
    del p, c
    assert bob._objects == {}


def test_deleting_what_is_gone_is_silent(bob: Worker, capfd: pytest.CaptureFixture[str]) -> None:
    p = torch.tensor([1]).send(bob)
    bob.clear_objects()
    del p
    assert capfd.readouterr() == ("", "")


def test_a_tuple_of_results_goes_one_by_one(bob: Worker) -> None:
    p = torch.arange(4).send(bob)
    parts = p.split(1)
    assert len(bob._objects) == 5
    parts.pop()
    assert len(bob._objects) == 4
    del parts
    assert len(bob._objects) == 1


def test_in_place_ops_own_nothing_new(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    p.add_(1)
    p += 1
    assert len(bob._objects) == 1
    del p
    assert bob._objects == {}


def test_deserialized_pointers_do_not_own(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    again = sy.serde.deserialize(sy.serde.serialize(p))
    assert again.gc is False
    del again
    assert p.get().tolist() == [1]


def test_a_serialized_pointer_goes_on_owning(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    sy.serde.serialize(p)
    assert p.gc is True
    del p
    assert bob._objects == {}


def test_pointers_may_die_in_any_thread(bob: Worker) -> None:
    pointers = [torch.tensor([i]).send(bob) for i in range(200)]

    def drop() -> None:
        while True:
            try:
                pointers.pop()
            except IndexError:
                return

    threads = [threading.Thread(target=drop) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert bob._objects == {}


def test_cycles_are_collected(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    cycle: list[Any] = [p]
    cycle.append(cycle)
    del p, cycle
    gc.collect()
    assert bob._objects == {}


@pytest.mark.parametrize("wire", [False, True])
def test_pointers_may_live_until_the_interpreter_ends(run_script: Any, wire: bool) -> None:
    source = (
        "import syft as sy, torch\n"
        "hook = sy.TorchHook(torch)\n"
        f"bob, alice = (sy.VirtualWorker(hook, id=i, wire={wire}) for i in ('bob', 'alice'))\n"
        "p = torch.tensor([1.0]).send(bob)\n"
        "q = p + p\n"
        "pp = q.send(alice)\n"
        "m = torch.tensor([1]).send(bob, alice)\n"
        "net = torch.nn.Linear(1, 1).send(bob)\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        self.p.gc\n"
        "late = Late(); late.p = p + 1; late.self = late\n"
        "print('end')\n"
    )
    assert run_script(source) == "end\n"


def test_a_search_result_that_is_sent_on_and_moved_deletes_nothing(workers: list[Worker], me: Any) -> None:
    bob, alice, james = workers
    bob.load_data([torch.tensor([1]).tag("#a")])
    (found,) = me.request_search("#a", location=bob)
    sent_on = found.send(alice)
    sent_on.move(james)
    del sent_on, found
    assert alice._objects == james._objects == {}
    assert [t.tolist() for t in bob.search("#a")] == [[1]]
