"""`Timed`: what deals with the messages of a channel, with an eye on the time; and these limits for others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from syft.core.pacing import GO_ON
from syft.transports.channel import Handle
from syft.transports.stream import Buffer, Parcel
from syft.workers.limits import WorkerLimits
from syft.workers.policy import RUN_LIMITS, RunLimits
from syft.workers.time_limits import TIME_LIMIT, TimeLimit


class Timed:
    """Deals with one message after the other.

    Args:
        handle: does it.
        limits: how long it may take.

    Attributes:
        limit: the time of the message that is dealt with; other threads may look at it.
    """

    def __init__(self, handle: Handle, limits: WorkerLimits) -> None:
        self._handle = handle
        self.limit = TimeLimit(limits.command_seconds, limits.training_seconds)

    def __call__(self, parcel: Parcel) -> Sequence[Buffer] | None:
        self.limit.begin()
        before, paced = TIME_LIMIT.set(self.limit), GO_ON.set(self.limit.check)
        try:
            return self._handle(parcel)
        finally:
            GO_ON.reset(paced)
            TIME_LIMIT.reset(before)
            self.limit.end()


@contextmanager
def within(limits: WorkerLimits) -> Iterator[None]:
    """Run plans within the limits of one client, for what asks a worker without a channel."""
    limit = TimeLimit(limits.command_seconds, limits.training_seconds)
    limit.begin()
    size, time = RUN_LIMITS.set(RunLimits(limits.result_bytes, limits.stored_bytes)), TIME_LIMIT.set(limit)
    paced = GO_ON.set(limit.check)
    try:
        yield
    finally:
        GO_ON.reset(paced)
        TIME_LIMIT.reset(time)
        RUN_LIMITS.reset(size)
