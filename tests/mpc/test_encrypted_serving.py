"""Shared models that a worker serves: it drives the protocol for its clients, whoever these are."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.core.messages import Put, Ref, Take
from syft.exceptions import (
    AuthenticationError,
    CommandNotPermittedError,
    ModelNotFoundError,
    ModelPermissionError,
    ObjectNotFoundError,
    PlanArgumentError,
    UsageError,
)
from syft.workers.session import Session
from tests.network.serving import Serve, served

__all__ = ["served"]

NAMES = ("alice", "bob", "james", "gus")
DIGITS = {"base": 2, "precision_fractional": 16}
X = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5], [0.0, 3.0, 1.0]])

Client = list[Any]
Join = Callable[..., Client]


class Net(sy.Plan):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: Any) -> Any:
        return self.layers(x)


@pytest.fixture
def net() -> Net:
    plan = Net()
    plan.build(torch.zeros(1, 3))
    return plan


@pytest.fixture
def virtual(hook: sy.TorchHook, me: Any) -> Iterator[Client]:
    """Alice, bob, james and gus in this process."""
    known = dict(me._known_workers)
    for name in NAMES:
        me._known_workers.pop(name, None)
    yield [sy.VirtualWorker(hook, id=name) for name in NAMES]
    me._known_workers.clear()
    me._known_workers.update(known)


@pytest.fixture
def join(hook: sy.TorchHook, me: Any) -> Iterator[Join]:
    """Connect to workers, each time as another client."""
    known, clients = dict(me._known_workers), []

    def connect(ports: list[int]) -> Client:
        for name in NAMES:
            me._known_workers.pop(name, None)
        client = [sy.WebsocketClientWorker(hook, "127.0.0.1", port) for port in ports]
        clients.append(client)
        return client

    yield connect
    for client in clients:
        leave(client)
    me._known_workers.clear()
    me._known_workers.update(known)


@pytest.fixture
def ports(served: Serve) -> list[int]:
    """Of alice, bob, james and gus, who are served by this process."""
    return [served(name).port for name in NAMES]


@pytest.fixture
def processes(serve: Callable[[str], int]) -> list[int]:
    """Of the same, who are in other processes; alice is not in that of bob."""
    return [serve(name) for name in NAMES]


def leave(client: Client) -> None:
    for worker in client:
        worker.close(end=True)


def share(tensor: Any, client: Client) -> Any:
    return tensor.fix_precision(**DIGITS).share(client[0], client[1], crypto_provider=client[2])


def host(net: Net, client: Client, **allowed: Any) -> torch.Tensor:
    """Share a model and have gus serve it; what it says about X."""
    expected = net(X).detach()
    share(net, client)
    client[3].serve_model(net, "m", mpc=True, allow_remote_inference=True, **allowed)
    return expected


def ask(client: Client, data: Any) -> Any:
    return client[3].run_remote_inference("m", data)


def close(result: Any, expected: torch.Tensor) -> bool:
    return torch.allclose(result.get().float_precision(), expected, atol=1e-3)


def speak_for(me: Any, client: Client) -> None:
    """Two clients in one process: pointers that arrive belong to this one from now on."""
    me._known_workers.update({worker.id: worker for worker in client})


def objects(client: Client) -> list[int]:
    return [worker.objects_count_remote() for worker in client]


# --- in one process -------------------------------------------------------------------------------


def test_a_shared_answer_for_shared_data(net: Net, virtual: Client) -> None:
    expected = host(net, virtual)
    secret = share(X, virtual)
    answer = ask(virtual, secret)
    assert [place.id for place in answer.child.mentioned_workers()] == ["alice", "bob", "james"]
    assert close(answer, expected)
    assert close(secret, X), "the data are the client's as before"


def test_the_hosting_worker_sees_no_share(net: Net, virtual: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gus stores are descriptions, and nobody ever sends gus, or fetches for it, a share."""
    fetched: list[Any] = []
    original = sy.VirtualWorker.request

    def request(self: Any, message: Any) -> Any:
        if type(message) is Take:
            fetched.append(self.id)
        return original(self, message)

    expected = host(net, virtual)
    monkeypatch.setattr(sy.VirtualWorker, "request", request)
    answer = ask(virtual, share(X, virtual))
    assert set(fetched) == {"gus"}  # the description of the answer, by the client
    monkeypatch.undo()
    assert close(answer, expected)
    (hosted,) = virtual[3].service("models")._models["m"]
    assert hosted.model.is_shared
    assert all(pointer.location is not virtual[3] for pointer in hosted.model.owned_pointers())


