"""`PaillierAggregation` in both trainers: what they compute, who sees what, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import syft as sy
from syft.core import messages as m
from syft.exceptions import AggregationError, FederatedError
from syft.federated import FedAvg, FederatedTrainer, PaillierAggregation
from syft.federated.secure.fixed_point import FixedPoint
from syft.federated.secure.key_holder import KeyHolderService
from syft.he.paillier.packed import Packing
from syft.he.paillier.tensor import CipherTensor
from tests.federated.secure.test_trainers import COUNTS, concurrent, data_of, distance, in_turn, network
from tests.he.paillier_keys import keys

pytestmark = pytest.mark.usefixtures("hook")


class Watched(sy.VirtualWorker):
    """A worker that keeps what it is sent, and what it answers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.seen: list[tuple[Any, Any]] = []
        super().__init__(*args, **kwargs)

    def request(self, message: Any) -> Any:
        """See `VirtualWorker`."""
        answer = super().request(message)
        self.seen.append((message, answer))
        return answer

    post = request


@pytest.fixture
def holder(hook: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A key holder whose keys need not be made anew for every test."""
    monkeypatch.setattr("syft.federated.secure.key_holder.keygen", lambda n_length: keys())
    return Watched(hook, id="holder", auto_add=False)


@pytest.fixture
def virtual(hook: sy.TorchHook) -> dict[str, Any]:
    workers = {name: Watched(hook, id=name, auto_add=False) for name in COUNTS}
    for name, worker in workers.items():
        worker.add_dataset(sy.BaseDataset(*data_of(name)), key="points")
    return workers


def strategy_with(holder: Any, **settings: Any) -> PaillierAggregation:
    return PaillierAggregation(holder, n_length=2048, **settings)


@pytest.mark.parametrize("make", [concurrent, in_turn])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_mean_is_that_of_models_in_the_open(
    virtual: dict[str, Any], holder: Any, make: Any, weighted: bool
) -> None:
    secret, plain = network(), network()
    record = make(virtual, strategy_with(holder, weighted=weighted), model=secret).fit(2)[-1]
    make(virtual, FedAvg(weighted=weighted), model=plain).fit(2)
    assert distance(secret, plain) < 1e-5
    assert set(record.clients) == set(COUNTS) and not record.lost
    assert record.together["samples" if weighted else "weight"] == (sum(COUNTS.values()) if weighted else 4)


def test_the_server_sees_ciphertexts_and_one_sum(virtual: dict[str, Any], holder: Any) -> None:
    in_turn(virtual, strategy_with(holder)).fit(1)
    shown = [answer for worker in virtual.values() for message, answer in worker.seen if isinstance(message, m.Take)]
    tensors = [obj for answer in shown for obj in answer if isinstance(obj, torch.Tensor)]
    assert len([one for one in tensors if isinstance(one, CipherTensor)]) == len(COUNTS)
    assert all(isinstance(one, CipherTensor) for one in tensors), "something was fetched in the open"
    opened = [answer for message, answer in holder.seen if isinstance(message, m.Take)]
    assert len(opened) == 1
    assert not any(
        isinstance(message, m.Call) and message.target.id == "service:paillier"
        for w in virtual.values()
        for message, _ in w.seen
    )


def test_control_one_update_alone_would_be_seen(virtual: dict[str, Any], holder: Any) -> None:
    """What the key holder opens is what it is given: a single update, if the server says that it is a sum."""
    strategy = strategy_with(holder)
    key = strategy.public_key
    update = torch.tensor([5, 7]).encrypt(key, packed=True, additions=4)  # type: ignore[attr-defined]
    with pytest.raises(AggregationError, match="a sum of 1 addends is not opened; 2 are the least"):
        strategy._opened(update)
    assert strategy._opened(update + 0).tolist() == [5, 7]


def test_clients_that_fail_are_left_out(virtual: dict[str, Any], holder: Any) -> None:
    trainer = in_turn(virtual, strategy_with(holder, max_norm=1e-9))
    with pytest.raises(
        AggregationError, match=r"0 of 4 encrypted updates .* nothing is opened(.|\n)*bob.*1e-09 is allowed"
    ):
        trainer.fit(1)
    virtual["bob"].service("aggregation").trusted_key = keys(1)[0]
    virtual["alice"].service("aggregation").trusted_key = keys()[0]
    record = in_turn(virtual, strategy_with(holder)).fit(1)[0]
    assert set(record.clients) == set(COUNTS) - {"bob"}
    assert "is no key that it encrypts under" in record.lost["bob"]


def test_a_model_is_summed_once(virtual: dict[str, Any], holder: Any) -> None:
    in_turn(virtual, strategy_with(holder)).fit(1)
    call = next(
        message for message, _ in virtual["bob"].seen if isinstance(message, m.Call) and message.method == "encrypted"
    )
    with pytest.raises(LookupError, match="not found"):
        virtual["bob"].request(replace(call, result=77))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        torch.zeros(3),
        lambda key: torch.zeros(3, dtype=torch.int64).encrypt(key),  # type: ignore[attr-defined]
        lambda key: torch.zeros(3, dtype=torch.int64).encrypt(key, packed=True, additions=9),  # type: ignore[attr-defined]
        lambda key: torch.zeros(4, dtype=torch.int64).encrypt(key, packed=True, additions=3),  # type: ignore[attr-defined]
        lambda key: torch.zeros(3).encrypt(key, packed=True, additions=3, fraction_bits=0),  # type: ignore[attr-defined]
        lambda key: torch.zeros(3, dtype=torch.int64).encrypt(keys(1)[0], packed=True, additions=3),  # type: ignore[attr-defined]
        lambda key: torch.zeros(3, dtype=torch.int64).encrypt(key, packed=True, additions=3) * 2,  # type: ignore[attr-defined]
    ],
)
def test_other_answers_of_a_client_are_not_added(holder: Any, answer: Any) -> None:
    strategy = strategy_with(holder)
    key = strategy.public_key
    good = [torch.tensor([2**20, 0, n]).encrypt(key, packed=True, additions=3) for n in (1, 2)]  # type: ignore[attr-defined]
    talk = strategy.conversation(["a", "b", "c"], {"w": torch.zeros(1)}, {"a": {}, "b": {}, "c": {}})
    assert set(next(talk)) == {"a", "b", "c"}
    with pytest.raises(StopIteration) as end:
        talk.send({"a": good[0], "b": good[1], "c": answer(key) if callable(answer) else answer})
    summed = end.value.value
    assert summed.clients == ("a", "b") and "something else" in summed.lost["c"]
    assert summed.total.tolist() == [2**21, 0, 3]


def test_too_few_and_other_key_holders_are_refused(holder: Any, virtual: dict[str, Any], hook: Any) -> None:
    with pytest.raises(AggregationError, match="1 clients cannot make a sum of 2"):
        in_turn({"bob": virtual["bob"]}, strategy_with(holder))
    with pytest.raises(FederatedError, match="threshold is 1"):
        strategy_with(holder, threshold=1)

    class Odd(sy.VirtualWorker):
        def ask(self, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
            return 5

    with pytest.raises(FederatedError, match="in place of its key"):
        _ = strategy_with(Odd(hook, id="odd", auto_add=False)).public_key


def test_a_key_holder_opens_sums_under_its_own_keys_only(hook: Any, holder: Any) -> None:
    service = KeyHolderService(holder)
    with pytest.raises(AggregationError, match="take 2 or more"):
        service.make_key(2048, 1)
    assert service.make_key(2048, 3)[0] == keys()[0].n.to_bytes(256, "little")
    key = keys()[0]
    one = torch.tensor([1]).encrypt(key, packed=True)  # type: ignore[attr-defined]
    assert service.open(one + one + one).tolist() == [3]
    with pytest.raises(AggregationError, match="2 addends is not opened; 3"):
        service.open(one + one)
    for other in (5, torch.ones(1), torch.ones(1).encrypt(key), torch.ones(1).encrypt(keys(1)[0], packed=True)):  # type: ignore[attr-defined]
        with pytest.raises(AggregationError, match="made here"):
            service.open(other)


def test_the_room_for_all_clients_is_that_of_their_integers() -> None:
    """What fixed point leaves for so many parties is what a packing of so many additions takes."""
    for parties in (1, 2, 3, 1000):
        assert FixedPoint(64, 0).largest(parties) == pytest.approx(Packing(0, parties).largest)
        most = torch.tensor([FixedPoint(64, 0)._most(parties)])
        total = most.encrypt(keys()[1], packed=True, additions=parties) * parties  # type: ignore[attr-defined]
        assert total.decrypt(keys()[1]).tolist() == [int(most) * parties]


def test_over_a_network(make_worker: Any) -> None:
    workers = {name: make_worker(name) for name in ("bob", "alice")}
    holder = make_worker("carol")
    trainer = in_turn(workers, strategy_with(holder))
    assert isinstance(trainer, FederatedTrainer)
    assert trainer.fit(1)[0].together["samples"] == 28
