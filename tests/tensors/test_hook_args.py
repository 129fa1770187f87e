"""0.2.4's functions for passing calls on by hand, as its notebooks use them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import UnsupportedOp
from syft.generic.frameworks.hook import hook_args
from syft.generic.tensor import AbstractTensor
from syft.tensors.base import Wrapper
from syft.tensors.pointer import PointerTensor

Said = pytest.CaptureFixture[str]


class ByHand(AbstractTensor):
    """Passes calls on by hand."""

    def manual_add(self, *args: Any, **kwargs: Any) -> Any:
        new_self, new_args, new_kwargs = hook_args.unwrap_args_from_method("add", self, args, kwargs)
        print("Log method manual_add")
        return hook_args.hook_response("add", new_self.add(*new_args, **new_kwargs), wrap_type=type(self))

    @classmethod
    def handle_func_command(cls, command: tuple[Any, ...]) -> Any:
        name, _, args, kwargs = command
        new_args, new_kwargs, new_type = hook_args.unwrap_args_from_function(name, args, kwargs)
        print("Default log", name)
        response = new_type.handle_func_command((name, None, new_args, new_kwargs))
        return hook_args.hook_response(name, response, wrap_type=cls)


@pytest.fixture
def x(hook: sy.TorchHook) -> Any:
    return ByHand().on(torch.tensor([1.0, 2.0]))


def test_the_old_path_is_this_module() -> None:
    assert hook_args.__name__ == "syft.tensors.hook_args"


def test_a_method_passed_on_by_hand(x: Any, capsys: Said) -> None:
    out = x.child.manual_add(x.child)
    assert (type(out), repr(out)) == (ByHand, "ByHand>tensor([2., 4.])")
    assert capsys.readouterr().out == "Log method manual_add\n"


def test_a_function_passed_on_by_hand(x: Any, capsys: Said) -> None:
    assert repr(ByHand.handle_func_command(("torch.div", None, (x.child, 2), {}))) == "ByHand>tensor([0.5000, 1.0000])"
    assert capsys.readouterr().out == "Default log torch.div\n"


def test_a_function_passed_on_through_two_types(x: Any, capsys: Said) -> None:
    twice = ByHand().on(x)
    out = ByHand.handle_func_command(("torch.mul", None, (twice.child, twice.child), {}))
    assert repr(out) == "ByHand>ByHand>tensor([1., 4.])"
    assert capsys.readouterr().out == "Default log torch.mul\n" * 2


def test_a_function_passed_on_to_another_place(bob: sy.VirtualWorker) -> None:
    x = ByHand().on(torch.tensor([1.0, 2.0]).send(bob))
    out = ByHand.handle_func_command(("torch.add", None, (x.child, x.child), {}))
    assert type(out.child) is PointerTensor
    assert repr(out.get()) == "ByHand>tensor([2., 4.])"


def test_unwrapping_a_method_takes_off_one_layer(x: Any) -> None:
    inner, args, kwargs = hook_args.unwrap_args_from_method("add", x, (x, 1, [x]), {"other": x})
    link = x.child
    assert (inner, args, kwargs) == (link, (link, 1, [link]), {"other": link})
    inner, args, kwargs = hook_args.unwrap_args_from_method("add", link, (link, 1, [link]), {"other": link})
    assert inner is link.child
    assert args[0] is args[2][0] is kwargs["other"] is link.child
    assert args[1] == 1


def test_unwrapping_a_function_names_the_types(x: Any) -> None:
    link = x.child
    args, kwargs, kind, given = hook_args.unwrap_args_from_function("torch.add", (x, x), {}, return_args_type=True)
    assert (args, kwargs, kind, given) == ((link, link), {}, ByHand, Wrapper)
    args, kwargs, kind = hook_args.unwrap_args_from_function("torch.cat", ([link, link],), {"out": None})
    assert args[0][1] is link.child
    assert (kwargs, kind) == ({"out": None}, torch.Tensor)


def test_nothing_to_unwrap_is_an_error(hook: sy.TorchHook) -> None:
    plain = torch.ones(1)
    with pytest.raises(UnsupportedOp, match="'add'"):
        hook_args.unwrap_args_from_method("add", plain, (plain,), {})
    with pytest.raises(UnsupportedOp, match=r"'torch\.add'"):
        hook_args.unwrap_args_from_function("torch.add", (plain, 1), {})


def test_covering_a_response(x: Any) -> None:
    one = torch.tensor([1.0])
    assert repr(hook_args.hook_response("add", one, wrap_type=sy.LoggingTensor)) == "LoggingTensor>tensor([1.])"
    assert repr(hook_args.hook_response("add", x.child, wrap_type=torch.Tensor)) == "(Wrapper)>ByHand>tensor([1., 2.])"
    pair = hook_args.hook_response("max", (one, one), wrap_type=sy.LoggingTensor)
    assert [repr(p) for p in pair] == ["LoggingTensor>tensor([1.])"] * 2
    wrapped = hook_args.hook_response("max", [x.child, 3], wrap_type=torch.Tensor)
    assert (repr(wrapped[0]), wrapped[1]) == ("(Wrapper)>ByHand>tensor([1., 2.])", 3)
    private = hook_args.hook_response("add", one, wrap_type=sy.PrivateTensor, wrap_args={"allowed_users": ("ann",)})
    assert private.allow("ann")
    for plain in (3, "text", None, torch.Size([2])):
        assert hook_args.hook_response("len", plain, wrap_type=sy.LoggingTensor) == plain
        assert hook_args.hook_response("len", plain, wrap_type=torch.Tensor) == plain


def test_a_type_that_covers_nothing_is_refused(hook: sy.TorchHook) -> None:
    with pytest.raises(UnsupportedOp, match="PointerTensor"):
        hook_args.hook_response("add", torch.ones(1), wrap_type=PointerTensor)


def test_plain_tensors_run_a_command(hook: sy.TorchHook) -> None:
    out = torch.Tensor.handle_func_command(("torch.add", None, (torch.ones(1), 1), None))  # type: ignore[attr-defined]
    assert out.tolist() == [2.0]
    with pytest.raises(UnsupportedOp, match=r"torch\.load"):
        torch.Tensor.handle_func_command(("torch.load", None, ("file",), {}))  # type: ignore[attr-defined]


def test_registering_is_accepted_and_changes_nothing(hook: sy.TorchHook, x: Any) -> None:
    before = repr(x + x)
    hook_args.default_register_tensor(ByHand)
    hook_args.register_type_rule({ByHand: hook_args.one})
    hook_args.register_forward_func({ByHand: hook_args.get_child})
    hook_args.register_backward_func({ByHand: lambda i, **kwargs: ByHand().on(i, wrap=False)})
    hook_args.register_ambiguous_method("add")
    hook_args.register_ambiguous_function("torch.add")
    hook._hook_syft_tensor_methods(ByHand)
    assert repr(x + x) == before
    assert (hook_args.one(x.child), hook_args.get_child(x.child)) == (1, x.child.child)
