"""Text that is sent: what stays a String, what runs remotely, and what a client cannot make it do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import syft as sy
from syft.core.messages import Call, Ref
from syft.exceptions import (
    CommandNotPermittedError,
    ConsumedPointerError,
    DecodeError,
    ObjectNotFoundError,
    TensorsNotCollocatedException,
    WorkerNotFoundException,
)
from syft.serde.registry import REGISTRY
from syft.tensors.strings import String, StringPointer

RETURNS_TEXT = [
    ("upper", ()),
    ("lower", ()),
    ("title", ()),
    ("capitalize", ()),
    ("casefold", ()),
    ("swapcase", ()),
    ("center", (20, "*")),
    ("ljust", (20,)),
    ("rjust", (20,)),
    ("zfill", (20,)),
    ("strip", ("fd",)),
    ("lstrip", ("f",)),
    ("rstrip", ("d",)),
    ("replace", ("e", "E")),
    ("join", (["a", "b"],)),
    ("expandtabs", (4,)),
    ("removeprefix", ("fed",)),
    ("removesuffix", ("ted",)),
    ("translate", ({ord("e"): "3"},)),
    ("__add__", ("!",)),
    ("__mul__", (2,)),
    ("__getitem__", (slice(1, 4),)),
]
RETURNS_VALUES = [
    ("count", ("e",)),
    ("find", ("d",)),
    ("rfind", ("d",)),
    ("index", ("e",)),
    ("startswith", ("fed",)),
    ("endswith", (("x", "ted"),)),
    ("isalpha", ()),
    ("isdigit", ()),
    ("split", ("e",)),
    ("rsplit", ("e", 1)),
    ("splitlines", ()),
    ("partition", ("e",)),
    ("encode", ()),
    ("__len__", ()),
    ("__contains__", ("era",)),
    ("__eq__", ("federated",)),
    ("__lt__", ("g",)),
]


@pytest.mark.parametrize(("name", "args"), RETURNS_TEXT)
def test_methods_that_return_text_return_a_string(name: str, args: tuple[Any, ...]) -> None:
    out = getattr(String("federated"), name)(*args)
    assert type(out) is String
    assert out == getattr("federated", name)(*args)


@pytest.mark.parametrize(("name", "args"), RETURNS_VALUES)
def test_other_methods_return_what_str_returns(name: str, args: tuple[Any, ...]) -> None:
    out, expected = getattr(String("federated"), name)(*args), getattr("federated", name)(*args)
    assert out == expected
    assert type(out) is type(expected)


def test_containers_hold_plain_text() -> None:
    assert {type(part) for part in String("a b").split()} == {str}
    assert {type(part) for part in String("a b").partition(" ")} == {str}
    assert {type(letter) for letter in String("ab")} == {str}


def test_operators() -> None:
    s = String("a%s")
    assert [type(x) for x in (s + "b", "b" + s, s * 2, 2 * s, s % "c", s[0])] == [String] * 6
    assert ("b" + s, 2 * s, s % String("c")) == ("ba%s", "a%sa%s", "ac")
    assert String("{} {x}").format(1, x=2) == "1 2"
    with pytest.raises(TypeError):
        5 + s  # type: ignore[operator]


def test_it_is_made_like_a_str() -> None:
    assert (String(), String(5), String(b"ab", encoding="utf-8"), String(b"\xff", "ascii", "replace")) == (
        "",
        "5",
        "ab",
        "\N{REPLACEMENT CHARACTER}",
    )
    assert (repr(String("x")), str(String("x")), f"{String('x')}") == ("'x'", "x", "x")
    assert type(str(String("x"))) is str
    assert (String("x").child, type(String("x").child)) == ("x", str)


def test_names_and_identity(me: Any) -> None:
    s = String("x", id=7, tags=["#t"], description="text")
    assert (s.id, s.tags, s.description, s.owner) == (7, {"#t"}, "text", me)
    assert s.tag("#u") is s
    assert s.describe("other") is s
    assert (s.tags, s.description) == ({"#t", "#u"}, "other")
    assert String("x").tags is None
    first = String("x")
    assert first.id == first.id != String("x").id
    assert hash(String("x")) == hash("x")


def test_send_and_get(bob: sy.VirtualWorker) -> None:
    s = String("federated", tags=["#word"], description="a word")
    pointer = s.send(bob)
    assert type(pointer) is StringPointer
    assert list(bob._objects) == [s.id]
    assert (pointer.location, pointer.id_at_location, pointer.tags) == (bob, s.id, {"#word"})
    back = pointer.get()
    assert (type(back), back, back.id, back.tags, back.description) == (String, s, s.id, {"#word"}, "a word")
    assert bob._objects == {}
    with pytest.raises(ConsumedPointerError):
        pointer.get()


def test_a_worker_can_be_named(bob: sy.VirtualWorker) -> None:
    assert String("x").send("bob").location == bob
    with pytest.raises(WorkerNotFoundException):
        String("x").send("nobody")


def test_the_local_text_stays_and_the_remote_one_survives_its_pointer(bob: sy.VirtualWorker) -> None:
    s = String("x")
    pointer = s.send(bob)
    assert s == "x"
    del pointer
    assert list(bob._objects) == [s.id]


def test_a_pointer_never_prints_the_text(bob: sy.VirtualWorker) -> None:
    pointer = String("secret", tags=["#t"]).send(bob)
    for text in (repr(pointer), str(pointer), f"{pointer}", repr(pointer.upper()), repr([pointer])):
        assert "secret" not in text.lower()
    assert repr(pointer).startswith(f"[StringPointer | me:{pointer.id} -> bob:{pointer.id_at_location}]\n\tTags: #t ")


@pytest.mark.parametrize(("name", "args"), RETURNS_TEXT)
def test_text_results_stay_remote(bob: sy.VirtualWorker, name: str, args: tuple[Any, ...]) -> None:
    pointer = String("federated").send(bob)
    out = getattr(pointer, name)(*args)
    assert type(out) is StringPointer
    assert out.id_at_location in bob._objects
    assert out.get() == getattr("federated", name)(*args)


@pytest.mark.parametrize(("name", "args"), RETURNS_VALUES)
def test_values_come_back(bob: sy.VirtualWorker, name: str, args: tuple[Any, ...]) -> None:
    pointer = String("federated").send(bob)
    assert getattr(pointer, name)(*args) == getattr("federated", name)(*args)
    assert len(bob._objects) == 1


def test_results_are_deleted_with_their_pointers(bob: sy.VirtualWorker) -> None:
    pointer = String("a").send(bob)
    assert pointer.upper().lower().get() == "a"
    assert len(bob._objects) == 1


def test_remote_operators(bob: sy.VirtualWorker) -> None:
    p, q = String("ab").send(bob), String("cd").send(bob)
    assert [(p + q).get(), (p + "x").get(), ("x" + p).get(), (p * 2).get(), p[1].get()] == [
        "abcd",
        "abx",
        "xab",
        "abab",
        "b",
    ]
    assert [letter.get() for letter in p] == ["a", "b"]
    assert (p == "ab", p == q, p != q, p < "b", "a" in p, len(p)) == (True, False, True, True, True, 2)
    assert (p == 5, p is None, p != None) == (False, False, True)  # noqa: E711
    assert (hash(p) == hash(p), len({p, q})) == (True, 2)
    assert String("%s-%d").send(bob).__mod__(("a", 5)).get() == "a-5"
    assert (String("{} {x}").send(bob).format(p, x=1.5)).get() == "ab 1.5"
    assert String("{a}").send(bob).format_map({"a": 1}).get() == "1"


def test_an_error_of_the_text_comes_back(bob: sy.VirtualWorker) -> None:
    with pytest.raises(ValueError, match="substring not found"):
        String("a").send(bob).index("z")
    with pytest.raises(TypeError, match="can only concatenate"):
        String("a").send(bob) + 5


def test_operands_must_be_in_one_place(bob: sy.VirtualWorker, alice: sy.VirtualWorker) -> None:
    p, q = String("a").send(bob), String("b").send(alice)
    with pytest.raises(TensorsNotCollocatedException, match="'bob'.*'alice'"):
        p + q
    assert (p.get(), q.get()) == ("a", "b")


def test_the_object_must_be_there(bob: sy.VirtualWorker) -> None:
    pointer = String("a").send(bob)
    bob.clear_objects()
    with pytest.raises(ObjectNotFoundError):
        pointer.upper()


@pytest.mark.parametrize("method", ["format", "format_map", "__mod__", "__class__", "__reduce_ex__", "send", "tag"])
def test_a_client_calls_only_what_is_offered(bob: sy.VirtualWorker, method: str) -> None:
    pointer = String("{}").send(bob)
    with pytest.raises(CommandNotPermittedError, match=method):
        bob.request(Call(pointer.ref, ("x",), {}, 5, method))


@pytest.mark.parametrize("method", ["format_plain", "modulo_plain", "format_map_plain"])
def test_formatting_shows_no_other_object(bob: sy.VirtualWorker, method: str) -> None:
    target = torch.tensor([4.25]).send(bob)
    text = String("{0} %s").send(bob)
    for argument in (Ref(target.id_at_location), [Ref(target.id_at_location)]):
        with pytest.raises(CommandNotPermittedError, match="text and numbers"):
            bob.request(Call(text.ref, (argument,), {}, 5, method))
    assert 5 not in bob._objects


@pytest.mark.parametrize("field", ["{0.__class__}", "{0.__class__.__init__.__globals__}", "{0:{0.real}}", "{x.imag}"])
def test_formatting_reads_no_attributes(bob: sy.VirtualWorker, field: str) -> None:
    text = String(field).send(bob)
    with pytest.raises(CommandNotPermittedError, match="attribute"):
        text.format(1, x=2)


def test_local_formatting_is_that_of_str() -> None:
    assert String("{0.real} {1}").format(1, [2]) == "1 [2]"


def test_search_finds_text(me: Any, bob: sy.VirtualWorker) -> None:
    String("secret", tags=["#t"], description="words").send(bob)
    torch.ones(1).tag("#t").send(bob, garbage_collect_data=False)
    (text, tensor) = me.request_search("#t", bob)
    assert type(text) is StringPointer
    assert isinstance(tensor, torch.Tensor)
    assert (text.tags, text.description, text.gc) == ({"#t"}, "words", False)
    assert len(text) == 6
    assert text.get() == "secret"


def test_tagging_a_pointer_tells_the_worker(me: Any, bob: sy.VirtualWorker) -> None:
    pointer = String("x").send(bob)
    assert pointer.tag("#late") is pointer
    assert [p.id_at_location for p in me.request_search("#late", bob)] == [pointer.id_at_location]


def test_worker_send(me: Any, bob: sy.VirtualWorker) -> None:
    pointer = me.send(String("x"), bob, ptr_id=5)
    assert (type(pointer), pointer.id, pointer.get()) == (StringPointer, 5, "x")


def test_a_string_pointer_travels_and_comes_home_as_the_text(bob: sy.VirtualWorker) -> None:
    pointer = String("x").send(bob)
    decoded = sy.serde.decode(sy.serde.encode(pointer), bob)
    assert (type(decoded), decoded) == (String, "x")
    elsewhere = sy.serde.decode(sy.serde.encode(pointer), sy.local_worker)
    assert (type(elsewhere), elsewhere.gc, elsewhere.get()) == (StringPointer, False, "x")


def test_serialization_keeps_everything() -> None:
    s = String("Größe\0", id=3, tags=["#a"], description="d")
    back = sy.serde.decode(sy.serde.encode(s))
    assert (type(back), back, back.id, back.tags, back.description) == (String, s, 3, {"#a"}, "d")


@pytest.mark.parametrize("data", [(5, 1, None, None), ("a", 1.5, None, None), ("a", 1, ["#t"], None), ("a", 1), 7])
def test_malformed_text_is_refused(data: Any) -> None:
    body = sy.serde.encode([REGISTRY.by_type[String].marker, data])
    with pytest.raises(DecodeError, match=r"syft\.string"):
        sy.serde.decode(body)
