"""`PrivateTensor`: who may send and fetch, what is private, and every way around it that somebody thought of."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.nn import functional

import syft as sy
from syft.core import messages as m
from syft.exceptions import (
    DecodeError,
    GetNotPermittedError,
    NotLocalError,
    NotRemoteError,
    SendNotPermittedError,
    SyftError,
    WorkerNotFoundException,
)
from syft.serde.registry import register

Worker = sy.VirtualWorker
SECRET = [4.25, 5.25, 6.25]


def private(users: Any = ("ann",), values: Any = SECRET) -> Any:
    return torch.tensor(values).private_tensor(allowed_users=users)


def values(tensor: Any) -> Any:
    assert type(tensor.child) is sy.PrivateTensor
    return tensor.child.child


@pytest.fixture
def p(bob: Worker) -> Any:
    """A pointer to a private tensor of three numbers at bob."""
    return private().send(bob, user="ann")


@pytest.fixture
def q(bob: Worker) -> Any:
    """A pointer to three public zeros at bob."""
    return torch.zeros(3).send(bob)


# --- who may -----------------------------------------------------------------------------------------


def test_text_form(hook: sy.TorchHook) -> None:
    assert repr(private()) == "(Wrapper)>PrivateTensor>tensor([4.2500, 5.2500, 6.2500])"
    bare = torch.ones(1).private_tensor(allowed_users="ann", no_wrap=True)
    assert (type(bare), repr(bare)) == (sy.PrivateTensor, "PrivateTensor>tensor([1.])")


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("U", ("U",)),
        (("U", "V"), ("U", "V")),
        (["U", "V"], ("U", "V")),
        ({"U"}, ("U",)),
        (7, (7,)),
        ((), ()),
        (None, ()),
    ],
)
def test_how_users_are_named(hook: sy.TorchHook, given: Any, allowed: tuple[Any, ...]) -> None:
    assert private(given).child.allowed_users == allowed


def test_left_out_means_nobody(hook: sy.TorchHook) -> None:
    x = torch.ones(1).private_tensor()
    assert x.child.allowed_users == ()
    assert not x.allow(None)
    assert not x.allow(())


def test_credentials_can_be_added(hook: sy.TorchHook) -> None:
    x = private("ann")
    assert x.child.register_credentials("ben") is x.child
    x.child.register_credentials(("cy", "di"))
    assert x.child.allowed_users == ("ann", "ben", "cy", "di")
    assert all(x.allow(user) for user in ("ann", "ben", "cy", "di"))
    assert not x.allow("eve")


def test_public_tensors_allow_everybody(bob: Worker) -> None:
    assert torch.ones(1).allow("eve")
    assert torch.ones(1).send(bob).allow()
    assert sy.LoggingTensor().on(torch.ones(1)).allow("eve")


def test_a_chain_over_a_private_tensor_allows_what_that_allows(hook: sy.TorchHook) -> None:
    x = sy.LoggingTensor().on(private("ann"))
    assert x.allow("ann")
    assert not x.allow("eve")


@pytest.mark.parametrize(
    ("user", "allowed"),
    [("eve", "ann"), ("Ann", "ann"), (None, "ann"), (1, True), (1, 1.0), ("1", 1), (("a", 1), ("a", 2)), ([], ())],
)
def test_what_is_not_the_credential(hook: sy.TorchHook, user: Any, allowed: Any) -> None:
    assert not private([allowed]).allow(user)


@pytest.mark.parametrize("credential", ["Größe\udcff", 7, ("team", "ann"), 2.5, b"key"])
def test_what_can_be_a_credential(hook: sy.TorchHook, credential: Any) -> None:
    assert private([credential]).allow(credential)


@dataclass(frozen=True)
class Badge:
    """A credential of one's own."""

    name: str


@dataclass
class Shell:
    """An object of one's own that holds a tensor."""

    tensor: Any


register(Shell, "tests.shell", lambda shell: [shell.tensor], lambda data, context: Shell(*data))
register(Badge, "tests.badge", lambda badge: badge.name, lambda data, context: Badge(data))


