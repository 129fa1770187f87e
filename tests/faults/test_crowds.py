"""Many clients of one worker, and many threads of one client: each gets its own answers, in order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

import syft as sy
from syft.core.messages import Ref, Take
from syft.exceptions import ObjectNotFoundError
from syft.workers.sessions import Sessions
from tests.faults.conftest import Connect, Serve, Start

CLIENTS = 8
THREADS = 16


def talk(bob: sy.WebsocketClientWorker, name: int, rounds: int) -> int:
    """Requests of every kind, each answer one that only this client can get; how many came to others."""
    chance, crossed = random.Random(name), 0
    mine = torch.tensor([float(name), 0.0]).tag("#mine", f"#of{name}").send(bob)
    for number in range(rounds):
        kind = chance.randrange(6)
        if kind == 0:
            value = torch.tensor([name * 1e5 + number]).send(bob)
            crossed += (value + 1).get().item() != name * 1e5 + number + 1
        elif kind == 1:
            value = torch.zeros(4, name + 1).send(bob)
            crossed += tuple(value[value == 0].shape) != (4 * (name + 1),)
        elif kind == 2:
            found = bob.search("#mine")
            crossed += len(found) != 1 or set(found[0].tags) != {"#mine", f"#of{name}"}
        elif kind == 3:
            try:
                torch.ones(name + 2).send(bob).view(7919).get()
                crossed += 1
            except RuntimeError as error:
                crossed += f"of size {name + 2}" not in str(error)
        elif kind == 4:
            mine.add_(torch.tensor([0.0, 1.0]).send(bob))
            crossed += mine.copy().get().tolist() != [float(name), mine_count(mine)]
        else:
            w = torch.tensor([float(name)], requires_grad=True).send(bob)
            (w * w).sum().backward()
            crossed += w.grad.copy().get().item() != 2.0 * name
    return crossed


_COUNTS: dict[int, itertools.count[int]] = {}


def mine_count(pointer: Any) -> float:
    """How often this was asked about a pointer."""
    return float(next(_COUNTS.setdefault(pointer.id_at_location, itertools.count(1))))


def crossed_answers(connect: Connect, port: int, rounds: int) -> int:
    """Let all clients talk at once; how many answers were somebody else's."""
    clients = [connect(port) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        return sum(threads.map(talk, clients, range(CLIENTS), [rounds] * CLIENTS))


def test_no_answer_comes_to_somebody_else(served: Serve, connect: Connect) -> None:
    assert crossed_answers(connect, served().port, 100) == 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_answer_of_many_comes_to_somebody_else(start: Start, connect: Connect) -> None:
    assert crossed_answers(connect, start().port, 1000) == 0
    print(f"\n{CLIENTS} clients x 1000 interleaved requests, 0 crossed answers")


def test_control_a_shared_session_crosses_answers(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    seat = Sessions._seat
    first: list[Any] = []

    def shared(self: Sessions, identity: Any, session: Any, invitation: bytes) -> Any:
        made = seat(self, identity, first[0] if first else session, invitation)
        first.append(made.session)
        return made

    monkeypatch.setattr(Sessions, "_seat", shared)
    assert crossed_answers(connect, worker.port, 10) > 0


# --- one client --------------------------------------------------------------------------------------


def work(bob: sy.WebsocketClientWorker, name: int, ops: int) -> int:
    """Ops that do not commute, on this thread's own tensor; how many results were wrong."""
    chance, wrong = random.Random(name), 0
    there = torch.tensor([float(name), 1.0], dtype=torch.float64).send(bob)
    here = torch.tensor([float(name), 1.0], dtype=torch.float64)
    steps: list[Callable[[Any], Any]] = [lambda t: t.add_(3), lambda t: t.mul_(-0.5), lambda t: t.sub_(name), lambda t: t.neg_()]  # fmt: skip
    for number in range(ops):
        step = chance.choice(steps)
        step(there), step(here)
        if number % 50 == 49:
            wrong += not torch.equal((there * 2).get(), here * 2)
    return wrong + (not torch.equal(there.get(), here))


def wrong_results(bob: sy.WebsocketClientWorker, ops: int) -> int:
    """Let all threads work at once."""
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(work, [bob] * THREADS, range(THREADS), [ops] * THREADS))


def test_threads_share_a_client(served: Serve, connect: Connect) -> None:
    bob = connect(served().port)
    assert wrong_results(bob, 200) == 0
    assert bob.objects_count_remote() == 0


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_threads_share_a_client_for_long(start: Start, connect: Connect) -> None:
    bob = connect(start().port)
    assert wrong_results(bob, 10_000) == 0
    assert bob.objects_count_remote() == 0
    print(f"\n{THREADS} threads x 10000 ops on one client, 0 wrong results, order kept")


def test_errors_of_threads_do_not_mix(served: Serve, connect: Connect) -> None:
    bob = connect(served().port)

    def fail(name: int) -> int:
        mixed = 0
        for _ in range(20):
            try:
                torch.ones(name + 2).send(bob).view(7919).get()
                mixed += 1
            except RuntimeError as error:
                mixed += f"of size {name + 2}" not in str(error)
        return mixed

    with ThreadPoolExecutor(THREADS) as threads:
        assert sum(threads.map(fail, range(THREADS))) == 0
    with pytest.raises(ObjectNotFoundError):
        bob.request(Take((Ref(1),)))
