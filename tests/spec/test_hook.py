"""What hooking torch does, adds, and leaves alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.exceptions import SyftError

TENSOR_ADDITIONS = (
    "send send_ get get_ move remote_send remote_get create_pointer wrap on copy combine tag describe serialize "
    "ser allow private_tensor torch_type id owner is_wrapper has_child location tags description ptr"
).split()
MODULE_ADDITIONS = "send send_ get get_ move copy owner location".split()


def test_before_the_first_hook_the_globals_say_so(run_script: Any) -> None:
    source = (
        "import syft as sy\n"
        "print(sy.local_worker, sy.torch, sy.framework, callable(sy.hook), sy.ID_PROVIDER.pop() >= 0)\n"
    )
    assert run_script(source) == "None None None True True\n"


def test_hooking_prints_nothing_and_publishes_the_globals(run_script: Any) -> None:
    source = (
        "import syft as sy, torch\n"
        "hook = sy.TorchHook(torch)\n"
        "assert sy.hook is hook and sy.local_worker is hook.local_worker\n"
        "assert sy.framework is sy.torch and sy.torch.hook is hook and sy.torch.ALIAS == 'torch'\n"
        "assert torch.torch_hooked is True and hook.local_worker.is_client_worker is True\n"
    )
    assert run_script(source) == ""


def test_a_given_local_worker_stands_for_the_process(run_script: Any) -> None:
    source = (
        "import syft as sy, torch\n"
        "w = sy.VirtualWorker(None, id='w')\n"
        "assert w.framework is None\n"
        "hook = sy.TorchHook(torch, local_worker=w)\n"
        "assert hook.local_worker is w and w.hook is hook and sy.local_worker is w\n"
        "assert w.framework is sy.framework, 'the framework was not filled in'\n"
        "bob = sy.VirtualWorker(hook, id='bob')\n"
        "p = torch.tensor([1, 2]).send(bob)\n"
        "print(str(p)[:28])\n"
        "print((p + p).get().tolist())\n"
    )
    assert run_script(source) == "(Wrapper)>[PointerTensor | w\n[2, 4]\n"


def test_is_client_false_reaches_the_local_worker(run_script: Any) -> None:
    source = "import syft as sy, torch\nprint(sy.TorchHook(torch, is_client=False).local_worker.is_client_worker)\n"
    assert run_script(source) == "False\n"


def test_verbose_is_accepted(hook: sy.TorchHook) -> None:
    assert sy.TorchHook(torch, verbose=False).local_worker is hook.local_worker


def test_a_second_hook_warns_and_leaves_the_first_in_place(
    hook: sy.TorchHook, caplog: pytest.LogCaptureFixture
) -> None:
    first = sy.hook
    with caplog.at_level(logging.WARNING):
        second = sy.TorchHook(torch)
    assert "already hooked" in caplog.text
    assert second is not first
    assert sy.hook is first
    assert second.local_worker is first.local_worker


def test_a_second_hook_ignores_another_local_worker(hook: sy.TorchHook) -> None:
    stranger = sy.VirtualWorker(None, id="stranger")
    assert sy.TorchHook(torch, local_worker=stranger).local_worker is hook.local_worker


def test_a_second_hook_is_as_capable_as_the_first(hook: sy.TorchHook, bob: sy.VirtualWorker) -> None:
    second = sy.TorchHook(torch)
    assert second.torch is torch
    assert second.framework.hook.local_worker is hook.local_worker
    carol = sy.VirtualWorker(second, id="carol")
    assert (torch.tensor([1]).send(carol).move("bob") + 1).get().tolist() == [2]


def test_the_hook_makes_shapes_zeros_and_wrappers(hook: sy.TorchHook) -> None:
    assert hook.create_shape([2, 3]) == torch.Size([2, 3])
    assert torch.equal(hook.create_zeros(2, 3), torch.zeros(2, 3))
    assert hook.create_wrapper().is_wrapper
    assert hook.create_wrapper(torch.Tensor).is_wrapper


def test_only_torch_tensors_can_be_wrappers(hook: sy.TorchHook) -> None:
    with pytest.raises(SyftError, match="wrap"):
        hook.create_wrapper(int)


def test_the_hook_has_a_place_for_traces(hook: sy.TorchHook) -> None:
    assert hasattr(hook, "trace")


@pytest.mark.parametrize("name", TENSOR_ADDITIONS)
def test_tensors_gain(hook: sy.TorchHook, name: str) -> None:
    assert hasattr(torch.Tensor, name)


@pytest.mark.parametrize("name", MODULE_ADDITIONS)
def test_modules_gain(hook: sy.TorchHook, name: str) -> None:
    assert hasattr(nn.Module, name)


def test_modules_have_named_tensors(hook: sy.TorchHook) -> None:
    net = nn.Linear(2, 1)
    assert [name for name, _ in net.named_tensors()] == ["weight", "bias"]


def test_torch_keeps_its_own_functions(hook: sy.TorchHook) -> None:
    assert not hasattr(torch.Tensor, "native_add")
    assert not hasattr(torch, "native_tensor")
    assert torch.Tensor.add is torch._C.TensorBase.add
    assert F.relu.__module__ == "torch.nn.functional"


def test_torch_tensor_has_no_extra_keywords(hook: sy.TorchHook) -> None:
    with pytest.raises(TypeError):
        torch.tensor([1, 2], id=12345)


def test_a_local_tensor_equals_neither_none_nor_a_list(hook: sy.TorchHook) -> None:
    x = torch.tensor([1, 2])
    assert (x == None) is False  # noqa: E711
    assert (x == "text") is False


def test_a_local_scalar_has_no_length(hook: sy.TorchHook) -> None:
    with pytest.raises(TypeError, match="0-d"):
        len(torch.tensor(5))


def test_local_printing_is_torch_s(hook: sy.TorchHook) -> None:
    assert repr(torch.tensor([1.5, 2.0], requires_grad=True)) == "tensor([1.5000, 2.0000], requires_grad=True)"
    assert str(nn.Parameter(torch.zeros(1))) == "Parameter containing:\ntensor([0.], requires_grad=True)"


def test_local_indexing_and_autograd_are_torch_s(hook: sy.TorchHook) -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[1:] * x[:-1]).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 4.0, 2.0]


def test_local_training_is_torch_s(hook: sy.TorchHook) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_guard_knows_torch_functions(hook: sy.TorchHook) -> None:
    assert sy.framework._command_guard("torch.add") == "torch.add"
    assert sy.framework._is_command_valid_guard("torch.nn.functional.relu") is True


@pytest.mark.parametrize("name", ["torch.save", "os.system", "torch.add_everything", "add", "torch.hub.load", ""])
def test_the_guard_refuses_other_names(hook: sy.TorchHook, name: str) -> None:
    assert sy.framework._is_command_valid_guard(name) is False
    with pytest.raises(RuntimeError, match="not a supported torch operation"):
        sy.framework._command_guard(name)
