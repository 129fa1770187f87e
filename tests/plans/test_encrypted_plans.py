"""Plans that were recorded from plain tensors run on fixed-precision and shared ones, here and on workers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import PlanBuildError, UsageError

DIGITS = {"base": 2, "precision_fractional": 16}
X = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5], [0.0, 3.0, 1.0]])


class Net(sy.Plan):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x.view(x.shape[0], -1)).relu()) * torch.tensor([1.0, 2.0])


@pytest.fixture
def net() -> Net:
    plan = Net()
    plan.build(torch.zeros(1, 3))
    return plan


@pytest.fixture
def share(alice: Any, bob: Any, james: Any) -> Any:
    return lambda tensor: tensor.fix_precision(**DIGITS).share(alice, bob, crypto_provider=james)


@pytest.fixture
def gus(make_worker: Any) -> Any:
    return make_worker("gus")


def close(result: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(result, expected.detach(), atol=1e-3)


# --- here -----------------------------------------------------------------------------------------


def test_a_function_runs_on_every_form_of_its_arguments(share: Any) -> None:
    @sy.func2plan(args_shape=[(-1, 3), (-1, 3)])
    def scaled(x: Any, y: Any) -> Any:
        return {"product": x * y, "sum": [(x + y).sum(), x.shape[0]]}

    y = X.flip(0)
    for plan in (scaled, scaled.copy()):  # the Python function, and its recording
        fixed = plan(X.fix_precision(**DIGITS), y.fix_precision(**DIGITS))
        assert close(fixed["product"].float_precision(), X * y)
        assert fixed["sum"][1] == 3
        shared = plan(share(X), share(y))
        assert close(shared["product"].get().float_precision(), X * y)
        assert close(shared["sum"][0].get().float_precision(), (X + y).sum())
        assert close(plan(share(X), y)["product"].get().float_precision(), X * y)


def test_a_shared_plan_computes_what_the_module_does(net: Net, share: Any, alice: Any, bob: Any, james: Any) -> None:
    expected, weights = net(X), [tensor.detach().clone() for tensor in net.state]
    assert net.fix_precision(**DIGITS).share(alice, bob, crypto_provider=james) is net
    assert net.is_shared
    for plan in (net, net.copy()):
        assert close(plan(share(X)).get().float_precision(), expected)
        assert close(plan(X).get().float_precision(), expected)  # plain data, shared model
    assert net.get() is net
    assert not net.is_shared
    assert isinstance(net.first.weight, EncodedTensor)
    assert net.float_precision() is net
    assert type(net.first.weight) is nn.Parameter
    assert net.first.weight is net.state.tensors()[0]
    assert all(close(tensor, before) for tensor, before in zip(net.state, weights, strict=True))
    assert close(net(X), expected)


def test_attributes_stay_bound_to_the_state(net: Net, alice: Any, bob: Any, james: Any) -> None:
    weight, optimizer = net.first.weight, torch.optim.SGD(net.parameters(), lr=0.1)
    before = weight.detach().clone()
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    assert net.first.weight is weight is optimizer.param_groups[0]["params"][0] is net.state.tensors()[0]
    assert close(weight.copy().get().float_precision(), before)
    assert net.decrypt() is net
    assert close(weight, before)


def test_the_names_of_0_2_4_do_the_same(net: Net, alice: Any, bob: Any, james: Any) -> None:
    expected = net(X)
    net.fix_prec_(**DIGITS).share_(alice, bob, crypto_provider=james).get_().float_prec_()
    assert close(net(X), expected)
    assert net.fix_precision_(**DIGITS).float_prec() is net


def test_integers_and_masks_of_the_state_stay_as_they_are(alice: Any, bob: Any, james: Any) -> None:
    @sy.func2plan(args_shape=[(-1, 3)], state=(torch.ones(3), torch.tensor([2, 0]), torch.tensor([True, False, True])))
    def pick(x: Any, state: Any) -> Any:
        weights, order, mask = state.read()
        return (x * weights * mask)[:, order]

    expected = pick(X)
    pick.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    assert [type(tensor) for tensor in pick.state] == [EncodedTensor, torch.Tensor, torch.Tensor]
    assert close(pick(X).get().float_precision(), expected)

    @sy.func2plan(args_shape=[(1,)], state=(torch.tensor([3]),))
    def add(x: Any, state: Any) -> Any:
        return x + state.read()[0]

    with pytest.raises(UsageError, match="no floating-point state to share"):
        add.share(alice, bob, crypto_provider=james)


def test_sharing_needs_fixed_precision_first(net: Net, alice: Any, bob: Any, james: Any) -> None:
    with pytest.raises(UsageError, match="Use fix_precision"):
        net.share(alice, bob, crypto_provider=james)
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    with pytest.raises(UsageError, match="shared already"):
        net.share(alice, bob, crypto_provider=james)
    with pytest.raises(UsageError, match=r"fetch them with \.get\(\)"):
        net.float_precision()


def test_gradients_of_the_state_go_along(net: Net, alice: Any, bob: Any, james: Any) -> None:
    net(X).sum().backward()
    grad = net.first.weight.grad.clone()
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    assert isinstance(net.first.weight.grad, EncodedTensor)
    net.decrypt()
    assert close(net.first.weight.grad, grad)


def test_a_copy_has_shares_of_its_own(net: Net, share: Any, alice: Any, bob: Any, james: Any) -> None:
    expected = net(X)
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    assert close(net.copy().decrypt()(X), expected)
    assert close(net(share(X)).get().float_precision(), expected)


def test_building_from_encoded_examples(share: Any) -> None:
    plan = Net()
    plan.build(share(X))
    assert plan.get_args_shape() == [(3, 3)]
    assert close(plan.copy()(share(X[:2])).get().float_precision(), plan(X[:2]))


def test_an_encoded_state_cannot_be_recorded(net: Net, alice: Any, bob: Any, james: Any) -> None:
    net.fix_precision(**DIGITS)
    with pytest.raises(PlanBuildError, match="fetch or decode it first"):
        net.build(torch.zeros(1, 3))
    assert isinstance(net.first.weight, EncodedTensor)


def test_a_shared_state_is_loaded(net: Net, alice: Any, bob: Any, james: Any) -> None:
    other = net.copy()
    with torch.no_grad():
        other.state.tensors()[0].add_(1.0)
    expected = other(X)
    for plan in (net, other):
        plan.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    net.load_state(other)
    assert close(net.decrypt()(X), expected)


# --- on workers -----------------------------------------------------------------------------------


def count(*workers: Any) -> list[int]:
    return [len(worker._objects) for worker in workers]


def test_a_shared_plan_is_fetched_and_run_here(
    net: Net, share: Any, alice: Any, bob: Any, james: Any, gus: Any
) -> None:
    expected = net(X)
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    fetched = net.send(gus).get()
    assert fetched.forward is None
    assert fetched.is_shared
    assert close(fetched(share(X)).get().float_precision(), expected)


def test_a_worker_drives_the_protocol(net: Net, share: Any, alice: Any, bob: Any, james: Any, gus: Any) -> None:
    expected = net(X)
    pointers = [net.send(gus)]  # a plain model on shared data
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    pointers += [net.send(gus, refresh=True), net.send(bob)]  # a shared model; and a holder that drives
    for pointer in pointers:
        result = pointer(share(X))
        assert result.location is pointer.location
        assert close(result.get().get().float_precision(), expected)
        assert close(pointer(share(X).send(pointer.location)).get().get().float_precision(), expected)


@pytest.mark.parametrize("mode", ["reference", "wire"], indirect=True)
def test_shares_live_as_long_as_the_plan_that_has_them(
    net: Net, share: Any, alice: Any, bob: Any, james: Any, gus: Any
) -> None:
    expected, before = net(X), count(alice, bob, gus)
    net.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    pointer = net.send(gus)
    net.decrypt()  # the shares of the plan here are gone, those of the plan there are not
    assert count(alice, bob, gus) == [n + 4 for n in before[:2]] + [before[2] + 1]
    result = pointer(share(X)).get()
    assert close(result.get().float_precision(), expected)
    pointer.delete()
    del result
    assert count(alice, bob, gus) == before


def test_a_plan_that_returns_its_state_or_argument_keeps_its_own_shares(
    share: Any, alice: Any, bob: Any, james: Any, gus: Any
) -> None:
    @sy.func2plan(args_shape=[(2,)], state=(torch.tensor([4.0, 5.0]),))
    def both(x: Any, state: Any) -> Any:
        return x, state.read()[0].detach()

    both.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    pointer, x = both.send(gus), share(torch.tensor([1.0, 2.0]))
    for _ in range(2):  # the first results are gone when the second ones are made
        given, kept = [part.get().get().float_precision() for part in pointer(x)]
        assert close(given, torch.tensor([1.0, 2.0]))
        assert close(kept, torch.tensor([4.0, 5.0]))
    assert close(x.get().float_precision(), torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize("where", ["here", "recorded", "there"])
def test_a_shared_plan_trains(share: Any, alice: Any, bob: Any, james: Any, gus: Any, where: str) -> None:
    torch.manual_seed(2)
    plans = []
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    for _ in range(2):
        twin = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        twin.load_state_dict(model.state_dict())
        plan = sy.TrainingPlan(twin, lambda out, target: ((out - target) ** 2).sum(), "SGD", {"lr": 0.02})
        plan.build(torch.zeros(2, 3), torch.zeros(2, 1))
        plans.append(plan)
    plain, shared = plans
    shared.encrypt(workers=[alice, bob], crypto_provider=james, **DIGITS)
    target = X.sum(1, keepdim=True)
    secret = share(X), share(target)
    running = {"here": lambda: shared, "recorded": shared.copy, "there": lambda: shared.send(gus)}[where]()
    for _ in range(3):
        loss = running(*secret)
        loss = loss.get() if where == "there" else loss
        assert close(loss.get().float_precision(), plain(X, target))
    trained = running.get().copy() if where == "there" else running
    assert all(close(a, b) for a, b in zip(trained.decrypt().state, plain.state, strict=True))
