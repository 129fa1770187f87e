"""A command runs a name of ``core/ops.txt`` or nothing: every name there is in torch and in a worker is sent."""

from __future__ import annotations

import builtins
import operator
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from syft.core import ops
from syft.core.messages import Call, Command, Put, Ref
from syft.core.ops import BY_NAME, Op, Returns
from syft.serde import encode
from syft.tensors.chain import ChainTensor
from syft.tensors.private import PrivateTensor
from tests.security.stranger import SECRET, Stranger, hide, refused

LISTED = {line.split(" ")[0] for line in Path(ops.__file__).with_name("ops.txt").read_text("utf-8").splitlines()}
HERE = tuple(int(part) for part in torch.__version__.split(".")[:2])

PREFIXES = (
    "", "torch.", "Tensor.", "torch.Tensor.", "torch._C.", "torch._C._nn.", "torch._VF.", "torch.nn.functional.", "F.",
    "torch.nn.", "torch.nn.init.", "torch.linalg.", "torch.fft.", "torch.special.", "torch.sparse.", "torch.autograd.",
    "torch.ops.aten.", "torch.jit.", "torch.hub.", "torch.serialization.", "self.", "worker.", "bob.", "_store.", "syft.",
    "builtins.", "__builtins__.", "os.", "sys.",
)  # fmt: skip
SUFFIXES = ("", ".__get__", ".__set__", ".__delete__", ".__call__", "()", "_")

NEVER = (
    "apply_ map_ map2_ numpy storage untyped_storage typed_storage data_ptr resize_ resize_as_ share_memory_ register_hook "
    "tolist item save load from_file as_strided as_strided_ __array__ __dlpack__ from_dlpack frombuffer from_numpy asarray "
    "as_tensor _base grad_fn __reduce_ex__ __setstate__ __deepcopy__ __dir__ __repr__ __format__ sparse_coo_tensor "
    "sparse_compressed_tensor sparse_csr_tensor pin_memory is_shared compile vmap manual_seed set_default_dtype "
    "use_deterministic_algorithms set_num_threads set_grad_enabled get_rng_state set_rng_state seed initial_seed"
).split()