def test_objects_can_be_credentials(bob: Worker) -> None:
    there = private([Badge("ann")]).send(bob, user=Badge("ann"))
    with pytest.raises(GetNotPermittedError):
        there.get(user=Badge("eve"))
    assert values(there.get(user=Badge("ann"))).tolist() == SECRET


def test_a_credential_that_equals_everything_opens_nothing(bob: Worker, alice: Worker, p: Any) -> None:
    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    for user in (Anything(), torch.ones(1), torch.ones(1).send(alice), [Anything()], ("ann", Anything())):
        with pytest.raises(SyftError):
            p.get(user=user)
        assert not private(("ann", ("ann", "key"))).allow(user)
    assert values(p.get(user="ann")).tolist() == SECRET


# --- sending and fetching ----------------------------------------------------------------------------


@pytest.mark.parametrize("user", [None, "eve", ""])
def test_sending_needs_a_user(bob: Worker, me: Any, user: Any) -> None:
    x = private()
    for send in (
        lambda: x.send(bob, user=user),
        lambda: x.send_(bob, user=user),
        lambda: x.send(bob, user=user, no_wrap=True),
        lambda: sy.LoggingTensor().on(x).send(bob, user=user),
        lambda: me.send(x, bob, user=user),
        lambda: me.send_obj(x, bob, user),
    ):
        with pytest.raises(SendNotPermittedError, match=repr(user)):
            send()
    assert bob._objects == {}
    assert values(x).tolist() == SECRET


def test_an_allowed_user_sends_and_fetches(bob: Worker, me: Any) -> None:
    x = private().tag("#x").describe("secret")
    there = x.send(bob, user="ann")
    assert repr(there).startswith("(Wrapper)>[PointerTensor | me:")
    back = there.get(user="ann", reason="audit")
    assert (values(back).tolist(), back.child.allowed_users) == (SECRET, ("ann",))
    assert (back.tags, back.description) == ({"#x"}, "secret")
    assert bob._objects == {}
    assert values(me.send(x, bob, user="ann").get(user="ann")).tolist() == SECRET


@pytest.mark.parametrize("user", [None, "eve"])
def test_fetching_needs_a_user_and_a_refusal_loses_nothing(bob: Worker, p: Any, user: Any) -> None:
    with pytest.raises(GetNotPermittedError, match=repr(user)):
        p.get(user=user)
    assert list(bob._objects) == [p.id_at_location]
    assert values(p.get(user="ann")).tolist() == SECRET


def test_moving_needs_a_user(bob: Worker, alice: Worker, me: Any, p: Any) -> None:
    for move in (
        lambda: p.move(alice),
        lambda: p.move(me),
        lambda: p.move(alice, user="eve"),
        lambda: p.remote_send(alice),
        lambda: p.remote_send(bob, user="eve"),
    ):
        with pytest.raises(GetNotPermittedError):
            move()
    assert (alice._objects, len(bob._objects)) == ({}, 1)
    p.move(alice, user="ann")
    assert (bob._objects, p.location) == ({}, alice)
    with pytest.raises(GetNotPermittedError):
        p.get()
    assert values(p.get(user="ann")).tolist() == SECRET


def test_a_pointer_to_a_pointer_opens_nothing(bob: Worker, alice: Worker, p: Any) -> None:
    through = p.send(alice)
    with pytest.raises(GetNotPermittedError):
        through.remote_get()
    with pytest.raises(GetNotPermittedError):
        through.copy().get().get()
    inner = through.get()
    with pytest.raises(GetNotPermittedError):
        inner.get()
    assert values(inner.get(user="ann")).tolist() == SECRET


def test_a_local_private_tensor_has_nothing_to_get(hook: sy.TorchHook) -> None:
    with pytest.raises(NotRemoteError):
        private().get()


