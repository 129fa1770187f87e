"""A served worker of this process, with real connections: what its owner offers, to whom, and within which limits."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.core import messages as m
from syft.exceptions import (
    CommandNotPermittedError,
    ConnectionLost,
    GetNotPermittedError,
    GetPendingError,
    LimitExceededError,
    ObjectNotFoundError,
    RequestTimeoutError,
    UsageError,
    WorkerConflictError,
)
from syft.workers.access import Access
from syft.workers.limits import WorkerLimits
from tests.network.conftest import Connect, Serve

# --- what is posted ----------------------------------------------------------------------------------


def test_a_failed_command_is_heard_of_where_its_result_is_asked_for(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.tensor([1.0, 2.0]).send(bob)
    wrong = x.view(7, 7)
    after = (wrong + 1) * 2
    assert (x + x).get().tolist() == [2, 4]
    with pytest.raises(RuntimeError, match="shape") as caught:
        after.get()
    assert "view" in "".join(caught.value.__notes__)
    assert (x * 3).get().tolist() == [3, 6]


def test_a_failed_command_without_result_is_heard_of_at_the_next_request(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.zeros(2).send(bob)
    x.add_(torch.ones(3).send(bob))
    with pytest.raises(RuntimeError, match="size of tensor"):
        x.get()
    assert x.get().tolist() == [0, 0], "the request that told of it was not carried out"


def test_sync_tells_of_results_that_nobody_asked_for(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.zeros(2).send(bob)
    lost = x.view(5)
    with pytest.raises(RuntimeError, match="shape"):
        bob.sync()
    bob.sync()
    del lost


def test_sync_does_not_tell_again_what_was_asked_about(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.zeros(2).send(bob)
    lost, also = x.view(5), x.view(7)
    with pytest.raises(RuntimeError, match=r"\[5\]"):
        lost.get()
    with pytest.raises(RuntimeError, match=r"\[7\]"):
        bob.sync()
    bob.sync()
    del also


def test_a_synchronous_client_hears_at_once(served: Serve, connect: Connect) -> None:
    bob = connect(served(), synchronous=True)
    x = torch.zeros(2).send(bob)
    with pytest.raises(RuntimeError, match="shape"):
        x.view(5)


def test_a_training_step_waits_three_times(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    data, target = torch.randn(4, 2).send(bob), torch.randn(4, 1).send(bob)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    waits: list[str] = []
    request = bob.request

    def counted(message: Any) -> Any:
        waits.append(getattr(message, "op", type(message).__name__))
        return request(message)

    bob.request = counted  # type: ignore[method-assign]
    for _ in range(3):
        waits.clear()
        model.send(bob)
        optimizer.zero_grad()
        ((model(data) - target) ** 2).sum().backward()
        optimizer.step()
        model.get()
    assert waits == ["Tensor.backward", "Take"]


def test_answers_can_be_awaited(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.arange(3.0).send(bob)

    async def fetch() -> list[Any]:
        await bob.async_sync()
        return await asyncio.gather(bob.async_get(x + 1), bob.async_get(x * 2))

    one, two = asyncio.run(fetch())
    assert one.tolist() == [1, 2, 3] and two.tolist() == [0, 2, 4]


def test_a_timeout_is_no_lost_connection(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.randn(600, 600).send(bob)
    for _ in range(60):
        x = x @ x
    bob.timeout = 0.05
    with pytest.raises(RequestTimeoutError, match=r"0\.05"):
        x.get()
    bob.timeout = None
    assert torch.zeros(1).send(bob).get().tolist() == [0]


# --- what its owner offers ---------------------------------------------------------------------------


def test_what_the_owner_offers_is_found_and_never_changed(served: Serve, connect: Connect) -> None:
    data = torch.arange(3.0).tag("#data")
    worker = served(data=[data])
    ana, ben = connect(worker), connect(worker)
    (found,) = ana.search("#data")
    found.add_(10)
    assert (found + 0).get().tolist() == [10, 11, 12]
    (other,) = ben.search("#data")
    assert (other + 0).get().tolist() == [0, 1, 2]
    assert data.tolist() == [0, 1, 2]


def test_memory_that_torch_did_not_allocate_is_offered_like_any_other(
    served: Serve, connect: Connect, tmp_path: Path
) -> None:
    torch.save(torch.tensor([1.0, 2.0]), tmp_path / "x.pt")
    data = [
        torch.load(tmp_path / "x.pt", weights_only=True),
        torch.from_numpy(np.array([1.0, 2.0], dtype="float32")),
        torch.frombuffer(bytearray(8), dtype=torch.float32) + torch.tensor([1.0, 2.0]),
        torch.tensor([1.0, 2.0]).share_memory_(),
    ]
    bob = connect(served(data=[x.tag("#x") for x in data]))
    for found in bob.search("#x"):
        found.mul_(2)
        assert (found + 1).get().tolist() == [3, 5]
        assert found.copy().get().tolist() == [2, 4]
    assert all(x.tolist() == [1, 2] for x in data)


def test_objects_left_for_others_are_found_until_their_sender_takes_them_back(served: Serve, connect: Connect) -> None:
    worker = served()
    ana, ben = connect(worker), connect(worker)
    mine = torch.tensor([7]).tag("#left").send(ana, garbage_collect_data=False)
    ana.sync()
    (found,) = ben.search("#left")
    ben.request(m.Forget((mine.id_at_location,)))
    assert found.copy().get().tolist() == [7], "nobody else deletes it"
    assert mine.get().tolist() == [7]
    assert ben.search("#left") == []


@pytest.mark.parametrize(
    ("rule", "what"),
    [({"run": "owner"}, CommandNotPermittedError), ({"take": "owner"}, GetNotPermittedError)],
)
def test_an_owner_may_keep_to_himself(
    rule: dict[str, str], what: type[Exception], served: Serve, connect: Connect
) -> None:
    bob = connect(served(data=[torch.tensor([5.0]).tag("#x")], access=Access.of(**rule)), synchronous=True)
    (x,) = bob.search("#x")
    with pytest.raises(what, match="owner"):
        x.get()


def test_what_may_not_be_searched_is_not_there(served: Serve, connect: Connect) -> None:
    data = torch.tensor([5.0]).tag("#x")
    bob = connect(served(data=[data], access=Access.of(search="ana")))
    assert bob.search("#x") == []
    with pytest.raises(ObjectNotFoundError):
        bob.request(m.Take((m.Ref(data.id),)))


def test_an_owner_decides_about_each_request(served: Serve, connect: Connect) -> None:
    worker = served(data=[torch.tensor([5.0]).tag("#x")], access=Access.of(take="ask"))
    bob = connect(worker)
    (x,) = bob.search("#x")
    for _ in range(2):
        with pytest.raises(GetPendingError, match="#0"):
            x.get(user="ana", reason="a study")
    (request,) = worker.requests
    assert (request.user, request.reason, request.state) == ("ana", "a study", "pending")
    request.reject()
    with pytest.raises(GetNotPermittedError, match="refused"):
        x.get(user="ana")
    request.accept()
    assert x.get(user="ana").tolist() == [5]
    with pytest.raises(GetPendingError, match="#1"):
        bob.search("#x")[0].get(user="ben")
    with pytest.raises(CommandNotPermittedError, match="owner"):
        bob.requests[0].accept()


def test_what_may_not_be_fetched_is_not_given_out_by_an_aggregation(served: Serve, connect: Connect) -> None:
    bob = connect(served(data=[torch.ones(2).tag("#x")], access=Access.of(take="owner")))
    (x,) = bob.search("#x")
    computed, mine = x * 2, torch.zeros(2).send(bob)
    terms = {"threshold": 2, "bits": 64, "fraction_bits": 24, "max_norm": None}
    for pointer in (x, computed):
        loss = torch.ones(1).send(bob)
        model = {"trained": [pointer.id_at_location], "places": None, "start": [mine.id_at_location], "config": None}
        model |= {"weight": 1, "loss": loss.id_at_location}
        with pytest.raises(GetNotPermittedError, match="does not give object"):
            bob.ask("aggregation", "remember", [pointer.id_at_location])
        with pytest.raises(GetNotPermittedError, match="does not give object"):
            bob.ask("aggregation", "advertise", b"one", "bob", terms, model)


def test_lists_never_show_values(served: Serve, connect: Connect) -> None:
    worker = served(data=[torch.tensor([4242.0]).tag("#x")])
    bob = connect(worker)
    there = torch.tensor([5353.0]).send(bob)
    text = bob.list_objects_remote() + worker.list_objects()
    assert "4242" not in text and "5353" not in text
    assert str(there.id_at_location) in text and "#x" in text and "float32" in text
    assert bob.objects_count_remote() == 1
    bob.clear_objects_remote()
    assert bob.objects_count_remote() == 0 and worker.objects_count() == 1


# --- limits ------------------------------------------------------------------------------------------


def test_huge_results_are_refused_and_nothing_breaks(served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(result_bytes=1 << 20)), synchronous=True)
    x = torch.ones(3).send(bob)
    for grow in (lambda: x.repeat(10**9), lambda: x.expand(10**9, 3).contiguous(), lambda: x.new_zeros(10**12)):
        with pytest.raises(LimitExceededError):
            grow()
    assert (x + 1).get().tolist() == [2, 2, 2]


def test_a_client_holds_no_more_than_it_may(served: Serve, connect: Connect) -> None:
    worker = served(limits=WorkerLimits(stored_bytes=1 << 16))
    ana, ben = connect(worker, synchronous=True), connect(worker, synchronous=True)
    kept = [torch.zeros(1 << 12).send(ana) for _ in range(4)]
    with pytest.raises(LimitExceededError, match="65536"):
        torch.zeros(1 << 12).send(ana)
    view = kept[0].view(64, 64)
    assert torch.zeros(1 << 12).send(ben).get().shape == (1 << 12,), "others are not affected"
    del kept, view
    assert torch.zeros(1 << 12).send(ana).get().shape == (1 << 12,)


def test_a_message_that_is_too_long_ends_the_connection_with_the_reason(served: Serve, connect: Connect) -> None:
    bob = connect(served(limits=WorkerLimits(message_bytes=1 << 20)))
    with pytest.raises(ConnectionLost, match="1048576"):
        torch.zeros(1 << 20).send(bob).get()


def test_large_tensors_come_and_go_in_pieces(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.randn(3_000_000)
    assert torch.equal(x.send(bob).get(), x)
    big = torch.randn(6_000_000)  # beyond half the window: its own memory is sent
    assert torch.equal(big.send(bob).get(), big)


# --- connections -------------------------------------------------------------------------------------


def test_objects_survive_closing_and_connecting(served: Serve, connect: Connect) -> None:
    bob = connect(served())
    x = torch.tensor([3]).send(bob)
    bob.close()
    with pytest.raises(ConnectionLost, match="connect"):
        x.get()
    assert bob.connect() is True
    assert x.get().tolist() == [3]


def test_objects_of_a_client_that_left_are_freed(served: Serve, connect: Connect) -> None:
    worker = served()
    bob = connect(worker)
    x = torch.tensor([3]).send(bob)
    bob.sync()
    bob.close(end=True)
    assert bob.connect() is False
    with pytest.raises(ObjectNotFoundError):
        x.get()


def test_another_worker_at_the_address_is_noticed(served: Serve, connect: Connect) -> None:
    with pytest.raises(WorkerConflictError, match="'bob', not 'alice'"):
        connect(served("bob"), id="alice")


def test_an_open_address_needs_tls_and_tokens(hook: sy.TorchHook) -> None:
    with pytest.raises(UsageError, match="TLS and tokens") as caught:
        sy.WebsocketServerWorker(hook, "0.0.0.0", 0, id="open", auto_add=False)
    assert "syft worker cert" in str(caught.value) and "--insecure" in str(caught.value)
    sy.WebsocketServerWorker(hook, "0.0.0.0", 0, id="open", auto_add=False, insecure=True)


def test_half_a_certificate_is_an_error(hook: sy.TorchHook) -> None:
    with pytest.raises(UsageError, match="both"):
        sy.WebsocketServerWorker(hook, "localhost", 0, id="half", auto_add=False, cert_path="cert.pem")


def test_a_worker_does_not_connect_wherever_a_client_says(served: Serve, connect: Connect) -> None:
    bob = connect(served(dial="none"))
    with pytest.raises(CommandNotPermittedError, match="does not connect"):
        bob.ask("session", "meet", "evil", "ws://127.0.0.1:1", bytes(48))
    other = connect(served("carl"))
    with pytest.raises(CommandNotPermittedError, match=r"192\.0\.2\.1"):
        other.ask("session", "meet", "evil", "ws://192.0.2.1:1", bytes(48))


# --- what is written down ----------------------------------------------------------------------------


def test_the_audit_log_tells_what_was_refused_and_revealed_without_values(
    served: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "syft.audit"):
        bob = connect(served(data=[torch.tensor([4242.0]).tag("#x")], access=Access.of(run="owner")), synchronous=True)
        (x,) = bob.search("#x")
        with pytest.raises(CommandNotPermittedError):
            x + 1
        torch.tensor([4242.0]).send(bob).get(reason="curious")
    lines = [json.loads(r.message) for r in caplog.records if r.name == "syft.audit"]
    assert [line["event"] for line in lines] == ["let in", "refused", "revealed"]
    assert lines[1]["what"] == "Tensor.add" and lines[2]["reason"] == "curious"
    assert "4242" not in caplog.text


def test_traffic_is_counted_by_kind(served: Serve, connect: Connect) -> None:
    worker = served()
    bob = connect(worker)
    x = torch.zeros(1000).send(bob)
    (x + x).get()
    out, there = bob.traffic.by_kind(), worker.traffic.by_kind()
    assert out["Put"].messages_out == out["Command"].messages_out == out["Take"].messages_out == 1
    assert 4000 < out["Put"].bytes_out < 4300 and 4000 < out["list"].bytes_in < 4300
    for kind in ("Put", "Command", "Take"):
        assert there[kind].messages_in == 1 and there[kind].bytes_in == out[kind].bytes_out
