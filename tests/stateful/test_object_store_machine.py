"""Random programs on two workers against the same programs in plain torch.

After every step the workers hold exactly the objects that live pointers own, and every remote value equals
its local twin.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import syft as sy

VALUES = st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=2)
PLACES = st.sampled_from(["bob", "alice"])
NUMBERS = st.integers(0, 11)
MOST = 6  # twins alive at a time

BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "torch.max": torch.maximum,
    "gt": lambda a, b: (a > b).float(), "cat": lambda a, b: torch.cat([a[:1], b[1:]]),
    "where": lambda a, b: torch.where(a > b, a, b),
}  # fmt: skip
UNARY = {
    "neg": lambda a: -a, "abs": abs, "clamp": lambda a: a.clamp(-50, 50), "half": lambda a: a / 2,
    "flip": lambda a: a.flip(0), "rows": lambda a: sum(a) + a * 0, "sorted": lambda a: a.sort()[0],
    "indices": lambda a: torch.sort(a)[1].float(), "copy": lambda a: a + 0,
}  # fmt: skip
IN_PLACE = {
    "add_": lambda a: a.add_(1), "clamp_": lambda a: a.clamp_(-20, 20), "neg_": lambda a: a.neg_(),
    "setitem": lambda a: a.__setitem__(0, 4.0), "data": lambda a: a.data.mul_(-1), "iadd": lambda a: a.__iadd__(2),
}  # fmt: skip


class Twin:
    """A pointer, what its data should be, and how many hops away they are."""

    def __init__(self, pointer: Any, value: torch.Tensor, path: tuple[str, ...]) -> None:
        self.pointer, self.value, self.path = pointer, value, path


class ObjectStoreMachine(RuleBasedStateMachine):
    """Sends, computes, moves, fetches and deletes."""

    wire = False

    def __init__(self) -> None:
        super().__init__()
        hook = sy.TorchHook(torch)
        self.me = hook.local_worker
        self.known = dict(self.me._known_workers)
        self.held = dict(self.me._objects)
        for name in ("bob", "alice"):
            self.me._known_workers.pop(name, None)
        self.workers = {name: self.start(hook, name) for name in ("bob", "alice")}
        self.alive: list[Twin] = []

    def start(self, hook: sy.TorchHook, name: str) -> Any:
        return sy.VirtualWorker(hook, id=name, wire=self.wire)

    def keep(self, pointer: Any, value: torch.Tensor, path: tuple[str, ...]) -> None:
        self.alive.append(Twin(pointer, value, path))

    def near(self, n: int) -> Twin | None:
        """A twin whose data are one hop away."""
        found = [t for t in self.alive if len(t.path) == 1]
        return found[n % len(found)] if found else None

    def far(self, n: int) -> Twin | None:
        """A twin whose data are two hops away or more."""
        found = [t for t in self.alive if len(t.path) > 1]
        return found[n % len(found)] if found else None

    def any(self, n: int) -> Twin:
        return self.alive[n % len(self.alive)]

    # --- rules --------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.alive) < MOST)
    @rule(values=VALUES, place=PLACES)
    def send(self, values: list[float], place: str) -> None:
        self.keep(torch.tensor(values).send(self.workers[place]), torch.tensor(values), (place,))

    @precondition(lambda self: len(self.alive) < MOST)
    @rule(values=VALUES, place=PLACES)
    def send_twice(self, values: list[float], place: str) -> None:
        x = torch.tensor(values)
        earlier = x.send(place)
        x.add_(1)
        newer = x.send(place)
        del earlier
        self.keep(newer, torch.tensor(values) + 1, (place,))

    @precondition(lambda self: 0 < len(self.alive) < MOST)
    @rule(name=st.sampled_from(sorted(UNARY)), n=NUMBERS)
    def unary(self, name: str, n: int) -> None:
        twin = self.any(n)
        self.keep(UNARY[name](twin.pointer), UNARY[name](twin.value), twin.path)

    @precondition(lambda self: 0 < len(self.alive) < MOST)
    @rule(name=st.sampled_from(sorted(BINARY)), n=NUMBERS, k=NUMBERS)
    def binary(self, name: str, n: int, k: int) -> None:
        a, b = self.any(n), self.any(k)
        if a.path == b.path:
            self.keep(BINARY[name](a.pointer, b.pointer), BINARY[name](a.value, b.value), a.path)
        elif a.path[0] != b.path[0]:
            with pytest.raises(sy.exceptions.TensorsNotCollocatedException):
                BINARY[name](a.pointer, b.pointer)

    @precondition(lambda self: self.alive)
    @rule(name=st.sampled_from(sorted(IN_PLACE)), n=NUMBERS)
    def in_place(self, name: str, n: int) -> None:
        twin = self.any(n)
        IN_PLACE[name](twin.pointer)
        IN_PLACE[name](twin.value)

    @precondition(lambda self: self.alive)
    @rule(n=NUMBERS, k=NUMBERS)
    def add_in_place(self, n: int, k: int) -> None:
        a, b = self.any(n), self.any(k)
        if a.path == b.path:
            a.pointer += b.pointer
            a.value += b.value.clone()

    @precondition(lambda self: self.alive)
    @rule(n=NUMBERS)
    def refused_and_failing_ops(self, n: int) -> None:
        twin = self.any(n)
        with pytest.raises(sy.exceptions.TensorsNotCollocatedException):
            torch.cat([twin.pointer, twin.value])
        with pytest.raises(RuntimeError):
            (twin.pointer + 1).view(7).get()  # by then a worker elsewhere has told of it

    @precondition(lambda self: self.alive)
    @rule(n=NUMBERS, place=PLACES)
    def move(self, n: int, place: str) -> None:
        twin = self.any(n)
        assert twin.pointer.move(place) is twin.pointer
        came_home = len(twin.path) > 1 and place == twin.path[1]
        twin.path = twin.path[1:] if came_home else (place, *twin.path[1:])

    @precondition(lambda self: self.alive)
    @rule(n=NUMBERS, k=NUMBERS)
    def send_pointer(self, n: int, k: int) -> None:
        twin = (self.near(n) if k % 3 else self.far(n)) or self.any(n)
        if len(twin.path) < 3:
            place = "alice" if twin.path[0] == "bob" else "bob"
            twin.pointer, twin.path = twin.pointer.send(place), (place, *twin.path)

    @precondition(lambda self: self.near(0))
    @rule(n=NUMBERS, place=PLACES, again=st.booleans())
    def get(self, n: int, place: str, again: bool) -> None:
        twin = self.near(n)
        assert twin is not None
        out = twin.pointer.get()
        assert torch.equal(out, twin.value)
        assert not out.is_wrapper
        with pytest.raises(sy.exceptions.ObjectNotFoundError):
            twin.pointer + 1
        self.alive.remove(twin)
        if again:
            self.keep(out.send(place), twin.value, (place,))

    @precondition(lambda self: self.far(0))
    @rule(n=NUMBERS)
    def get_inner_pointer(self, n: int) -> None:
        twin = self.far(n)
        assert twin is not None
        twin.pointer, twin.path = twin.pointer.get(), twin.path[1:]

    @precondition(lambda self: self.far(0))
    @rule(n=NUMBERS)
    def remote_get(self, n: int) -> None:
        twin = self.far(n)
        assert twin is not None
        twin.pointer.remote_get()
        twin.path = (twin.path[0], *twin.path[2:])

    @precondition(lambda self: self.near(0))
    @rule(n=NUMBERS)
    def remote_send(self, n: int) -> None:
        twin = self.near(n)
        assert twin is not None
        with pytest.raises(sy.exceptions.InvalidTensorForRemoteGet):
            twin.pointer.remote_get()
        place = "alice" if twin.path[0] == "bob" else "bob"
        twin.pointer.remote_send(place)
        twin.path = (twin.path[0], place)

    @precondition(lambda self: self.alive)
    @rule(n=NUMBERS)
    def delete(self, n: int) -> None:
        self.alive.pop(n % len(self.alive))

    @precondition(lambda self: self.alive)
    @rule(n=NUMBERS)
    def searching_and_decoding_own_nothing(self, n: int) -> None:
        twin = self.any(n)
        found = self.me.request_search([twin.pointer.id_at_location], location=self.workers[twin.path[0]])
        assert [f.gc for f in found] == [False]
        again = sy.serde.deserialize(sy.serde.serialize(twin.pointer))
        assert again.id_at_location == twin.pointer.id_at_location

    # --- invariants ---------------------------------------------------------------------------------

    @invariant()
    def every_live_object_has_one_live_owner(self) -> None:
        expected = {"bob": 0, "alice": 0}
        for twin in self.alive:
            for place in twin.path:
                expected[place] += 1
        assert {n: len(w._objects) for n, w in self.workers.items()} == expected
        for twin in self.alive:
            assert twin.pointer.id_at_location in self.workers[twin.path[0]]._objects
            assert twin.pointer.gc is True

    @invariant()
    def every_value_is_right(self) -> None:
        for twin in self.alive:
            found: Any = twin.pointer
            for place in twin.path:
                assert found.location == self.workers[place]
                found = self.workers[place]._objects[found.id_at_location]
            assert torch.equal(found, twin.value)
            assert twin.pointer.shape == twin.value.shape

    @invariant()
    def nothing_stays_in_me(self) -> None:
        assert self.me._objects == self.held

    def teardown(self) -> None:
        self.alive.clear()
        self.me._known_workers.clear()
        self.me._known_workers.update(self.known)


class WireMachine(ObjectStoreMachine):
    """The same with every message taken through the codec."""

    wire = True


QUICK = settings(
    max_examples=10, stateful_step_count=25, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LONG = settings(QUICK, max_examples=int(os.environ.get("SYFT_STATEFUL_EXAMPLES", "200")), stateful_step_count=50)


def run(machine: type[ObjectStoreMachine], how: settings) -> None:
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.parametrize("machine", [ObjectStoreMachine, WireMachine], ids=["reference", "wire"])
def test_500_random_steps_leave_nothing_and_lose_nothing(machine: type[ObjectStoreMachine]) -> None:
    run(machine, QUICK)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", [ObjectStoreMachine, WireMachine], ids=["reference", "wire"])
def test_10_000_random_steps_leave_nothing_and_lose_nothing(machine: type[ObjectStoreMachine]) -> None:
    run(machine, LONG)
