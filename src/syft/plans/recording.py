"""`Recording`: a function as data. It never changes, and nothing of one run stays in it for the next.

Tensors are called by numbers ("slots"): first the state, then the inputs, then constants and results in the order
in which they appear. Slot 0 is nobody's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from syft.core.messages import Ref
from syft.plans.dimensions import Condition, refs_of
from syft.serde.torch_types import LossOptions

PLAIN = (
    bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range,
    torch.dtype, torch.device, torch.layout, torch.memory_format, LossOptions,
)  # fmt: skip
"""What may stand in a recording as it is."""

Pattern = Any
"""Where results go: a slot, None for what is not kept, or a tuple of patterns."""


@dataclass(frozen=True, slots=True)
class Input:
    """Stands in a parameter for a tensor that each call brings."""

    slot: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of the recorded function.

    Attributes:
        name: what it is called; ``args[0]`` and the like cannot be given by name.
        value: an `Input`, a plain value that calls must repeat, or a list, tuple or dict of these.
        optional: whether calls may leave it out; it is a plain value then.
        example: the shapes of the example, for errors: ``"a tensor of shape (2, 3)"``.
    """

    name: str
    value: Any
    optional: bool = False
    example: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One op. ``args`` and ``kwargs`` hold `Ref` to slots, sizes as expressions, and plain values."""

    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Pattern
    grad_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Expect:
    """The function asked what a tensor is like, and the answer must be the same in every run.

    Attributes:
        slot: which tensor.
        path: ``("grad",)`` or ``("data",)`` below it.
        what: ``rank``, ``dtype``, ``layout`` or ``requires_grad``.
        value: what it was.
    """

    slot: int
    path: tuple[str, ...]
    what: str
    value: Any


@dataclass(frozen=True, slots=True)
class Optimize:
    """One step of an optimizer of ``torch.optim`` over tensors of the state.

    Attributes:
        optimizer: which one of the plan; its state is kept from run to run.
        kind: the name of its class.
        groups: the slots and the options of each parameter group.
    """

    optimizer: int
    kind: str
    groups: tuple[tuple[tuple[int, ...], dict[str, Any]], ...]


Instruction = Step | Expect | Condition | Optimize


def refs_in(instruction: Instruction) -> list[Ref]:
    """What an instruction reads."""
    if isinstance(instruction, Step):
        return refs_of(instruction.args) + refs_of(instruction.kwargs)
    if isinstance(instruction, Expect):
        return [Ref(instruction.slot, instruction.path)]
    if isinstance(instruction, Condition):
        return refs_of(instruction)
    return [Ref(slot) for slots, _ in instruction.groups for slot in slots]


def made_by(instruction: Instruction) -> list[Any]:
    """The slots that an instruction fills."""

    def flat(pattern: Pattern) -> list[Any]:
        if type(pattern) is tuple:
            return [slot for part in pattern for slot in flat(part)]
        return [] if pattern is None else [pattern]

    return flat(instruction.result) if isinstance(instruction, Step) else []


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded function.

    Attributes:
        name: of the function.
        parameters: its arguments, in order.
        state: how many tensors of state it has; they have the slots 1, 2, …
        state_names: what they are called, for people.
        constants: tensors that were made of plain values inside, by slot.
        instructions: what to do.
        output: `Ref` and sizes in the containers that the function returned.
        slots: one more than the highest slot.
    """

    name: str
    parameters: tuple[Parameter, ...]
    state: int
    state_names: tuple[str, ...]
    constants: dict[int, torch.Tensor]
    instructions: tuple[Instruction, ...]
    output: Any
    slots: int
    version: int = field(default=1)
