"""A connection that is cut at every byte, each way: the program goes on, or is told; never a wrong result."""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import syft as sy
from syft.core import messages as m
from syft.exceptions import AuthenticationError, ConnectionLost, ObjectNotFoundError
from syft.transports import stream
from syft.transports.certificates import make_certificate
from syft.transports.stream import Stream
from syft.workers.limits import WorkerLimits
from tests.faults.conftest import Serve
from tests.faults.program import Program, WrongResult
from tests.faults.proxy import Proxy, Way

WAYS: tuple[Way, Way] = ("up", "down")
_TOLD = (ConnectionLost, AuthenticationError)


@pytest.fixture(params=[32 << 20, 6000], ids=["wide window", "narrow window"])
def proxy(
    served: Serve, proxied: Callable[[int], Proxy], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Proxy:
    """Before a worker whose large messages have small pieces, and which holds its clients back or does not."""
    monkeypatch.setattr(stream, "PIECE", 1 << 10)
    return proxied(served(limits=WorkerLimits(lease=5.0, window=request.param)).port)


@contextlib.contextmanager
def client_of(hook: sy.TorchHook, proxy: Proxy, reconnect: float) -> Iterator[sy.WebsocketClientWorker]:
    """A new client of the worker behind the proxy."""
    worker = sy.WebsocketClientWorker(
        hook, "127.0.0.1", proxy.port, auto_add=False, reconnect=reconnect, insecure=proxy.encrypted
    )
    try:
        yield worker
    finally:
        worker.close(end=True)


def healed(hook: sy.TorchHook, proxy: Proxy, way: Way, offset: int) -> str:
    """Cut once, and let the client connect again at once: what became of the program."""
    before = proxy.cuts
    proxy.cut_after(way, offset)
    try:
        with client_of(hook, proxy, reconnect=5.0) as worker:
            Program(worker).run()
    except _TOLD as error:
        return f"told: {type(error).__name__}"
    return "finished" if proxy.cuts > before else "not cut"


def resumed(hook: sy.TorchHook, proxy: Proxy, way: Way, offset: int) -> str:
    """Cut, let nobody through until the program has heard of it, then connect again by hand."""
    proxy.cut_after(way, offset, then_refuse=True)
    try:
        with client_of(hook, proxy, reconnect=0.0) as worker:
            program = Program(worker)
            try:
                program.run()
                return "finished"
            except ConnectionLost:
                pass
            proxy.refuses = False
            if not worker.connect():
                return "a new session"
            try:
                program.check_after_resuming()
            except ObjectNotFoundError:  # it had not arrived
                if program.acknowledged:
                    raise WrongResult("the counter is gone") from None
            worker.request(m.Call(m.Ref("service:session"), (), {}, None, "objects_count"))
            return "resumed"
    except _TOLD as error:
        return f"told: {type(error).__name__}"
    finally:
        proxy.refuses = False


FAULTS = {"healed": healed, "resumed": resumed}


def lengths(hook: sy.TorchHook, proxy: Proxy) -> dict[Way, int]:
    """How many bytes the session takes each way, uncut."""
    before = dict(proxy.passed)
    with client_of(hook, proxy, reconnect=0.0) as worker:
        Program(worker).run()
    return {way: proxy.passed[way] - before[way] for way in WAYS}


def offsets(kind: str, length: int, chance: random.Random, how_many: int | None) -> Iterable[int]:
    """Where to cut: everywhere, or at some places."""
    return range(length) if how_many is None else sorted(chance.sample(range(length), how_many))


def cut_everywhere(hook: sy.TorchHook, proxy: Proxy, kind: str, how_many: int | None) -> Counter[str]:
    """Cut a session each way; how often each outcome came. A wrong result is raised, with the place."""
    seed = int(os.environ.get("SYFT_FAULT_SEED", random.randrange(1 << 30)))
    chance, outcomes = random.Random(seed), Counter[str]()
    for way, length in lengths(hook, proxy).items():
        for offset in offsets(kind, length, chance, how_many):
            try:
                outcomes[FAULTS[kind](hook, proxy, way, offset)] += 1
            except Exception as error:
                error.add_note(f"cut {way} at {offset} of {length}, seed {seed}, so far {dict(outcomes)}")
                raise
    return outcomes


@pytest.mark.parametrize("kind", FAULTS)
def test_a_cut_anywhere_gives_no_wrong_result(hook: sy.TorchHook, proxy: Proxy, kind: str) -> None:
    outcomes = cut_everywhere(hook, proxy, kind, 40)
    assert outcomes["finished" if kind == "healed" else "resumed"] > 40, outcomes
    assert outcomes["a new session"] == 0, "the worker had it"


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", FAULTS)
def test_a_cut_at_every_byte_gives_no_wrong_result(hook: sy.TorchHook, proxy: Proxy, kind: str) -> None:
    outcomes = cut_everywhere(hook, proxy, kind, None)
    print(f"\n{kind}: {sum(outcomes.values())} offsets, 0 wrong results: {dict(outcomes)}")


@pytest.mark.parametrize("kind", FAULTS)
def test_an_encrypted_connection_is_cut_like_any_other(
    hook: sy.TorchHook, served: Serve, proxied: Callable[[int], Proxy], tmp_path: Path, kind: str
) -> None:
    files = make_certificate(tmp_path, ["127.0.0.1"])
    proxy = proxied(served(cert_path=files.certificate, key_path=files.key).port)
    proxy.encrypted = True
    outcomes = cut_everywhere(hook, proxy, kind, 15)
    assert outcomes["finished" if kind == "healed" else "resumed"] > 10, outcomes


def test_control_a_command_that_is_carried_out_twice_is_noticed(
    hook: sy.TorchHook, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = Stream.receive

    def forgetful(self: Stream, data: bytes) -> Any:
        # Takes what was sent again for new.
        parcels = received(self, data)
        if len(parcels) > 1:
            parcels.append(parcels[-2])
        return parcels

    monkeypatch.setattr(Stream, "receive", forgetful)
    with pytest.raises(WrongResult):
        cut_everywhere(hook, proxy, "healed", 10)
