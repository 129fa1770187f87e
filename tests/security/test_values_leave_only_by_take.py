"""Values of a private object leave its worker only by a Take of an allowed user, whatever is computed on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import syft as sy
from syft.core.messages import Call, Command, Describe, Fetch, Forget, Put, Ref, Relay, Search, Tag, Take
from syft.core.ops import BY_NAME, Op, Returns
from syft.exceptions import GetNotPermittedError, SyftError
from syft.serde import decode, encode
from syft.tensors.base import apply
from syft.tensors.chain import ChainTensor, all_of, strip
from syft.tensors.logging import LoggingTensor
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.private import PrivateTensor
from tests.security.stranger import OWNER, SECRET, Stranger, betrays, hide, pointer, refused
from tests.security.worlds import MALLORY, PUBLIC, SECRETS, World, alike, failed, worlds


@pytest.fixture
def both(make_worker: Callable[..., Any]) -> tuple[World, World]:
    return worlds(make_worker)


def naive(cls: type[PrivateTensor], op: Op, args: Any, kwargs: Any) -> Any:
    """A guard that stops at the obvious: it covers results and refuses plain ones, and looks at nothing else."""
    out = apply(op, strip(cls, args), strip(cls, kwargs))
    if op.returns is Returns.SELF:
        return args[0]
    if isinstance(out, (bool, int, float)):
        raise GetNotPermittedError("no")
    return all_of(cls, args, kwargs)[0].cover(out)


@pytest.fixture
def naively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateTensor, "default", classmethod(naive))


# --- every op of the table ---------------------------------------------------------------------------------

R = Ref
CALLS: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
    ((R("s"),), {}), ((R("i"),), {}), ((R("b"),), {}), ((R("a"),), {}), ((R("z"),), {}),
    ((R("s"), R("p")), {}), ((R("p"), R("s")), {}), ((R("p"), R("i")), {}), ((R("p"), R("b")), {}), ((R("i"), R("j")), {}),
    ((R("w"), R("s")), {}), ((R("q"), R("s")), {}), ((R("a"), R("m")), {}), ((R("m"), R("a")), {}), ((R("n"), R("z")), {}),
    ((R("s"), 0), {}), ((R("p"), 0, R("i")), {}), ((R("p"), 0, R("i"), R("p")), {}), ((R("p"), R("s"), R("p")), {}),
    ((R("p"), R("p"), R("s")), {}), ((R("c"), R("s"), R("p")), {}), ((R("b"), R("p"), R("p")), {}), ((R("mine"), R("s")), {}),
    (([R("s"), R("p")],), {}), (([R("p")], [R("s")]), {}), ((R("p"), R("k")), {}), ((R("p"), (R("k"),)), {}), ((R("k"),), {}),
    ((R("s"), R("p")), {"out": R("p")}), ((R("s"),), {"out": R("p")}), ((R("p"), R("p")), {"weight": R("s")}),
    ((R("i"), R("m")), {"max_norm": 0.1}), ((R("p"), R("p")), {"reduction": [R("s")]}),
    ((R("q"), None, None, R("s"), R("s"), True, 1.0, 1e-5, False), {}), ((R("a"), R("mean"), R("var")), {"training": True}),
)  # fmt: skip


def differences(both: tuple[World, World], names: list[str]) -> list[str]:
    """The ops after which a stranger can tell the worlds apart."""
    found = []
    for name in names:
        for world in both:
            world.reset()
            world.stranger.put("mean", torch.zeros(2))
            world.stranger.put("var", torch.ones(2))
        for args, kwargs in CALLS:
            heard = [[world.hear(Command(name, args, kwargs, "out"))] for world in both]
            comparable = failed(heard[0][0]) == failed(heard[1][0])  # that a call fails is told: see the threat model
            for world, replies in zip(both, heard, strict=True):
                for id in ("out", 1099, 1098):
                    if id in world.worker._objects:
                        replies += [world.hear(Describe(Ref(id))), world.hear(Take((Ref(id),), MALLORY, keep=True))]
                world.stranger.forget("out", 1099, 1098)
            if comparable and alike(heard[0]) != alike(heard[1]):
                found.append(f"{name} {args} {kwargs}")
        if alike(both[0].look(["mean", "var", "s"])) != alike(both[1].look(["mean", "var", "s"])):
            found.append(f"{name} wrote into a tensor of others")
    return found


def part(number: int) -> list[str]:
    """A quarter of the table; the quarters are mixed."""
    return sorted(BY_NAME)[number::4]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.filterwarnings("ignore")
def test_no_op_of_the_table_tells_private_values(both: tuple[World, World], number: int) -> None:
    assert differences(both, part(number)) == []


TELLING = (
    "torch.bincount torch.nonzero torch.repeat_interleave torch.masked_select torch.unique torch.argwhere torch.tensor_split "
    "torch.nn.functional.one_hot Tensor.__getitem__ torch.nn.functional.batch_norm torch.batch_norm torch.where Tensor.view_as "
    "torch.nn.functional.embedding torch.nn.functional.mse_loss torch.nn.functional.cross_entropy torch.gather torch.add "
    "Tensor.copy_ Tensor.__setitem__ Tensor.data.__set__ Tensor.to_sparse Tensor.equal torch.allclose Tensor.expand "
    "torch.autograd.backward Tensor.backward torch.take torch.index_select torch.normal torch.bernoulli torch.sort torch.max"
).split()


@pytest.mark.filterwarnings("ignore")  # torch warns once in a process, so in one of the worlds
def test_no_telling_op_tells_private_values(both: tuple[World, World]) -> None:
    assert differences(both, TELLING) == []


@pytest.mark.filterwarnings("ignore")
def test_control_a_naive_guard_is_noticed(both: tuple[World, World], naively: None) -> None:
    found = differences(both, TELLING[:14])
    assert {line.split(" ")[0] for line in found} >= set(TELLING[:9])
    assert "torch.nn.functional.batch_norm wrote into a tensor of others" in found


# --- programs ------------------------------------------------------------------------------------------------

GRAPH_OPS = (
    "torch.add torch.mul torch.sub torch.where torch.cat torch.stack torch.matmul torch.maximum torch.sum torch.sort torch.max "
    "torch.exp torch.nn.functional.relu torch.nn.functional.batch_norm torch.nn.functional.embedding torch.broadcast_tensors "
    "torch.autograd.grad torch.autograd.backward torch.nonzero torch.masked_select torch.bincount torch.split torch.clone "
    "torch.gather torch.einsum torch.unique torch.histc torch.empty_like torch.zeros_like torch._foreach_add "
    "torch._foreach_add_ torch._foreach_copy_ torch.index_put_ torch.tensor torch.narrow torch.equal torch.dropout_ "
    "Tensor.view_as Tensor.expand_as Tensor.view Tensor.reshape_as Tensor.copy_ Tensor.add_ Tensor.set_ Tensor.zero_ "
    "Tensor.__setitem__ Tensor.__getitem__ Tensor.data.__set__ Tensor.data.__get__ Tensor.grad.__set__ Tensor.grad.__get__ "
    "Tensor.to Tensor.type_as Tensor.contiguous Tensor.detach Tensor.detach_ Tensor.requires_grad_ Tensor.backward "
    "Tensor.retain_grad Tensor.unbind Tensor.__bool__ Tensor.__len__ Tensor.new_tensor Tensor.masked_fill_ Tensor.index_copy_ "
    "Tensor.scatter_ Tensor.masked_scatter_ Tensor.index_add_ Tensor.lerp_ Tensor.real.__get__ Tensor.__contains__ Tensor.t_"
).split()
NEW = tuple(f"r{n}" for n in range(8))
IDS = (*SECRETS[0], "a", "mine", *PUBLIC, *NEW)

refs = st.builds(Ref, st.sampled_from(IDS), st.sampled_from([(), (), (), ("data",), ("grad",), ("child",)]))
values = st.one_of(
    refs, refs, refs, st.integers(0, 3), st.just(slice(None)), st.booleans(), st.lists(refs, min_size=1, max_size=2),
    st.sampled_from([0.5, None, ..., "ij,j->i", torch.float64, (4,), (2, 2)]),
)  # fmt: skip
keywords = st.dictionaries(
    st.sampled_from("out weight reduction training momentum max_norm dim minlength inplace gradient value".split()),
    st.one_of(refs, st.lists(refs, min_size=1, max_size=2), st.just(True), st.just(1.0), st.just(0)),
    max_size=1,
)
commands = st.builds(
    Command,
    st.sampled_from(GRAPH_OPS) | st.sampled_from(sorted(BY_NAME)),
    st.lists(values, min_size=1, max_size=4).map(tuple),
    keywords,
    st.sampled_from(NEW) | st.none(),
    st.booleans(),
)
SHELLS = ("list", "dict", "logging", "private", "bare", "multi", "dataset", "nothing")


def shell(kind: str, worker: Any, id: Any) -> Any:
    """Something of the stranger's own around a pointer to an object of the worker."""
    inside = pointer(worker, id)
    if kind == "private":
        return PrivateTensor(allowed_users=(MALLORY,)).on(inside)
    if kind in ("logging", "bare"):
        return LoggingTensor().on(inside, wrap=kind == "logging")
    if kind == "multi":
        inside.child.shape = (4,)
        return MultiPointerTensor(children=[inside]).wrap()
    return {"list": [inside], "dict": {"x": (inside,)}, "nothing": inside, "dataset": {1: {2: inside}}}[kind]


