"""A session of every kind of message, with known results, whose commands show when one is carried out twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import syft as sy

LARGE = 1200  # elements: several pieces of a kibibyte


class WrongResult(Exception):
    """Something came out that the program did not ask for."""


def doubled_plus_one() -> Any:
    """A plan; a new one each time, for a plan remembers where it was sent."""
    return sy.func2plan(args_shape=[(3,)])(lambda x: x * 2 + 1)


class Program:
    """Runs step after step on a worker; each result must be the one of plain torch.

    Args:
        worker: the client's end of the worker.
        large: elements of the large tensor.

    Attributes:
        attempted: how often the counter was to be raised so far.
        acknowledged: how often it was raised for certain: an answer came since.
        finished: whether all steps were taken.
    """

    def __init__(self, worker: sy.WebsocketClientWorker, large: int = LARGE) -> None:
        self.worker, self.large = worker, large
        self.attempted = self.acknowledged = 0
        self.finished = False
        self.counter: Any = None

    def run(self) -> None:
        """Take all steps."""
        self.counter = torch.zeros(3).send(self.worker)
        for step in (self._ops, self._shape, self._backward, self._plan, self._large, self._search):
            self._count()
            step()
            self.acknowledged = self.attempted
        self._count()
        _same(self.counter.copy().get(), torch.full((3,), float(self.attempted)), "the counter")
        self.finished = True

    def _count(self) -> None:
        self.attempted += 1
        self.counter.add_(1)

    def _ops(self) -> None:
        x = torch.arange(4.0).send(self.worker)
        y = (x * 2 + 1).view(2, 2)
        self._count()
        _same(y.get(), torch.tensor([[1.0, 3.0], [5.0, 7.0]]), "ops")

    def _shape(self) -> None:
        x = torch.arange(6.0).send(self.worker)
        if tuple(x[x > 2].shape) != (3,):
            raise WrongResult("a shape")

    def _backward(self) -> None:
        w = torch.tensor([1.0, 2.0], requires_grad=True).send(self.worker)
        (w * w).sum().backward()
        _same(w.grad.copy().get(), torch.tensor([2.0, 4.0]), "a gradient")

    def _plan(self) -> None:
        sent = doubled_plus_one().send(self.worker)
        x = torch.tensor([1.0, 2.0, 3.0]).send(self.worker)
        _same(sent(x).get(), torch.tensor([3.0, 5.0, 7.0]), "a plan")

    def _large(self) -> None:
        values = torch.arange(float(self.large))
        x = values.send(self.worker)
        self._count()
        _same((x + 1).get(), values + 1, "a large tensor")

    def _search(self) -> None:
        x = torch.tensor([7.0]).tag("#seven").send(self.worker)
        (found,) = self.worker.search("#seven")
        _same(found.copy().get(), torch.tensor([7.0]), "what was found")
        _same(x.get(), torch.tensor([7.0]), "what was sent")

    def check_after_resuming(self) -> None:
        """The counter was raised at most as often as it was to be, and as often as was acknowledged, at least."""
        if self.counter is None or self.finished:
            return
        value = self.counter.copy().get()
        at = int(value[0])
        _same(value, torch.full((3,), float(at)), "the counter's parts")
        if not self.acknowledged <= at <= self.attempted:
            raise WrongResult(f"raised {at} times, of {self.acknowledged} to {self.attempted}")


def _same(found: Any, wanted: torch.Tensor, what: str) -> None:
    if not torch.equal(found, wanted):
        raise WrongResult(f"{what}: {found} instead of {wanted}")


def outcome_of(action: Callable[[], Any], *allowed: type[Exception]) -> str:
    """What became of it: ``"done"``, or the name of an allowed error."""
    try:
        action()
    except allowed as error:
        return type(error).__name__
    return "done"
