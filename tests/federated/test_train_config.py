"""TrainConfig and the worker calls of FederatedClient: `fit` and `evaluate` on data sets of the worker."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import syft as sy
from syft.core.messages import Call, Ref
from syft.exceptions import (
    CommandNotPermittedError,
    FederatedError,
    NotRemoteError,
    ObjectNotFoundError,
    PlanBuildError,
    UsageError,
)

XOR = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
LABELS = torch.tensor([[1.0], [1.0], [0.0], [0.0]])


def xor_loss(target: torch.Tensor, pred: torch.Tensor) -> torch.Tensor:
    return ((target.float() - pred.float()) ** 2).mean()


def network() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 1))


def config(model: nn.Module, **options: Any) -> sy.TrainConfig:
    return sy.TrainConfig(model, xor_loss, example=(XOR, LABELS), **options)


def scripted(model: nn.Module) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(model, XOR), torch.jit.script(xor_loss)


@pytest.fixture
def xor(bob: Any) -> Any:
    bob.add_dataset(sy.BaseDataset(XOR, LABELS), key="xor")
    return bob


def test_fit_equals_plain_training(xor: Any) -> None:
    model = network()
    twin = copy.deepcopy(model)
    sent = config(model, batch_size=2, epochs=3, shuffle=False, optimizer="Adam", optimizer_args={"lr": 0.01}).send(xor)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    for _ in range(2):
        loss = xor.fit(dataset_key="xor")
        for start in (0, 2, 0, 2, 0, 2):
            optimizer.zero_grad()
            expected = xor_loss(LABELS[start : start + 2], twin(XOR[start : start + 2]))
            expected.backward()
            optimizer.step()
        assert torch.equal(loss, expected.detach())
    box = sent.model_ptr.get()
    assert box.obj is model
    assert torch.equal(box(XOR), twin(XOR))


def test_torchscript_as_0_2_programs_send_it(xor: Any) -> None:
    model = network()
    twin = copy.deepcopy(model)
    script, loss_fn = scripted(model)
    sent = sy.TrainConfig(model=script, loss_fn=loss_fn, batch_size=4, shuffle=False, optimizer_args={"lr": 0.1})
    assert sent.send(xor) is sent
    assert "CallablePointer" in repr(sent.loss_fn_ptr)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    for _ in range(10):
        loss = xor.fit(dataset_key="xor")
        optimizer.zero_grad()
        expected = xor_loss(LABELS, twin(XOR))
        expected.backward()
        optimizer.step()
        assert torch.allclose(loss, expected.detach(), atol=1e-6)
    report = xor.evaluate("xor")
    assert report["loss"] == pytest.approx(xor_loss(LABELS, twin(XOR)).item(), abs=1e-6)
    new_model = sent.model_ptr.get()
    assert torch.allclose(new_model(XOR), twin(XOR), atol=1e-6)
    with pytest.raises(ObjectNotFoundError):
        xor.fit("xor")


def test_xor_is_learned(xor: Any) -> None:
    sent = config(network(), batch_size=4, epochs=400, optimizer="Adam", optimizer_args={"lr": 0.02}).send(xor)
    xor.fit("xor")
    assert xor.evaluate("xor")["nr_correct_predictions"] == 4
    assert (sent.model_ptr.get()(XOR).round() == LABELS).all()


def test_the_text_of_a_config() -> None:
    c = sy.TrainConfig(batch_size=2, id=99887766)
    assert str(c) == "<TrainConfig id:99887766 owner:me epochs: 1 batch_size: 2 optimizer_args: {'lr': 0.1}>"
    c.location = "bob"
    assert " owner:me location:bob epochs" in str(c)


def test_defaults_are_not_shared(xor: Any) -> None:
    first, second = config(network()), config(network())
    first.optimizer_args["lr"] = 5.0
    assert second.optimizer_args == {"lr": 0.1}
    second.send(xor)
    xor.fit("xor")
    assert sy.TrainConfig().optimizer_args == {"lr": 0.1}


@pytest.mark.parametrize(("limit", "epochs", "steps"), [(3, 3, 3), (-1, 3, 6), (0, 2, 0), (1, 5, 1)])
def test_the_limit_of_batches_holds_over_all_epochs(xor: Any, limit: int, epochs: int, steps: int) -> None:
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.zero_()

    def count(pred: Any, target: Any) -> Any:
        return -pred.sum() * 0 - model.weight.sum()

    sent = sy.TrainConfig(
        model,
        count,
        batch_size=2,
        epochs=epochs,
        max_nr_batches=limit,
        optimizer_args={"lr": 1.0},
        example=(XOR, LABELS),
    ).send(xor)
    if steps == 0:
        with pytest.raises(FederatedError, match="nothing was trained"):
            xor.fit("xor")
    else:
        xor.fit("xor")
    assert sent.get_model().obj.weight.tolist() == [[float(steps), float(steps)]]


@pytest.mark.parametrize("batch_size", [1, 4, 8, 30])
def test_the_loss_of_an_evaluation_is_the_mean_of_the_samples(bob: Any, batch_size: int) -> None:
    torch.manual_seed(0)
    data, targets = torch.randn(30, 4), torch.randint(0, 3, (30,))
    bob.add_dataset(sy.BaseDataset(data, targets), key="iris")
    model = nn.Linear(4, 3)

    def loss_fn(pred: Any, target: Any) -> Any:
        return F.cross_entropy(pred, target)

    sy.TrainConfig(model, loss_fn, batch_size=batch_size, example=(data[:2], targets[:2])).send(bob)
    report = bob.evaluate("iris", return_histograms=True, nr_bins=3)
    assert report["loss"] == pytest.approx(F.cross_entropy(model(data), targets).item(), abs=1e-6)
    assert report["nr_predictions"] == 30
    assert report["nr_correct_predictions"] == int((model(data).argmax(1) == targets).sum())
    assert np.array_equal(report["histogram_target"], np.bincount(targets.numpy(), minlength=3).astype(float))
    assert report["histogram_predictions"].sum() == 30
    assert set(bob.evaluate("iris", return_loss=False)) == {"nr_correct_predictions", "nr_predictions"}
    assert set(bob.evaluate("iris", return_raw_accuracy=False)) == {"loss"}
    assert len(bob.evaluate("iris", return_histograms=True)["histogram_target"]) == 3


def test_an_evaluation_leaves_training_alone(bob: Any) -> None:
    torch.manual_seed(0)
    data, targets = torch.randn(8, 3), torch.randint(0, 2, (8,))
    bob.add_dataset(sy.BaseDataset(data, targets), key="d")
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    twin = copy.deepcopy(model)

    def loss_fn(pred: Any, target: Any) -> Any:
        return F.cross_entropy(pred, target)

    c = sy.TrainConfig(model, loss_fn, batch_size=8, shuffle=False, example=(data, targets)).send(bob)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    for _ in range(2):
        bob.fit("d")
        twin.train()
        optimizer.zero_grad()
        F.cross_entropy(twin(data), targets).backward()
        optimizer.step()
        twin.eval()
        assert bob.evaluate("d")["loss"] == pytest.approx(F.cross_entropy(twin(data), targets).item(), abs=1e-6)
    trained = c.model_ptr.get().obj.state_dict()
    assert all(torch.equal(trained[key], value) for key, value in twin.state_dict().items())


def test_what_is_wrong_is_said(bob: Any) -> None:
    with pytest.raises(ValueError, match="Operation needs TrainConfig object to be set."):
        bob.fit("xor")
    with pytest.raises(ValueError, match="Operation needs TrainConfig object to be set."):
        bob.evaluate("xor")
    bob.add_dataset(sy.BaseDataset(XOR, LABELS), key="xor")
    with pytest.raises(ValueError, match="Key xor already exists in Datasets"):
        bob.add_dataset(sy.BaseDataset(XOR, LABELS), key="xor")
    config(network()).send(bob)
    with pytest.raises(ValueError, match="Dataset nope unknown."):
        bob.fit("nope")
    script, loss_fn = scripted(network())
    sy.TrainConfig(script, loss_fn, optimizer="Nope").send(bob)
    with pytest.raises(ValueError, match="Unknown optimizer: Nope"):
        bob.fit("xor")
    bob.remove_dataset("xor")
    bob.remove_dataset("xor")
    assert bob.datasets == {}
    with pytest.raises(PlanBuildError, match="lr_scheduler"):
        config(network(), optimizer="lr_scheduler").send(bob)
    with pytest.raises(UsageError, match="example="):
        sy.TrainConfig(network(), xor_loss).send(bob)
    with pytest.raises(UsageError, match="not a NoneType"):
        sy.TrainConfig(None, xor_loss, example=(XOR, LABELS)).send(bob)
    with pytest.raises(UsageError, match="batch_size=0"):
        sy.TrainConfig(batch_size=0)
    with pytest.raises(NotRemoteError, match="send the config first"):
        config(network()).get_model()
    with pytest.raises(FederatedError, match="pred=..., target=..."):
        sy.TrainConfig(network(), lambda a, b: a, example=(XOR, LABELS)).send(bob)


def test_after_the_model_was_fetched_there_is_none_to_train(xor: Any) -> None:
    sent = config(network()).send(xor)
    assert xor.train_config is not None
    sent.get_model()
    with pytest.raises(ObjectNotFoundError):
        xor.fit("xor")
    with pytest.raises(ObjectNotFoundError):
        xor.evaluate("xor")


def test_no_message_adds_or_reads_data_sets(xor: Any) -> None:
    for method in ("add_dataset", "datasets", "_batches", "config"):
        with pytest.raises(CommandNotPermittedError):
            xor.request(Call(Ref("service:training"), ("xor",), {}, None, method))
    with pytest.raises(UsageError):
        xor.request(Call(Ref("service:training"), (5,), {}, None, "configure"))
    assert len(xor._objects) == 0