messages = st.one_of(
    commands,
    commands,
    commands,
    st.tuples(st.just("put"), st.sampled_from(SHELLS), st.sampled_from(NEW), st.sampled_from(IDS)),
    st.tuples(st.just("operand"), st.sampled_from(SHELLS), st.sampled_from(NEW), st.sampled_from(IDS)),
    st.builds(Tag, st.sampled_from(IDS), st.just(frozenset({"#x"})), st.just("text")),
    st.builds(
        Take,
        st.lists(refs, min_size=1, max_size=2).map(tuple),
        st.sampled_from([None, MALLORY]),
        st.just(""),
        st.booleans(),
    ),
    st.builds(Fetch, st.sampled_from(IDS)),
    st.builds(lambda a, b: Relay((a,), "third", (b,), True, MALLORY), st.sampled_from(IDS), st.sampled_from(IDS)),
    st.builds(Call, refs, st.lists(values, max_size=2).map(tuple), st.just({}), st.sampled_from(NEW)),
    st.builds(Forget, st.sampled_from([(n,) for n in NEW])),
)


def message_for(step: Any, worker: Any) -> Any:
    if not isinstance(step, tuple):
        return step
    what, kind, new, id = step
    thing = shell(kind, worker, id)
    return Put(((new, thing),), MALLORY) if what == "put" else Command("torch.add", (thing, 1), {}, new)


