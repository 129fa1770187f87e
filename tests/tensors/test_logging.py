"""`LoggingTensor`: what it says, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

import syft as sy
from syft.exceptions import NotRemoteError

Worker = sy.VirtualWorker
Said = pytest.CaptureFixture[str]


@pytest.fixture
def x(hook: sy.TorchHook) -> Any:
    return sy.LoggingTensor().on(torch.tensor([1.0, -2.0]))


def test_text_form(hook: sy.TorchHook, x: Any) -> None:
    assert repr(x) == str(x) == "(Wrapper)>LoggingTensor>tensor([ 1., -2.])"
    bare = sy.LoggingTensor().on(torch.tensor([1]), wrap=False)
    assert (type(bare), repr(bare)) == (sy.LoggingTensor, "LoggingTensor>tensor([1])")
    assert repr(sy.LoggingTensor()) == "LoggingTensor>None"


SAID: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: x.add(x), "Log method add\n"),
    (lambda x: torch.add(x, x), "Log function torch.add\n"),
    (lambda x: torch.mul(x, x), "Log function torch.mul\n"),
    (lambda x: functional.relu(x), "Log function torch.nn.functional.relu\n"),
    (lambda x: torch.div(x, x), "Default log torch.div\n"),
    (lambda x: torch.stack([x, x]), "Default log torch.stack\n"),
    (lambda x: x.sum(), ""),
    (lambda x: x.mul(x), ""),
    (lambda x: x * x, ""),
    (lambda x: x[0], ""),
]


@pytest.mark.parametrize(("call", "line"), SAID)
def test_what_is_said_and_that_the_result_is_torchs(
    x: Any, capsys: Said, call: Callable[[Any], Any], line: str
) -> None:
    out = call(x)
    assert capsys.readouterr().out == line
    assert type(out.child) is sy.LoggingTensor
    assert torch.equal(out.child.child, call(torch.tensor([1.0, -2.0])))


def test_the_plus_operator_computes(x: Any) -> None:
    assert torch.equal((x + x).child.child, torch.tensor([2.0, -4.0]))


def test_mixed_with_plain_tensors(x: Any) -> None:
    plain = torch.tensor([1.0, 1.0])
    for out in (plain + x, x + plain, torch.add(plain, x), 2 * x - x + 1):
        assert type(out.child) is sy.LoggingTensor
        assert torch.equal(out.child.child, torch.tensor([2.0, -1.0]))


def test_values_and_shapes_come_out_plain(x: Any) -> None:
    assert (x.shape, len(x), float(x.sum()), bool(x.sum() > 0)) == ((2,), 2, -1.0, False)


def test_several_results_keep_their_names(x: Any) -> None:
    out = x.max(dim=0)
    assert (repr(out.values), repr(out.indices)) == (
        "(Wrapper)>LoggingTensor>tensor(1.)",
        "(Wrapper)>LoggingTensor>tensor(0)",
    )
    assert [repr(part) for part in x] == ["(Wrapper)>LoggingTensor>tensor(1.)", "(Wrapper)>LoggingTensor>tensor(-2.)"]


def test_in_place_ops_return_the_very_tensor(x: Any) -> None:
    link = x.child
    assert x.add_(1) is x
    x += 1
    x[0] = 0
    assert x.child is link
    assert torch.equal(link.child, torch.tensor([0.0, 0.0]))


def test_gradients_pass_through(hook: sy.TorchHook) -> None:
    leaf = torch.tensor([3.0], requires_grad=True)
    (sy.LoggingTensor().on(leaf) * 2).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [2.0]


def test_chains_nest(x: Any, capsys: Said) -> None:
    twice = sy.LoggingTensor().on(x)
    assert repr(twice) == "(Wrapper)>LoggingTensor>LoggingTensor>tensor([ 1., -2.])"
    assert repr(torch.add(twice, twice)) == "(Wrapper)>LoggingTensor>LoggingTensor>tensor([ 2., -4.])"
    assert capsys.readouterr().out == "Log function torch.add\n" * 2


def test_over_a_pointer_it_logs_here(bob: Worker, capsys: Said) -> None:
    x = sy.LoggingTensor().on(torch.tensor([1.0]).send(bob))
    assert repr(x).startswith("(Wrapper)>LoggingTensor>[PointerTensor | me:")
    out = torch.add(x, x)
    assert capsys.readouterr().out == "Log function torch.add\n"
    assert x.location == bob
    fetched = out.get()
    assert repr(fetched) == "(Wrapper)>LoggingTensor>tensor([2.])"


def test_sent_it_logs_there_and_comes_back(bob: Worker, x: Any, capsys: Said) -> None:
    there = x.send(bob)
    assert capsys.readouterr().out == ""
    out = torch.add(there, there)
    assert capsys.readouterr().out == "Log function torch.add\n"
    assert repr(out.get()) == "(Wrapper)>LoggingTensor>tensor([ 2., -4.])"
    assert repr(there.max(dim=0).values.get()) == "(Wrapper)>LoggingTensor>tensor(1.)"
    assert [repr(row.get()) for row in there] == [
        "(Wrapper)>LoggingTensor>tensor(1.)",
        "(Wrapper)>LoggingTensor>tensor(-2.)",
    ]
    assert repr(there.get()) == repr(x)
    assert bob._objects == {}


def test_names_travel(bob: Worker, x: Any) -> None:
    x.tag("#log").describe("a log\nof calls")
    back = x.send(bob).get()
    assert (back.tags, back.description) == ({"#log"}, "a log\nof calls")
    assert repr(back) == "(Wrapper)>LoggingTensor>tensor([ 1., -2.])\n\tTags: #log \n\tDescription: a log..."


def test_deleting_the_chain_deletes_the_remote_data(bob: Worker) -> None:
    x = sy.LoggingTensor().on(torch.ones(1).send(bob))
    assert len(bob._objects) == 1
    del x
    assert bob._objects == {}


def test_a_local_chain_has_nothing_to_get(x: Any) -> None:
    with pytest.raises(NotRemoteError):
        x.get()
