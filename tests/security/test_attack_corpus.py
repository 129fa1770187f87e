"""What strangers did to PySyft 0.2.4, or tried on this one. Each attack comes as bytes; each guard is broken once."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

import syft as sy
from syft.core import messages as m
from syft.core.ids import IdProvider
from syft.core.messages import Call, Command, Describe, Failure, IsNone, Put, Ref, Relay, Search, Tag, Take
from syft.exceptions import CommandNotPermittedError
from syft.serde import decode, encode
from syft.serde.registry import REGISTRY
from syft.tensors.logging import LoggingTensor
from syft.tensors.pointer import PointerTensor
from syft.tensors.strings import String
from syft.workers import executor
from tests.security.stranger import SECRET, Stranger, betrays, hide, pointer, refused
from tests.serde.craft import frame, tagged


@pytest.fixture
def stranger(bob: Any) -> Stranger:
    bob.recv_msg(encode(Put((("x", torch.tensor([1.0, 2.0])),))))
    return Stranger(bob)


def is_unharmed(stranger: Stranger) -> bool:
    """The worker still holds what it held and still computes."""
    worker = stranger.worker
    assert stranger.run("torch.add", Ref("x"), 1, result="alive") is None
    fine = torch.equal(stranger.take("alive"), torch.tensor([2.0, 3.0]))
    stranger.forget("alive")
    return fine and torch.equal(worker._objects["x"], torch.tensor([1.0, 2.0]))


# --- 1: code in data -----------------------------------------------------------------------------------


class Bomb:
    """Pickled, it makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "code ran"


def payloads(target: Path) -> list[bytes]:
    """The bomb as a pickle, as a file of torch.save, and in the place where TorchScript keeps its data."""
    pickled = [pickle.dumps(Bomb(target), protocol) for protocol in (0, 2, 4)]
    saved = io.BytesIO()
    torch.save({"weight": Bomb(target)}, saved)
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("archive/data.pkl", pickled[1])
        archive.writestr("archive/constants.pkl", pickled[1])
        archive.writestr("archive/version", "3")
    return [*pickled, saved.getvalue(), script.getvalue()]


def carriers(payload: bytes) -> list[Any]:
    """Everything that holds bytes, with the payload in it."""
    plain = [payload, payload.decode("latin-1"), {"data": payload}, [payload], (payload, {"x": payload})]
    array = np.frombuffer(payload, np.uint8)
    return [*plain, array, torch.tensor(array), torch.tensor(array).tag("#x")]


def test_a_pickle_in_whatever_a_message_holds_runs_no_code(stranger: Stranger, target: Path) -> None:
    for payload in payloads(target):
        for carrier in carriers(payload):
            stranger.put("bomb", carrier)
            stranger.take("bomb")
            stranger.run("torch.add", Ref("bomb"), Ref("bomb"), result="sum")
        stranger.send(payload)
        stranger.send(frame(payload))
        stranger.send(frame(tagged("tensor", "strided", "uint8", [len(payload)], 0, None), payload))
    assert not target.exists()
    stranger.forget("bomb")
    assert is_unharmed(stranger)


@pytest.mark.parametrize("fields", [1, 2, 3, 5])
def test_a_pickle_in_the_place_of_any_type_runs_no_code(stranger: Stranger, target: Path, fields: int) -> None:
    for payload in payloads(target):
        for tag in sorted(REGISTRY.by_tag):
            stranger.send(
                frame(tagged("put", [["bomb", tagged(tag.decode(), *[payload] * fields)]], None, False, False, False))
            )
    assert not target.exists()
    assert is_unharmed(stranger)


def test_control_the_bomb_goes_off_when_it_is_unpickled(target: Path) -> None:
    pickle.loads(payloads(target)[0])
    assert target.exists()


# --- 2, 3, 4: names --------------------------------------------------------------------------------------