def tell_apart(both: tuple[World, World], steps: list[Any]) -> str | None:
    """What a stranger hears of one world and not of the other while the same program runs in both, or None."""
    third = both[0].worker._known_workers["third"]
    held = []
    for world in both:
        world.reset()
        third._objects.clear()
        heard = [world.hear(message_for(step, world.worker)) for step in steps]
        heard += world.look([*SECRETS[0], "a", *NEW, 1099, 1098])
        heard += [repr(sorted((str(id), repr(obj)) for id, obj in third._objects.items())).encode()]
        held.append(alike(heard))
    if [failed(reply) for reply in held[0][: len(steps)]] != [failed(reply) for reply in held[1][: len(steps)]]:
        return None  # that a call fails tells something of the values: see the threat model
    for one, other in zip(*held, strict=True):
        if one != other:
            return f"{one!r} / {other!r}"
    return None


program = st.lists(messages, min_size=1, max_size=6)
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), print_blob=True, database=None
)


@pytest.mark.filterwarnings("ignore")
@quick
@given(steps=program)
def test_no_program_tells_private_values(
    both: tuple[World, World], james: Any, steps: list[Any], make_worker: Any
) -> None:
    make_worker("third")
    assert tell_apart(both, steps) is None


LEAKS: dict[str, list[Any]] = {
    "a list around a pointer": [("put", "list", "r0", "s")],
    "a dict around a pointer": [("put", "dict", "r0", "s")],
    "a link around a pointer": [("put", "logging", "r0", "s")],
    "a guard of the stranger's own around a pointer": [("put", "private", "r0", "s")],
    "a link without its wrapper": [("operand", "bare", "r0", "s")],
    "an item of the stranger's tensor": [Command("Tensor.__setitem__", (R("mine"), slice(None), R("s")))],
    "out= into the stranger's tensor": [Command("torch.add", (R("s"), 0), {"out": R("mine")}, "r0")],
    "data of the stranger's tensor": [Command("Tensor.data.__set__", (R("mine"), R("s")))],
    "the gradient of the stranger's tensor": [
        Command("Tensor.grad.__set__", (R("mine"), R("s"))),
        Command("torch.clone", (R("mine", ("grad",)),), {}, "r0"),
    ],
    "a view of the stranger's tensor": [
        Command("Tensor.view", (R("mine"), 4), {}, "r0"),
        Command("Tensor.copy_", (R("mine"), R("s"))),
    ],
    "the stranger's tensor itself under another name": [
        Command("Tensor.contiguous", (R("mine"),), {}, "r0"),
        Command("Tensor.copy_", (R("mine"), R("s"))),
    ],
    "a private view of a public tensor": [
        Command("Tensor.view_as", (R("p"), R("s")), {}, "r0"),
        Command("Tensor.copy_", (R("r0"), R("s"))),
    ],
    "a public tensor itself under a private name": [
        Command("Tensor.type_as", (R("p"), R("s")), {}, "r0"),
        Command("Tensor.copy_", (R("r0"), R("s"))),
    ],
    "a private tensor over the memory of a public one": [
        Command("torch.add", (R("s"), 0), {}, "r0"),
        Command("Tensor.data.__set__", (R("r0"), R("p"))),
        Command("Tensor.copy_", (R("r0"), R("s"))),
    ],
    "the running mean of a batch": [
        Command("torch.zeros", (2,), {}, "r0"),
        Command("torch.ones", (2,), {}, "r1"),
        Command("torch.nn.functional.batch_norm", (R("a"), R("r0"), R("r1")), {"training": True, "momentum": 1.0}, "r2"),
    ],
    "rows of a table that were looked up": [
        Command("torch.full", ((3, 2), 9.0), {}, "r0"),
        Command("torch.nn.functional.embedding", (R("i"), R("r0")), {"max_norm": 1.0}, "r1"),
    ],
    "a shape": [Command("torch.repeat_interleave", (R("i"),), {}, "r0")],
    "the shapes of parts": [Command("torch.tensor_split", (R("p"), R("i")), {}, "r0")],
    "a number beyond an index, in the text of an error": [Command("torch.nn.functional.mse_loss", (R("p"), R("p")), {"reduction": [R("s")]}, "r0")],
}  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_no_known_way_out_is_open(both: tuple[World, World], make_worker: Any, leak: str) -> None:
    make_worker("third")
    assert tell_apart(both, LEAKS[leak]) is None
    assert not both[0].stranger.knows_the_secret()