def test_nobody_replaces_it_unasked(bob: Worker, p: Any) -> None:
    with pytest.raises(SendNotPermittedError):
        bob.request(m.Put(((p.id_at_location, torch.zeros(3)),)))
    assert values(p.get(user="ann")).tolist() == SECRET


# --- results -----------------------------------------------------------------------------------------

COMPUTED: list[Callable[[Any], Any]] = [
    lambda x: x + x,
    lambda x: x * 2,
    lambda x: 1 - x,
    lambda x: x.copy(),
    lambda x: x.sum(),
    lambda x: x[0:2],
    lambda x: x.view(3, 1).t(),
    lambda x: torch.relu(x),
    lambda x: torch.cat([x, x]),
    lambda x: x == x,
    lambda x: x > 5,
    lambda x: functional.softmax(x, dim=0),
    lambda x: x @ x,
    lambda x: x.to(torch.float64),
    lambda x: x.cpu(),
    lambda x: x.data,
    lambda x: x.detach(),
    lambda x: x.type(torch.int32),
    lambda x: torch.zeros_like(x),
    lambda x: x[[0, 2]],
]


@pytest.mark.parametrize("compute", COMPUTED)
def test_results_are_private_to_the_same_users(bob: Worker, compute: Callable[[Any], Any]) -> None:
    expected = compute(torch.tensor(SECRET))
    local = compute(private())
    assert torch.equal(values(local), expected)
    assert local.child.allowed_users == ("ann",)
    p = private().send(bob, user="ann")
    with pytest.raises(GetNotPermittedError):
        compute(p).get()
    if compute(p).child.path == ():
        assert torch.equal(values(compute(p).get(user="ann")), expected)


def test_several_results_are_all_private(bob: Worker, p: Any) -> None:
    for results in (p.max(dim=0), p.split(1), p.unbind(), p.sort(), torch.std_mean(p), list(p), p.topk(2)):
        for result in results:
            with pytest.raises(GetNotPermittedError):
                result.get()
    assert values(p.max(dim=0).values.get(user="ann")).item() == 6.25
    assert [values(row.get(user="ann")).item() for row in p] == SECRET


def test_local_results_remember_where_they_come_from(hook: sy.TorchHook) -> None:
    x, y = private(), private()
    result = x + y
    assert result.child.parents == (x.child, y.child)
    assert result.child.command == "add"


def test_public_operands_make_private_results_and_stay_public(bob: Worker, p: Any, q: Any) -> None:
    plain = torch.ones(3)
    for result in (private() + plain, plain + private(), torch.add(plain, private())):
        assert (values(result).tolist(), result.child.allowed_users) == ([5.25, 6.25, 7.25], ("ann",))
    for there in (q + p, p + q, torch.add(q, p), torch.where(p > 5, q, q + 1)):
        with pytest.raises(GetNotPermittedError):
            there.get()
    assert values((q + p).get(user="ann")).tolist() == SECRET
    assert q.get().tolist() == [0.0, 0.0, 0.0]


def test_of_several_private_operands_only_common_users_see_the_result(bob: Worker) -> None:
    x, y = private(("ann", "ben")), private(("ben", "cy"))
    assert (x + y).child.allowed_users == ("ben",)
    assert (x + private(("dan",))).child.allowed_users == ()
    a, b = x.send(bob, user="ann"), y.send(bob, user="cy")
    for user in ("ann", "cy"):
        with pytest.raises(GetNotPermittedError):
            (a * b).get(user=user)
    assert values((a * b).get(user="ben")).tolist() == [v * v for v in SECRET]
    x += y
    assert x.child.allowed_users == ("ben",)


def test_in_place_ops_on_private_tensors(bob: Worker, p: Any, q: Any) -> None:
    x = private()
    assert x.add_(torch.ones(3)) is x
    x[0] = 0
    x += private()
    assert values(x).tolist() == [4.25, 11.5, 13.5]
    assert p.mul_(2) is p
    p[0] = 1
    p.add_(q)
    assert values(p.get(user="ann")).tolist() == [1.0, 10.5, 12.5]


