"""What one client of a served worker may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from syft.exceptions import UsageError

_MAY_BE_0 = frozenset({"lease", "command_seconds", "training_seconds"})


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Bounds for a served worker; the defaults suit a machine of a few GiB.

    Attributes:
        message_bytes: the longest message, in either direction.
        result_bytes: the largest result of one op.
        stored_bytes: what the objects of one session may take together.
        published_bytes: what all that clients have left there for others may take; of one client at most
            ``stored_bytes``.
        sessions: clients at a time, those within their lease included.
        lease: seconds for which a session outlives its connection.
        keepalive: seconds; a peer that is silent for twice as long is given up.
        window: bytes on their way in each direction of a session.
        threads: messages of different sessions that are dealt with at the same time.
        command_seconds: how long one message may be dealt with, and one batch of a training; 0 for no limit.
        training_seconds: how long a message may be dealt with that goes over batches: ``fit``, ``evaluate`` and
            ``run_epochs``; 0 for no limit.
    """

    message_bytes: int = 1 << 30
    result_bytes: int = 1 << 30
    stored_bytes: int = 4 << 30
    published_bytes: int = 4 << 30
    sessions: int = 256
    lease: float = 60.0
    keepalive: float = 10.0
    window: int = 32 << 20
    threads: int = 16
    command_seconds: float = 600.0
    training_seconds: float = 86_400.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name in _MAY_BE_0 and value < 0:
                raise UsageError(f"the limit {name} is {value}; it must be 0 or more")
            if name not in _MAY_BE_0 and value <= 0:
                raise UsageError(f"the limit {name} is {value}; it must be more than 0")