def test_control_with_a_naive_guard_programs_tell(both: tuple[World, World], make_worker: Any, naively: None) -> None:
    make_worker("third")
    told = {leak for leak, steps in LEAKS.items() if tell_apart(both, steps) is not None}
    assert len(told) > len(LEAKS) / 2


def test_control_without_permissions_a_take_tells(
    both: tuple[World, World], make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_worker("third")
    monkeypatch.setattr(PrivateTensor, "allow", lambda self, user: True)
    assert tell_apart(both, []) is not None


def test_the_owner_gets_what_was_computed(bob: Any) -> None:
    hide(bob, "s", [1.0, float(SECRET)])
    stranger = Stranger(bob)
    assert stranger.run("torch.mul", Ref("s"), 2, result="double") is None
    assert refused(stranger.take("double"), "GetNotPermittedError")
    assert torch.equal(stranger.take("double", OWNER).child.child, torch.tensor([2.0, 2.0 * SECRET]))


# --- errors ---------------------------------------------------------------------------------------------------


def failing(bob: Any, public: bool = False) -> list[Any]:
    """Calls that fail because of the values of s, i or k, which are private unless ``public``."""
    for id, values in {"s": [float(SECRET), 1.0], "i": [SECRET, 1], "k": SECRET}.items():
        if public:
            bob.recv_msg(encode(Put(((id, torch.tensor(values)),))))
        else:
            hide(bob, id, values)
    bob.recv_msg(encode(Put((("p", torch.zeros(2, 5)), ("q", torch.zeros(3))))))
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("torch.nn.functional.cross_entropy", (R("p"), R("i")), {}),
        ("torch.nn.functional.nll_loss", (R("p"), R("i")), {}),
        ("torch.gather", (R("q"), 0, R("i")), {}),
        ("Tensor.__getitem__", (R("q"), R("i")), {}),
        ("Tensor.__getitem__", (R("q"), R("k")), {}),
        ("torch.index_select", (R("q"), 0, R("i")), {}),
        ("torch.take", (R("q"), R("i")), {}),
        ("torch.narrow", (R("q"), 0, R("k"), 1), {}),
        ("torch.select", (R("q"), 0, R("k")), {}),
        ("torch.nn.functional.one_hot", (R("i"), 3), {}),
        ("torch.nn.functional.mse_loss", (R("q"), R("q")), {"reduction": [R("s")]}),
        ("torch.nn.functional.interpolate", (R("q"),), {"mode": [R("s")]}),
        ("torch.nn.functional.dropout", (R("q"), R("s")), {}),
        ("torch.nn.functional.pad", (R("q"), [R("k"), R("k")]), {}),
        ("torch.add", (R("s"), R("q")), {}),
        ("torch.add", (R("s"), "text"), {}),
        ("torch.zeros", ([R("k")],), {}),
        ("torch.zeros", (R("k"),), {}),
        ("torch.full", ((2,), R("s")), {}),
        ("torch.einsum", ([R("s")],), {}),
        ("torch.norm", (R("q"), R("s")), {}),
        ("torch.tensor", ([R("s"), R("k")],), {}),
        ("torch.arange", (R("k"),), {}),
        ("torch.linalg.cholesky", (R("s"),), {}),
        ("Tensor.type", (R("q"), R("s")), {}),
    ]
    return [Command(op, args, kwargs, "out") for op, args, kwargs in calls]