def test_out_may_be_private(hook: sy.TorchHook) -> None:
    x, out = private(), private(("ann", "ben"), [0.0, 0.0, 0.0])
    assert torch.add(x, x, out=out) is out
    assert (values(out).tolist(), out.child.allowed_users) == ([8.5, 10.5, 12.5], ("ann",))


def test_a_view_written_to_with_its_own_values_is_still_a_view(hook: sy.TorchHook) -> None:
    x = private()
    x[0:2].mul_(2)
    assert values(x).tolist() == [8.5, 10.5, 6.25]


def test_guards_stack(hook: sy.TorchHook) -> None:
    x = sy.PrivateTensor(allowed_users="ben").on(private("ann"))
    assert repr(x) == "(Wrapper)>PrivateTensor>PrivateTensor>tensor([4.2500, 5.2500, 6.2500])"
    assert not x.allow("ann")
    assert not x.allow("ben")
    x.child.register_credentials("ann")
    assert (x + 1).allow("ann")
    assert (x + 1).child.child.child.tolist() == [5.25, 6.25, 7.25]


def test_logging_over_and_under_it(hook: sy.TorchHook, capsys: pytest.CaptureFixture[str]) -> None:
    over = sy.LoggingTensor().on(private())
    under = sy.PrivateTensor(allowed_users="ann").on(sy.LoggingTensor().on(torch.tensor(SECRET)))
    for x in (over, under):
        out = torch.mul(x, 2)
        assert capsys.readouterr().out == "Log function torch.mul\n"
        assert not out.allow("eve")
        assert repr(out).endswith("tensor([ 8.5000, 10.5000, 12.5000])")


def test_metadata_is_public(p: Any) -> None:
    assert (p.shape, p.dim(), len(p), p.numel(), p.size(0), p.requires_grad) == ((3,), 1, 3, 3, 3, False)
    x = private()
    assert (x.shape, x.dtype, x.device.type, x.stride(), x.type()) == (
        (3,),
        torch.float32,
        "cpu",
        (1,),
        "torch.FloatTensor",
    )
    assert x.is_same_size(torch.zeros(3))


# --- what gives values out ---------------------------------------------------------------------------

TELLS: dict[str, Callable[[Any, Any], Any]] = {
    "bool": lambda p, q: bool(p[0:1] > 0),
    "float": lambda p, q: float(p[0:1]),
    "int": lambda p, q: int(p[0:1]),
    "equal": lambda p, q: torch.equal(p, q),
    "allclose": lambda p, q: torch.allclose(q, p),
    "is_nonzero": lambda p, q: p[0:1].is_nonzero(),
    "contains": lambda p, q: 4.25 in p,
    "if": lambda p, q: 1 if (p > 0).all() else 0,
    "index": lambda p, q: list(range(10))[p.long().sum() :],
    "slice of a public tensor": lambda p, q: q[p.long().sum() :].shape,
    "element of a public tensor": lambda p, q: q[p.long().sum()],
    "nonzero": lambda p, q: (p > 5).nonzero().shape,
    "argwhere": lambda p, q: torch.argwhere(p > 5).shape,
    "where": lambda p, q: torch.where(p > 5)[0].shape,
    "mask": lambda p, q: p[p > 5].shape,
    "mask of a public tensor": lambda p, q: q[p > 5].shape,
    "masked_select": lambda p, q: q.masked_select(p > 5).shape,
    "unique": lambda p, q: p.unique().shape,
    "bincount": lambda p, q: p.long().bincount().shape,
    "repeat_interleave": lambda p, q: q.repeat_interleave(p.long()).shape,
    "one_hot": lambda p, q: functional.one_hot(p.long()).shape,
    "tensor_split": lambda p, q: [part.shape for part in q.tensor_split(p.long())],
    "pad": lambda p, q: functional.pad(q, [0, p[0:1].long().sum()]).shape,
    "expand": lambda p, q: q[0:1].expand(p.long().sum()).shape,
    "repeat": lambda p, q: q.repeat(p.long().sum()).shape,
    "view": lambda p, q: q.view(p.long().sum()).shape,
    "to_sparse": lambda p, q: p.to_sparse().indices().shape,
}