def names(bob: Any) -> set[str]:
    """The last parts of names that somebody may try."""
    places = (
        torch, torch.Tensor, torch._C, torch._C._nn, torch._VF, torch.nn, F, torch.nn.init, torch.linalg, torch.fft,
        torch.special, torch.sparse, torch.autograd, torch.jit, torch.hub, torch.serialization, torch.nn.Parameter,
        torch.testing, torch.utils, torch.cuda, bob, bob._store, bob._executor, bob._executor.policy, object, type, builtins,
        operator, sys, dict, str,
    )  # fmt: skip
    return {name for place in places for name in dir(place)} | set(NEVER) | {n.split(".")[-1] for n in LISTED}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the ops that were run: each op of the table only notes that it was asked for."""
    called: list[str] = []

    def spy(op: Op) -> Op:
        def note(*args: Any, **kwargs: Any) -> None:
            called.append(op.name)

        return replace(op, fn=note, returns=Returns.NOTHING, key="")

    monkeypatch.setattr(ops, "BY_NAME", MappingProxyType({name: spy(op) for name, op in BY_NAME.items()}))
    return called


def spellings(bob: Any) -> Iterator[str]:
    last = sorted(names(bob))
    for prefix in PREFIXES:
        yield from (prefix + name for name in last)
    for suffix in SUFFIXES[1:]:
        for prefix in ("torch.", "Tensor.", "torch.nn.functional."):
            yield from (prefix + name + suffix for name in last)
    yield from (name + suffix for name in sorted(LISTED) for suffix in SUFFIXES)


def test_every_name_there_is_runs_only_if_it_is_listed(bob: Any, ran: list[str]) -> None:
    tried = 0
    handle = bob._executor.handle
    for name in set(spellings(bob)):
        tried += 1
        before = len(ran)
        try:
            handle(Command(name, (), {}))
        except ops.UnsupportedOp:
            assert name not in BY_NAME
        assert (len(ran) > before) == (name in LISTED and name in BY_NAME), name
    assert tried > 100_000
    assert sorted(ran) == sorted(BY_NAME)  # each of them once, and under its own name


def test_the_same_by_bytes_for_what_torch_and_the_worker_have(bob: Any, ran: list[str]) -> None:
    bob.recv_msg(encode(Put((("x", torch.zeros(2)),))))
    stranger = Stranger(bob)
    for prefix in ("", "torch.", "Tensor.", "self."):
        for name in sorted({*dir(torch.Tensor), *dir(bob), *dir(bob._store), *NEVER}):
            reply = stranger.run(prefix + name, Ref("x"), result="out")
            assert refused(reply, "UnsupportedOp") == (prefix + name not in LISTED), prefix + name
    assert set(ran) <= LISTED
    assert list(bob._objects) == ["x"]


def test_no_method_of_a_worker_or_of_torch_is_called_on_an_object(bob: Any) -> None:
    bob.recv_msg(encode(Put((("x", torch.tensor([float(SECRET)])), ("t", "text")))))
    stranger = Stranger(bob)
    for id in ("x", "t", "bob", "self"):
        for name in sorted({*dir(torch.Tensor), *dir(bob), *dir(bob._store), *dir(str), *NEVER}):
            assert refused(
                stranger.ask(Call(Ref(id), (), {}, "out", name)), "CommandNotPermittedError", "ObjectNotFoundError"
            )
    assert not stranger.knows_the_secret()


def test_control_a_table_that_looks_names_up_in_torch_is_noticed(
    bob: Any, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Open(dict[str, Op]):
        def get(self, name: str, default: Any = None) -> Any:
            found = getattr(torch, name.removeprefix("torch."), None)
            note = lambda *a, **k: ran.append(name)  # noqa: E731
            return Op(name, "", note, Returns.NOTHING) if callable(found) else default

    monkeypatch.setattr(ops, "BY_NAME", Open())
    with pytest.raises(AssertionError):
        test_every_name_there_is_runs_only_if_it_is_listed(bob, ran)


@pytest.mark.parametrize("word", NEVER)
def test_the_list_has_no_hatch(word: str) -> None:
    assert [name for name in LISTED if word in name.split(".")] == []


def test_the_table_is_the_list() -> None:
    assert set(BY_NAME) <= LISTED
    assert HERE != (2, 13) or set(BY_NAME) == LISTED


def test_nobody_can_add_to_the_table() -> None:
    with pytest.raises(TypeError):
        BY_NAME["torch.load"] = BY_NAME["torch.add"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        BY_NAME["torch.add"].fn = torch.load  # type: ignore[misc]


# Everything that may answer with a plain value.
PLAIN = sorted(name for name, op in BY_NAME.items() if op.returns is Returns.ANY)
GUESS = 3.0


def plain_answers(bob: Any, values: list[float], stranger: Stranger) -> dict[str, list[Any]]:
    """What each of those ops says of a private tensor, in numbers and words."""
    answers: dict[str, list[Any]] = {}
    for name in PLAIN:
        hide(bob, "s", values)
        stranger.put("g", torch.full((len(values),), GUESS))
        calls: list[tuple[Any, ...]] = [
            (Ref("s"),),
            (Ref("s"), Ref("g")),
            (Ref("s"), GUESS),
            ([Ref("s")],),
            (Ref("s"), 0),
        ]
        replies = [stranger.run(name, *arguments, result="out") for arguments in calls]
        answers[name] = [reply for reply in replies if type(reply) in (bool, int, float, complex, str, torch.Size)]
        bob._objects.clear()
    return answers


@pytest.mark.parametrize("count", [1, 4])
def test_no_op_tells_a_plain_value_of_a_private_object(bob: Any, count: int) -> None:
    stranger = Stranger(bob)
    one = plain_answers(bob, [float(SECRET)] * count, stranger)
    other = plain_answers(bob, [GUESS] * count, stranger)
    assert one == other
    assert not stranger.knows_the_secret()


def test_control_without_the_guard_plain_values_are_told(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateTensor, "default", classmethod(ChainTensor.default.__func__))  # type: ignore[attr-defined]
    stranger = Stranger(bob)
    one, other = plain_answers(bob, [float(SECRET)], stranger), plain_answers(bob, [GUESS], stranger)
    assert {name for name in one if one[name] != other[name]} >= {
        "Tensor.__float__",
        "Tensor.equal",
        "Tensor.__contains__",
    }
    assert stranger.knows_the_secret()
