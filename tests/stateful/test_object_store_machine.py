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
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

import syft as sy

VALUES = st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=2)
PLACES = st.sampled_from(["bob", "alice"])

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
    twins = Bundle("twins")

    def __init__(self) -> None:
        super().__init__()
        self.hook = sy.TorchHook(torch)
        self.me = self.hook.local_worker
        self.known = dict(self.me._known_workers)
        self.held = dict(self.me._objects)
        for name in ("bob", "alice"):
            self.me._known_workers.pop(name, None)
        self.workers = {n: sy.VirtualWorker(self.hook, id=n, wire=self.wire) for n in ("bob", "alice")}
        self.alive: list[Twin] = []
        self.kept: dict[str, int] = {"bob": 0, "alice": 0}  # objects that were sent without an owner

    def keep(self, pointer: Any, value: torch.Tensor, path: tuple[str, ...]) -> Twin:
        twin = Twin(pointer, value, path)
        self.alive.append(twin)
        return twin

    def drop(self, twin: Twin) -> None:
        self.alive.remove(twin)

    # --- rules --------------------------------------------------------------------------------------

    @rule(target=twins, values=VALUES, place=PLACES)
    def send(self, values: list[float], place: str) -> Any:
        if len(self.alive) >= 8:
            return multiple()
        return self.keep(torch.tensor(values).send(self.workers[place]), torch.tensor(values), (place,))

    @rule(target=twins, values=VALUES, place=PLACES)
    def send_twice(self, values: list[float], place: str) -> Any:
        if len(self.alive) >= 8:
            return multiple()
        x = torch.tensor(values)
        earlier = x.send(place)
        x.add_(1)
        newer = x.send(place)
        del earlier
        return self.keep(newer, torch.tensor(values) + 1, (place,))

    @rule(target=twins, name=st.sampled_from(sorted(UNARY)), twin=twins)
    def unary(self, name: str, twin: Twin) -> Any:
        if len(self.alive) >= 8:
            return multiple()
        return self.keep(UNARY[name](twin.pointer), UNARY[name](twin.value), twin.path)

    @rule(target=twins, name=st.sampled_from(sorted(BINARY)), a=twins, b=twins)
    def binary(self, name: str, a: Twin, b: Twin) -> Any:
        if a.path != b.path:
            with pytest.raises(sy.exceptions.TensorsNotCollocatedException):
                BINARY[name](a.pointer, b.pointer)
            return multiple()
        if len(self.alive) >= 8:
            return multiple()
        return self.keep(BINARY[name](a.pointer, b.pointer), BINARY[name](a.value, b.value), a.path)

    @rule(name=st.sampled_from(sorted(IN_PLACE)), twin=twins)
    def in_place(self, name: str, twin: Twin) -> None:
        IN_PLACE[name](twin.pointer)
        IN_PLACE[name](twin.value)

    @rule(a=twins, b=twins)
    def add_in_place(self, a: Twin, b: Twin) -> None:
        if a.path == b.path:
            a.pointer += b.pointer
            a.value += b.value if b is not a else b.value.clone()

    @rule(twin=twins)
    def local_operand_is_refused(self, twin: Twin) -> None:
        with pytest.raises(sy.exceptions.TensorsNotCollocatedException):
            torch.cat([twin.pointer, twin.value])

    @rule(twin=twins)
    def failing_op(self, twin: Twin) -> None:
        with pytest.raises(RuntimeError):
            (twin.pointer + 1).view(7)

    @rule(twin=twins, place=PLACES)
    def move(self, twin: Twin, place: str) -> None:
        assert twin.pointer.move(place) is twin.pointer
        twin.path = (place, *twin.path[1:]) if len(twin.path) == 1 or place != twin.path[1] else twin.path[1:]

    @precondition(lambda self: any(len(t.path) == 1 for t in self.alive))
    @rule(target=twins, twin=consumes(twins), place=PLACES)
    def send_pointer(self, twin: Twin, place: str) -> Twin:
        if len(twin.path) > 2 or place == twin.path[0]:
            return twin
        self.drop(twin)
        return self.keep(twin.pointer.send(place), twin.value, (place, *twin.path))

    @rule(target=twins, twin=consumes(twins))
    def get(self, twin: Twin) -> Any:
        self.drop(twin)
        out = twin.pointer.get()
        if len(twin.path) > 1:
            return self.keep(out, twin.value, twin.path[1:])
        assert torch.equal(out, twin.value)
        assert not out.is_wrapper
        with pytest.raises(sy.exceptions.ObjectNotFoundError):
            twin.pointer + 1
        return multiple()

    @rule(target=twins, twin=consumes(twins), place=PLACES)
    def get_and_send_again(self, twin: Twin, place: str) -> Any:
        if len(twin.path) > 1:
            return twin
        self.drop(twin)
        x = twin.pointer.get()
        return self.keep(x.send(place), twin.value, (place,))

    @rule(twin=twins)
    def remote_get(self, twin: Twin) -> None:
        if len(twin.path) > 1:
            twin.pointer.remote_get()
            twin.path = (twin.path[0], *twin.path[2:])
        else:
            with pytest.raises(sy.exceptions.InvalidTensorForRemoteGet):
                twin.pointer.remote_get()

    @rule(twin=twins, place=PLACES)
    def remote_send(self, twin: Twin, place: str) -> None:
        if len(twin.path) == 1 and place != twin.path[0]:
            twin.pointer.remote_send(place)
            twin.path = (twin.path[0], place)

    @rule(twin=consumes(twins))
    def delete(self, twin: Twin) -> None:
        self.drop(twin)
        twin.pointer = None

    @rule(twin=twins)
    def search_owns_nothing(self, twin: Twin) -> None:
        place = self.workers[twin.path[0]]
        found = self.me.request_search([twin.pointer.id_at_location], location=place)
        assert [f.gc for f in found] == [False]

    @rule(twin=twins)
    def decoding_owns_nothing(self, twin: Twin) -> None:
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
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=how)


@pytest.mark.parametrize("machine", [ObjectStoreMachine, WireMachine], ids=["reference", "wire"])
def test_500_random_steps_leave_nothing_and_lose_nothing(machine: type[ObjectStoreMachine]) -> None:
    run(machine, QUICK)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", [ObjectStoreMachine, WireMachine], ids=["reference", "wire"])
def test_10_000_random_steps_leave_nothing_and_lose_nothing(machine: type[ObjectStoreMachine]) -> None:
    run(machine, LONG)