METHODS = ("clear_objects", "rm_obj", "_objects", "recv_msg", "hook", "add_worker", "__class__", "__init__", "__dict__")
REVEALING = (
    "tolist",
    "item",
    "numpy",
    "__dir__",
    "__array__",
    "__repr__",
    "data_ptr",
    "storage",
    "__reduce_ex__",
    "save",
)
EXPRESSIONS = (
    "__import__('os').mkdir('code ran')",
    "torch.add if True else torch.sub",
    "torch.add(1, 2)",
    "torch.add.__call__",
    "torch.add.__globals__",
    "torch.__dict__",
    "torch..add",
    ".add",
    "torch.add ",
    " torch.add",
    "torch.add\n",
    "torch.add\0",
    "TORCH.ADD",
    "tоrch.add",  # a Cyrillic o
    "torch/add",
    "torch.os.mkdir",
    "torch._C._nn",
    "torch.nn.Linear",
    "torch.serialization.load",
    "torch.hub.load",
    "torch.jit.load",
    "builtins.eval",
    "syft.local_worker",
    "",
    ".",
    "t" * 100_000,
)


@pytest.mark.parametrize("target", ["self", "bob", "me", "_store", "x"])
@pytest.mark.parametrize("name", METHODS)
def test_methods_of_the_worker_are_no_commands(stranger: Stranger, name: str, target: str) -> None:
    for spelled in (name, f"self.{name}", f"Tensor.{name}", f"worker.{name}"):
        assert refused(stranger.run(spelled, target), "UnsupportedOp")
        assert refused(stranger.run(spelled, Ref(target)), "UnsupportedOp")
    assert refused(
        stranger.ask(Call(Ref(target), (), {}, None, name)), "ObjectNotFoundError", "CommandNotPermittedError"
    )
    assert is_unharmed(stranger)


@pytest.mark.parametrize("name", REVEALING)
def test_methods_that_reveal_are_no_commands(bob: Any, stranger: Stranger, name: str) -> None:
    hide(bob, "s", [float(SECRET)])
    for id in ("x", "s"):
        for spelled in (name, f"Tensor.{name}", f"torch.{name}", f"torch.Tensor.{name}", f"Tensor.{name}.__get__"):
            assert refused(stranger.run(spelled, Ref(id), result="out"), "UnsupportedOp")
        assert refused(stranger.ask(Call(Ref(id), (), {}, "out", name)), "CommandNotPermittedError")
    assert not stranger.knows_the_secret()
    assert "out" not in bob._objects


@pytest.mark.parametrize("name", EXPRESSIONS, ids=lambda name: repr(name[:20]))
def test_an_op_is_not_an_expression(stranger: Stranger, name: str) -> None:
    reply = stranger.run(name, Ref("x"), 1, result="out")
    assert refused(reply, "UnsupportedOp")
    assert len(reply.message) < 400  # what came is not sent back whole
    assert not Path("code ran").exists()
    assert is_unharmed(stranger)


@pytest.mark.parametrize(
    "path", [("__class__",), ("grad_fn",), ("data", "__class__"), ("_base",), ("",), ("data.grad",)]
)
@pytest.mark.parametrize("ask", [Describe, IsNone, lambda ref: Command("torch.clone", (ref,), {}, "out")])
def test_a_path_reaches_no_other_attribute(stranger: Stranger, path: tuple[str, ...], ask: Callable[..., Any]) -> None:
    assert refused(stranger.ask(ask(Ref("x", path))), "CommandNotPermittedError")


@pytest.mark.parametrize("path", [("child",), ("data", "child"), ("child", "child"), ("grad", "child")])
def test_the_inside_of_a_private_tensor_is_not_an_attribute(
    bob: Any, stranger: Stranger, path: tuple[str, ...]
) -> None:
    hide(bob, "s", [float(SECRET)])
    for ask in (
        Describe,
        IsNone,
        lambda ref: Command("torch.clone", (ref,), {}, "out"),
        lambda ref: Take((ref,), keep=True),
    ):
        stranger.ask(ask(Ref("s", path)))
    assert refused(stranger.take("out"))
    assert not stranger.knows_the_secret()


