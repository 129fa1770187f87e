"""The random programs of `test_object_store_machine` on workers of other processes, with connections that come and go."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import precondition, rule

import syft as sy
from tests.network.servers import Host, ShownWorker
from tests.stateful.test_object_store_machine import LONG, NUMBERS, PLACES, QUICK, ObjectStoreMachine, run

PHASES = [Phase.generate]  # shrinking what broke would take longer than to understand it
HOSTS = {"bob": 0, "alice": 1}


class NetworkMachine(ObjectStoreMachine):
    """The same over real connections."""

    hosts: list[Host]

    def start(self, hook: sy.TorchHook, name: str) -> Any:
        port = self.hosts[HOSTS[name]].new(name)
        self.__dict__.setdefault("ports", {})[name] = port
        return ShownWorker(hook, "127.0.0.1", port, id=name, timeout=30, reconnect=20)

    @rule(place=PLACES)
    def close_and_connect(self, place: str) -> None:
        worker = self.workers[place]
        worker.close()
        assert worker.connect() is True, "the worker keeps the session for its lease"

    @rule(place=PLACES, n=NUMBERS)
    def break_the_connection(self, place: str, n: int) -> None:
        wire = self.workers[place]._link._wire
        assert wire is not None
        wire.abort("cut by the test")

    @precondition(lambda self: any(len(twin.path) == 1 for twin in self.alive))
    @rule(place=PLACES)
    def lose_a_session(self, place: str) -> None:
        worker = self.workers[place]
        worker.close(end=True)
        assert worker.connect() is False, "what was there is gone"
        self._drop([twin for twin in self.alive if place in twin.path])
        gc.collect()  # the errors of pointers to nothing hold on to those who asked
        self._wait_for_the_other()

    def _drop(self, lost: list[Any]) -> None:
        for twin in lost:
            if len(twin.path) == 1:
                with pytest.raises(sy.exceptions.ObjectNotFoundError):
                    twin.pointer.copy().get()
        self.alive = [twin for twin in self.alive if twin not in lost]

    def _wait_for_the_other(self) -> None:
        """What the lost session owned elsewhere is freed a moment later: nobody waits for it."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                self.every_live_object_has_one_live_owner()
            except AssertionError:
                time.sleep(0.01)
            else:
                return

    def teardown(self) -> None:
        super().teardown()
        for name, worker in self.workers.items():
            worker.close(end=True)
            self.hosts[HOSTS[name]].stop(self.ports[name])


@pytest.fixture
def machine(hosts: list[Host]) -> Callable[[], type[NetworkMachine]]:
    """The machine, with two processes for its workers."""
    while len(hosts) < 2:
        hosts.append(Host())

    class Machine(NetworkMachine):
        pass

    Machine.hosts = hosts
    return Machine


@pytest.mark.network
@pytest.mark.timeout(180)
def test_200_random_steps_over_connections_that_break(machine: type[NetworkMachine]) -> None:
    run(machine, settings(QUICK, max_examples=8, phases=PHASES))


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_10_000_random_steps_over_connections_that_break(machine: type[NetworkMachine]) -> None:
    run(machine, settings(LONG, phases=PHASES))
