"""How long a worker computes for one message of a client, and for one training.

A kernel of torch cannot be interrupted. So time is looked at between the steps of plans, the batches of trainings and
the ciphertexts of a tensor (`syft.core.pacing`), where a message can be refused in order; and by `Sessions.tick`, which
gives up a session whose message does not come to such a place.
"""

from __future__ import annotations

import math
import time
from contextvars import ContextVar

from syft.exceptions import LimitExceededError

_PATIENCE, _LEAST_PATIENCE = 0.25, 1.0
"""How long after its time, as a share of it and in seconds, a message has not looked at the time by itself."""


class TimeLimit:
    """The time of the messages that come in one channel, one after the other.

    Args:
        command: seconds for a message, and for each batch of a training; 0 for no limit.
        training: seconds for a message that goes over batches; 0 for no limit.
    """

    __slots__ = ("_began", "_command", "_left", "_over", "_training", "_until")

    def __init__(self, command: float, training: float) -> None:
        self._command = command or math.inf
        self._training = training or math.inf
        self._began = self._until = math.inf
        self._left: str | None = None
        self._over: str | None = None

    def leave(self, reason: str) -> None:
        """Have a training end at its next batch: nobody waits for it any more. Other messages are dealt with."""
        self._left = reason

    def give_up(self, reason: str) -> None:
        """Have what is dealt with end at its next step or batch: nobody waits for it any more."""
        self._over = reason

    def begin(self) -> None:
        """A message is dealt with from now on."""
        self._began = now = time.monotonic()
        self._until = now + self._command

    def end(self) -> None:
        """It was dealt with."""
        self._until = math.inf

    def check(self) -> None:
        """Go on with the next step of a plan.

        Raises:
            LimitExceededError: the time is over, or nobody waits.
        """
        if self._over is not None:
            raise LimitExceededError(f"this was given up, because {self._over}")
        if time.monotonic() > self._until:
            raise LimitExceededError(
                f"this took longer than the {self._command:g} s that the worker gives one command. Send less data or a "
                "shorter plan, go over batches with run_epochs, or ask the worker's owner for more (--max-seconds)"
            )

    def next_batch(self) -> None:
        """Go on with the next batch of a training, which has the time of a command.

        Raises:
            LimitExceededError: the time of this batch or of the training is over, or nobody waits.
        """
        self.check()
        if self._left is not None:
            raise LimitExceededError(f"the training was given up, because {self._left}")
        now = time.monotonic()
        if now - self._began > self._training:
            raise LimitExceededError(
                f"this took longer than the {self._training:g} s that the worker gives one training. Train fewer "
                "epochs or batches with one call, or ask the worker's owner for more (--max-training-seconds)"
            )
        self._until = now + self._command

    def overdue(self) -> float:
        """For how many seconds a message has been dealt with that is far over its time; 0.0 when none is."""
        until, now = self._until, time.monotonic()  # another thread may end the message meanwhile
        late = now - until
        return late + self._command if late > max(_PATIENCE * self._command, _LEAST_PATIENCE) else 0.0


TIME_LIMIT: ContextVar[TimeLimit | None] = ContextVar("time_limit", default=None)
"""Set while a worker deals with something for a client whose time is limited."""


def next_batch() -> None:
    """Go on with the next batch, if there is time.

    Raises:
        LimitExceededError: there is not.
    """
    limit = TIME_LIMIT.get()
    if limit is not None:
        limit.next_batch()