def test_errors_about_private_operands_hold_no_values(bob: Any) -> None:
    """Such a call is refused without values, or it gives a blank result that is as private."""
    stranger = Stranger(bob)
    for message in failing(bob):
        stranger.ask(message)
        stranger.take("out")
        stranger.ask(Describe(Ref("out")))
        stranger.forget("out")
        assert not stranger.knows_the_secret(), message


def test_control_errors_of_public_tensors_do_hold_values(bob: Any) -> None:
    stranger = Stranger(bob)
    told = 0
    for message in failing(bob, public=True):
        stranger.heard.clear()
        stranger.ask(message)
        told += stranger.knows_the_secret()
    assert told > 3


def test_an_error_that_has_nothing_to_do_with_values_is_told(bob: Any) -> None:
    hide(bob, "s", [float(SECRET), 1.0])
    bob.recv_msg(encode(Put((("q", torch.zeros(3)),))))
    reply = Stranger(bob).run("torch.add", Ref("s"), Ref("q"), result="out")
    assert reply.kind == "RuntimeError"
    assert "3" in reply.message  # the size that does not fit


# --- the pointers of the API, logs and prints -------------------------------------------------------------------


@pytest.fixture(params=["reference", "wire"])
def place(request: pytest.FixtureRequest, bob: Any) -> Any:
    bob.wire = request.param == "wire"
    return bob


