"""Correlated randomness made ahead of time: the steps of a computation, dealt for as many runs as will come.

A computation asks its provider for the same things each time it runs on inputs of the same shapes. `Script` is that
list, written down while it ran once; `Prepared` deals it again, for later runs, and hands it out step by step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from syft.tensors.object_pointer import ObjectPointer


class Dealt(NamedTuple):
    """What the provider has made for one step.

    Attributes:
        number: of the strip; None where the step takes none.
        answer: waits for the correction for the last holder.
        masks: a pointer to the masks that the provider keeps; None if it keeps none.
    """

    number: int | None
    answer: Callable[[], Any]
    masks: Any


class Slot(NamedTuple):
    """Stands in a script for the masks of an earlier step."""

    step: int


@dataclass
class Script:
    """The requests of one run.

    Attributes:
        steps: kernels and their operands, with `Slot` in the place of masks of the run itself.
    """

    steps: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    _made: list[Any] = field(default_factory=list)

    def add(self, op: str, args: tuple[Any, ...], masks: Any) -> None:
        """Write a request down.

        Args:
            op: the kernel.
            args: its operands.
            masks: what it has made.
        """
        self.steps.append((op, tuple([self._slot(a) for a in args])))
        self._made.append(masks)

    def _slot(self, value: Any) -> Any:
        if isinstance(value, ObjectPointer):
            return next((Slot(i) for i, made in enumerate(self._made) if made is value), value)
        return value


class _Run:
    """The material of one later run."""

    def __init__(self, script: Script, deal: Callable[[str, tuple[Any, ...]], Dealt]) -> None:
        self.steps, self.at = script.steps, 0
        self.dealt: list[Dealt] = []
        for op, args in self.steps:
            self.dealt.append(deal(op, tuple([self._filled(a) for a in args])))
        for one in self.dealt:
            one.answer()  # it is there before it is needed

    def _filled(self, value: Any) -> Any:
        return self.dealt[value.step].masks if type(value) is Slot else value

    def next(self, op: str, args: tuple[Any, ...]) -> Dealt | None:
        """The material of the next step, if that is what is asked for."""
        wanted, operands = self.steps[self.at]
        if op != wanted or len(args) != len(operands):
            return None
        if not all(_same(self._filled(b), a) for a, b in zip(args, operands, strict=True)):
            return None
        found = self.dealt[self.at]
        self.at += 1
        return found


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, ObjectPointer) or isinstance(b, ObjectPointer):
        return a is b
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):  # public indices
        both = isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
        return both and a.dtype is b.dtype and torch.equal(a, b)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


class Prepared:
    """Material for runs to come, of one group."""

    def __init__(self) -> None:
        self._runs: deque[_Run] = deque()
        self.recording: Script | None = None

    def __len__(self) -> int:
        """How many runs there is material for."""
        return len(self._runs)

    def extend(self, script: Script, times: int, deal: Callable[[str, tuple[Any, ...]], Dealt]) -> None:
        """Deal a script for some runs.

        Args:
            script: of a run.
            times: for how many runs.
            deal: asks the provider.
        """
        if script.steps:
            self._runs.extend([_Run(script, deal) for _ in range(times)])

    def take(self, op: str, args: Sequence[Any]) -> Dealt | None:
        """The prepared material of a step; None if something else was prepared.

        A run that goes another way than what was prepared gives up the rest of its material.
        """
        for run in self._runs:
            found = run.next(op, tuple(args))
            if found is not None:
                if run.at == len(run.steps):
                    self._runs.remove(run)
                return found
            if run.at:
                self._runs.remove(run)
                break
        return None