@pytest.mark.parametrize(
    "obj", [torch.zeros(2), np.zeros(2), "text", 5, [1], {"a": 1}], ids=lambda obj: type(obj).__name__
)
def test_objects_without_remote_methods_take_no_calls(stranger: Stranger, obj: Any) -> None:
    stranger.put("o", obj)
    for method in ("__call__", "__class__", "tolist", "append", "__init__", "format", "remote_methods"):
        assert refused(stranger.ask(Call(Ref("o"), (), {}, "out", method)), "CommandNotPermittedError")


@pytest.mark.parametrize("text", ["{0.__class__}", "{0.child}", "{x.child.child}", "{:{0.__class__}}", "{0[child]}"])
@pytest.mark.parametrize(
    "method", ["format", "format_plain", "format_map", "format_map_plain", "__mod__", "modulo_plain"]
)
def test_a_remote_text_formats_no_objects(bob: Any, stranger: Stranger, text: str, method: str) -> None:
    hide(bob, "s", [float(SECRET)])
    stranger.put("t", String(text))
    for args in ((Ref("s"), Ref("s")), ({"x": Ref("s"), "0": Ref("s")},)):
        assert refused(stranger.ask(Call(Ref("t"), args, {}, "out", method)))
        assert refused(stranger.ask(Call(Ref("t"), (), {"x": Ref("s")}, "out", method)))
    assert not stranger.knows_the_secret()