def test_shares_of_a_model_live_as_long_as_it_is_hosted(net: Net, virtual: Client) -> None:
    gc.collect()
    expected = host(net, virtual, allow_download=True)
    net.decrypt()
    held = [len(worker._objects) for worker in virtual]
    assert held == [4, 4, 0, 0]
    for _ in range(2):
        assert close(ask(virtual, share(X, virtual)), expected)
    copy = virtual[3].download_model("m")
    virtual[3].delete_model("m")
    assert close(copy(share(X, virtual)), expected)
    del copy
    gc.collect()
    assert [len(worker._objects) for worker in virtual] == [0, 0, 0, 0]


def test_results_may_be_nested_and_be_the_data_themselves(virtual: Client) -> None:
    @sy.func2plan(args_shape=[(-1, 3)], state=(torch.tensor([1.0, 2.0, 3.0]),))
    def parts(x: Any, state: Any) -> Any:
        (weights,) = state.read()
        return {"same": x, "weights": weights, "products": [x * weights, x.shape[0]]}

    share(parts, virtual)
    virtual[3].serve_model(parts, "m", allow_remote_inference=True)
    for _ in range(2):
        answer = ask(virtual, share(X, virtual))
        assert answer["products"][1] == 3
        assert close(answer["same"], X)
        assert close(answer["weights"], torch.tensor([1.0, 2.0, 3.0]))
        assert close(answer["products"][0], X * torch.tensor([1.0, 2.0, 3.0]))


def test_a_plain_model_answers_shared_data(net: Net, virtual: Client) -> None:
    virtual[3].serve_model(net, "m", allow_remote_inference=True)
    assert close(ask(virtual, share(X, virtual)), net(X).detach())


def test_what_is_not_shared_is_not_hosted_as_if_it_were(net: Net, virtual: Client) -> None:
    with pytest.raises(UsageError, match="a plan whose state is shared"):
        virtual[3].serve_model(net, "m", mpc=True)
    with pytest.raises(UsageError, match="a plan whose state is shared"):
        virtual[3].serve_model(nn.Linear(3, 2), "m", mpc=True, example=X)
    assert virtual[3].models == []


# --- several clients ------------------------------------------------------------------------------


@pytest.mark.network
def test_another_client_gets_shared_answers(net: Net, ports: list[int], join: Join, me: Any) -> None:
    owner = join(ports)
    expected = host(net, owner, allow_download=True)
    client = join(ports)
    secret = share(X, client)
    for _ in range(2):
        assert close(ask(client, secret), expected)
    assert close(secret, X)
    speak_for(me, owner)
    assert close(ask(owner, share(X, owner)), expected)
    gc.collect()
    assert objects(client) == [0, 0, 0, 0], "nothing of the computation is left with the client"
    assert objects(owner)[:2] == [8, 8], "nor with the owner of the model: there are two copies of it"
    speak_for(me, client)
    with pytest.raises(ModelPermissionError, match="its shares are in the sessions of the client that hosted it"):
        client[3].download_model("m")


@pytest.mark.network
def test_data_that_do_not_fit_the_model_are_refused(net: Net, ports: list[int], join: Join) -> None:
    host(net, join(ports))
    client = join(ports)
    with pytest.raises(PlanArgumentError, match="shared among alice, bob, james, and the data among alice, bob, gus"):
        ask(client, X.fix_precision(**DIGITS).share(client[0], client[1], crypto_provider=client[3]))
    with pytest.raises(PlanArgumentError, match="the data among nobody"):
        ask(client, X)


