"""Running: the same as eager torch bit for bit, whatever the module, the size, the mode or the thread."""

from __future__ import annotations

import copy
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from tests.plans import OfModule, here, plan_of, remote, same, there

Worker = sy.VirtualWorker
rand = torch.randn

# --- ops --------------------------------------------------------------------------------------------


def writes(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[0] = 1.0
    y[1:, 0] += 2
    y[y > 1] = 0
    with torch.no_grad():
        y *= 2
    return y


OPS: dict[str, Callable[[torch.Tensor], Any]] = {
    "slice": lambda x: x[0:1],
    "slice step": lambda x: x[1:, ::2],
    "ellipsis": lambda x: x[..., 0],
    "ellipsis, None and slice": lambda x: x[..., None, 1:],
    "index tensor": lambda x: x[torch.tensor([1, 0])],
    "index list": lambda x: x[[1, 0]],
    "mask": lambda x: x[x > 0],
    "writes": writes,
    "constant": lambda x: x + torch.tensor([1.0, 2.0, 3.0]),
    "constant of no dimensions": lambda x: x * torch.tensor(2.0),
    "infinite constant": lambda x: torch.maximum(x, torch.tensor(float("-inf"))),
    "constant written to": lambda x: torch.zeros(3).add_(x[0]) + torch.tensor([1.0, 2.0, 3.0]).add_(x[1]),
    "as_tensor": lambda x: x + torch.as_tensor([1.0, 2.0, 3.0]),
    "arange": lambda x: x * torch.arange(3),
    "keywords": lambda x: torch.sum(input=x, dim=1, keepdim=True),
    "max": lambda x: x.max(1),
    "max, by name": lambda x: x.max(dim=1).values,
    "sort": lambda x: torch.sort(x, dim=1, descending=True),
    "topk": lambda x: x.topk(2)[1],
    "split": lambda x: x.split([1, 2], dim=1),
    "nonzero": lambda x: torch.nonzero(x > 0, as_tuple=True)[0],
    "unique": lambda x: torch.unique(x, return_counts=True),
    "cat and stack": lambda x: torch.stack([torch.cat([x, x], 1)] * 2),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x),
    "operators": lambda x: ((1 - x) / (2 + x * x)) ** 2 // 1 % 3 - -abs(x),
    "comparisons": lambda x: (x > 0) & (x < 1) | ~(x == 2),
    "casts": lambda x: x.long().float().to(torch.float64).type_as(x),
    "complex": lambda x: (x * 1j).imag,
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "svd": lambda x: torch.linalg.svd(x).S,
    "fft": lambda x: torch.fft.fft(x).abs(),
    "transposes": lambda x: x.T @ x + x.mT @ x,
    "in place": lambda x: x.clone().add_(1).mul_(2).clamp_(min=0),
    "no_grad": lambda x: torch.no_grad()(lambda: x * 2)(),
    "like": lambda x: torch.full_like(x, 3.0) + torch.ones_like(x, dtype=torch.float64),
    "losses": lambda x: F.mse_loss(x, x * 2) + F.cross_entropy(x, torch.zeros(len(x.T[0]), dtype=torch.long)[:1].expand(x.shape[0])),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], is_causal=True),
    "print": lambda x: (str(x), repr(x), x)[2],
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_ops_give_what_torch_gives(bob: Worker, name: str) -> None:
    function = OPS[name]
    if name == "losses":
        plan = plan_of(function, rand(4, 3))
        sizes = (4,)
    else:
        plan, sizes = plan_of(function, rand(4, 3)), (4, 6)
    pointer = plan.send(bob)
    fetched = pointer.get()
    for rows in sizes:
        x = rand(rows, 3)
        want = function(x.clone())
        for _ in range(2):
            assert same(remote(pointer, bob, x), want)
            assert same(fetched(x.clone()), want)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + torch.randn(3),
        lambda x: x + torch.rand(3) + torch.randint(9, (3,)) + torch.randperm(3),
        lambda x: x + torch.randn_like(x),
        lambda x: x + torch.normal(0.0, 1.0, (3,)),
        lambda x: x + torch.bernoulli(torch.full((3,), 0.5)) + torch.rand(3),
        lambda x: x.clone().uniform_(),
        lambda x: torch.empty(3).normal_() + x,
        lambda x: F.dropout(x + torch.ones(300, 3), 0.5),
        lambda x: torch.multinomial(torch.ones(300), 300) + x[0],
    ],
)
def test_random_ops_draw_anew_each_run_as_the_function_does(bob: Worker, function: Any) -> None:
    x = torch.zeros(3)
    pointer = plan_of(function, x).send(bob)
    torch.manual_seed(5)
    want = [function(x), function(x)]
    torch.manual_seed(5)
    got = [remote(pointer, bob, x), remote(pointer, bob, x)]
    assert same(got, want) and not torch.equal(got[0], got[1])


