"""`SecretParticipant`: one worker in concurrent rounds whose trained model leaves it masked only."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from syft.core import messages as m
from syft.exceptions import FederatedError, SyftError
from syft.federated.participant import CONNECT, FETCH, SEND, TRAIN, Participant, Standing
from syft.federated.strategies import ClientUpdate
from syft.federated.train_config import TrainConfig


class SecretParticipant(Participant):
    """One worker. What it says while it trains is that it gets on, and neither how far it is nor its losses.

    Args:
        worker: the worker.
        dataset: the key of the data set there that it trains on.
        progress_timeout: seconds without any progress after which it is left out.
        tell: called whenever it has come further.
    """

    def __init__(self, worker: Any, dataset: str, progress_timeout: float, tell: Callable[[Standing], None]) -> None:
        super().__init__(worker, dataset, progress_timeout, tell)
        self._trained: TrainConfig | None = None
        self._offer: dict[str, Any] = {}

    async def train_there(self, name: str, config: TrainConfig, places: Sequence[int]) -> ClientUpdate:
        """Have the worker train; the model stays there.

        Args:
            name: the client's.
            config: what to train and how; for this worker and this time only.
            places: which tensors of the plan are the model.

        Returns:
            An update without state and figures, but for the seconds that it took.

        Raises:
            FederatedError: it made no progress for too long, or trained nothing.
            SyftError: the connection was lost, or the worker refused.
        """
        started = time.perf_counter()
        self._config, self._told, self._hurried = config, None, False
        self._trained, self._offer = config, {}
        try:
            await self._at(CONNECT, asyncio.to_thread(self._connect))
            await self._at(SEND, asyncio.to_thread(config.send, self.worker))
            plan = [config.model_ptr.plan.id]
            copies = await self._at(SEND, self.worker.async_ask("aggregation", "remember", plan, list(places)))
            self._offer = {"trained": plan, "places": list(places), "start": _ids(copies), "config": config.id}
            await self._at(TRAIN, self.worker.async_fit(self._dataset, return_loss=False))
        except Exception:
            await asyncio.to_thread(self.forget)
            raise
        finally:
            self._config = None
        figures = {"train_loss": math.nan, "batches": 0, "seconds": time.perf_counter() - started}
        return ClientUpdate(name, {}, 0, figures)

    def offer(self, *, weighted: bool) -> dict[str, Any]:
        """What is to be summed, as `AggregationService.advertise` takes it.

        Args:
            weighted: by samples, which the worker alone knows; or it counts for 1.
        """
        return {**self._offer, "weight": None if weighted else 1, "loss": None}

    async def ask(self, method: str, *args: Any) -> Any:
        """Call a method of the worker's service for secure aggregation.

        Raises:
            FederatedError: no progress for too long.
            SyftError: the connection was lost, or the worker refused.
        """
        reply = await self._at(FETCH, self.worker.async_ask("aggregation", method, *args))
        if type(reply) is m.Stored:
            (reply,) = await self._at(FETCH, self.worker.async_request(m.Take((m.Ref(reply.id),))))
        return reply

    def forget(self) -> None:
        """Leave nothing there that nobody will sum."""
        config, offer = self._trained, self._offer
        self._trained, self._offer = None, {}
        if config is None or config.model_ptr is None or not getattr(self.worker, "connected", True):
            return
        with contextlib.suppress(SyftError, OSError):
            self.worker.post(m.Forget((config.model_ptr.plan.id, *offer.get("start", ()))))

    async def _standing(self, stage: str) -> Any:
        if stage is not TRAIN:
            return await super()._standing(stage)
        self._report(Standing(stage))
        config = self._config
        try:
            asked = self._aside.async_ask("aggregation", "pulse", None if config is None else config.id)
            return await asyncio.wait_for(asked, self._timeout)
        except (SyftError, OSError, TimeoutError):
            return ()


def _ids(copies: Any) -> list[Any]:
    if type(copies) not in (list, tuple) or not all(type(one) is m.Stored for one in copies):
        raise FederatedError("the worker has sent something else where the ids of copies were due.")
    return [one.id for one in copies]
