"""Modules of torch.nn on a worker: outputs, gradients, running statistics and steps equal local training."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import rnn

import syft as sy
from syft.exceptions import TensorsNotCollocatedException
from tests.remote.training import close, copied, same_gradient, same_model, step, tensors_in
from tests.remote.zoo import CAUSAL, QUERY, ZOO, Case, ResNet, layer, x


def trained(case: Case, model: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """Two training steps; what the model returned in each."""
    model.train(case.training)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9) if parameters else None
    return [step(model, optimizer, inputs, named) for _ in range(2)]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", ZOO)
def test_a_module_trains_on_a_worker_as_it_does_here(name: str, worker: sy.VirtualWorker) -> None:
    case = ZOO[name]
    torch.manual_seed(0)
    local = case.make()
    model = copy.deepcopy(local)
    objects = dict(model.named_parameters())
    operands, keywords = copied((case.inputs, case.named), lambda t: t)
    wanted = trained(case, local, operands, keywords)

    sent, sent_keywords = copied((case.inputs, case.named), lambda t: t.send(worker))
    assert model.send(worker) is model
    results = trained(case, model, sent, sent_keywords)
    assert all(out.is_wrapper for out in tensors_in(results))
    for index, (result, other) in enumerate(zip(tensors_in(results), tensors_in(wanted), strict=True)):
        assert result.shape == other.shape
        close(result.copy().get(), other, f"result {index}")
    assert model.get() is model

    assert {name: id(t) for name, t in model.named_parameters()} == {name: id(t) for name, t in objects.items()}
    same_model(model, local)
    for index, (pointer, other) in enumerate(
        zip(tensors_in([sent, sent_keywords]), tensors_in([operands, keywords]), strict=True)
    ):
        same_gradient(
            pointer.grad if pointer.grad is None else pointer.grad.get(), other.grad, f"the gradient of input {index}"
        )


def test_a_mask_whose_kind_torch_would_look_up_is_refused_and_nothing_is_lost(worker: sy.VirtualWorker) -> None:
    encoder = nn.TransformerEncoder(layer(dropout=0.0), 1).send(worker)
    mask, query = CAUSAL.send(worker), QUERY.send(worker)
    held = len(worker._objects)
    with pytest.raises(TensorsNotCollocatedException, match="__eq__"):
        encoder(query, mask=mask)
    assert len(worker._objects) == held
    assert encoder(query, mask=mask, is_causal=False).shape == QUERY.shape


def test_a_packed_batch_goes_through_a_recurrent_model(worker: sy.VirtualWorker) -> None:
    torch.manual_seed(0)
    local = nn.LSTM(3, 4, batch_first=True)
    model, batch = copy.deepcopy(local).send(worker), torch.randn(2, 5, 3)

    def run(model: nn.Module, batch: torch.Tensor) -> tuple[Any, Any]:
        packed = rnn.pack_padded_sequence(batch, [5, 3], batch_first=True)
        out, lengths = rnn.pad_packed_sequence(model(packed)[0], batch_first=True)
        out.sum().backward()
        return out, lengths

    wanted, wanted_lengths = run(local, batch)
    out, lengths = run(model, batch.send(worker))
    close(out.get(), wanted, "the outputs")
    assert torch.equal(lengths.get(), wanted_lengths)
    same_model(model.get(), local)


def test_only_results_in_use_stay_on_the_worker(worker: sy.VirtualWorker) -> None:
    model, images = ResNet().send(worker), x(2, 3, 8, 8).send(worker)
    held = len(worker._objects)
    loss = step_loss(model, images)
    assert len(worker._objects) == held + 1
    model.get()
    assert set(worker._objects) == {images.id_at_location, loss.id_at_location}


def step_loss(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    loss = model(images).sum()
    loss.backward()
    return loss


def test_control_a_model_that_was_not_trained_is_found(worker: sy.VirtualWorker) -> None:
    torch.manual_seed(0)
    local = nn.Linear(3, 4)
    model = copy.deepcopy(local).send(worker)
    step(local, torch.optim.SGD(local.parameters(), lr=0.01), (torch.ones(2, 3),), {})
    with pytest.raises(AssertionError, match="weight"):
        same_model(model.get(), local)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_state_that_is_elsewhere_is_refused(kind: type[nn.RNNBase], worker: sy.VirtualWorker) -> None:
    model, batch, state = kind(3, 4).send(worker), torch.ones(5, 2, 3).send(worker), torch.ones(1, 2, 4)
    with pytest.raises(TensorsNotCollocatedException):
        model(batch, (state, state) if kind is nn.LSTM else state)


@pytest.mark.parametrize("model", [nn.LSTM(3, 4), nn.GRUCell(3, 4), nn.Linear(3, 4), nn.BatchNorm1d(3)], ids=str)
def test_a_model_here_refuses_data_there(model: nn.Module, worker: sy.VirtualWorker) -> None:
    batch = torch.ones(2, 3).send(worker)
    with pytest.raises(TensorsNotCollocatedException):
        model(batch)
    assert len(worker._objects) == 1
    assert batch.get().sum() == 6