def test_a_draw_that_no_result_needs_still_advances_the_stream(bob: Worker) -> None:
    def draws(x: torch.Tensor) -> torch.Tensor:
        torch.randn(5)
        return x + torch.randn(3)

    pointer = plan_of(draws, torch.zeros(3)).send(bob)
    torch.manual_seed(5)
    want = draws(torch.zeros(3))
    torch.manual_seed(5)
    assert same(remote(pointer, bob, torch.zeros(3)), want)


def test_what_no_result_needs_is_not_recorded(hook: sy.TorchHook) -> None:
    assert len(plan_of(lambda x: (x.exp().log().sum(), x * 2)[1], torch.ones(2)).actions) == 1


# --- modules ----------------------------------------------------------------------------------------

MODULES: dict[str, tuple[Callable[[], nn.Module], Callable[[int, int], tuple[torch.Tensor, ...]]]] = {
    "linear": (lambda: nn.Linear(3, 2), lambda n, t: (rand(n, 3),)),
    "perceptron": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), lambda n, t: (rand(n, 3),)),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 2), nn.LogSoftmax(1)),
        lambda n, t: (rand(n, 1, 8, 8),),
    ),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 2, stride=2), lambda n, t: (rand(n, 2, t, t),)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), lambda n, t: (rand(n, 3),)),
    "BatchNorm1d, eval": (lambda: nn.BatchNorm1d(3).eval(), lambda n, t: (rand(n, 3),)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), lambda n, t: (rand(n, 3, t, t),)),
    "GroupNorm": (lambda: nn.GroupNorm(3, 6), lambda n, t: (rand(n, 6),)),
    "InstanceNorm": (lambda: nn.InstanceNorm1d(3, track_running_stats=True), lambda n, t: (rand(n, 3, t),)),
    "Embedding": (lambda: nn.Embedding(10, 3), lambda n, t: (torch.randint(10, (n, t)),)),
    "Embedding, renormed": (lambda: nn.Embedding(10, 3, max_norm=0.1), lambda n, t: (torch.randint(10, (n, t)),)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(10, 3), lambda n, t: (torch.randint(10, (n, t)),)),
    "LSTM": (lambda: nn.LSTM(3, 4, batch_first=True), lambda n, t: (rand(n, t, 3),)),
    "LSTM, two ways": (lambda: nn.LSTM(3, 4, 2, bidirectional=True), lambda n, t: (rand(t, n, 3),)),
    "GRU": (lambda: nn.GRU(3, 4), lambda n, t: (rand(t, n, 3),)),
    "RNN from a state": (lambda: nn.RNN(3, 4), lambda n, t: (rand(t, n, 3), rand(1, n, 4))),
    "LSTMCell": (lambda: nn.LSTMCell(3, 4), lambda n, t: (rand(n, 3),)),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), lambda n, t: (rand(n, t, 4),) * 3),
    "MultiheadAttention, eval": (
        lambda: nn.MultiheadAttention(4, 2, batch_first=True).eval(),
        lambda n, t: (rand(n, t, 4),) * 3,
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
        lambda n, t: (rand(n, t, 4),),
    ),
    "TransformerEncoderLayer, eval": (
        lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval(),
        lambda n, t: (rand(n, t, 4),),
    ),
    "TransformerDecoderLayer": (
        lambda: nn.TransformerDecoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
        lambda n, t: (rand(n, t, 4), rand(n, t + 1, 4)),
    ),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), lambda n, t: (rand(n, 3),)),
    "spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2)), lambda n, t: (rand(n, 3),)),
    "pooling to a size": (lambda: nn.AdaptiveAvgPool2d((1, None)), lambda n, t: (rand(n, 3, t, t),)),
    "upsampling": (lambda: nn.Upsample(scale_factor=2.0, mode="bilinear"), lambda n, t: (rand(n, 3, t, t),)),
    "tied": (lambda: nn.Sequential(*[nn.Linear(3, 3)] * 2), lambda n, t: (rand(n, 3),)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_with_other_batch_sizes_than_the_example(bob: Worker, name: str) -> None:
    make, inputs = MODULES[name]
    module = make()
    eager = copy.deepcopy(module)
    plan = OfModule(module)
    plan.build(*inputs(2, 3))
    pointer = plan.send(bob)
    for rows, length in ((2, 3), (5, 7), (3, 4)):
        # Attention computes the same tensor given three times in another order of sums than three equal ones.
        args = [tensor.clone() for tensor in inputs(rows, length)]
        assert same(remote(pointer, bob, *args), eager(*args))
    assert same(pointer.get().parameters(), [*eager.parameters(), *eager.buffers()])
    assert same(pointer.get()(*args), eager(*args))


def test_buffers_of_batch_norm_are_those_of_the_worker(bob: Worker) -> None:
    module = nn.BatchNorm1d(3)
    eager = copy.deepcopy(module)
    plan = OfModule(module)
    plan.build(rand(4, 3))
    assert module.num_batches_tracked == 0 and same(module.running_mean, torch.zeros(3))
    pointer = plan.send(bob)
    for _ in range(3):
        x = rand(4, 3) + 5
        assert same(remote(pointer, bob, x), eager(x))
    names = plan.state.names
    state = dict(zip(names, pointer.get().parameters(), strict=True))
    assert state["module.num_batches_tracked"] == 3 and same(state["module.running_mean"], eager.running_mean)
    assert module.num_batches_tracked == 0


def test_dropout_draws_anew_each_run(bob: Worker) -> None:
    plan = OfModule(nn.Dropout(0.5))
    plan.build(torch.ones(2, 50))
    pointer, x = plan.send(bob), torch.ones(2, 50).send(bob)
    assert not same(pointer(x).get(), pointer(x).get())


# --- gradients --------------------------------------------------------------------------------------


def test_backward_through_a_remote_plan_fills_the_gradients(bob: Worker) -> None:
    plan = OfModule(nn.Linear(2, 1))
    plan.build(torch.ones(1, 2))
    eager = copy.deepcopy(plan.module)
    pointer, x = plan.send(bob), rand(3, 2, requires_grad=True)
    there_x = there(x, bob)
    parameters = pointer.parameters()
    for _ in range(2):  # and they add up
        eager(x).sum().backward()
        pointer(there_x).sum().backward()
        assert same(there_x.grad.get(), x.grad)
        assert same([p.grad.get() for p in parameters], [p.grad for p in eager.parameters()])
    assert plan.module.weight.grad is None


def test_gradients_are_off_where_the_caller_has_them_off(bob: Worker) -> None:
    plan = OfModule(nn.Linear(2, 1))
    plan.build(torch.ones(1, 2))
    pointer, x = plan.send(bob), there(rand(3, 2, requires_grad=True), bob)
    with torch.no_grad():
        assert not pointer(x).requires_grad
    assert pointer(x).requires_grad


def test_gradients_are_off_inside_where_the_function_has_them_off(bob: Worker) -> None:
    def f(x: torch.Tensor) -> Any:
        with torch.no_grad():
            a = x * 2
        with torch.no_grad(), torch.enable_grad():
            b = x * 3
        return a, b, x * 4, x.detach() * 5

    x = rand(2, requires_grad=True)
    results = plan_of(f, x).send(bob)(there(x, bob))
    assert [r.requires_grad for r in results] == [False, True, True, False]


class Trains(sy.Plan):
    """One step of gradient descent by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        self.fc.zero_grad()
        loss = ((self.fc(x) - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in self.fc.parameters():
                p -= 0.1 * p.grad
        return loss.detach(), [p.grad for p in self.fc.parameters()]


def test_backward_inside_a_plan(bob: Worker) -> None:
    x, y = rand(4, 2), rand(4, 1)
    plan, eager = Trains(), Trains()
    eager.fc.load_state_dict(plan.fc.state_dict())
    before = copy.deepcopy(plan.fc.state_dict())
    plan.build(x, y)
    assert same(dict(plan.fc.state_dict()), dict(before)) and plan.fc.weight.grad is None
    pointer = plan.send(bob)
    for _ in range(4):
        assert same(remote(pointer, bob, x, y), eager.forward(x, y))
    assert same(pointer.get().parameters(), list(eager.fc.parameters()))


def test_gradients_that_a_plan_does_not_clear_add_up(bob: Worker) -> None:
    class Adds(Trains):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            self.fc(x).sum().backward()
            return self.fc.weight.grad * 1

    x, plan, eager = rand(4, 2), Adds(), Adds()
    plan.build(x)
    pointer = plan.send(bob)
    for _ in range(3):
        assert same(remote(pointer, bob, x), eager.forward(x))


def zero_in_place(module: nn.Module) -> None:
    module.zero_grad(set_to_none=False)


def zero_by_hand(module: nn.Module) -> None:
    for p in module.parameters():
        if p.grad is not None:
            p.grad.zero_()


@pytest.mark.parametrize("clear", [zero_in_place, zero_by_hand])
@pytest.mark.parametrize("first", ["without gradients", "with gradients"])
def test_gradients_that_a_plan_clears_in_place(bob: Worker, clear: Any, first: str) -> None:
    """The first run may find no gradients and every later one does."""

    class Clears(Trains):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            clear(self.fc)
            self.fc(x).sum().backward()
            return self.fc.weight.grad * 1

    x, plan, eager = rand(4, 2), Clears(), Clears()
    if first == "with gradients":
        plan.fc(x).sum().backward()
    plan.build(x)
    pointer = plan.send(bob)
    for _ in range(3):
        assert same(remote(pointer, bob, x), eager.forward(x))


def test_torch_autograd_grad_inside_a_plan(bob: Worker) -> None:
    def f(x: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad((x**3).sum(), x)[0]

    x = rand(3, requires_grad=True)
    assert same(remote(plan_of(f, x).send(bob), bob, x), f(x))


# --- optimizers -------------------------------------------------------------------------------------

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, momentum=0.5, centered=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, initial_accumulator_value=0.5),
    "Adadelta": lambda p: torch.optim.Adadelta(p),
    "Adamax": lambda p: torch.optim.Adamax(p),
    "NAdam": lambda p: torch.optim.NAdam(p),
    "RAdam": lambda p: torch.optim.RAdam(p),
    "Rprop": lambda p: torch.optim.Rprop(p),
    "ASGD": lambda p: torch.optim.ASGD(p),
    "groups": lambda p: torch.optim.SGD([{"params": next(p), "lr": 0.5}, {"params": list(p)}], lr=0.1),
}


class Optimizes(sy.Plan):
    """A step of an optimizer."""

    def __init__(self, make: Callable[[Any], torch.optim.Optimizer]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.opt = make(self.net.parameters())

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.opt.zero_grad()
        loss = F.mse_loss(self.net(x), y)
        loss.backward()
        self.opt.step()
        return loss.detach()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_plans_with_optimizers_train_like_eager_torch(bob: Worker, alice: Worker, name: str) -> None:
    plan, eager = Optimizes(OPTIMIZERS[name]), Optimizes(OPTIMIZERS[name])
    state = copy.deepcopy(plan.opt.state_dict())
    batches = [(rand(5, 3), rand(5, 1)) for _ in range(7)]
    plan.build(*batches[0])
    assert same(plan.opt.state_dict()["state"], state["state"])
    assert same(list(plan.net.parameters()), list(eager.net.parameters()))
    pointer = plan.send(bob)
    for batch in batches[:3]:
        assert same(remote(pointer, bob, *batch), eager.forward(*batch))
    back = pointer.get()
    assert same(back.parameters(), list(eager.net.parameters()))
    # After a journey home and on to another worker it goes on where it was.
    pointer = back.send(alice)
    for batch in batches[3:5]:
        assert same(remote(pointer, alice, *batch), eager.forward(*batch))
    back = pointer.get()
    for batch in batches[5:]:
        assert same(back(*batch), eager.forward(*batch))
    assert same(back.parameters(), list(eager.net.parameters()))


def test_two_optimizers_with_two_steps(bob: Worker) -> None:
    class Two(sy.Plan):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 1)
            self.first = torch.optim.Adam(self.a.parameters())
            self.second = torch.optim.SGD(self.b.parameters(), lr=0.1, momentum=0.9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first.zero_grad()
            self.a(x).sum().backward()
            nn.utils.clip_grad_norm_(self.a.parameters(), 0.1)
            self.first.step()
            self.second.zero_grad()
            loss = (self.b(x) * self.a(x).detach()).sum()
            loss.backward()
            self.second.step()
            self.second.step()
            return loss.detach()

    plan, eager, x = Two(), Two(), rand(5, 3)
    plan.build(x)
    pointer = plan.send(bob)
    for _ in range(4):
        assert same(remote(pointer, bob, x), eager.forward(x))
    # From here the first optimizer's state matters for the second fetch, too.
    assert same(pointer.get().get()(x), eager.forward(x))


def test_frozen_layers_stay_frozen(bob: Worker) -> None:
    plan, eager = Optimizes(OPTIMIZERS["SGD"]), Optimizes(OPTIMIZERS["SGD"])
    for each in (plan, eager):
        each.net[0].weight.requires_grad_(False)
    x, y = rand(5, 3), rand(5, 1)
    plan.build(x, y)
    pointer = plan.send(bob)
    for _ in range(2):
        assert same(remote(pointer, bob, x, y), eager.forward(x, y))
    back = pointer.get().parameters()
    assert same(back, list(eager.net.parameters()))
    assert [p.requires_grad for p in back] == [p.requires_grad for p in eager.net.parameters()]


# --- places, time, memory ---------------------------------------------------------------------------


def test_one_message_runs_a_plan(make_worker: Any, me: Any) -> None:
    bob = make_worker("bob", log_msgs=True)
    plan = OfModule(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)))
    plan.build(rand(1, 3))
    pointer, x = plan.send(bob), rand(5, 3).send(bob)
    bob.msg_history.clear()
    result = pointer(x)
    assert len(bob.msg_history) == 1 and result.location is bob


def test_no_tensors_are_left_after_results_die(bob: Worker) -> None:
    def f(x: torch.Tensor) -> Any:
        y = (x * 2).exp()
        return y + 1, {"a": [y * 2]}, 3

    plan, pointer = None, plan_of(f, torch.ones(2)).send(bob)
    del plan
    held = set(bob._objects)
    for _ in range(3):
        result = pointer(rand(2))
        assert len(bob._objects) == len(held) + 2
        del result
        gc.collect()
        assert set(bob._objects) == held


def test_pointers_to_parameters_do_not_take_the_parameters_away(bob: Worker) -> None:
    plan = OfModule(nn.Linear(2, 1))
    plan.build(torch.ones(1, 2))
    pointer, x = plan.send(bob), rand(3, 2)
    held = set(bob._objects)
    parameters = pointer.parameters()
    assert same(here(list(parameters)), list(plan.module.parameters()))
    del parameters
    gc.collect()
    assert set(bob._objects) == held
    assert same(remote(pointer, bob, x), plan(x))


def test_concurrent_runs_from_threads_do_not_mix(bob: Worker) -> None:
    def f(x: torch.Tensor, state: sy.State) -> torch.Tensor:
        (w,) = state.read()
        for _ in range(20):
            x = x + w - w
        return x * 2

    pointer = plan_of(f, torch.zeros(50), state=(torch.arange(50.0),)).send(bob)
    right: list[bool] = []

    def work(start: int) -> None:
        for i in range(20):
            x = torch.full((50,), float(start + i))
            right.append(same(pointer(x.send(bob)).get(), x * 2))

    threads = [threading.Thread(target=work, args=(1000 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 80


def test_concurrent_builds_from_threads_do_not_mix(bob: Worker) -> None:
    right: list[bool] = []

    def work(k: int) -> None:
        for _ in range(8):
            plan = plan_of(lambda x: (x + torch.tensor([float(k)])) * torch.ones(2), torch.ones(2))
            right.append(
                len(plan.recording.constants) == 1 and same(plan.send(bob)(torch.ones(2)).get(), torch.ones(2) + k)
            )

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 32


def test_while_a_plan_is_built_other_threads_use_torch_as_ever(hook: sy.TorchHook) -> None:
    started, done = threading.Event(), threading.Event()
    found: list[Any] = []

    def other() -> None:
        started.wait(10)
        found.append(torch.tensor([1.0]) + torch.ones(1))
        done.set()

    def f(x: torch.Tensor) -> torch.Tensor:
        started.set()
        done.wait(10)
        return x * 2

    thread = threading.Thread(target=other)
    thread.start()
    plan_of(f, torch.ones(1))
    thread.join()
    assert type(found[0]) is torch.Tensor and same(found[0], torch.full((1,), 2.0))


def test_many_epochs_with_one_message(make_worker: Any) -> None:
    bob = make_worker("bob", log_msgs=True)
    plan, eager = Optimizes(OPTIMIZERS["Adam"]), Optimizes(OPTIMIZERS["Adam"])
    x, y = rand(10, 3), rand(10, 1)
    plan.build(x[:4], y[:4])
    pointer, far_x, far_y = plan.send(bob), x.send(bob), y.send(bob)
    bob.msg_history.clear()
    losses = pointer.run_epochs(far_x, far_y, batch_size=4, epochs=2)
    assert len(bob.msg_history) == 1
    want = torch.stack([eager.forward(x[s : s + 4], y[s : s + 4]) for _ in range(2) for s in (0, 4, 8)])
    assert same(losses.get(), want) and same(pointer.get().parameters(), list(eager.net.parameters()))