class TestControlsOfNames:
    """With each guard broken the attack succeeds, so the tests above can fail."""

    def test_of_the_op_table(self, stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
        resolve = lambda name: SimpleNamespace(  # noqa: E731
            name=name, key="", fn=lambda *a: getattr(a[0], name.split(".")[-1])(), returns=executor.Returns.ANY
        )
        monkeypatch.setattr(executor, "op_named", resolve)
        assert stranger.run("Tensor.tolist", Ref("x"), result="out")
        assert not refused(stranger.run("Tensor.tolist", Ref("x")))

    def test_of_the_paths(self, stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(executor._ATTRIBUTES, "__class__", lambda obj: obj.__class__)
        assert stranger.ask(IsNone(Ref("x", ("__class__",)))) is False

    def test_of_the_calls(self, stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.Tensor, "remote_methods", frozenset({"tolist", "item"}), raising=False)
        stranger.put("one", torch.tensor(float(SECRET)))
        assert stranger.ask(Call(Ref("one"), (), {}, None, "item")) == SECRET
        assert stranger.knows_the_secret()

    def test_of_the_notice(self) -> None:
        for dtype in (torch.float32, torch.float64, torch.int32, torch.int64):
            assert betrays(encode([torch.tensor([0, SECRET], dtype=dtype)]))
        assert betrays(encode({"n": SECRET})) and betrays(encode(float(SECRET))) and betrays(repr(torch.tensor(SECRET)))
        assert not betrays(encode(torch.tensor([SECRET + 1, SECRET - 1.0])))


# --- messages that are none ------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (
    None, True, -1, 2**64 - 1, 1.5, float("nan"), "x", "", b"x", [], ["x", "x", "x"], {}, {"a": 1}, [[]], [[[[]]]],
    tagged("tuple"), tagged("ref", "x", []), tagged("ref", "x", ["data"]), tagged("slice", None, None, None),
    tagged("stored", "x"), tagged("command", "torch.add", [], {}, None, True, []), tagged("tensor", "strided", "uint8", [1], 0, None),
    tagged("syft.pointer", tagged("tuple", "bob", "x", 5, tagged("tuple"), None, None)), tagged("ellipsis"),
)  # fmt: skip
GOOD: dict[str, list[Any]] = {
    "put": [[["y", 5]], None, False, False, False],
    "command": ["torch.add", [tagged("ref", "x", []), 1], {}, "y", True, []],
    "call": [tagged("ref", "x", []), [], {}, "y", "lower", True],
    "take": [[tagged("ref", "y", [])], None, "", True],
    "tag": ["x", None, None],
    "fetch": ["x"],
    "describe": [tagged("ref", "x", [])],
    "is_none": [tagged("ref", "x", [])],
    "search": [["#x"]],
    "relay": [["y"], "alice", ["z"], False, None],
    "forget": [["y"]],
}


def test_every_kind_of_message_is_tried() -> None:
    asked = {cls for cls in executor.Executor(None, None, None, None).handlers}  # type: ignore[arg-type]
    assert {REGISTRY.by_type[cls].tag for cls in asked} == set(GOOD)


@pytest.mark.parametrize("tag", GOOD)
def test_a_field_of_a_wrong_type_is_an_answer(stranger: Stranger, alice: Any, tag: str) -> None:
    for position in range(len(GOOD[tag])):
        for odd in ODD:
            fields = [*GOOD[tag][:position], odd, *GOOD[tag][position + 1 :]]
            stranger.send(frame(tagged(tag, *fields), b"\0") if "tensor" in str(odd) else frame(tagged(tag, *fields)))
    for fields in ([], GOOD[tag][:-1], [*GOOD[tag], None]):
        assert refused(stranger.send(frame(tagged(tag, *fields))), "DecodeError")
    stranger.ask(Put((("x", torch.tensor([1.0, 2.0])),)))  # what was overwritten, taken or renamed in fair play
    assert is_unharmed(stranger)


@pytest.mark.parametrize(
    "message",
    [
        m.Stored("x"),
        m.Named(("values",), (m.Stored("x"),)),
        m.Found("x", "tensor", (), None, None),
        Failure("KeyError", "made up", "op", "", ()),
        m.Description((1,), torch.float32, torch.device("cpu"), torch.strided, None, False, True),
        Ref("x"),
        None,
        5,
        "clear_objects",
        [Command("torch.add", (1, 2), {}, "y")],
        {"op": "torch.add"},
        (Take((Ref("x"),)),),
    ],
    ids=lambda message: type(message).__name__,
)
def test_an_answer_is_not_a_request(stranger: Stranger, message: Any) -> None:
    assert refused(stranger.ask(message), "CommandNotPermittedError")
    assert is_unharmed(stranger)


def test_control_the_messages_that_are_spoilt_here_are_right(stranger: Stranger, alice: Any) -> None:
    stranger.put("t", String("text"))
    good = {
        **GOOD,
        "call": [tagged("ref", "t", []), ["t"], {}, "n", "count", True],
        "command": ["torch.add", [tagged("ref", "x", []), 1], {}, "sum", True, []],
    }
    for tag, fields in good.items():  # in the order of the table: what is put there is taken from there
        assert not refused(stranger.send(frame(tagged(tag, *fields)))), tag


# --- what a reply may say (a worker is not trusted either) -------------------------------------------------


def answering(me: Any, make_worker: Any, reply: Any) -> Any:
    """A worker that gives one reply to everything."""

    class Liar(sy.VirtualWorker):
        def recv_msg(self, binary: bytes) -> bytes:
            return encode(reply)

    return make_worker("liar", Liar)


@pytest.mark.parametrize(
    "kind", ["SystemExit", "KeyboardInterrupt", "eval", "os.system", "__import__", "", "Exception"]
)
def test_a_forged_failure_raises_only_errors_of_the_table(me: Any, make_worker: Any, kind: str) -> None:
    liar = answering(me, make_worker, Failure(kind, "made up", "op", "traceback", ("x", 5)))
    with pytest.raises(sy.exceptions.RemoteError, match="made up"):
        liar.request(Describe(Ref(1)))


def test_a_forged_reply_points_into_the_liar_only(me: Any, make_worker: Any, bob: Any) -> None:
    bob.request(Put((("x", torch.zeros(1)),)))
    x = pointer(answering(me, make_worker, m.Named(("values",), (m.Stored("x"), m.Stored("x")))), "x")
    out = torch.sort(x)
    assert [link.child.location.id for link in out] == ["liar", "liar"]
    del out
    assert "x" in bob._objects


# --- objects of others --------------------------------------------------------------------------------------


def test_a_result_does_not_replace_an_object(bob: Any, stranger: Stranger) -> None:
    hide(bob, "s", [1.0])
    for id in ("x", "s"):
        held = bob._objects[id]
        assert refused(stranger.run("torch.zeros", 2, result=id))
        assert bob._objects[id] is held
    assert refused(stranger.ask(Put((("s", torch.zeros(1)),))), "SendNotPermittedError")
    assert refused(stranger.ask(Put((("new", 1), ("s", torch.zeros(1))))), "SendNotPermittedError")
    assert "new" not in bob._objects


def test_a_pointer_is_never_born_an_owner(stranger: Stranger, alice: Any) -> None:
    alice.request(Put((("far", torch.zeros(1)),)))
    stranger.put("p", pointer(alice, "far"))
    stranger.put("list", [pointer(alice, "far")])
    stranger.forget("p", "list")
    assert "far" in alice._objects


def test_what_cannot_be_given_out_is_not_forgotten(bob: Any, stranger: Stranger) -> None:
    stranger.run("torch.zeros", 2, result="meta", device=torch.device("meta"))
    assert refused(stranger.ask(Take((Ref("x"), Ref("meta")))))
    assert {"x", "meta"} <= set(bob._objects)
    assert refused(stranger.ask(Take((Ref("x"), Ref("gone")))), "ObjectNotFoundError")
    assert is_unharmed(stranger)


@pytest.mark.parametrize("as_ids", [(), ("a", "b")])
def test_a_relay_that_does_not_fit_moves_nothing(
    bob: Any, alice: Any, stranger: Stranger, as_ids: tuple[str, ...]
) -> None:
    assert refused(stranger.ask(Relay(("x",), "alice", as_ids)))
    assert not alice._objects
    assert is_unharmed(stranger)


# --- spoiling the worker for others ----------------------------------------------------------------------------


def location_of(obj: Any) -> Any:
    """A pointer whose location is not the name of a worker but an object with an ``id``."""
    return sy.PointerTensor(SimpleNamespace(id=obj), 5, sy.local_worker, garbage_collect_data=False)


def impostors() -> list[Any]:
    named = torch.zeros(1)
    named.id = "mallory"
    dataset = sy.BaseDataset(torch.zeros(2), torch.zeros(2), id="mallory")
    return [named, dataset, String("x", id="mallory"), LoggingTensor(id="mallory").on(torch.zeros(1))]


@pytest.mark.parametrize("which", range(4), ids=["tensor", "dataset", "string", "chain"])
def test_an_object_does_not_pass_for_a_worker(bob: Any, stranger: Stranger, which: int) -> None:
    known = dict(bob._known_workers)
    stranger.put("p", [location_of(impostors()[which])])
    assert bob._known_workers == known


@pytest.mark.parametrize("id", ["bob", "mallory", "me"])
def test_a_worker_on_the_wire_is_a_name(bob: Any, stranger: Stranger, id: str) -> None:
    """A worker that is sent with what it holds does not bring that to the worker of this name."""
    known, held = dict(bob._known_workers), dict(bob._objects)
    body = tagged("syft.worker", tagged("tuple", id, {"evil": 5}))
    try:
        stranger.send(frame(tagged("put", [["w", body]], None, False, False, False)))
        assert bob._known_workers == known
        assert "evil" not in {id for worker in known.values() for id in worker._objects}
        assert bob._objects.keys() - {"w"} == held.keys()
    finally:
        for worker in known.values():
            worker._objects.pop("evil", None)


def chain(child: Any, id: Any = None, tags: Any = None, description: Any = None, settings: Any = None) -> Any:
    """A wrapped LoggingTensor with any fields."""
    tag = REGISTRY.by_type[LoggingTensor].tag
    link = tagged(tag, tagged("tuple", {} if settings is None else settings, child, id, tags, description))
    return tagged("syft.wrapper", link)


TENSOR = tagged("tensor", "strided", "uint8", [1], 0, None)


@pytest.mark.parametrize(
    "obj",
    [
        chain(None),
        chain(5, tags=tagged("set", "#x")),
        chain("text", tags=tagged("set", "#x")),
        chain([TENSOR], tags=tagged("set", "#x")),
        chain(TENSOR, tags=5),
        chain(TENSOR, tags=[["#x"]]),
        chain(TENSOR, tags=tagged("set", "#x"), description=5),
        chain(TENSOR, id=[]),
        chain(TENSOR, tags=tagged("set", "#x"), settings={"tags": 5, "owner": "x", "description": 5}),
        chain(TENSOR, settings={"unknown": 1}),
        chain(TENSOR, settings=5),
        tagged(
            "syft.pointer",
            tagged("tuple", "alice", "nothing there", 5, tagged("tuple"), tagged("frozenset", "#x"), None),
        ),
        tagged("syft.pointer", tagged("tuple", "alice", "nothing there", 5, tagged("tuple"), 5, None)),
        tagged("syft.pointer", tagged("tuple", "alice", [], {}, tagged("tuple"), None, 5)),
    ],
    ids=range(14),
)
def test_no_object_spoils_the_search(stranger: Stranger, alice: Any, obj: Any) -> None:
    stranger.ask(Tag("x", frozenset({"#x"}), None))
    body = obj if obj[0].data == b"syft.wrapper" else tagged("syft.wrapper", obj)
    stranger.send(
        frame(tagged("put", [["bad", body]], None, False, False, False), *[b"\0"] * str(obj).count("strided"))
    )
    for query in ((), ("#x",), ("x",), (5,), (None,)):
        found = stranger.ask(Search(query))
        assert isinstance(found, list)
        assert query not in ((), ("#x",)) or "x" in [hit.id for hit in found]


def test_a_pointer_to_itself_is_an_error_and_no_hang(bob: Any, stranger: Stranger) -> None:
    stranger.run("torch.zeros", 2, result="loop")
    stranger.ask(Relay(("loop",), "bob", ("loop",), True))
    for ask in (Describe(Ref("loop")), Command("torch.add", (Ref("loop"), 1), {}, "out"), m.Fetch("loop"), Search(())):
        stranger.ask(ask)
    assert is_unharmed(stranger)
    bob._objects.pop("loop", None)


# --- 8: a failure is an answer ------------------------------------------------------------------------------------


def test_every_op_that_fails_is_an_answer_and_the_worker_goes_on(stranger: Stranger) -> None:
    stranger.put("a", torch.zeros(2, 3))
    stranger.put("b", torch.zeros(5, 7, dtype=torch.int64))
    outcomes: dict[str, int] = {}
    for name in sorted(sy.core.ops.BY_NAME):
        for args in ((), (Ref("a"), Ref("b")), ("text", None), (Ref("missing"),), (Ref("a"), float("nan"), -1, [], {})):
            reply = stranger.ask(Command(name, args, {}, "out"))
            outcomes["failed" if refused(reply) else "ran"] = outcomes.get("failed" if refused(reply) else "ran", 0) + 1
            stranger.forget("out")
    assert outcomes["failed"] > 5000
    assert is_unharmed(stranger)


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("torch.zeros", (10**15,)),
        ("torch.ones", ([10**9, 10**9],)),
        ("torch.arange", (10**17,)),
        ("Tensor.repeat", (Ref("x"), 10**15)),
        ("torch.nn.functional.one_hot", (Ref("i"), 10**16)),
        ("torch.zeros", (2**63,)),
        ("torch.zeros", (-1,)),
        ("torch.full", ((2,), "x")),
        ("torch.cat", ([Ref("x")] * 50_000 + [Ref("missing")],)),
    ],
    ids=range(9),
)
def test_huge_arguments_are_an_answer(stranger: Stranger, op: str, args: tuple[Any, ...]) -> None:
    stranger.put("i", torch.tensor([1]))
    assert refused(stranger.run(op, *args, result="out"))
    assert is_unharmed(stranger)


