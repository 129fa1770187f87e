"""Workers: construction, text, registry, the local worker, messages and logs."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.core import messages as m
from syft.exceptions import ObjectNotFoundError, SyftError, WorkerNotFoundException

Worker = sy.VirtualWorker


class Special(sy.VirtualWorker):
    """A kind of worker of its own."""


# --- construction -----------------------------------------------------------------------------------


def test_the_id_is_zero_unless_given(hook: sy.TorchHook, make_worker: Any) -> None:
    assert sy.VirtualWorker(hook).id == 0


def test_the_hook_may_be_positional_or_a_keyword(hook: sy.TorchHook, make_worker: Any) -> None:
    assert sy.VirtualWorker(hook=hook, id="kong").id == "kong"


def test_the_hook_is_required(hook: sy.TorchHook) -> None:
    with pytest.raises(TypeError):
        sy.VirtualWorker(id="nobody")


def test_without_a_hook_a_worker_knows_only_itself(hook: sy.TorchHook) -> None:
    loner = sy.VirtualWorker(None, id="loner")
    assert loner._known_workers == {"loner": loner}
    assert loner.framework is None


def test_ids_may_be_numbers(make_worker: Any) -> None:
    seven = make_worker(7)
    assert (torch.tensor([1]).send(7) + 1).get().tolist() == [2]
    assert str(seven) == "<VirtualWorker id:7 #objects:0>"


def test_data_is_stored_and_owned_by_the_worker(make_worker: Any) -> None:
    x, y = torch.tensor([1, 2]), torch.tensor([3.0])
    worker = make_worker("lab", data=[x, y])
    assert list(worker._objects) == [x.id, y.id]
    assert worker._objects[x.id].owner == worker
    assert x.owner == worker


def test_ten_thousand_tensors_load_in_a_second(make_worker: Any) -> None:
    data = list(torch.zeros(10_000, 2).unbind())
    started = time.process_time()
    worker = make_worker("lab", data=data)
    assert time.process_time() - started < 1
    assert len(worker._objects) == 10_000


def test_a_worker_is_no_client_unless_told(make_worker: Any) -> None:
    assert make_worker("lab").is_client_worker is False
    assert make_worker("shop", is_client_worker=True).is_client_worker is True


def test_everybody_knows_everybody(bob: Worker, alice: Worker, me: Any) -> None:
    for worker in (bob, alice, me):
        assert {"me", "bob", "alice"} <= set(worker._known_workers)
        assert worker._known_workers[worker.id] == worker


def test_without_auto_add_nobody_knows_the_worker_until_it_is_used(make_worker: Any, me: Any) -> None:
    hermit = make_worker("hermit", auto_add=False)
    assert set(hermit._known_workers) == {"hermit"}
    assert "hermit" not in me._known_workers
    assert torch.tensor([1]).send(hermit).get().tolist() == [1]


def test_the_pending_time_is_slept_before_a_message(make_worker: Any) -> None:
    slow = make_worker("slow", message_pending_time=0.05)
    assert slow.message_pending_time == 0.05
    started = time.perf_counter()
    p = torch.tensor([1]).send(slow)
    assert time.perf_counter() - started >= 0.05
    slow.message_pending_time = 0
    assert slow.message_pending_time == 0
    assert (p + 1).get().tolist() == [2]


def test_the_classes_are_where_0_2_has_them(make_worker: Any) -> None:
    from syft.generic.object_storage import ObjectStorage
    from syft.workers.abstract import AbstractWorker
    from syft.workers.base import BaseWorker

    order = sy.VirtualWorker.__mro__
    assert issubclass(BaseWorker, AbstractWorker)
    assert order.index(BaseWorker) < order.index(ObjectStorage)


# --- text and items ---------------------------------------------------------------------------------


def test_the_text_counts_the_live_objects(bob: Worker) -> None:
    assert str(bob) == repr(bob) == "<VirtualWorker id:bob #objects:0>"
    p = torch.tensor([1]).send(bob)
    assert str(bob) == "<VirtualWorker id:bob #objects:1>"
    del p
    assert str(bob) == "<VirtualWorker id:bob #objects:0>"


def test_the_text_has_the_concrete_class(make_worker: Any) -> None:
    assert str(make_worker("s", Special)) == "<Special id:s #objects:0>"


def test_a_worker_is_indexed_by_object_ids(bob: Worker) -> None:
    p = torch.tensor([1, 2]).send(bob)
    assert bob[p.id_at_location].tolist() == [1, 2]
    assert bob[1] is None


# --- one id, several Python objects -----------------------------------------------------------------


def test_a_worker_made_again_shares_everything(bob: Worker, make_worker: Any) -> None:
    p = torch.tensor([1, 2]).send(bob)
    again = make_worker("bob")
    assert again is not bob
    assert again._objects is bob._objects
    assert again._known_workers is bob._known_workers
    assert again[p.id_at_location].tolist() == [1, 2]
    q = torch.tensor([3, 4]).send(again)
    assert (p + q).get().tolist() == [4, 6]


def test_workers_are_equal_by_id(bob: Worker, alice: Worker, make_worker: Any) -> None:
    again = make_worker("bob")
    p = torch.tensor([1]).send(bob)
    assert again == bob
    assert bob == p.location
    assert bob != alice
    assert len({bob, again}) == 1


def test_a_subclass_cannot_take_the_id_of_a_base_worker(bob: Worker, make_worker: Any) -> None:
    with pytest.raises(RuntimeError, match="Worker initialized with the same id and different types"):
        make_worker("bob", Special)


def test_a_base_worker_may_take_the_id_of_a_subclass(make_worker: Any) -> None:
    special = make_worker("special", Special)
    p = torch.tensor([1]).send(special)
    base = make_worker("special")
    assert base[p.id_at_location].tolist() == [1]


# --- registry ---------------------------------------------------------------------------------------


def test_get_worker_finds_by_id_bytes_and_instance(bob: Worker, me: Any) -> None:
    assert me.get_worker("bob") is bob
    assert me.get_worker(b"bob") is bob
    assert me.get_worker(bob) is bob
    assert bob.get_worker("bob") == bob


def test_get_worker_remembers_an_instance(make_worker: Any, me: Any) -> None:
    hermit = make_worker("hermit", auto_add=False)
    me.get_worker(hermit)
    assert me.get_worker("hermit") is hermit


def test_an_unknown_id_is_returned_with_a_warning(make_worker: Any, me: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert me.get_worker("nobody") == "nobody"
    assert "nobody" in caplog.text


def test_fail_hard_raises_for_an_unknown_id(make_worker: Any, me: Any) -> None:
    with pytest.raises(WorkerNotFoundException):
        me.get_worker("nobody", fail_hard=True)


def test_add_worker_returns_the_worker_and_warns_on_replacing(
    bob: Worker, me: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert me.add_worker(bob) is me
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        me.add_worker(sy.VirtualWorker(None, id="bob"))
    assert "bob" in caplog.text


def test_add_workers_adds_all(make_worker: Any, me: Any) -> None:
    hermits = [make_worker(name, auto_add=False) for name in ("h1", "h2")]
    assert me.add_workers(hermits) is me
    assert me.get_worker("h1") is hermits[0]
    assert me.get_worker("h2") is hermits[1]


def test_removing_a_worker_from_a_registry(bob: Worker, me: Any) -> None:
    assert me.remove_worker_from_registry("bob") is None
    assert "bob" not in me._known_workers


def test_removing_an_unknown_worker_is_a_key_error(make_worker: Any, me: Any) -> None:
    with pytest.raises(KeyError):
        me.remove_worker_from_registry("nobody")


def test_a_worker_removed_from_the_local_registry_starts_empty_again(bob: Worker, make_worker: Any) -> None:
    p = torch.tensor([1]).send(bob)
    bob.remove_worker_from_local_worker_registry()
    assert make_worker("bob")._objects == {}
    assert p.get().tolist() == [1]


def test_a_worker_s_id_is_as_good_as_the_worker(bob: Worker, alice: Worker) -> None:
    p = torch.tensor([1, 2]).send("bob")
    assert p.location is bob
    assert p.move("alice").location == alice
    assert nn.Linear(2, 1).send("bob").location is bob


def test_sending_to_an_unknown_id_says_so(make_worker: Any) -> None:
    with pytest.raises(WorkerNotFoundException, match="nobody"):
        torch.tensor([1]).send("nobody")
    with pytest.raises(WorkerNotFoundException, match="nobody"):
        nn.Linear(1, 1).send("nobody")


def test_moving_to_an_unknown_id_says_so_and_loses_nothing(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    with pytest.raises(WorkerNotFoundException, match="nobody"):
        p.move("nobody")
    assert p.get().tolist() == [1]


# --- the local worker -------------------------------------------------------------------------------


def test_tensors_belong_to_me(me: Any) -> None:
    assert torch.tensor([1]).owner is me
    assert torch.zeros(2).owner is me
    assert me == torch.zeros(2).owner


def test_pointers_belong_to_whoever_made_them(bob: Worker, alice: Worker, me: Any) -> None:
    assert torch.tensor([1]).send(bob).owner is me
    assert bob.send(torch.tensor([1]), alice).owner is bob


@pytest.mark.parametrize("client", [True, False])
def test_transfers_leave_nothing_in_me(bob: Worker, alice: Worker, me: Any, client: bool) -> None:
    me.is_client_worker = client
    held = dict(me._objects)
    p = torch.tensor([1.0, 2.0]).send(bob)
    q = (p + p).move(alice)
    pp = p.send(alice)
    q.get()
    pp.get().get()
    assert me._objects == held


@pytest.mark.parametrize("client", [True, False])
def test_pointers_collect_whatever_kind_of_client_i_am(bob: Worker, me: Any, client: bool) -> None:
    me.is_client_worker = client
    p = torch.tensor([1.0, 2.0]).send(bob)
    q = p + p
    del p, q
    assert bob._objects == {}


def test_tensors_can_be_sent_to_me(make_worker: Any, me: Any) -> None:
    x = torch.tensor([1, 2])
    p = x.send(me)
    assert str(p) == f"(Wrapper)>[PointerTensor | me:{p.id} -> me:{x.id}]"
    assert p.get().tolist() == [1, 2]
    me.rm_obj(x.id)


def test_commands_run_at_me_too(make_worker: Any, me: Any) -> None:
    p = torch.tensor([1, 2]).send(me)
    assert (p + p).get().tolist() == [2, 4]


@pytest.mark.parametrize("before", [True, False])
def test_registration_enabled_restores_the_flag(make_worker: Any, me: Any, before: bool) -> None:
    me.is_client_worker = before
    with me.registration_enabled():
        assert me.is_client_worker is False
    assert me.is_client_worker is before
    with pytest.raises(ZeroDivisionError), me.registration_enabled():
        raise ZeroDivisionError
    assert me.is_client_worker is before


# --- worker-level operations ------------------------------------------------------------------------


def test_worker_send_gives_a_bare_pointer(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2])
    p = me.send(x, bob, ptr_id=99)
    assert type(p) is sy.PointerTensor
    assert (p.id, p.id_at_location) == (99, x.id)
    assert me.send(x, bob).id != 99


def test_worker_send_can_leave_the_pointer_out(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2])
    assert me.send(x, bob, create_pointer=False) is None
    assert bob[x.id].tolist() == [1, 2]


def test_worker_send_can_leave_collection_out(bob: Worker, me: Any) -> None:
    me.send(torch.tensor([1, 2]), bob, garbage_collect_data=False)
    assert len(bob._objects) == 1


def test_worker_send_takes_one_worker(bob: Worker, alice: Worker, me: Any) -> None:
    with pytest.raises(NotImplementedError):
        me.send(torch.tensor([1]), [bob, alice])
    with pytest.raises(SyftError, match="Please provide workers to receive the data"):
        me.send(torch.tensor([1]), [])


def test_objects_are_sent_and_requested_by_id(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2])
    assert me.send_obj(x, bob) is None
    assert me.request_obj(x.id, bob).tolist() == [1, 2]
    assert bob._objects == {}
    with pytest.raises(ObjectNotFoundError):
        me.request_obj(x.id, bob)


def test_messages_go_in_and_come_out_as_bytes(bob: Worker, me: Any) -> None:
    x = torch.tensor([1, 2])
    bob.recv_msg(sy.serde.serialize(m.Put(((x.id, x),))))
    assert bob[x.id].tolist() == [1, 2]
    answer = bob.recv_msg(sy.serde.serialize(m.Take((m.Ref(x.id),))))
    assert isinstance(answer, bytes)
    (back,) = sy.serde.deserialize(answer, me)
    assert back.tolist() == [1, 2]


def test_an_error_is_an_answer_too(bob: Worker, me: Any) -> None:
    answer = sy.serde.deserialize(bob.recv_msg(sy.serde.serialize(m.Take((m.Ref(5),)))), me)
    assert isinstance(answer, m.Failure)
    assert answer.kind == "ObjectNotFoundError"


def test_send_msg_takes_messages_only(bob: Worker, me: Any) -> None:
    with pytest.raises(TypeError):
        me.send_msg("hello", bob)


def test_send_command_runs_a_named_op(bob: Worker, me: Any) -> None:
    p = torch.tensor([1, 2]).send(bob)
    q = me.send_command(bob, ("__add__", p.child, (p.child,), {}))
    assert type(q) is sy.PointerTensor
    assert q.get().tolist() == [2, 4]


def test_a_worker_says_whether_a_remote_tensor_is_there(bob: Worker, me: Any) -> None:
    p = torch.tensor([1, 2]).send(bob)
    assert me.request_is_remote_tensor_none(p.child) is False
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError):
        me.request_is_remote_tensor_none(p.child)


def test_a_worker_asks_for_a_remote_shape(bob: Worker, me: Any) -> None:
    p = torch.zeros(2, 3).send(bob)
    shape = me.request_remote_tensor_shape(p.child)
    assert type(shape) is torch.Size
    assert shape == (2, 3)
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError):
        me.request_remote_tensor_shape(p.child)


def test_tensors_can_be_made_at_a_worker(bob: Worker) -> None:
    p = bob.remote.torch.tensor([1, 2])
    assert p.location is bob
    assert p.is_wrapper
    assert bob.remote.torch.zeros(2, 3).get().tolist() == [[0.0] * 3] * 2
    for made in (bob.remote.torch.rand(2), bob.remote.torch.randn(2), bob.remote.torch.randint(0, 9, (2,))):
        assert made.get().shape == (2,)
    assert list(bob._objects) == [p.id_at_location]


def test_only_tensors_can_be_made_at_a_worker(bob: Worker) -> None:
    for name in ("save", "load", "add", "hub", "__class_getitem__"):
        with pytest.raises(AttributeError):
            getattr(bob.remote.torch, name)


# --- log and verbose --------------------------------------------------------------------------------


def test_a_logging_worker_keeps_its_messages_as_bytes(bob: Worker) -> None:
    bob.log_msgs = True
    p = torch.tensor([1, 2]).send(bob)
    (p + p).get()
    assert len(bob.msg_history) >= 3
    assert all(isinstance(entry, bytes) for entry in bob.msg_history)


def test_log_msgs_can_be_given_at_construction(make_worker: Any) -> None:
    lab = make_worker("lab", log_msgs=True)
    torch.tensor([1]).send(lab)
    assert type(lab._get_msg(0)) is m.Put


def test_a_quiet_worker_keeps_nothing(bob: Worker) -> None:
    torch.tensor([1, 2]).send(bob)
    assert bob.msg_history == []


def test_the_log_can_be_read_after_the_objects_are_gone(bob: Worker) -> None:
    bob.log_msgs = True
    p = torch.tensor([1, 2]).send(bob)
    del p
    bob.clear_objects()
    assert [type(bob._get_msg(i)) for i in range(len(bob.msg_history))] == [m.Put, m.Forget]


def test_reading_the_log_owns_nothing(bob: Worker, alice: Worker) -> None:
    alice.log_msgs = True
    p = torch.tensor([1, 2]).send(bob)
    pp = p.send(alice)
    for i in range(len(alice.msg_history)):
        alice._get_msg(i)
    assert pp.get().get().tolist() == [1, 2]


def test_a_verbose_local_worker_reports_every_message(
    bob: Worker, me: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    me.verbose = True
    try:
        with caplog.at_level(logging.INFO):
            p = torch.tensor([1, 2]).send(bob)
            (p + p).get()
    finally:
        me.verbose = False
    assert (caplog.text + capsys.readouterr().out).count("sending") >= 3


def test_a_verbose_receiver_does_not_stumble(bob: Worker, caplog: pytest.LogCaptureFixture) -> None:
    bob.verbose = True
    with caplog.at_level(logging.INFO):
        p = torch.tensor([1, 2]).send(bob)
        assert (p + p).get().tolist() == [2, 4]
        assert p.shape == (2,)
        del p
    assert caplog.text.count("received") >= 4
