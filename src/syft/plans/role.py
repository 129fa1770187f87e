"""`Role`: one party of a protocol, while its function is recorded and afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from syft.exceptions import ProtocolError
from syft.plans.build import Owned
from syft.plans.role_recorder import RoleRecorder, RoleTorch, Timeline
from syft.plans.role_segments import Name
from syft.plans.state import State, owned_by_state


class Role:
    """One party of a protocol: what the function is given for each of its roles.

    Args:
        name: of the role.
        state: tensors or modules that the party has.

    Attributes:
        name: of the role.
        actions: what the party does: instructions, and `Transfer` where a tensor leaves or arrives.
        tensors: the tensors of the state by what the recording calls them.
        inputs: what the recording calls the arguments.
    """

    def __init__(self, name: str, state: Any = None) -> None:
        self.name = name
        self.actions: list[Any] = []
        self._given = state
        self._state: State | None = None
        self._args: tuple[Tensor, ...] = ()
        self._recorder: RoleRecorder | None = None
        self.tensors: dict[Name, Tensor] = {}
        self.inputs: list[Name] = []

    @property
    def args(self) -> tuple[Tensor, ...]:
        """The arguments of the party, while the function runs."""
        self._recorder_now("args")
        return self._args

    @property
    def torch(self) -> RoleTorch:
        """torch, making tensors at this party."""
        return RoleTorch(self._recorder_now("torch"))

    @property
    def worker(self) -> RoleRecorder:
        """Where the party's tensors are while the function runs: what ``x.send(...)`` takes."""
        return self._recorder_now("worker")

    @property
    def is_recording(self) -> bool:
        """Whether the function runs."""
        return self._recorder is not None

    @property
    def given(self) -> list[Owned]:
        """Names and tensors of what was given as state."""
        return owned_by_state(self._given)

    @property
    def state(self) -> State:
        """The tensors that the party has from run to run."""
        return State(self.given) if self._state is None else self._state

    def load_state(self) -> tuple[Tensor, ...]:
        """The tensors that were given as state."""
        return tuple(tensor for _, tensor in self.given)

    def load(self, tensor: Tensor) -> Tensor:
        """Make a tensor from outside of the function state of the party; returns it."""
        recorder = self._recorder_now("load")
        recorder.adopt(tensor, f"loaded[{len(recorder.state)}]")
        return tensor

    def _recorder_now(self, what: str) -> RoleRecorder:
        if self._recorder is None:
            raise ProtocolError(f"role {self.name!r} has {what} only while the function of its protocol is recorded.")
        return self._recorder

    def start(self, timeline: Timeline, examples: Sequence[Tensor]) -> None:
        """Get ready for the function to run.

        Args:
            timeline: of the protocol.
            examples: for the arguments.
        """
        self._recorder = recorder = RoleRecorder(self.name, timeline)
        for label, tensor in self.given:
            recorder.adopt(tensor, label)
        self._args = tuple(recorder.input(example) for example in examples)

    def finish(self) -> None:
        """The function has run: the tensors of the state have their values again."""
        recorder = self._recorder_now("a recording")
        recorder.release()
        self.actions = list(recorder.instructions)
        self.tensors = {(self.name, id): tensor for id, tensor in zip(recorder.state, recorder.adopted, strict=True)}
        self._state = State(zip(recorder.state.values(), recorder.adopted, strict=True), len(self.given))
        self.inputs = [(self.name, id) for id in recorder.inputs]
        self._recorder, self._args = None, ()

    def __repr__(self) -> str:
        return f"<Role {self.name} #actions:{len(self.actions)}>"