@pytest.mark.network
def test_a_model_whose_owner_has_left_says_so(net: Net, ports: list[int], join: Join) -> None:
    owner = join(ports)
    host(net, owner)
    client = join(ports)
    secret = share(X, client)
    ask(client, secret)
    leave(owner)
    time.sleep(0.2)
    with pytest.raises(ModelNotFoundError, match="whoever hosted it has left"):
        ask(client, secret)


@pytest.mark.network
def test_data_that_a_holder_has_yet_to_store_are_waited_for(
    net: Net, ports: list[int], join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = join(ports)
    expected = host(net, client)
    assert close(ask(client, share(X, client)), expected)  # all have met
    store = Session._stored

    def slowly(self: Session, *args: Any) -> Any:
        time.sleep(0.1 if self.id == "alice" else 0)
        return store(self, *args)

    monkeypatch.setattr(Session, "_stored", slowly)
    assert close(ask(client, share(X, client)), expected)


@pytest.mark.network
def test_a_tensor_is_handed_over_only_by_invitation(ports: list[int], join: Join) -> None:
    alice, other = join(ports)[0], join(ports)[0]
    tensor = torch.tensor([1.0, 2.0]).send(alice)
    id = tensor.child.id_at_location
    invitation = other.ask("session", "invite")
    with pytest.raises(AuthenticationError, match="unknown, was used, or has expired"):
        alice.ask("session", "give", [id], invitation[:-1] + bytes([invitation[-1] ^ 1]))
    with pytest.raises(ObjectNotFoundError):
        other.request(Take((Ref(id),)))
    alice.ask("session", "give", [id], invitation)
    assert other.request(Take((Ref(id),)))[0].tolist() == [1.0, 2.0]
    with pytest.raises(ObjectNotFoundError):
        alice.request(Take((Ref(id),)))
    with pytest.raises(AuthenticationError):
        alice.ask("session", "give", [], invitation)  # it is good once


@pytest.mark.network
def test_nothing_is_replaced_by_what_is_handed_over(ports: list[int], join: Join) -> None:
    alice, other = join(ports)[0], join(ports)[0]
    tensor, taken = torch.ones(1).send(alice), torch.zeros(1).send(other)
    with pytest.raises(ObjectNotFoundError):  # somebody else's
        alice.ask("session", "give", [taken.child.id_at_location], other.ask("session", "invite"))
    private = torch.ones(1).private_tensor(allowed_users=("ann",)).send(alice, user="ann")
    with pytest.raises(CommandNotPermittedError, match="only plain tensors"):
        alice.ask("session", "give", [private.child.id_at_location], other.ask("session", "invite"))
    same = tensor.child.id_at_location
    other.request(Put(((same, torch.full((1,), 7.0)),)))
    with pytest.raises(CommandNotPermittedError, match="an id that is free there"):
        alice.ask("session", "give", [same], other.ask("session", "invite"))
    assert other.request(Take((Ref(same),)))[0].item() == 7.0
    assert tensor.get().item() == 1.0


# --- over processes -------------------------------------------------------------------------------


@pytest.mark.network
def test_real_workers_serve_a_shared_model(net: Net, processes: list[int], join: Join, me: Any) -> None:
    owner = join(processes)
    expected = host(net, owner)
    assert close(ask(owner, share(X, owner)), expected)
    client = join(processes)
    secret = share(X, client)
    for _ in range(3):
        answer = ask(client, secret)
        assert answer.child.mentioned_workers() == client[:3]
        assert close(answer, expected)
    speak_for(me, owner)
    remote = net.send(owner[1])  # and a holder drives
    assert close(remote(share(X, owner)).get(), expected)
    owner[3].delete_model("m")
    assert client[3].models == []
