"""Ops that raise what is no ordinary error: the client is told, and nothing else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import syft as sy
from syft.core import messages as m
from syft.core.ops import op_named
from syft.exceptions import SyftError
from tests.faults.conftest import Connect, Serve

RAISED = (MemoryError, RecursionError, KeyboardInterrupt, SystemExit, GeneratorExit)
OP = "torch.cosh"


@contextmanager
def raising(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An op that raises, on the worker: it is in this process."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error("injected")

    op = op_named(OP)
    kept = op.fn
    object.__setattr__(op, "fn", fail)
    try:
        yield
    finally:
        object.__setattr__(op, "fn", kept)


def objects_there(worker: sy.WebsocketServerWorker) -> dict[Any, Any]:
    """What the first session holds."""
    session, _ = worker.sessions.rows()[0]
    return dict(session._store.objects)


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("synchronous", [False, True])
def test_what_an_op_raises_is_an_answer(
    error: type[BaseException], synchronous: bool, served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    bob, other = connect(worker.port), connect(worker.port)
    x, y = torch.arange(3.0).send(bob), torch.ones(2).send(other)
    bob.sync()
    before = objects_there(worker)
    with raising(error, monkeypatch):
        bob.synchronous = synchronous
        with pytest.raises(Exception, match="injected") as caught:
            torch.cosh(x).get()
        assert isinstance(caught.value, (SyftError, RuntimeError, MemoryError, RecursionError))
        bob.synchronous = False
        assert (x + 1).get().tolist() == [1, 2, 3], "the connection and the session go on"
        assert (y + 1).get().tolist() == [2, 2], "others do not notice"
    bob.sync()
    assert objects_there(worker).keys() == before.keys()
    assert torch.allclose(torch.cosh(x).get(), torch.arange(3.0).cosh())


@pytest.mark.parametrize("error", RAISED)
def test_what_is_raised_in_the_middle_of_a_message_leaves_a_worker_that_works(
    error: type[BaseException], served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    bob = connect(worker.port)
    x = torch.arange(3.0).send(bob)
    bob.sync()
    session, _ = worker.sessions.rows()[0]
    handlers: dict[type, Callable[[Any], Any]] = session._executor.handlers

    def fail(message: Any) -> Any:
        raise error("injected")

    for kind in (m.Put, m.Describe, m.Search, m.Forget, m.Call):
        with monkeypatch.context() as patch:
            patch.setitem(handlers, kind, fail)
            with pytest.raises(Exception, match="injected"):
                bob.request(
                    {
                        m.Put: m.Put(((12345, torch.ones(1)),)),
                        m.Describe: m.Describe(m.Ref(x.id_at_location)),
                        m.Search: m.Search(()),
                        m.Forget: m.Forget((1,)),
                        m.Call: bob.call_of("session", "objects_count"),
                    }[kind]
                )
        assert (x * 2).get().tolist() == [0, 2, 4]
    assert bob.connected


@pytest.mark.parametrize("error", RAISED)
def test_what_a_step_of_a_plan_raises_is_an_answer(
    error: type[BaseException], served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = connect(served().port)
    plan = sy.func2plan(args_shape=[(3,)])(lambda x: torch.cosh(x) + 1).send(bob)
    x = torch.zeros(3).send(bob)
    assert plan(x).get().tolist() == [2, 2, 2]
    with raising(error, monkeypatch), pytest.raises(Exception, match="injected"):
        plan(x).get()
    assert plan(x).get().tolist() == [2, 2, 2]


def test_recursion_in_earnest_is_an_answer(served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = connect(served().port)
    x = torch.zeros(3).send(bob)
    op = op_named(OP)

    def deeper(*args: Any) -> Any:
        return deeper(*args)

    kept = op.fn
    object.__setattr__(op, "fn", deeper)
    try:
        with pytest.raises(Exception, match="recursion"):
            torch.cosh(x).get()
    finally:
        object.__setattr__(op, "fn", kept)
    assert (x + 1).get().tolist() == [1, 1, 1]
