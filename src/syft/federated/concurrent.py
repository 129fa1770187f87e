"""`ConcurrentTrainer`: rounds in which the workers train by themselves, all at the same time, and some may fail."""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from syft.dp.terms import TrainingTerms
from syft.exceptions import AggregationError, FederatedError
from syft.federated import resuming
from syft.federated.averaging import StateDict, is_remote
from syft.federated.callbacks import Callback, WorkReport
from syft.federated.evaluation import Evaluator, measured
from syft.federated.history import ClientRecord, History, RoundRecord
from syft.federated.local_training import detached
from syft.federated.participant import Part, Participant, Standing
from syft.federated.secure.participant import SecretParticipant
from syft.federated.secure.strategy import SecureAggregation
from syft.federated.secure.talk import sum_at_once
from syft.federated.soundness import check_alike, check_finite, drifts_from
from syft.federated.strategies import ClientUpdate, FedAvg, Strategy
from syft.federated.train_config import TrainConfig
from syft.workers.tensor_sizes import PLAIN

Loss = Callable[[Any, Any], Any]


class ConcurrentTrainer:
    """Trains one model on data sets that workers have, with one message to each worker a round.

    A round is:

    1. every worker gets the global model as a plan, and trains it on its own data set, by itself;
    2. the trained models come back, and the strategy makes the next global model of them, by default their mean
       weighted by counts of samples;
    3. that model is evaluated, and is what the next round starts from.

    Workers train at the same time. One that fails, is cut off, sends back something unsound or makes no progress for
    ``progress_timeout`` seconds is left out of the round and named in its record; the round goes on as long as
    ``quorum`` workers are left. In the next round it is asked again, and takes part if it is back.

    Args:
        model: the global model, local. It is trained in place.
        workers: workers by name; in other processes, or virtual ones.
        loss_fn: called with a batch's output and targets; gives the scalar to minimise.
        dataset: the key of the data set on each worker, or keys by name.
        example: a pair of data and targets, two samples or more, like those of the workers.
        optimizer: the name of an optimizer of ``torch.optim``; each worker starts a round with a fresh one.
        optimizer_args: its options.
        batch_size: samples a batch.
        local_epochs: passes over its data that a worker makes in a round.
        max_batches: batches that a worker trains on in a round at most; -1 for no limit.
        shuffle: draw a new order every pass.
        strategy: how updates become the next model; the default is `FedAvg` weighted by samples.
        quorum: how many workers a round needs.
        progress_timeout: seconds that a worker may go without any progress, however long it takes in all.
        patience: seconds that the others get once a quorum is done; those that still train then stop, and what they
            have done counts. None waits for all that make progress.
        evaluate: called with the global model after each round (see `Evaluation`).
        privacy: have every worker train with differential privacy on these terms (`syft.dp.TrainingTerms`).

    Raises:
        FederatedError: the model is not local, there are no workers, or a number is out of range.
        PlanBuildError: the model or the loss does something that cannot be recorded.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> workers = {name: sy.VirtualWorker(hook, id=name) for name in ("una", "vic")}
        >>> x = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> for worker in workers.values():
        ...     worker.add_dataset(sy.BaseDataset(x, x), key="swap")
        >>> loss_fn = torch.nn.functional.mse_loss
        >>> trainer = sy.ConcurrentTrainer(torch.nn.Linear(2, 2), workers, loss_fn, dataset="swap", example=(x, x))
        >>> history = trainer.fit(rounds=2)
        >>> history[0].train_loss > history[1].train_loss, sorted(history[1].clients)
        (True, ['una', 'vic'])
    """

    def __init__(
        self,
        model: nn.Module,
        workers: Mapping[str, Any],
        loss_fn: Loss,
        *,
        dataset: str | Mapping[str, str],
        example: tuple[torch.Tensor, torch.Tensor],
        optimizer: str = "SGD",
        optimizer_args: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        local_epochs: int = 1,
        max_batches: int = -1,
        shuffle: bool = True,
        strategy: Strategy | None = None,
        quorum: int = 1,
        progress_timeout: float = 60.0,
        patience: float | None = None,
        evaluate: Evaluator | None = None,
        privacy: TrainingTerms | None = None,
    ) -> None:
        self.strategy = strategy if strategy is not None else FedAvg()
        _check_settings(model, workers, self.strategy, quorum, progress_timeout, patience)
        self.model, self.workers = model, dict(workers)
        self.history = History()
        self._patience, self._evaluate = patience, evaluate
        self._quorum = max(quorum, self.strategy.least) if isinstance(self.strategy, SecureAggregation) else quorum
        self._sent = copy.deepcopy(model)  # what travels; the global model changes only between rounds
        self._config = TrainConfig(
            self._sent,
            _positional(loss_fn),
            batch_size=batch_size,
            epochs=local_epochs,
            optimizer=optimizer,
            optimizer_args=optimizer_args,
            max_nr_batches=max_batches,
            shuffle=shuffle,
            example=example,
            privacy=privacy,
        )
        self._places = _places(self._sent, self._config.training_plan().state.tensors())
        self._participants: dict[str, Participant] = {}
        self._secret: dict[str, SecretParticipant] = {}  # all of them, or none
        self._listeners: Sequence[Callback] = ()
        for name, worker in self.workers.items():
            key = dataset if isinstance(dataset, str) else dataset[name]
            if isinstance(self.strategy, SecureAggregation):
                self._secret[name] = SecretParticipant(worker, key, progress_timeout, partial(self._heard, name))
            else:
                self._participants[name] = Participant(worker, key, progress_timeout, partial(self._heard, name))
        self._participants.update(self._secret)
        self._away: set[str] = set()  # who was left out last
        self._raised: list[Exception] = []  # by callbacks, while workers train

    def fit(
        self,
        rounds: int,
        *,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
    ) -> History:
        """Train for some more rounds; see `async_fit`. Works in notebooks, where an event loop runs already, too."""
        training = self.async_fit(rounds, callbacks=callbacks, checkpoint=checkpoint, checkpoint_every=checkpoint_every)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(training)
        with ThreadPoolExecutor(1, thread_name_prefix="syft-rounds") as thread:
            return thread.submit(asyncio.run, training).result()

    async def async_fit(
        self,
        rounds: int,
        *,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
    ) -> History:
        """Train for some more rounds while other coroutines run.

        Args:
            rounds: how many.
            callbacks: told of progress, in this order.
            checkpoint: the file to keep the training in, so that `resume` can go on from there.
            checkpoint_every: write it after every so many-th round, and after the last.

        Returns:
            The records of all rounds so far.

        Raises:
            FederatedError: fewer workers than the quorum finished a round. The global model is then as it was after the
                last whole round.
        """
        resuming.check_rounds(rounds, checkpoint_every)
        self.strategy.begin(self.model)
        self._listeners = tuple(callbacks)
        try:
            for left in range(rounds - 1, -1, -1):
                record = await self._round()
                self.history.append(record)
                for callback in callbacks:
                    callback.on_round_end(record, self.model)
                if checkpoint is not None and (left == 0 or record.round % checkpoint_every == 0):
                    self.save(checkpoint)
        finally:
            self._listeners = ()
            for participant in self._participants.values():
                participant.close()
        return self.history

    def save(self, path: str | Path) -> None:
        """Write a checkpoint now (see `resume`).

        Args:
            path: the file; ``torch.load(path)["state_dict"]`` is the global model.

        Raises:
            CheckpointError: the file cannot be written.
        """
        resuming.save(path, self.model, self.history, self.strategy)

    def resume(self, path: str | Path) -> int:
        """Go on from a checkpoint.

        Args:
            path: a file that `async_fit`, `fit` or `save` wrote.

        Returns:
            How many rounds are done.

        Raises:
            CheckpointError: the file cannot be read or does not fit the model.
        """
        saved = resuming.restore(path, self.model, self.strategy)
        self.history = saved.history
        return saved.round

    # --- a round ------------------------------------------------------------------------------------

    async def _round(self) -> RoundRecord:
        started, number, self._raised = time.perf_counter(), len(self.history) + 1, []
        chosen = self.strategy.choose(list(self.workers))
        names = list(self.workers) if chosen is None else chosen
        for callback in self._listeners:
            callback.on_round_begin(number, names)
        self._sent.load_state_dict(self.model.state_dict())
        before = detached(self._sent)
        tasks = {name: asyncio.create_task(self._part(number, name, before)) for name in names}
        try:
            await self._gathered(tasks)
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        if self._raised:
            raise self._raised[0]
        updates = [task.result() for task in tasks.values() if task.exception() is None]
        lost = {name: str(task.exception()) for name, task in tasks.items() if task.exception() is not None}
        self._check_quorum(number, len(updates), lost, names)
        together: Mapping[str, float] = {}
        if isinstance(self.strategy, SecureAggregation):
            after, updates, together = await self._summed(number, self.strategy, before, updates, lost)
            drifts = dict.fromkeys(self.workers, math.nan)
        else:
            after = self.strategy.aggregate(before, updates)
            drifts = drifts_from(self.model, after, updates)
        self.model.load_state_dict(after)
        clients = {update.name: ClientRecord.of(update, drifts[update.name]) for update in updates}
        figures = measured(self._evaluate, self.model)
        return RoundRecord(number, time.perf_counter() - started, clients, figures, lost, together)

    async def _summed(
        self,
        number: int,
        strategy: SecureAggregation,
        before: StateDict,
        updates: Sequence[ClientUpdate],
        lost: dict[str, str],
    ) -> tuple[dict[str, torch.Tensor], list[ClientUpdate], Mapping[str, float]]:
        """The next global state, who is in it, and what is known of them together; ``lost`` gets those who are not."""
        trained, finished = {entry: before[entry] for entry in self._places}, {update.name for update in updates}
        there = {name: one for name, one in self._secret.items() if name in finished}
        try:
            models = {name: one.offer(weighted=strategy.weighted) for name, one in there.items()}
            asks = {name: one.ask for name, one in there.items()}
            summed = await sum_at_once(strategy.conversation(list(there), trained, models), asks)
        finally:
            await asyncio.gather(*[asyncio.to_thread(one.forget) for one in there.values()])
        for name, reason in summed.lost.items():
            lost[name] = reason
            self._left_out(number, name, AggregationError(reason))
        arrived = [update for update in updates if update.name in summed.clients]
        for update in arrived:
            self._took_part(number, update)
        if self._raised:
            raise self._raised[0]
        self._check_quorum(number, len(arrived), lost, list(self.workers))
        mean = strategy.mean(summed.total, trained)
        after = strategy.after(before, replace(mean, state={**before, **mean.state}))
        return after, arrived, strategy.together(mean)

    def _check_quorum(self, number: int, there: int, lost: Mapping[str, str], asked: Sequence[str]) -> None:
        if there < min(self._quorum, len(asked)):  # a strategy may ask few, or nobody
            reasons = "".join([f"\n  {name}: {reason}" for name, reason in lost.items()])
            raise FederatedError(
                f"{there} of {len(asked)} workers finished round {number}, and {self._quorum} are needed. The "
                f"global model is as it was before the round; fit() goes on from there.{reasons}"
            )

    async def _gathered(self, tasks: Mapping[str, asyncio.Task[ClientUpdate]]) -> None:
        """Wait for all; with patience, for what is left once a quorum is there."""
        waiting = set(tasks.values())
        while waiting and not (self._patience is not None and _sound(tasks.values()) >= self._quorum):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=self._patience)
        late = [name for name, task in tasks.items() if task in waiting]
        await asyncio.gather(*[self._participants[name].hurry() for name in late])
        if waiting:
            await asyncio.wait(waiting)

    async def _part(self, number: int, name: str, before: StateDict) -> ClientUpdate:
        """One worker's part of a round.

        Raises:
            Exception: it is left out.
        """
        try:
            if name in self._secret:  # it has taken part once its masked update is there
                places = list(self._places.values())
                return await self._secret[name].train_there(name, self._config.again(), places)
            part = await self._participants[name].train(self._config.again())
            update = self._update(name, part, before)
            check_alike(number, before, update)
            check_finite(number, before, update)
        except Exception as error:
            self._left_out(number, name, error)
            raise
        self._took_part(number, update)
        return update

    def _left_out(self, number: int, name: str, error: Exception) -> None:
        self._away.add(name)
        self._tell(lambda callback: callback.on_client_lost(number, name, error))

    def _took_part(self, number: int, update: ClientUpdate) -> None:
        if update.name in self._away:
            self._away.discard(update.name)
            self._tell(lambda callback: callback.on_client_back(number, update.name))
        self._tell(lambda callback: callback.on_client_end(number, update))

    def _tell(self, event: Callable[[Callback], None]) -> None:
        """Tell the callbacks; an error of theirs is no worker's failure, and is raised when the round is over."""
        for callback in self._listeners:
            try:
                event(callback)
            except Exception as error:
                self._raised.append(error)

    def _update(self, name: str, part: Part, before: StateDict) -> ClientUpdate:
        values = part.plan.state.tensors()
        if len(values) != len(self._config.training_plan().state):
            raise FederatedError(
                f"client {name!r} sent back a plan with {len(values)} tensors; it did not train the model it was given."
            )
        if not all(type(value) in PLAIN and value.layout is torch.strided for value in values):
            raise FederatedError(
                f"client {name!r} sent back tensors that are not plain ones; it did not train the model it was given."
            )
        state = {
            entry: values[self._places[entry]].detach() if entry in self._places else kept
            for entry, kept in before.items()
        }
        figures = {"train_loss": part.train_loss, "batches": part.steps, "seconds": part.seconds}
        return ClientUpdate(name, state, part.samples, figures)

    def _heard(self, name: str, standing: Standing) -> None:
        report = WorkReport(len(self.history) + 1, name, standing.stage, standing.steps, standing.total, standing.loss)
        self._tell(lambda callback: callback.on_work(report))


