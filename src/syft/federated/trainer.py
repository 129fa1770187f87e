"""Federated training in rounds: copies go out, train side by side, and their average goes back to all."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from syft.exceptions import AggregationError, FederatedError
from syft.federated import resuming
from syft.federated.averaging import StateDict, is_remote
from syft.federated.callbacks import BatchReport, Callback
from syft.federated.checkpoint import restore_rng
from syft.federated.client import Client
from syft.federated.evaluation import Evaluator, measured
from syft.federated.history import ClientRecord, History, RoundRecord
from syft.federated.local_training import LeftThere, LocalCopy, LocalTraining, LossFunction, OptimizerFactory, detached
from syft.federated.secure.strategy import SecureAggregation
from syft.federated.secure.talk import sum_in_turn
from syft.federated.soundness import check_finite, drifts_from
from syft.federated.strategies import ClientUpdate, FedAvg, Strategy

_DRIFT_TO_WARN_OF = 0.01


def plain_sgd(parameters: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
    """SGD with a learning rate of 0.1.

    Args:
        parameters: what to optimise.

    Returns:
        The optimizer.
    """
    return torch.optim.SGD(parameters, lr=0.1)


class FederatedTrainer:
    """Trains one model on the data of many workers, which never leaves them.

    A round is:

    1. every client that takes part gets its own copy of the global model;
    2. it trains the copy on its batches, on its worker;
    3. the copies come back and the strategy makes the next global model of them, by default their mean
       weighted by counts of samples;
    4. that model is evaluated, and is what the next round's copies are made of.

    Step 4's second half is what makes it converge. ``redistribute=False`` leaves it out for comparison: clients
    go on from their own models, drift apart, and their average stalls or gets worse.

    Args:
        model: the global model, local. It is trained in place.
        clients: `Client` objects by name; they train in this order.
        loss_fn: called with a batch's output and targets, both pointers, and gives the scalar to minimise.
        optimizer: makes a client's optimizer from its parameters; the default is `plain_sgd`.
        strategy: how updates become the next model; the default is `FedAvg` weighted by samples.
        local_epochs: passes over its batches that a client makes in a round.
        redistribute: start every round from the average.
        keep_optimizer_state: let momentum and the like of each client live on from round to round, on
            its worker. Otherwise every round starts with a fresh optimizer.
        clients_per_round: how many clients, drawn at random, take part in each round; None for all.
        evaluate: called with the global model after each round (see `Evaluation`).
        evaluate_clients: measure each client's own trained model with ``evaluate`` too.
        loss_interval: fetch the loss of every so many-th batch for the callbacks; 0 for none. The mean
            loss of a client is always recorded.

    Raises:
        FederatedError: the model is not local, there are no clients, or a number is out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        clients: Mapping[str, Client],
        loss_fn: LossFunction,
        *,
        optimizer: OptimizerFactory = plain_sgd,
        strategy: Strategy | None = None,
        local_epochs: int = 1,
        redistribute: bool = True,
        keep_optimizer_state: bool = False,
        clients_per_round: int | None = None,
        evaluate: Evaluator | None = None,
        evaluate_clients: bool = False,
        loss_interval: int = 10,
    ) -> None:
        _check_settings(model, clients, local_epochs, clients_per_round, loss_interval)
        if evaluate_clients and evaluate is None:
            raise FederatedError("evaluate_clients needs to know how; give evaluate= as well.")
        self.model = model
        self.clients = dict(clients)
        self.history = History()
        self.redistribute = redistribute
        self.strategy = strategy if strategy is not None else FedAvg()
        if isinstance(self.strategy, SecureAggregation):
            if keep_optimizer_state or evaluate_clients or not redistribute:
                raise FederatedError(
                    "under secure aggregation the clients' models stay where they are, and only the average goes on: "
                    "leave out keep_optimizer_state, evaluate_clients and redistribute=False."
                )
            self.strategy.check_clients(clients_per_round or len(clients))
        self._local = LocalTraining(
            loss_fn, optimizer, self.strategy, local_epochs, keep_optimizer_state, loss_interval
        )
        self._clients_per_round = clients_per_round
        self._evaluate, self._evaluate_clients = evaluate, evaluate_clients
        self._kept: dict[str, LocalCopy] = {}
        self._saved: dict[str, Any] = {}
        self._pending_rng: Mapping[str, Any] | None = None
        self._warned = False

    def fit(
        self,
        rounds: int,
        *,
        callbacks: Sequence[Callback] = (),
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
    ) -> History:
        """Train for some more rounds.

        Args:
            rounds: how many; ``fit(2)`` and ``fit(3)`` in turn are the same as ``fit(5)``.
            callbacks: told of progress, in this order.
            checkpoint: the file to keep the training in, so that `resume` can go on from there.
            checkpoint_every: write it after every so many-th round, and after the last.

        Returns:
            The records of all rounds so far.

        Raises:
            FederatedError: a client sent back a model that is not finite, or has no usable batches. The
                global model is then as it was after the last whole round.
        """
        resuming.check_rounds(rounds, checkpoint_every)
        if self._pending_rng is not None:
            restore_rng(self._pending_rng)
            self._pending_rng = None
        self.strategy.begin(self.model)
        for left in range(rounds - 1, -1, -1):
            record = self._round(callbacks)
            self.history.append(record)
            for callback in callbacks:
                callback.on_round_end(record, self.model)
            if checkpoint is not None and (left == 0 or record.round % checkpoint_every == 0):
                self.save(checkpoint)
        return self.history

    def save(self, path: str | Path) -> None:
        """Write a checkpoint now (see `resume`).

        Args:
            path: the file; ``torch.load(path)["state_dict"]`` is the global model.

        Raises:
            CheckpointError: the file cannot be written.
        """
        kept = {name: local.state() for name, local in self._kept.items()}
        resuming.save(path, self.model, self.history, self.strategy, {**self._saved, **kept})

    def resume(self, path: str | Path) -> int:
        """Go on from a checkpoint: what follows is what would have followed without the break.

        The trainer must be made with the same settings and batches. Random numbers drawn on machines of
        their own, and by generators given to loaders, are not part of a checkpoint.

        Args:
            path: a file that `fit` or `save` wrote.

        Returns:
            How many rounds are done.

        Raises:
            CheckpointError: the file cannot be read or does not fit the model.
        """
        saved = resuming.restore(path, self.model, self.strategy)
        self.history = saved.history
        self._kept, self._saved = {}, dict(saved.clients)
        self._pending_rng = saved.rng  # set when training starts: building loaders until then may draw numbers
        return saved.round

    def _round(self, callbacks: Sequence[Callback]) -> RoundRecord:
        started = time.perf_counter()
        number = len(self.history) + 1
        names = self._choose()
        for callback in callbacks:
            callback.on_round_begin(number, names)
        before = detached(self.model)
        if isinstance(self.strategy, SecureAggregation):
            return self._secret_round(self.strategy, number, started, names, before, callbacks)
        updates, metrics = [], {}
        for name in names:
            update, metrics[name] = self._train(number, name, before, callbacks)
            updates.append(update)
        after = self.strategy.aggregate(before, updates)
        drifts = drifts_from(self.model, after, updates)
        self.model.load_state_dict(after)
        self._warn_of_drift(number, drifts)
        figures = measured(self._evaluate, self.model)
        clients = {u.name: ClientRecord.of(u, drifts[u.name], metrics[u.name]) for u in updates}
        return RoundRecord(number, time.perf_counter() - started, clients, figures)

    def _secret_round(
        self,
        strategy: SecureAggregation,
        number: int,
        started: float,
        names: Sequence[str],
        before: StateDict,
        callbacks: Sequence[Callback],
    ) -> RoundRecord:
        left = {}
        for name in names:
            local = LocalCopy(self.model)
            with _noted(number, name):
                listener = partial(_report, callbacks, number, name) if callbacks else None
                left[name] = self._local.run_there(name, self.clients[name], local, listener)
        models = {name: _offer(there, strategy) for name, there in left.items()}
        asks = {name: partial(_ask, there.module.location) for name, there in left.items()}
        summed = sum_in_turn(strategy.conversation(names, before, models), asks)
        mean = strategy.mean(summed.total, before)
        self.model.load_state_dict(strategy.after(before, mean))
        for name, reason in summed.lost.items():
            for callback in callbacks:
                callback.on_client_lost(number, name, AggregationError(reason))
        for name in summed.clients:
            for callback in callbacks:
                callback.on_client_end(number, left[name].update)
        clients = {name: ClientRecord.of(left[name].update, math.nan) for name in summed.clients}
        figures = measured(self._evaluate, self.model)
        seconds = time.perf_counter() - started
        return RoundRecord(number, seconds, clients, figures, summed.lost, strategy.together(mean))

    def _choose(self) -> list[str]:
        names = list(self.clients)
        chosen = self.strategy.choose(names)
        if chosen is not None:
            return chosen
        if self._clients_per_round is None:
            return names
        drawn = torch.randperm(len(names))[: self._clients_per_round]
        return [names[index] for index in drawn.sort().values.tolist()]

    def _train(
        self, number: int, name: str, before: StateDict, callbacks: Sequence[Callback]
    ) -> tuple[ClientUpdate, dict[str, float]]:
        # Out of the table while it trains: a copy that broke on the way is not used again.
        local = self._kept.pop(name, None) or LocalCopy(self.model, self._saved.pop(name, None))
        if self.redistribute:
            local.module.load_state_dict(before)
        listener = partial(_report, callbacks, number, name) if callbacks else None
        with _noted(number, name):
            update = self._local.run(name, self.clients[name], local, listener)
        check_finite(number, before, update)
        if self._local.keep_optimizer or not self.redistribute:
            self._kept[name] = local
        for callback in callbacks:
            callback.on_client_end(number, update)
        return update, measured(self._evaluate, local.module) if self._evaluate_clients else {}

    def _warn_of_drift(self, number: int, drifts: Mapping[str, float]) -> None:
        if self.redistribute or self._warned or number == 1 or not drifts:
            return
        name = max(drifts, key=lambda client: drifts[client])
        if drifts[name] <= _DRIFT_TO_WARN_OF:
            return
        self._warned = True
        warnings.warn(
            f"the model of client {name!r} is {drifts[name]:.1%} away from the average in round {number}: "
            "redistribute=False never sends the average back, so the clients drift apart and it stops getting "
            "better. Leave redistribute at True to train.",
            UserWarning,
            stacklevel=4,
        )