@pytest.mark.parametrize("error", [MemoryError, RecursionError, AssertionError, LookupError, CommandNotPermittedError])
def test_errors_inside_of_an_op_are_answers(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*args: Any) -> Any:
        raise error("inside")

    with monkeypatch.context() as patch:
        op = SimpleNamespace(name="fail", key="", fn=fail, returns=executor.Returns.TENSOR)
        patch.setattr(executor, "op_named", lambda name: op)
        reply = stranger.run("torch.add", Ref("x"), 1, result="out")
    assert (reply.kind, reply.message) == (error.__name__, "inside")
    assert torch.is_grad_enabled()
    assert is_unharmed(stranger)


def test_a_failure_does_not_leave_gradients_switched_off(stranger: Stranger) -> None:
    assert refused(stranger.ask(Command("torch.add", (Ref("x"), "text"), {}, "out", False)))
    assert torch.is_grad_enabled()


# --- 12: ids -------------------------------------------------------------------------------------------------------


def seed_everything() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


def draw(source: Callable[[], int]) -> list[int]:
    seed_everything()
    return [source() for _ in range(600)]


def test_ids_do_not_depend_on_any_seed() -> None:
    first, second = draw(IdProvider().pop), draw(IdProvider().pop)
    assert not set(first) & set(second)
    assert len(set(first)) == 600


