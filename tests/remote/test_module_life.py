"""What programs do with modules besides training, while their parameters are on a worker."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.exceptions import NotLocalError, UnsupportedOp
from tests.remote.training import close, same_model


def network(seed: int = 5) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))


# --- state dicts ---------------------------------------------------------------------------------------


def test_a_state_dict_points_to_the_data(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    state = model.state_dict()
    assert list(state) == list(network().state_dict())
    assert str(state["0.weight"]).endswith("::data")
    assert all(value.location == worker for value in state.values())


def test_a_remote_state_is_loaded_into_a_model_at_the_same_worker(worker: sy.VirtualWorker) -> None:
    source, target = network(1).send(worker), network(2).send(worker)
    parameters = list(target.parameters())
    target.load_state_dict(source.state_dict())
    assert [id(p) for p in target.parameters()] == [id(p) for p in parameters]
    same_model(target.get(), network(1))
    same_model(source.get(), network(1))


@pytest.mark.parametrize("remote_target", [True, False])
def test_a_state_from_elsewhere_is_refused_and_nothing_is_lost(remote_target: bool, worker: sy.VirtualWorker) -> None:
    source, target = network(1), network(2)
    (target if remote_target else source).send(worker)
    with pytest.raises(RuntimeError, match="Send it there first"):
        target.load_state_dict(source.state_dict())
    same_model(target.get() if remote_target else target, network(2))


@pytest.mark.parametrize(
    "save",
    [
        lambda model: torch.save(model.state_dict(), io.BytesIO()),
        lambda model: torch.save(model, io.BytesIO()),
        lambda model: torch.save(model[0].weight, io.BytesIO()),
        lambda model: pickle.dumps(model.state_dict()),
        copy.deepcopy,
        lambda model: copy.deepcopy(model.state_dict()),
        lambda model: copy.copy(model[0].weight),
    ],
)
def test_what_would_store_empty_tensors_is_refused(save: Callable[[nn.Module], Any], worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    with pytest.raises(NotLocalError, match=r"\.copy\(\)"):
        save(model)
    same_model(model.get(), network())


READ = """
import sys, torch
state = torch.load({path!r} + ".state")
model = torch.load({path!r} + ".model", weights_only=False)
parameter = torch.load({path!r} + ".parameter")
assert "syft" not in sys.modules
assert all(type(value) is torch.Tensor for value in state.values())
assert type(parameter) is torch.nn.Parameter
assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
print(sum(value.double().sum().item() for value in state.values()))
"""


def test_checkpoints_of_a_model_that_was_away_are_plain_torch(worker: sy.VirtualWorker, tmp_path: Path) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    model.send(worker)
    model(torch.ones(4, 3).send(worker)).sum().backward()
    optimizer.step()
    model.get()
    model[0].weight.tag("#weights").describe("trained far away")
    path = str(tmp_path / "net")
    torch.save(model.state_dict(), path + ".state")
    torch.save(model, path + ".model")
    torch.save(model[0].weight, path + ".parameter")
    assert not any(b"syft" in file.read_bytes() for file in tmp_path.iterdir())
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        [sys.executable, "-c", READ.format(path=path)],
        capture_output=True, text=True, env=outside, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    total = sum(value.double().sum().item() for value in model.state_dict().values())
    assert float(finished.stdout) == pytest.approx(total)


# --- changing the model --------------------------------------------------------------------------------


def test_to_the_device_it_is_on(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    parameters, held = list(model.parameters()), len(worker._objects)
    assert model.to("cpu") is model.cpu() is model
    assert model.location == worker
    assert [id(p) for p in model.parameters()] == [id(p) for p in parameters]
    assert len(worker._objects) == held
    same_model(model.get(), network())


@pytest.mark.parametrize(
    ("change", "dtype"),
    [
        (nn.Module.double, torch.float64),
        (nn.Module.bfloat16, torch.bfloat16),
        (nn.Module.half, torch.float16),
        (lambda model: model.to(torch.float64), torch.float64),
        (lambda model: model.type(torch.float64), torch.float64),
    ],
)
def test_another_dtype(change: Callable[[nn.Module], nn.Module], dtype: torch.dtype, worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    parameters, held = list(model.parameters()), len(worker._objects)
    assert change(model) is model
    assert model[0].weight.dtype is model[1].running_mean.dtype is dtype
    out = model(torch.ones(4, 3, dtype=dtype).send(worker))
    assert out.dtype is dtype
    out.sum().backward()
    del out
    assert len(worker._objects) <= held + 1  # the batch may still be needed by nobody but the graph
    model.get()
    assert [id(p) for p in model.parameters()] == [id(p) for p in parameters]
    assert {value.dtype for value in model.parameters()} == {dtype}
    assert model[0].weight.grad.dtype is dtype


def test_another_dtype_with_gradients(worker: sy.VirtualWorker) -> None:
    local, model, x = network(), network().send(worker), torch.ones(4, 3)
    for net, batch in ((local, x), (model, x.send(worker))):
        net(batch).sum().backward()
        net.double()
    assert model[0].weight.grad.dtype is torch.float64
    same_model(model.get(), local)


def test_zero_grad_of_a_model(worker: sy.VirtualWorker) -> None:
    model, x = network().send(worker), torch.ones(4, 3).send(worker)
    model(x).sum().backward()
    model.zero_grad(set_to_none=False)
    assert not model[0].weight.grad.get().any()
    model.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.get().parameters())


def test_freezing_while_away(worker: sy.VirtualWorker) -> None:
    model, x = network().eval().send(worker), torch.ones(4, 3).send(worker)
    model.requires_grad_(False)
    assert model(x).requires_grad is False
    model[3].requires_grad_(True)
    model(x).sum().backward()
    model.get()
    assert [p.requires_grad for p in model.parameters()] == [False] * 4 + [True] * 2
    assert [p.grad is not None for p in model.parameters()] == [False] * 4 + [True] * 2


def test_apply_initialises_where_the_model_is(worker: sy.VirtualWorker) -> None:
    def initialise(part: nn.Module) -> None:
        if isinstance(part, nn.Linear):
            nn.init.constant_(part.weight, 2.0)
            nn.init.zeros_(part.bias)

    model = network().send(worker)
    assert model.apply(initialise) is model
    model.get()
    assert model[0].weight.unique().tolist() == [2.0]
    assert model[3].bias.tolist() == [0.0]
    assert model[0].weight.requires_grad


@pytest.mark.parametrize(
    "initialise",
    [
        nn.init.uniform_, nn.init.normal_, nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_, nn.init.orthogonal_, nn.init.eye_, nn.init.ones_, nn.init.zeros_,
    ],
)  # fmt: skip
def test_initialisers(initialise: Callable[[torch.Tensor], torch.Tensor], worker: sy.VirtualWorker) -> None:
    local, remote = nn.Linear(3, 4), nn.Linear(3, 4).send(worker)
    torch.manual_seed(1)
    initialise(local.weight)
    torch.manual_seed(1)
    assert initialise(remote.weight) is remote.weight
    close(remote.get().weight, local.weight, "the weight")


def test_modes_and_texts(worker: sy.VirtualWorker) -> None:
    model = network()
    text = str(model)
    model.send(worker)
    assert model.eval()[1].training is False
    assert model.train()[1].training is True
    assert str(model) == text
    assert sum(parameter.numel() for parameter in model.parameters()) == 12 + 4 + 4 + 4 + 4 + 1


def test_forward_hooks_see_pointers(worker: sy.VirtualWorker) -> None:
    model, seen = network().send(worker), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].location))
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(output.location))
    model(torch.ones(4, 3).send(worker))
    assert seen == [worker, worker]


def test_memory_is_not_shared(worker: sy.VirtualWorker) -> None:
    with pytest.raises(UnsupportedOp, match="memory"):
        network().send(worker).share_memory()


# --- kinds of parameters and buffers ---------------------------------------------------------------------


class Buffers(nn.Module):
    """A parameter and buffers of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("scale", torch.arange(3.0))
        self.register_buffer("nothing", None)
        self.register_buffer("fleeting", torch.ones(2), persistent=False)
        self.register_parameter("bias", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.scale += 1
        return x * self.scale * self.weight + self.fleeting.sum()


def test_buffers_travel_and_come_back_changed(worker: sy.VirtualWorker) -> None:
    model = Buffers().send(worker)
    assert len(worker._objects) == 3
    assert model(torch.ones(3).send(worker)).get().tolist() == [3, 4, 5]
    model.get()
    assert model.scale.tolist() == [1, 2, 3]
    assert model.fleeting.tolist() == [1, 1]
    assert model.nothing is None
    assert worker._objects == {}


def test_a_buffer_registered_while_away(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    model.register_buffer("here", torch.ones(1))
    model.register_buffer("there", torch.ones(2).send(worker))
    model.get()
    assert model.here.tolist() == [1]
    assert model.there.tolist() == [1, 1]
    assert worker._objects == {}


class Lists(nn.Module):
    """Parameters in a list and in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.ParameterList([nn.Parameter(torch.full((2,), value)) for value in (2.0, 3.0)])
        self.named = nn.ParameterDict({"last": nn.Parameter(torch.full((2,), 5.0))})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for factor in self.factors:
            x = x * factor
        return x * self.named["last"]


def test_parameter_lists_and_dicts(worker: sy.VirtualWorker) -> None:
    model = Lists().send(worker)
    assert "Parameter" in repr(model)
    model(torch.ones(2).send(worker)).sum().backward()
    model.get()
    assert [p.grad[0].item() for p in model.parameters()] == [15, 10, 6]


class Tied(nn.Module):
    """Words in and words out by one matrix."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 5, bias=False)
        self.out.weight = self.words.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.words(x))


def test_tied_parameters_stay_tied(worker: sy.VirtualWorker) -> None:
    local, model, x = Tied(), Tied().send(worker), torch.tensor([1, 2])
    assert len(worker._objects) == 1
    local(x).sum().backward()
    model(x.send(worker)).sum().backward()
    model.get()
    assert model.out.weight is model.words.weight
    same_model(model, local)


def test_parameters_as_a_vector_and_back(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (29,)
    nn.utils.vector_to_parameters(vector * 2, model.parameters())
    close(model.get()[0].weight, network()[0].weight * 2, "the weight")


def test_a_functional_call_with_other_weights(worker: sy.VirtualWorker) -> None:
    model, x = network().eval().send(worker), torch.ones(4, 3)
    weights = {name: parameter * 2 for name, parameter in model.named_parameters()}
    out = torch.func.functional_call(model, weights, (x.send(worker),))
    local = network().eval()
    doubled = {name: parameter * 2 for name, parameter in local.named_parameters()}
    close(out.get(), torch.func.functional_call(local, doubled, (x,)), "the output")


def test_a_copy_is_made_where_the_model_is(worker: sy.VirtualWorker) -> None:
    model = network().send(worker)
    twin = model.copy()
    assert twin.location == worker
    with torch.no_grad():
        twin[0].weight.zero_()
    same_model(model.get(), network())
    assert not twin.get()[0].weight.any()
