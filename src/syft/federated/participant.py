"""`Participant`: one worker in concurrent rounds: its connection, what it is doing, and whether it still gets on."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from syft.core.messages import Forget
from syft.exceptions import FederatedError, SyftError
from syft.federated.train_config import TrainConfig
from syft.plans.plan import Plan

T = TypeVar("T")
CONNECT, SEND, TRAIN, FETCH = "connect", "send", "train", "fetch"
_LOOK = 0.2  # seconds between two looks at how far a worker is
_LAST_WORD = 1.0  # seconds that a worker gets to hear that it is to stop


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a worker is.

    Attributes:
        stage: ``connect``, ``send``, ``train`` or ``fetch``.
        steps: batches that it has trained on.
        total: batches that it will train on; 0 as long as that is not known.
        loss: of its last batch; NaN before the first.
    """

    stage: str
    steps: int = 0
    total: int = 0
    loss: float = math.nan


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker has done in a round.

    Attributes:
        plan: the trained model, as the state of its plan.
        samples: different samples that it trained on.
        steps: batches that it trained on.
        train_loss: the mean loss of a sample.
        seconds: wall time, transport included.
    """

    plan: Plan
    samples: int
    steps: int
    train_loss: float
    seconds: float


class Participant:
    """One worker.

    Args:
        worker: the worker.
        dataset: the key of the data set there that it trains on.
        progress_timeout: seconds without any progress after which it is left out.
        tell: called whenever it has come further.
    """

    def __init__(self, worker: Any, dataset: str, progress_timeout: float, tell: Callable[[Standing], None]) -> None:
        self.worker, self._dataset = worker, dataset
        self._timeout, self._tell = progress_timeout, tell
        self._aside: Any = None
        self._config: TrainConfig | None = None
        self._told: Any = None
        self._hurried = False

    async def train(self, config: TrainConfig) -> Part:
        """Have the worker train, and fetch the model.

        Args:
            config: what to train and how; for this worker and this time only.

        Returns:
            What it has done; less than all of it after `hurry`.

        Raises:
            FederatedError: it made no progress for too long, or trained nothing.
            SyftError: the connection was lost, or the worker refused.
        """
        started = time.perf_counter()
        self._config, self._told, self._hurried = config, None, False
        try:
            await self._at(CONNECT, asyncio.to_thread(self._connect))
            await self._at(SEND, asyncio.to_thread(config.send, self.worker))
            await self._at(TRAIN, self.worker.async_fit(self._dataset))
            done = await self._at(FETCH, self._aside.async_ask("training", "report"))
            plan = await self._at(FETCH, asyncio.to_thread(_fetch, config))
        except Exception:
            await asyncio.to_thread(self._forget, config)
            raise
        finally:
            self._config = None
        return Part(
            plan,
            _number(done, "samples", int),
            _number(done, "steps", int),
            _number(done, "train_loss", float),
            time.perf_counter() - started,
        )

    async def hurry(self) -> None:
        """Have it stop training where it is, and send what it has. Training on counts as no progress from now on."""
        self._hurried = True
        config, aside = self._config, self._aside
        if config is not None and aside is not None:
            with contextlib.suppress(SyftError, OSError, TimeoutError):
                await asyncio.wait_for(aside.async_ask("training", "stop", config.id), _LAST_WORD)

    def close(self) -> None:
        """Close the second connection; the worker itself stays as it is."""
        aside, self._aside = self._aside, None
        if aside is not None:
            aside.close()

    # --- the stages ---------------------------------------------------------------------------------

    def _connect(self) -> None:
        if not getattr(self.worker, "connected", True):
            self.close()
            self.worker.connect()
        if self._aside is None:
            self._aside = self.worker.aside()

    async def _at(self, stage: str, work: Awaitable[T]) -> T:
        """Wait for a part of the work, as long as the worker gets on with it."""
        task = asyncio.ensure_future(work)
        try:
            before, since = await self._standing(stage), time.monotonic()
            while not (await asyncio.wait({task}, timeout=_LOOK))[0]:
                now = await self._standing(stage)
                if now is None or (now != before and not (self._hurried and stage is TRAIN)):
                    before, since = now, time.monotonic()
                elif time.monotonic() - since > self._timeout:
                    raise FederatedError(
                        f"worker {self.worker.id!r} has made no progress for {self._timeout:g} s ({stage}); it is left "
                        "out. Allow more time with progress_timeout=..."
                    )
            if stage is TRAIN:
                await self._standing(stage)
            return task.result()
        finally:
            if not task.done():
                await self._break_off()
                task.cancel()

    async def _standing(self, stage: str) -> Any:
        """Something that changes as the worker gets on; None where that cannot be said."""
        if stage is not TRAIN:
            self._report(Standing(stage))
            return self.worker.moved()
        try:
            said = await asyncio.wait_for(self._aside.async_ask("training", "report"), self._timeout)
        except (SyftError, OSError, TimeoutError):
            return ()
        if self._config is None or said["config"] != self._config.id:  # it has not begun
            return ()
        steps, total = _number(said, "steps", int), _number(said, "total", int)
        self._report(Standing(stage, steps, total, _number(said, "loss", float)))
        return steps

    def _report(self, standing: Standing) -> None:
        seen = (standing.stage, standing.steps, standing.total)
        if seen != self._told:
            self._told = seen
            self._tell(standing)

    async def _break_off(self) -> None:
        """Have the worker stop, and close the connection: whatever still waits for an answer ends."""
        await self.hurry()
        self.close()
        if hasattr(self.worker, "connect"):
            await asyncio.to_thread(self.worker.close)

    def _forget(self, config: TrainConfig) -> None:
        """Leave no model there that nobody will fetch."""
        if config.model_ptr is not None and getattr(self.worker, "connected", True):
            with contextlib.suppress(SyftError, OSError):
                self.worker.post(Forget((config.model_ptr.plan.id,)))


def _fetch(config: TrainConfig) -> Plan:
    pointer = config.model_ptr.pointer
    plan = pointer.get()
    pointer.delete()
    if not isinstance(plan, Plan):
        raise FederatedError(f"the worker sent a {type(plan).__name__} where the trained plan was due.")
    return plan


def _number(said: Any, name: str, kind: type) -> Any:
    value = said.get(name) if isinstance(said, dict) else None
    if type(value) is not kind:
        raise FederatedError(f"the worker's report of its training says {value!r} where {name} was due.")
    return value