def _sound(tasks: Any) -> int:
    return sum(task.done() and not task.cancelled() and task.exception() is None for task in tasks)


def _positional(loss_fn: Loss) -> Callable[..., Any]:
    def loss(pred: Any, target: Any) -> Any:
        return loss_fn(pred, target)

    return loss


def _places(model: nn.Module, tensors: Sequence[torch.Tensor]) -> dict[str, int]:
    """Which tensor of the plan is which entry of the model's state dict."""
    numbers = {id(tensor): number for number, tensor in enumerate(tensors)}
    held = model.state_dict(keep_vars=True)
    return {entry: numbers[id(tensor)] for entry, tensor in held.items() if id(tensor) in numbers}


def _check_settings(
    model: nn.Module,
    workers: Mapping[str, Any],
    strategy: Strategy,
    quorum: int,
    progress_timeout: float,
    patience: float | None,
) -> None:
    if is_remote(model):
        raise FederatedError("the global model is on a worker; fetch it with .get() first.")
    if not workers:
        raise FederatedError("there are no workers; give at least one, as {'alice': alice}.")
    if strategy.needs_start:
        raise FederatedError(
            f"{type(strategy).__name__} adds to the loss on the workers, which train with a recorded plan here; "
            "use FederatedTrainer for it, or a strategy that only aggregates."
        )
    if isinstance(strategy, SecureAggregation):
        strategy.check_clients(len(workers))
    if not 1 <= quorum <= len(workers):
        raise FederatedError(f"quorum is {quorum}; it must be from 1 to {len(workers)}, the number of workers.")
    if not progress_timeout > 0 or (patience is not None and not patience >= 0):
        raise FederatedError(
            f"progress_timeout={progress_timeout}, patience={patience}: give seconds, more than 0 and 0 or more."
        )