@pytest.mark.parametrize("tell", TELLS.values(), ids=TELLS)
def test_ops_that_give_out_values_are_refused(bob: Worker, p: Any, q: Any, tell: Callable[[Any, Any], Any]) -> None:
    for x, y in ((p, q), (private(), torch.zeros(3))):
        with pytest.raises(GetNotPermittedError) as raised:
            tell(x, y)
        assert "4" not in str(raised.value).replace("torch", "")


@pytest.mark.parametrize(
    "tell", [lambda p: p.item(), lambda p: p.tolist(), lambda p: p.numpy()], ids=["item", "list", "np"]
)
def test_ops_that_no_remote_tensor_answers(p: Any, tell: Callable[[Any], Any]) -> None:
    with pytest.raises(SyftError):
        tell(p)
    with pytest.raises(SyftError):
        tell(private())


WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "add_": lambda p, q: q.add_(p),
    "iadd": lambda p, q: q.__iadd__(p),
    "copy_": lambda p, q: q.copy_(p),
    "set_": lambda p, q: q.set_(p),
    "fill_": lambda p, q: q.fill_(p.sum()),
    "setitem": lambda p, q: q.__setitem__(0, p[0]),
    "setitem with slice": lambda p, q: q.__setitem__(slice(None), p),
    "setitem at a private place": lambda p, q: q.__setitem__(p > 5, 1.0),
    "index_put_": lambda p, q: q.index_put_(((q == 0).nonzero()[:, 0],), p),
    "masked_fill_": lambda p, q: q.masked_fill_(p > 5, 1.0),
    "scatter_": lambda p, q: q.scatter_(0, q.long(), p),
    "addcmul_": lambda p, q: q.addcmul_(p, p),
    "lerp_ by keyword": lambda p, q: q.lerp_(q + 1, weight=p),
    "out": lambda p, q: torch.add(p, p, out=q),
    "several out": lambda p, q: torch.max(p, 0, out=(q, q)),
    "foreach": lambda p, q: torch._foreach_add_([q], [p]),
    "grad": lambda p, q: setattr(q, "grad", p),
    "data": lambda p, q: setattr(q, "data", p),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_is_written_into_public_tensors(bob: Worker, p: Any, q: Any, write: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(SyftError):
        write(p, q)
    fetched = q.get()
    assert fetched.tolist() == [0.0, 0.0, 0.0]
    assert fetched.grad is None


def gradients(p: Any, w: Any) -> dict[str, Callable[[], Any]]:
    loss = (w * p).sum()
    return {
        "backward": lambda: loss.backward(),
        "autograd.backward": lambda: torch.autograd.backward(loss),
        "in a list": lambda: torch.autograd.backward([loss]),
        "autograd.grad": lambda: torch.autograd.grad(loss, w),
        "as a gradient": lambda: (w * 1).backward(p),
        "as a gradient by keyword": lambda: (w * 1).backward(gradient=p),
    }


@pytest.mark.parametrize("way", ["backward", "autograd.backward", "in a list", "autograd.grad", "as a gradient"])
def test_no_gradient_of_private_values_is_written(bob: Worker, p: Any, way: str) -> None:
    w = torch.ones(3, requires_grad=True).send(bob)
    with pytest.raises((SyftError, RuntimeError)):
        gradients(p, w)[way]()
    assert w.get().grad is None


def raw(bob: Worker, op: str, *args: Any, **kwargs: Any) -> Any:
    """Send a command that no pointer would send."""
    refs = [a.child.ref if isinstance(a, torch.Tensor) else a for a in args]
    return bob.request(m.Command(op, tuple(refs), kwargs, 99))


def test_hostile_commands_write_nothing(bob: Worker, p: Any, q: Any) -> None:
    w = torch.ones(3, requires_grad=True).send(bob)
    loss = (w * p).sum()
    empty = torch.zeros(0).send(bob)
    for command in (
        ("torch.autograd.backward", loss),
        ("Tensor.backward", loss),
        ("Tensor.backward", w, p),
        ("Tensor.grad.__set__", empty, p),
        ("Tensor.grad.__set__", q, p),
        ("Tensor.data.__set__", q, p),
        ("Tensor.set_", q, p),
        ("torch._foreach_copy_", q, p),
    ):
        with pytest.raises((SyftError, RuntimeError, TypeError, ValueError)):
            raw(bob, *command)
    assert w.get().grad is None
    assert empty.get().grad is None
    assert q.get().tolist() == [0.0, 0.0, 0.0]


# --- ways around -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alias",
    [
        lambda q, p: q.view_as(p),
        lambda q, p: q.expand_as(p),
        lambda q, p: q.reshape_as(p),
        lambda q, p: q.type_as(p),
        lambda q, p: q.to(p),
        lambda q, p: torch.broadcast_tensors(p, q)[1],
        lambda q, p: torch.atleast_1d(p, q)[1],
    ],
)
def test_a_private_result_shares_no_memory_with_public_operands(
    bob: Worker, p: Any, q: Any, alias: Callable[[Any, Any], Any]
) -> None:
    alias(q, p).copy_(p)
    assert q.get().tolist() == [0.0, 0.0, 0.0]