def _check_settings(
    model: nn.Module,
    clients: Mapping[str, Client],
    local_epochs: int,
    clients_per_round: int | None,
    loss_interval: int,
) -> None:
    if is_remote(model):
        raise FederatedError("the global model is on a worker; fetch it with .get() first.")
    if not clients:
        raise FederatedError("there are no clients; give at least one, as {'alice': Client(alice, batches)}.")
    if local_epochs < 1:
        raise FederatedError(f"local_epochs is {local_epochs}; every client makes at least one pass a round.")
    if clients_per_round is not None and not 1 <= clients_per_round <= len(clients):
        raise FederatedError(f"clients_per_round is {clients_per_round}; it must be from 1 to {len(clients)}, or None.")
    if loss_interval < 0:
        raise FederatedError(f"loss_interval is {loss_interval}; it must be 0 or more.")


@contextmanager
def _noted(number: int, name: str) -> Iterator[None]:
    """Note on errors who was trained."""
    try:
        yield
    except Exception as error:
        error.add_note(f"while training client {name!r} in round {number}")
        raise


def _offer(there: LeftThere, strategy: SecureAggregation) -> dict[str, Any]:
    """What is to be summed, as `AggregationService.advertise` takes it."""
    return {
        "trained": [pointer.id_at_location for pointer in there.trained],
        "places": None,
        "start": [pointer.id_at_location for pointer in there.start],
        "config": None,
        "weight": there.update.samples if strategy.weighted else 1,
        "loss": there.train_loss.id_at_location,
    }


def _ask(worker: Any, method: str, *args: Any) -> Any:
    return worker.fetch_reply(worker.ask("aggregation", method, *args))


def _report(
    callbacks: Sequence[Callback], round: int, name: str, epoch: int, batch: int, samples: int, loss: float | None
) -> None:
    report = BatchReport(round, name, epoch, batch, samples, loss)
    for callback in callbacks:
        callback.on_batch(report)