def test_control_ids_of_a_seeded_generator_repeat() -> None:
    source = lambda: random.getrandbits(63)  # noqa: E731
    assert draw(source) == draw(source)


def test_every_bit_of_an_id_is_used() -> None:
    ids = draw(IdProvider().pop)
    counts = [sum(id >> bit & 1 for id in ids) for bit in range(63)]
    # Each count is binomial(600, 1/2), sd 12.2; 8 sd over 63 bits is a false alarm in 10**13 runs.
    assert all(abs(count - 300) < 98 for count in counts)
    assert max(ids) < 2**63


def test_ids_come_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\1" * count)
    assert IdProvider().pop() == int.from_bytes(b"\1" * 8, "little") & (1 << 63) - 1


def test_a_forked_child_draws_other_ids(run_script: Callable[..., str]) -> None:
    out = run_script(
        "import os\n"
        "from syft.core.ids import new_id\n"
        "new_id()\n"
        "read, write = os.pipe()\n"
        "if not (child := os.fork()):\n"
        "    os.write(write, ' '.join(str(new_id()) for _ in range(300)).encode())\n"
        "    os._exit(0)\n"
        "mine = {str(new_id()) for _ in range(300)}\n"
        "os.waitpid(child, 0)\n"
        "theirs = set(os.read(read, 1 << 20).decode().split())\n"
        "print(len(mine), len(theirs), len(mine & theirs))\n"
    )
    assert out.split() == ["300", "300", "0"]


def test_control_without_care_a_forked_child_repeats_ids(run_script: Callable[..., str]) -> None:
    out = run_script(
        "import os\n"
        "os.register_at_fork = lambda **hooks: None\n"
        "from syft.core.ids import IdProvider\n"
        "source = IdProvider()\n"
        "source.pop()\n"
        "read, write = os.pipe()\n"
        "if not (child := os.fork()):\n"
        "    os.write(write, str(source.pop()).encode())\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(os.read(read, 100).decode() == str(source.pop()))\n"
    )
    assert out.strip() == "True"


def test_what_the_wire_says_stays_what_it_says() -> None:
    """The bytes made by hand above are what the codec itself would write."""
    assert decode(frame(tagged("describe", tagged("ref", "x", []))), None) == Describe(Ref("x"))
    assert isinstance(tagged("x")[0], msgpack.ExtType)
    assert type(location_of(5)) is PointerTensor