def test_a_guard_of_ones_own_over_public_memory_takes_no_secrets(bob: Worker, p: Any, q: Any) -> None:
    mine = sy.PrivateTensor(allowed_users="eve").on(q).send(bob, user="eve")
    mine.copy_(p)
    raw(bob, "Tensor.data.__set__", mine, p)
    mine[0] = p[0]
    assert q.get().tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(GetNotPermittedError):
        mine.get(user="eve")


def test_running_statistics_and_other_side_outputs_stay(bob: Worker, p: Any) -> None:
    mean, variance = torch.zeros(3).send(bob), torch.ones(3).send(bob)
    functional.batch_norm(torch.stack([p, p]), mean, variance, training=True, momentum=1.0)
    assert (mean.get().tolist(), variance.get().tolist()) == ([0.0] * 3, [1.0] * 3)
    table = torch.ones(10, 2).send(bob)
    functional.embedding(p.long(), table, max_norm=0.1)
    assert torch.equal(table.get(), torch.ones(10, 2))


def carriers(p: Any) -> dict[str, Any]:
    """Objects of one's own with a pointer to the private tensor inside."""
    return {
        "list": [p],
        "nested": {"a": ([p.child],)},
        "logging": sy.LoggingTensor().on(p),
        "logging twice": sy.LoggingTensor().on(sy.LoggingTensor().on(p)),
        "guard of one's own": sy.PrivateTensor(allowed_users="eve").on(p),
        "credentials": sy.PrivateTensor(allowed_users=("eve", p)).on(torch.zeros(1)),
        "tags": sy.LoggingTensor(tags={p}).on(torch.zeros(1)),
        "description": sy.LoggingTensor(description=p).on(torch.zeros(1)),
    }


@pytest.mark.parametrize("kind", ["list", "nested", "logging", "logging twice", "guard of one's own", "credentials"])
def test_an_object_of_ones_own_carries_only_the_pointer_out(bob: Worker, p: Any, kind: str) -> None:
    bob.request(m.Put(((99, carriers(p)[kind]),), "eve"))
    (taken,) = bob.request(m.Take((m.Ref(99),), "eve"))
    assert "PointerTensor" in repr((taken, getattr(getattr(taken, "child", None), "allowed_users", None)))
    assert b"syft.pointer" in sy.serde.encode(taken)
    assert not any(text in repr(taken) for text in ("4.25", "5.25", "6.25"))


def test_any_object_of_the_owners_is_looked_into(bob: Worker) -> None:
    bob._objects[5] = sy.BaseDataset(private(), torch.zeros(3))
    bob._objects[6] = {"a": [private()]}
    bob._objects[7] = Shell(private())
    for id in (5, 6, 7):
        with pytest.raises(GetNotPermittedError):
            bob.request(m.Take((m.Ref(id),), "eve"))
        assert bob.request(m.Take((m.Ref(id),), "ann", keep=True))


