"""Optimizers on encoded parameters follow those on plain ones."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.encoded.adaptive import factor_of

BINARY = {"base": 2, "precision_fractional": 16}
INPUTS = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
TARGETS = (INPUTS[:, 0] * INPUTS[:, 1] > 0).float().unsqueeze(1)

OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "Adam with weight decay": lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.05),
    "Adam with the largest mean": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.2),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
}

pytestmark = pytest.mark.filterwarnings("ignore:eps=1e-08")


def encoded(tensor):
    return tensor.fix_precision(**BINARY)


@pytest.fixture
def shared(hook):
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
    return lambda value: value.fix_precision(**BINARY).share(alice, bob, crypto_provider=james)


def opened(tensor):
    link = tensor.detach().child
    return link.encoding.decode(link.child if isinstance(link.child, torch.Tensor) else link.child.get(keep=True))


def losses(steps, make, encode=None):
    torch.manual_seed(0)
    model, inputs, targets = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)), INPUTS, TARGETS
    if encode is not None:
        model, inputs, targets = encode(model), encode(inputs), encode(targets)
    optimizer, out = make(model.parameters()), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        out.append(float(loss.detach() if encode is None else opened(loss)))
    return out


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_in_fixed_precision(hook, name):
    plain = losses(20, OPTIMIZERS[name])
    assert losses(20, OPTIMIZERS[name], encoded) == pytest.approx(plain, abs=0.02)
    assert plain[-1] < 0.8 * plain[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_on_shares(shared, name):
    assert losses(4, OPTIMIZERS[name], shared) == pytest.approx(losses(4, OPTIMIZERS[name]), abs=0.02)


def test_gradients_are_their_own_again_after_a_step(hook):
    parameter = nn.Parameter(encoded(torch.tensor([1.0, 2.0])))
    optimizer = torch.optim.Adam([parameter], lr=0.1, weight_decay=0.25)
    (parameter * torch.tensor([0.5, -0.25])).sum().backward()
    grad = parameter.grad
    optimizer.step()
    assert parameter.grad is grad
    assert opened(grad).tolist() == [0.5, -0.25]
    assert (optimizer.param_groups[0]["eps"], optimizer.param_groups[0]["weight_decay"]) == (1e-8, 0.25)
    assert opened(optimizer.state[parameter]["exp_avg"])[0] == pytest.approx(0.1 * 64 * 0.75, abs=1e-3)


def test_gradients_are_their_own_again_after_a_step_that_failed(hook):
    parameter = nn.Parameter(encoded(torch.tensor([1.0, 2.0])))
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    (parameter * 0.5).sum().backward()
    optimizer.step()
    kept, optimizer.state[parameter]["exp_avg"] = optimizer.state[parameter]["exp_avg"], torch.ones(3)
    with pytest.raises(RuntimeError):
        optimizer.step()
    optimizer.state[parameter]["exp_avg"] = kept
    optimizer.step()
    assert opened(parameter.grad).tolist() == [0.5, 0.5]
    assert optimizer.param_groups[0]["eps"] == 1e-8


def test_plain_optimizers_are_left_alone(hook):
    parameter = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    (parameter * 0.5).sum().backward()
    optimizer.step()
    assert optimizer.state[parameter]["exp_avg"].tolist() == pytest.approx([0.05, 0.05])


@pytest.mark.parametrize(("unit", "factor"), [(2**16, 64), (1000, 512), (2**20, 16)])
def test_factors(unit, factor):
    assert factor_of(unit) == factor


@pytest.mark.parametrize(("eps", "said"), [(1e-8, 1), (1e-3, 0)])
def test_an_eps_of_zero_is_said_once(hook, eps, said):
    parameter = nn.Parameter(encoded(torch.tensor([1.0, 2.0])))
    optimizer = torch.optim.Adam([parameter], lr=0.1, eps=eps)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            (parameter * 0.5).sum().backward()
            optimizer.step()
    assert [str(w.message).startswith(f"eps={eps} of Adam is written as 0") for w in caught] == [True] * said


def test_what_is_only_rounding_divides_nothing(hook):
    start, top = encoded(torch.zeros(3)), encoded(torch.ones(3))
    sizes = encoded(torch.tensor([0.0, 2**-16, 2**-12]))
    assert opened(torch.addcdiv(start, top, sizes)).tolist() == [0, 0, pytest.approx(4096, rel=1e-4)]


def test_gradients_that_vanish_make_no_long_steps(shared):
    parameter = torch.nn.Parameter(shared(torch.zeros(200)))
    optimizer = torch.optim.Adam([parameter], lr=0.01)
    for _ in range(3):
        parameter.grad = shared(torch.linspace(-0.003, 0.003, 200))
        optimizer.step()
    assert opened(parameter).abs().max() < 0.06
