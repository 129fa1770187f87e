"""Tensors, models and workers on a CUDA device; where there is none, what must hold without one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import syft as sy

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


@pytest.fixture(params=[False, True], ids=["reference", "wire"])
def on_cuda(request: pytest.FixtureRequest, hook: sy.TorchHook) -> Any:
    worker = sy.VirtualWorker(hook, id="gpu", device="cuda", wire=request.param)
    yield worker
    worker.remove_worker_from_local_worker_registry()


@cuda
@pytest.mark.gpu
def test_a_worker_with_a_device_keeps_everything_there_and_gives_it_out_on_the_cpu(on_cuda: Any) -> None:
    x = torch.ones(2, requires_grad=True).send(on_cuda)
    assert x.device.type == "cuda"
    assert x.is_cuda
    (x * 2).sum().backward()
    assert x.grad.get().tolist() == [2.0, 2.0]
    back = x.get()
    assert back.device.type == "cpu"
    assert back.grad.tolist() == [2.0, 2.0]


@cuda
@pytest.mark.gpu
def test_a_model_trains_on_the_worker_s_device(on_cuda: Any) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(net.parameters())
    data = torch.randn(8, 4).send(on_cuda)
    net.send(on_cuda)
    net(data).pow(2).sum().backward()
    optimizer.step()
    net.get()
    assert {t.device.type for t in (*net.parameters(), *net.buffers())} == {"cpu"}


@cuda
@pytest.mark.gpu
def test_to_device_moves_remote_tensors_and_models(bob: Any) -> None:
    x = torch.ones(2).send(bob).to("cuda")
    assert x.device.type == "cuda"
    net = nn.Linear(2, 1).send(bob).to("cuda")
    assert net(x).device.type == "cuda"
    assert net.get().weight.device.type == "cuda"


def test_to_device_on_a_pointer_is_a_new_pointer_in_the_same_place(bob: Any) -> None:
    x = torch.ones(2).send(bob)
    y = x.to(torch.device("cpu"))
    assert y.location == x.location
    assert y.id_at_location != x.id_at_location
    assert y.device.type == "cpu"


def test_a_worker_with_a_device_places_what_it_receives(hook: sy.TorchHook) -> None:
    lab = sy.VirtualWorker(hook, id="lab", device="meta", auto_add=False)
    assert torch.ones(2).send(lab).device.type == "meta"
    assert sy.BaseDataset(torch.zeros(2), torch.zeros(2)).send(lab).data.device.type == "meta"