def test_a_worker_does_not_print_what_it_guards(bob: Worker, p: Any) -> None:
    (stored,) = bob._objects.values()
    assert repr(stored) == "(Wrapper)>PrivateTensor>values that bob guards"
    assert "4.25" not in f"{bob._objects} {stored * 2}"
    assert repr(p.get(user="ann")) == "(Wrapper)>PrivateTensor>tensor([4.2500, 5.2500, 6.2500])"


@pytest.mark.parametrize("kind", ["tags", "description"])
def test_names_are_no_objects(bob: Worker, p: Any, kind: str) -> None:
    with pytest.raises(DecodeError):
        bob.request(m.Put(((99, carriers(p)[kind]),), "eve"))


def test_what_is_inside_cannot_be_reached(bob: Worker, p: Any) -> None:
    for path in (("child",), ("child", "child"), ("data", "child"), ("child", "data")):
        for message in (
            m.Command("Tensor.add", (m.Ref(p.id_at_location, path), 0), {}, 99),
            m.Describe(m.Ref(p.id_at_location, path)),
            m.IsNone(m.Ref(p.id_at_location, path)),
        ):
            with pytest.raises(GetNotPermittedError):
                bob.request(message)
        with pytest.raises(GetNotPermittedError):
            bob.request(m.Take((m.Ref(p.id_at_location, path),)))
    with pytest.raises(SyftError):
        p.attr("child").get()
    with pytest.raises(GetNotPermittedError):
        (p.attr("child").attr("child") + 0).get()
    with pytest.raises(SyftError):
        p.attr("allowed_users").get()


def test_taking_without_forgetting_needs_a_user_too(bob: Worker, p: Any) -> None:
    with pytest.raises(GetNotPermittedError):
        bob.request(m.Take((m.Ref(p.id_at_location),), keep=True))
    with pytest.raises(GetNotPermittedError):
        bob.request(m.Relay((p.id_at_location,), "me", (5,)))


def test_values_do_not_travel_to_the_place_of_another_operand(bob: Worker, alice: Worker, p: Any) -> None:
    far = torch.zeros(1).send(alice).send(bob)
    for call in (lambda: far + p.sum(), lambda: far.add_(p.sum()), lambda: torch.mul(p[0:1].sum(), far)):
        with pytest.raises(GetNotPermittedError):
            call()
    assert [obj.tolist() for obj in alice._objects.values()] == [[0.0]]


def test_multi_pointers(bob: Worker, alice: Worker, p: Any) -> None:
    both = sy.combine_pointers(p, torch.zeros(3).send(alice))
    for call in (
        lambda: (both + 1).get(),
        lambda: both.child.virtual_get(),
        lambda: both.get(),
        lambda: (both + 1).get(sum_results=True),
    ):
        with pytest.raises(GetNotPermittedError):
            call()


def test_a_received_multi_pointer_asks_nobody(bob: Worker, alice: Worker, p: Any) -> None:
    both = sy.combine_pointers(p, torch.zeros(3).send(alice))
    binary = sy.serde.encode(both)
    bob.log_msgs = alice.log_msgs = True
    for context in (sy.local_worker, None):
        assert list(sy.serde.decode(binary, context).child.child) == ["bob", "alice"]
    assert bob.msg_history == alice.msg_history == []
    with pytest.raises(WorkerNotFoundException):
        repr(sy.serde.decode(binary, None).child.child["bob"].info)