LOOKS: dict[str, Callable[[Any], Any]] = {
    "bool": bool, "float": float, "int": int, "complex": complex, "list": list, "len": len, "str": str, "repr": repr,
    "format": lambda x: f"{x} {x!r} {x:>40}",
    "item": lambda x: x.item(), "tolist": lambda x: x.tolist(), "numpy": lambda x: x.numpy(), "get": lambda x: x.get(),
    "get as mallory": lambda x: x.get(user=MALLORY), "data.get": lambda x: x.data.get(), "child": lambda x: x.child.attr("child").get(),
    "clone.get": lambda x: x.clone().get(), "sum.get": lambda x: (x + x).sum().get(), "equal": lambda x: torch.equal(x, x),
    "allclose": lambda x: torch.allclose(x, x), "contains": lambda x: SECRET in x, "max": lambda x: x.max().get(),
    "unbind": lambda x: [part.get() for part in x.unbind()], "iter": lambda x: [part.get() for part in x],
    "sort": lambda x: x.sort().values.get(), "shape": lambda x: x.shape, "nonzero": lambda x: x.nonzero().shape,
    "copy.get": lambda x: x.copy().get(), "move": lambda x: x.move("alice").get(), "describe": lambda x: x.describe("text").child.info,
    "search": lambda x: sy.local_worker.request_search(["#s"], x.location), "remote_send": lambda x: x.remote_send("alice").get(),
}  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_no_look_at_a_pointer_shows_a_value(
    place: Any, alice: Any, look: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    hide(place, "s", [float(SECRET)])
    place.verbose = place.log_msgs = True
    place.recv_msg(encode(Tag("s", frozenset({"#s"}), "the secret")))
    seen: Any
    with caplog.at_level(logging.DEBUG):
        try:
            seen = LOOKS[look](pointer(place, "s"))
        except (SyftError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            seen = f"{error!r} {error} {getattr(error, '__notes__', '')}"
    place.verbose = place.log_msgs = False
    out, err = capsys.readouterr()
    assert not betrays(f"{seen!r} {out} {err} {caplog.text}")
    assert not isinstance(seen, torch.Tensor) or not betrays(encode(seen))


def test_a_search_and_a_description_hold_no_values(bob: Any) -> None:
    hide(bob, "s", [float(SECRET)])
    stranger = Stranger(bob)
    stranger.ask(Tag("s", frozenset({"#s"}), "text"))
    for query in ((), ("#s",), ("s",), (float(SECRET - 1),)):
        stranger.ask(Search(query))
    for path in ((), ("data",), ("grad",)):
        stranger.ask(Describe(Ref("s", path)))
    assert not stranger.knows_the_secret()


def test_what_a_worker_writes_about_strangers_holds_no_values(
    bob: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    bob.verbose = True
    with caplog.at_level(logging.DEBUG):
        stranger = Stranger(bob)
        for message in failing(bob):
            stranger.ask(message)
        stranger.run("torch.add", Ref("s"), 1, result="sum")
        stranger.take("sum", "an unlucky guess")
    out, err = capsys.readouterr()
    assert not betrays(out + err + caplog.text)
    assert OWNER not in out + err + caplog.text


def test_a_worker_does_not_print_what_it_guards(bob: Any) -> None:
    hide(bob, "s", [float(SECRET)])
    assert not betrays(f"{bob._objects['s']} {bob._objects['s']!r} {bob} {bob._objects}")


# --- credentials ------------------------------------------------------------------------------------------------


@pytest.fixture
def liar(make_worker: Callable[..., Any]) -> Any:
    """A worker of the stranger that says yes to everything, and notes what it is asked."""

    class Liar(sy.VirtualWorker):
        def recv_msg(self, binary: bytes) -> bytes:
            asked.append(decode(binary, None))
            return encode("__bool__" in getattr(asked[-1], "op", ""))

    asked: list[Any] = []
    worker = make_worker("liar", Liar)
    worker.asked = asked
    return worker


def test_a_pointer_is_no_credential(bob: Any, liar: Any) -> None:
    """Comparing it would send the credentials that are allowed to a worker of the stranger's choice."""
    stranger = Stranger(bob)
    for users in ((OWNER,), (123456,)):
        hide(bob, "s", [float(SECRET)], users)
        for kind in ("nothing", "logging", "bare", "private", "list"):
            assert refused(stranger.take("s", shell(kind, liar, "x")))
        bob._objects.clear()
    assert liar.asked == []
    assert not stranger.knows_the_secret()


@pytest.mark.parametrize("allowed", [1, "1", b"1", (1,), ("a", "b")], ids=repr)
def test_only_the_very_credential_opens(bob: Any, allowed: Any) -> None:
    hide(bob, "s", [float(SECRET)], (allowed,))
    stranger = Stranger(bob)
    looks_like: list[Any] = [
        1, True, 1.0, "1", b"1", "", None, (1,), [1], ["a", "b"], ("a", "b"), {1}, float("nan"), torch.tensor(1),
        torch.tensor([1]), torch.ones(3), torch.zeros(0), LoggingTensor().on(torch.tensor(1)), sy.BaseDataset([1], [1]),
    ]  # fmt: skip
    for user in looks_like:
        opened = not refused(stranger.take("s", user))
        assert opened == (type(user) is type(allowed) and encode(user) == encode(allowed)), user


def test_a_refusal_does_not_name_who_is_allowed(bob: Any) -> None:
    hide(bob, "s", [1.0])
    stranger = Stranger(bob)
    stranger.take("s", "somebody")
    stranger.ask(Describe(Ref("s")))
    stranger.ask(Search(("s",)))
    assert OWNER.encode() not in b"".join(stranger.heard)


def test_reading_a_message_asks_nobody(bob: Any, alice: Any, liar: Any) -> None:
    """Whoever sends a pointer chooses where it points; the worker must not go there to look."""
    stranger = Stranger(bob)
    known = MultiPointerTensor(children=[])
    known.child = {"liar": pointer(liar, "x").child, "alice": pointer(alice, "x").child}
    for thing in (pointer(liar, "x"), [pointer(liar, "x")], known.wrap(), LoggingTensor().on(known.wrap())):
        stranger.put("new", thing)
        stranger.ask(Search(()))
    assert liar.asked == []


def test_a_private_number_is_not_sent_to_another_worker(bob: Any, liar: Any) -> None:
    """A number travels with a call to where the other operands are; a private one stays."""
    hide(bob, "s", float(SECRET))
    stranger = Stranger(bob)
    far = pointer(liar, "x")
    stranger.put("far", far)
    for other in (far, Ref("far"), LoggingTensor().on(far), [far]):
        for args in ((other, Ref("s")), (Ref("s"), other)):
            stranger.run("torch.add", *args, result="out")
            stranger.run("torch.cat", [*args], result="out")
    assert not any(betrays(encode(message)) for message in liar.asked)


def test_a_guard_inside_of_another_link_still_guards(bob: Any) -> None:
    """The owner may send a chain or a data set with a private tensor in it."""
    guarded = PrivateTensor(allowed_users=(OWNER,)).on(torch.tensor([float(SECRET)]))
    things = {
        "logging": LoggingTensor().on(guarded),
        "private": PrivateTensor(allowed_users=(MALLORY,)).on(guarded),
        "list": [guarded],
        "dict": {"x": (guarded,)},
        "dataset": sy.BaseDataset(guarded, torch.zeros(1)),
    }
    stranger = Stranger(bob)
    for name, thing in things.items():
        bob.recv_msg(encode(Put(((name, thing),))))
        assert refused(stranger.take(name, MALLORY), "GetNotPermittedError"), name
        for method in ("__len__", "get_data", "get_targets"):
            stranger.ask(Call(Ref(name), (), {}, f"{name} {method}", method))
            stranger.take(f"{name} {method}")
        stranger.ask(Relay((name,), "me", ("new",), False, MALLORY))
    assert not stranger.knows_the_secret()
    assert "new" not in sy.local_worker._objects


def test_control_without_the_type_of_a_credential_it_opens(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        PrivateTensor, "allow", lambda self, user: any(user == allowed for allowed in self.allowed_users)
    )
    hide(bob, "s", [float(SECRET)], (1,))
    assert not refused(Stranger(bob).take("s", True))


def test_control_the_default_of_other_links_hides_nothing(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateTensor, "default", classmethod(ChainTensor.default.__func__))  # type: ignore[attr-defined]
    hide(bob, "s", float(SECRET))
    stranger = Stranger(bob)
    stranger.run("Tensor.__float__", Ref("s"), result="out")
    assert stranger.knows_the_secret()
