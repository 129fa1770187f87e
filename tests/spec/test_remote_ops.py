"""Operations on pointers: where they run, what they give, and what they cost."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import syft as sy
from syft.core import messages as m
from syft.exceptions import ObjectNotFoundError, SyftError

Worker = sy.VirtualWorker
Program = Callable[..., Any]


@pytest.fixture
def x(hook: sy.TorchHook) -> torch.Tensor:
    """What `p` points to: six different positive floats."""
    return torch.tensor([[1.5, 4.0, 2.0], [3.0, 0.5, 6.0]])


@pytest.fixture
def p(x: torch.Tensor, bob: Worker) -> Any:
    """A pointer to a 2×3 float tensor at bob."""
    return x.send(bob)


# --- what comes back --------------------------------------------------------------------------------


def test_one_result_is_a_wrapped_pointer(p: Any, bob: Worker, me: Any) -> None:
    q = p + p
    assert q.is_wrapper
    assert (q.location, q.owner) == (bob, me)
    assert len(bob._objects) == 2


MULTIPLE: dict[str, Program] = {
    "max": lambda t: t.max(dim=1), "min": lambda t: t.min(dim=0), "sort": lambda t: t.sort(dim=1),
    "topk": lambda t: t.topk(2), "chunk": lambda t: t.chunk(2), "split": lambda t: t.split(2, dim=1),
    "unbind": lambda t: t.unbind(1), "torch.max": lambda t: torch.max(t, 1), "torch.split": lambda t: torch.split(t, 1),
    "torch.chunk": lambda t: torch.chunk(t, 3, dim=1), "torch.sort": lambda t: torch.sort(t, descending=True),
    "median": lambda t: t.median(dim=1), "cummax": lambda t: t.cummax(0), "var_mean": torch.var_mean,
    "meshgrid": lambda t: torch.meshgrid(t[0], t[1], indexing="ij"),
}  # fmt: skip


@pytest.mark.parametrize("compute", MULTIPLE.values(), ids=MULTIPLE.keys())
def test_several_results_are_a_list_of_pointers(p: Any, x: torch.Tensor, compute: Program) -> None:
    results, expected = compute(p), compute(x)
    assert isinstance(results, (list, tuple))
    assert len(results) == len(expected)
    for result, value in zip(results, expected, strict=True):
        assert result.is_wrapper
        assert torch.equal(result.get(), value)


def test_several_results_unpack(p: Any) -> None:
    values, indices = p.max(dim=1)
    assert values.get().tolist() == [4.0, 6.0]
    assert indices.get().tolist() == [1, 2]


def test_several_results_have_torch_s_names(p: Any) -> None:
    out = p.max(dim=1)
    assert out.values.get().tolist() == [4.0, 6.0]
    assert out.indices.get().tolist() == [1, 2]


def test_results_die_with_their_pointers(p: Any, bob: Worker) -> None:
    values, indices = p.max(dim=1)
    assert len(bob._objects) == 3
    del values, indices
    assert len(bob._objects) == 1


PLAIN: dict[str, Program] = {
    "numel": lambda t: t.numel(), "equal": lambda t: torch.equal(t, t), "allclose": lambda t: torch.allclose(t, t),
    "dim": lambda t: t.dim(), "size": lambda t: t.size(1), "is_floating_point": lambda t: t.is_floating_point(),
    "torch.is_tensor": torch.is_tensor, "torch.numel": torch.numel, "element_size": lambda t: t.element_size(),
}  # fmt: skip


@pytest.mark.parametrize("ask", PLAIN.values(), ids=PLAIN.keys())
def test_plain_results_are_plain_values(p: Any, x: torch.Tensor, ask: Program) -> None:
    assert ask(p) == ask(x)
    assert type(ask(p)) is type(ask(x))


def test_backward_gives_a_pointer_to_nothing(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    nothing = w.sum().backward()
    assert str(nothing).startswith("(Wrapper)>[PointerTensor | me:")
    assert nothing.location is bob
    with pytest.raises(ObjectNotFoundError):
        nothing.get()


IN_PLACE: dict[str, Program] = {
    "add_": lambda t: t.add_(1), "relu_": lambda t: t.relu_(), "zero_": lambda t: t.zero_(),
    "requires_grad_": lambda t: t.requires_grad_(), "+=": lambda t: operator.iadd(t, 2),
    "*=": lambda t: operator.imul(t, 2), "copy_": lambda t: t.copy_(t * 2), "fill_": lambda t: t.fill_(3),
    "clamp_": lambda t: t.clamp_(min=1), "t_": lambda t: t.t_(), "torch.relu_": torch.relu_,
    "masked_fill_": lambda t: t.masked_fill_(t > 2, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE.keys())
def test_in_place_ops_give_the_very_same_wrapper(p: Any, x: torch.Tensor, bob: Worker, change: Program) -> None:
    assert change(p) is p
    assert len(bob._objects) == 1
    change(x)
    assert torch.equal(p.get(), x)


# --- cost -------------------------------------------------------------------------------------------


def test_one_call_is_one_message(p: Any, bob: Worker) -> None:
    bob.log_msgs = True
    q = p + p
    r = F.softmax(q, dim=1)
    q.add_(1)
    messages = [type(bob._get_msg(i)) for i in range(len(bob.msg_history))]
    assert messages == [m.Command] * 3
    assert r.location is bob


def test_the_caller_chooses_the_id_of_the_result(p: Any, bob: Worker) -> None:
    q = p + p
    assert list(bob._objects)[-1] == q.id_at_location


# --- ops that were seen to work ---------------------------------------------------------------------

METHODS: dict[str, Program] = {
    "abs": lambda t: (-t).abs(), "exp": lambda t: t.exp(), "log": lambda t: t.log(), "sqrt": lambda t: t.sqrt(),
    "tanh": lambda t: t.tanh(), "sigmoid": lambda t: t.sigmoid(), "relu": lambda t: (t - 2).relu(),
    "softmax": lambda t: t.softmax(dim=1), "mean": lambda t: t.mean(), "sum": lambda t: t.sum(dim=0, keepdim=True),
    "norm": lambda t: t.norm(), "argmax": lambda t: t.argmax(dim=1, keepdim=True), "eq": lambda t: t.eq(2.0),
    "clamp": lambda t: t.clamp(1, 3), "masked_fill": lambda t: t.masked_fill(t > 2, 0.0),
    "scatter": lambda t: t.scatter(1, t.argmax(dim=1, keepdim=True), 0.0), "view": lambda t: t.view(-1, 2),
    "reshape": lambda t: t.reshape(6), "permute": lambda t: t.permute(1, 0), "transpose": lambda t: t.transpose(0, 1),
    "t": lambda t: t.t(), "unsqueeze": lambda t: t.unsqueeze(0), "squeeze": lambda t: t[None].squeeze(),
    "flatten": lambda t: t.flatten(), "expand": lambda t: t[None].expand(4, 2, 3),
    "contiguous": lambda t: t.t().contiguous(), "float": lambda t: t.long().float(), "double": lambda t: t.double(),
    "long": lambda t: t.long(), "to": lambda t: t.to(torch.float64), "cpu": lambda t: t.cpu(),
    "detach": lambda t: t.detach(), "copy": lambda t: t.copy(), "new_zeros": lambda t: t.new_zeros(2, 2),
    "mm": lambda t: t.mm(t.t()), "matmul": lambda t: t.matmul(t.t()), "@": lambda t: t @ t.t(),
    "view_as": lambda t: t.view(3, 2).view_as(t), "pow": lambda t: t.pow(2), "repeat": lambda t: t.repeat(2, 1),
}  # fmt: skip

FUNCTIONS: dict[str, Program] = {
    "add": lambda t: torch.add(t, t, alpha=2), "mul": lambda t: torch.mul(t, 2), "mm": lambda t: torch.mm(t, t.t()),
    "sum": lambda t: torch.sum(t, 1), "mean": lambda t: torch.mean(t, dim=0), "cat": lambda t: torch.cat([t, t], dim=1),
    "stack": lambda t: torch.stack((t, t)), "max": torch.max, "where": lambda t: torch.where(t > 2, t, t * 0),
    "where number": lambda t: torch.where(t > 2, t, 0.0), "einsum": lambda t: torch.einsum("ij,kj->ik", t, t),
    "relu": torch.relu, "sigmoid": torch.sigmoid, "exp": torch.exp, "abs": torch.abs, "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like, "norm": torch.norm, "clamp": lambda t: torch.clamp(t, max=2),
    "F.relu": F.relu, "F.celu": F.celu, "F.elu": F.elu, "F.softmax": lambda t: F.softmax(t, dim=0),
    "F.log_softmax": lambda t: F.log_softmax(t, dim=1), "F.dropout": lambda t: F.dropout(t, training=False),
    "F.mse_loss": lambda t: F.mse_loss(t, t * 2), "F.nll_loss": lambda t: F.nll_loss(t, t.argmin(dim=1)),
    "F.cross_entropy": lambda t: F.cross_entropy(t, t.argmin(dim=1), label_smoothing=0.1),
    "F.conv2d": lambda t: F.conv2d(t[None, None], t[None, None, :, :2], padding=1),
    "F.max_pool2d": lambda t: F.max_pool2d(t[None], 2), "F.avg_pool2d": lambda t: F.avg_pool2d(t[None], 2, stride=1),
    "F.adaptive_avg_pool2d": lambda t: F.adaptive_avg_pool2d(t[None], 1),
    "F.embedding": lambda t: F.embedding((t > 2).long(), t), "F.one_hot": lambda t: F.one_hot(t.long(), 7),
    "F.linear": lambda t: F.linear(t, t, t[:, 0]), "F.pad": lambda t: F.pad(t, (1, 1)),
    "nn.MSELoss": lambda t: nn.MSELoss()(t, t + 1), "nn.NLLLoss": lambda t: nn.NLLLoss()(t, t.argmin(dim=1)),
    "nn.ReLU": lambda t: nn.ReLU()(t - 2), "nn.Flatten": lambda t: nn.Flatten(0)(t),
    "nn.BCEWithLogitsLoss": lambda t: nn.BCEWithLogitsLoss()(t, (t > 2).float()),
}  # fmt: skip


@pytest.mark.parametrize("compute", METHODS.values(), ids=METHODS.keys())
def test_methods_run_where_the_data_is(p: Any, x: torch.Tensor, bob: Worker, compute: Program) -> None:
    result = compute(p)
    assert result.location is bob
    assert torch.equal(result.get(), compute(x))


@pytest.mark.parametrize("compute", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_functions_run_where_the_data_is(p: Any, x: torch.Tensor, bob: Worker, compute: Program) -> None:
    result = compute(p)
    assert result.location is bob
    assert torch.equal(result.get(), compute(x))


def test_random_ops_run_where_the_data_is(p: Any, bob: Worker) -> None:
    assert torch.rand_like(p).get().shape == (2, 3)
    kept = F.dropout(torch.ones(1000).send(bob), p=0.5).get()
    assert set(kept.unique().tolist()) == {0.0, 2.0}


def test_to_and_cpu_make_new_remote_objects(p: Any, bob: Worker) -> None:
    q, r = p.to("cpu"), p.cpu()
    assert len({p.id_at_location, q.id_at_location, r.id_at_location}) == 3
    assert q.location is r.location is bob


def test_to_a_device_keeps_the_location(p: Any, bob: Worker) -> None:
    assert p.to(torch.device("cpu")).location is bob
    assert p.to(torch.device("cpu")).get().tolist() == p.get().tolist()


# --- arguments and errors ---------------------------------------------------------------------------

ARGUMENTS: dict[str, Program] = {
    "numbers": lambda t: t.add(1, alpha=2.5), "strings": lambda t: torch.einsum("ij->ji", t),
    "none": lambda t: t.sum(dim=None), "slices": lambda t: t[:, ::2], "ellipsis": lambda t: t[..., None],
    "dtypes": lambda t: t.sum(dtype=torch.float64), "devices": lambda t: t.to(device=torch.device("cpu")),
    "sizes": lambda t: t.view(torch.Size([3, 2])), "tuples": lambda t: t.sum(dim=(0, 1)),
    "lists": lambda t: t.permute([1, 0]), "bools": lambda t: t.sum(0, True), "pointers": lambda t: t.add(t),
    "memory formats": lambda t: t.contiguous(memory_format=torch.contiguous_format),
    "numpy scalars": lambda t: t * torch.tensor(2.0).numpy()[()], "scalar tensors": lambda t: t * torch.tensor(2.0),
}  # fmt: skip


@pytest.mark.parametrize("compute", ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_arguments_may_be(p: Any, x: torch.Tensor, compute: Program) -> None:
    assert torch.equal(compute(p).get(), compute(x))


def test_other_arguments_are_refused_with_a_reason(p: Any, bob: Worker) -> None:
    with pytest.raises((SyftError, TypeError)):
        p.add(object())
    assert len(bob._objects) == 1


def test_remote_errors_keep_type_and_text(bob: Worker) -> None:
    x = torch.tensor([1, 2])
    p = x.send(bob)
    with pytest.raises(RuntimeError) as local:
        x.view(7)
    with pytest.raises(RuntimeError) as remote:
        p.view(7)
    assert type(remote.value) is type(local.value)
    assert str(remote.value) == str(local.value)


@pytest.mark.parametrize(
    ("error", "fail"),
    [
        (IndexError, lambda t: t[5]),
        (IndexError, lambda t: t.sum(dim=9)),
        (TypeError, lambda t: t.sum(dim="x")),
        (RuntimeError, lambda t: t @ t),
        (ValueError, lambda t: F.cross_entropy(t, t.argmax(1)[:1])),
    ],
    ids=["index", "dimension", "type", "shape", "value"],
)
def test_remote_errors_leave_nothing_behind(p: Any, bob: Worker, error: type[Exception], fail: Program) -> None:
    with pytest.raises(error):
        fail(p)
    assert list(bob._objects) == [p.id_at_location]
    assert (p + p).location is bob


def test_operating_on_what_is_gone_says_so(p: Any, bob: Worker) -> None:
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError, match=str(p.id_at_location)):
        p + 1


def test_no_grad_reaches_the_worker(bob: Worker) -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True).send(bob)
    with torch.no_grad():
        q = w * 2
        w.add_(1)
    assert q.requires_grad is False
    assert (w * 2).requires_grad is True
    assert w.get().tolist() == [2.0, 3.0]


def test_enable_grad_reaches_the_worker(bob: Worker) -> None:
    w = torch.tensor([1.0], requires_grad=True).send(bob)
    with torch.no_grad(), torch.enable_grad():
        assert (w * 2).requires_grad is True


# --- keyword tensors --------------------------------------------------------------------------------


def test_keyword_tensors_are_translated(p: Any, x: torch.Tensor) -> None:
    assert torch.equal(F.mse_loss(input=p, target=p * 2).get(), F.mse_loss(x, x * 2))
    assert torch.equal(torch.add(input=p, other=p).get(), x + x)
    assert torch.equal(p.lerp(p * 2, weight=p).get(), x.lerp(x * 2, weight=x))
    assert torch.equal(torch.cat(tensors=[p, p]).get(), torch.cat([x, x]))
    assert torch.equal(p.add(other=p).get(), x + x)


def test_backward_takes_the_gradient_by_keyword(bob: Worker) -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True).send(bob)
    (w * 3).backward(gradient=torch.tensor([1.0, 10.0]).send(bob))
    assert w.get().grad.tolist() == [3.0, 30.0]


def test_out_writes_into_a_remote_tensor(p: Any, x: torch.Tensor, bob: Worker) -> None:
    out = torch.zeros(2, 3).send(bob)
    assert torch.add(p, p, out=out) is out
    assert len(bob._objects) == 2
    assert torch.equal(out.get(), x + x)


# --- order ------------------------------------------------------------------------------------------


def test_behaviour_does_not_depend_on_earlier_calls(p: Any, x: torch.Tensor) -> None:
    for _ in range(2):
        assert p.max().get() == x.max()
        values, indices = p.max(dim=0)
        assert values.get().tolist() == x.max(dim=0).values.tolist()
        assert indices.get().tolist() == x.max(dim=0).indices.tolist()
        assert p.max(p * 2).get().tolist() == x.max(x * 2).tolist()
        assert p.sum().get() == x.sum()
        assert p.sum(dim=1).get().tolist() == x.sum(dim=1).tolist()


def test_the_example_of_the_manual(make_worker: Any) -> None:
    lab = make_worker("lab")
    v = torch.tensor([2.0, 4.0])
    pv = v.send(lab)
    s = pv * 10
    assert {id: t.tolist() for id, t in lab._objects.items()} == {v.id: [2.0, 4.0], s.id_at_location: [20.0, 40.0]}
    assert s.get().tolist() == [20.0, 40.0]
    assert str(lab) == "<VirtualWorker id:lab #objects:1>"