def test_what_is_printed_found_and_saved_shows_no_values(bob: Worker, me: Any, p: Any) -> None:
    p.tag("#p").describe("secret")
    (found,) = me.request_search("#p", bob)
    with pytest.raises(GetNotPermittedError):
        found.get()
    texts = [
        repr(p),
        repr(found),
        repr(bob),
        repr(p.child.info),
        repr(bob.request(m.Search(("#p",)))),
        repr(p.serialize()),
    ]
    assert not any("4.25" in text for text in texts)
    for save in (pickle.dumps, copy.copy, copy.deepcopy, lambda x: torch.save(x, io.BytesIO())):
        for x in (p, private()):
            with pytest.raises((NotLocalError, SyftError)):
                save(x)


def test_torchs_errors_do_not_show_values(bob: Worker, p: Any, q: Any) -> None:
    with pytest.raises(SyftError, match="grid_sample") as raised:
        raw(bob, "torch.nn.functional.grid_sample", q.view(1, 1, 1, 3), 1, p)
    assert "4.25" not in "".join([str(raised.value), *getattr(raised.value, "__notes__", [])])


def test_an_op_that_fails_because_of_the_values_says_so_to_allowed_users_only(bob: Worker, q: Any) -> None:
    labels = private(values=[0, 7, 1]).send(bob, user="ann")
    logits = torch.zeros(3, 5).send(bob)
    loss = functional.nll_loss(logits, labels)
    assert loss.shape == ()
    with pytest.raises(GetNotPermittedError):
        loss.get()
    twice = (loss * 2).get(user="ann")
    assert values(twice).isnan().all()
    assert "7 is out of bounds" in twice.child.failure
    assert "Failed: IndexError" in repr(twice)
    picked = q.index_select(0, labels)
    assert picked.shape == (3,)
    assert values(functional.nll_loss(logits, labels.clamp(max=4)).get(user="ann")).item() == 0.0


def test_an_op_that_fails_because_of_shapes_says_so_to_everybody(bob: Worker, p: Any, q: Any) -> None:
    for call in (lambda: p.view(7), lambda: p @ torch.zeros(4).send(bob), lambda: private().view(7)):
        with pytest.raises(RuntimeError, match="size"):
            call()
    with pytest.raises(IndexError):
        p[7]


def test_a_failed_in_place_op_marks_its_target(hook: sy.TorchHook) -> None:
    x = private(values=[1, 2, 3])
    x.index_add_(0, private(values=[0, 9, 1]), torch.ones(3, dtype=torch.int64))
    assert "Failed" in repr(x)
    assert "Failed" in repr(x + 1)


def test_random_ops_draw_alike(bob: Worker) -> None:
    drawn = []
    for rates in ([0.1, 0.1], [1e4, 3.0]):
        torch.manual_seed(0)
        torch.poisson(private(values=rates).send(bob, user="ann"))
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1]


# --- private to start with, over something remote ----------------------------------------------------


def test_over_a_pointer_it_guards_here(bob: Worker) -> None:
    x = sy.PrivateTensor(allowed_users="ann").on(torch.tensor(SECRET).send(bob))
    assert repr(x).startswith("(Wrapper)>PrivateTensor>[PointerTensor | me:")
    with pytest.raises(SendNotPermittedError):
        x.send(bob)
    result = x * 2
    assert not result.allow("eve")
    assert values(result.get()).tolist() == [8.5, 10.5, 12.5]
    for call in (lambda: bool(x.sum()), lambda: torch.equal(x, x)):
        with pytest.raises(GetNotPermittedError):
            call()


def test_an_error_over_a_pointer_is_not_repeated(bob: Worker) -> None:
    x = sy.PrivateTensor(allowed_users="ann").on(torch.tensor([0, 9]).send(bob))
    table = sy.PrivateTensor(allowed_users="ann").on(torch.zeros(3).send(bob))
    with pytest.raises(GetNotPermittedError, match="failed on private values"):
        table.index_select(0, x)


def test_numpy_under_it(bob: Worker) -> None:
    there = sy.PrivateTensor(allowed_users="ann").on(sy.NumpyTensor(SECRET)).send(bob, user="ann")
    with pytest.raises(GetNotPermittedError):
        (there + 1).nonzero()
    assert values((there * 2).get(user="ann")).child.tolist() == [8.5, 10.5, 12.5]
