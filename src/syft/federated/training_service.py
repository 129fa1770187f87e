"""What a worker does with a `TrainConfig`: it trains and evaluates on data sets of its own."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import DataLoader

from syft.dp.asking import SERVICE
from syft.exceptions import CommandNotPermittedError, FederatedError, LimitExceededError, UsageError
from syft.federated.private_training import PrivateFit, refuse_plainly
from syft.federated.train_config import TrainConfig
from syft.plans.optimizers import OPTIMIZERS, stock_optimizer
from syft.plans.plan import Plan
from syft.tensors.object_wrapper import ObjectWrapper
from syft.workers.access import permits
from syft.workers.services import SERVICES
from syft.workers.time_limits import next_batch

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_MOST_BINS = 10_000


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        dataset: the key of its data.
        config: the id of its `TrainConfig`; None before the first training.
        total: how many steps there will be; 0 where that cannot be said.
        steps: the steps done.
        samples: different samples trained on.
        seen: samples trained on, each time counted.
        loss_sum: the sum of the losses of these.
        losses: the losses of the last steps.
    """

    dataset: str = ""
    config: Any = None
    total: int = 0
    steps: int = 0
    samples: int = 0
    seen: int = 0
    loss_sum: float = 0.0
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def add(self, loss: float, samples: int, *, first_pass: bool) -> None:
        """Count a step."""
        self.samples += samples if first_pass else 0
        self.seen += samples
        self.loss_sum += loss * samples
        self.losses.append(loss)
        self.steps += 1


class TrainingService:
    """The data sets of a worker and what it was asked to train. Workers have one each, as their service ``training``.

    Args:
        worker: whose.

    Attributes:
        datasets: the worker's own data sets by key; no message reads or changes them.
        private: the keys of those on which nothing is computed without noise.
        config: what was sent last.
    """

    remote_methods = frozenset({"configure", "fit", "evaluate", "report", "stop"})

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        home = getattr(worker, "home", None)  # each client of a served worker trains by itself, on the same data
        self.datasets: dict[str, Any] = {} if home is None else home.service("training").datasets
        self.private: set[str] = set() if home is None else home.service("training").private
        self.config: TrainConfig | None = None
        self._optimizer: torch.optim.Optimizer | None = None
        self.progress = Progress()
        self._stopped: Any = None

    def add_dataset(self, dataset: Any, key: str, *, private: bool = False) -> None:
        """Let clients train on a data set under a key.

        Args:
            dataset: gives pairs of data and target.
            key: what clients call it.
            private: only with differential privacy, and within their budgets (``worker.privacy``).

        Raises:
            UsageError: the key is taken.
        """
        if key in self.datasets:
            raise UsageError(f"Key {key} already exists in Datasets")
        if private:  # first: there is no moment in which it is there and not private
            self.private.add(key)
        self.datasets[key] = dataset

    def configure(self, config: Any) -> None:
        """Train like this from now on.

        Raises:
            UsageError: this is no config.
        """
        if not isinstance(config, TrainConfig):
            raise UsageError(f"a worker is configured with a TrainConfig, not with a {type(config).__name__}")
        self.config, self._optimizer = config, None

    def fit(self, dataset_key: str, device: str = "cpu") -> torch.Tensor:
        """Train on a data set of this worker as the config says.

        Args:
            dataset_key: its key.
            device: where batches are put.

        Returns:
            The loss of the last batch; NaN with privacy, as losses are private too.

        Raises:
            UsageError: there is no config, no such data set, or no such optimizer.
            CommandNotPermittedError: the owner of the worker lets this client not compute with it, or only privately.
            PrivacyBudgetError: the user's budget does not suffice; nothing was computed.
            ObjectNotFoundError: the model was fetched.
            FederatedError: there was no batch, or the training was stopped before the first one.
            LimitExceededError: it takes longer than the worker allows.
        """
        config, dataset = self._prepared(dataset_key)
        if config.optimizer not in OPTIMIZERS:
            raise UsageError(f"Unknown optimizer: {config.optimizer}")
        if config.privacy is not None:
            return self._fit_privately(dataset_key, config, dataset, device)
        if dataset_key in self.private:
            refuse_plainly(dataset_key, "training without noise")
        step = self._step(config)
        loss = None
        progress = self.progress = Progress(dataset_key, config.id, _steps(config, dataset))
        passes = range(config.epochs)
        batches = ((epoch, *batch) for epoch in passes for batch in self._batches(config, dataset, device))
        for epoch, data, target in batches:
            if 0 <= config.max_nr_batches <= progress.steps or self._stopped == config.id:
                break
            loss = step(data, target)
            progress.add(float(loss.detach()), len(target), first_pass=epoch == 0)
        if loss is None:
            raise FederatedError(
                f"nothing was trained: {len(dataset)} samples, {config.epochs} epochs, "
                f"max_nr_batches {config.max_nr_batches}{', stopped before it began' * (self._stopped == config.id)}."
            )
        return loss.detach()

    def _fit_privately(self, key: str, config: TrainConfig, dataset: Any, device: str) -> torch.Tensor:
        plan = self.worker._store.get(config._model_id)
        if not isinstance(plan, Plan):
            raise UsageError("a private training takes a plan that gives the loss, and no TorchScript")
        fit = PrivateFit(plan, config, dataset, device)
        if key in self.private:  # charged before anything is computed from the data
            self.worker.service(SERVICE).charge(fit.terms.user, fit.event, f"training on data set {key}")
        self.progress = Progress(key, config.id, fit.steps)

        def told() -> bool:
            # How many samples were drawn, and their losses, are private: what is told is what is planned.
            self.progress.add(math.nan, config.batch_size, first_pass=self.progress.samples < len(dataset))
            return bool(self._stopped == config.id)

        fit.run(told)
        return torch.tensor(math.nan)

    def report(self) -> dict[str, Any]:
        """How far the training is that runs or ran last, as plain numbers; answered while it runs if asked aside.

        Returns:
            ``dataset``, ``config`` (its id), ``total``, ``steps``, ``samples``, ``loss`` of the last batch and
            ``train_loss``, the mean of a sample; both NaN before the first batch.
        """
        now = self.progress
        return {
            "dataset": now.dataset,
            "config": now.config,
            "total": now.total,
            "steps": now.steps,
            "samples": now.samples,
            "loss": now.losses[-1] if now.losses else math.nan,
            "train_loss": now.loss_sum / now.seen if now.seen else math.nan,
        }

    def stop(self, config: Any) -> None:
        """Have a training that runs, or is yet to begin, end before its next batch, with what it has done by then.

        Args:
            config: the id of its `TrainConfig`; no other training is stopped.
        """
        self._stopped = config

    def evaluate(
        self,
        dataset_key: str,
        return_histograms: bool = False,
        nr_bins: int = -1,
        return_loss: bool = True,
        return_raw_accuracy: bool = True,
        device: str = "cpu",
    ) -> dict[str, Any]:
        """Evaluate the model on a data set of this worker.

        Args:
            dataset_key: its key.
            return_histograms: also count predictions and targets by class.
            nr_bins: how many classes to count; all that occur when below 1.
            return_loss: also the mean loss of a sample.
            return_raw_accuracy: also how many predictions are right, and how many there are.
            device: where batches are put.

        Returns:
            ``loss``, ``nr_correct_predictions``, ``nr_predictions``, ``histogram_predictions`` and
            ``histogram_target``, as far as they were asked for.

        Raises:
            UsageError: there is no config or no such data set.
            CommandNotPermittedError: the owner of the worker lets this client not compute with it.
            LimitExceededError: the histograms would have more than 10,000 classes, or it takes longer than the worker
                allows.
            ObjectNotFoundError: the model was fetched.
        """
        config, dataset = self._prepared(dataset_key)
        if dataset_key in self.private:
            refuse_plainly(dataset_key, "an evaluation")
        run = self._evaluation(config)
        total, predicted, expected = 0.0, [], []
        with torch.no_grad():
            for data, target in self._batches(config, dataset, device, shuffle=False):
                output, loss = run(data, target)
                total += float(loss) * len(target)
                predicted.append(_classes(output))
                expected.append(_classes(target) if target.dim() > 1 else target.long())
        predictions, targets = torch.cat(predicted), torch.cat(expected)
        report: dict[str, Any] = {}
        if return_loss:
            report["loss"] = total / len(targets)
        if return_raw_accuracy:
            report["nr_correct_predictions"] = int((predictions == targets).sum())
            report["nr_predictions"] = len(targets)
        if return_histograms:
            bins = nr_bins if nr_bins > 0 else int(max(predictions.max(), targets.max())) + 1
            if bins > _MOST_BINS:
                raise LimitExceededError(
                    f"a histogram counts at most {_MOST_BINS} classes, not {bins}; say with nr_bins how many there are"
                )
            report["histogram_predictions"] = _histogram(predictions, bins)
            report["histogram_target"] = _histogram(targets, bins)
        return report

    def _prepared(self, dataset_key: str) -> tuple[TrainConfig, Any]:
        if self.config is None:
            raise UsageError("Operation needs TrainConfig object to be set.")
        access, identity = self._rules()
        if dataset_key not in self.datasets or not (access is None or permits(access.search, identity)):
            raise UsageError(f"Dataset {dataset_key} unknown.")
        if access is not None and not permits(access.run, identity):
            raise CommandNotPermittedError(
                f"the owner of worker {self.worker.id!r} does not let {identity.user or 'strangers'} train or evaluate "
                f"on data set {dataset_key!r}; ask the owner for the right to run"
            )
        return self.config, self.datasets[dataset_key]

    def _rules(self) -> tuple[Any, Any]:
        """The owner's rules and who the client is, where there are such."""
        home = getattr(self.worker, "home", None)
        return getattr(home, "access", None), getattr(self.worker, "identity", None)

    def _batches(
        self, config: TrainConfig, dataset: Any, device: str, shuffle: bool | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        loader = DataLoader(dataset, config.batch_size, shuffle=config.shuffle if shuffle is None else shuffle)
        for data, target in loader:
            next_batch()
            yield data.to(device), target.to(device)

    def _step(self, config: TrainConfig) -> Step:
        model = self.worker._store.get(config._model_id)
        if isinstance(model, Plan):
            return model
        loss_fn = self.worker._store.get(config._loss_fn_id)
        script = _script(model)
        if self._optimizer is None:  # kept from fit to fit until another config comes
            self._optimizer = stock_optimizer(config.optimizer, [(script.parameters(), config.optimizer_args)])
        optimizer = self._optimizer
        script.train()

        def step(data: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            optimizer.zero_grad()
            loss: torch.Tensor = loss_fn(target=target, pred=script(data))
            loss.backward()
            optimizer.step()
            return loss

        return step

    def _evaluation(self, config: TrainConfig) -> Callable[[Any, Any], tuple[torch.Tensor, torch.Tensor]]:
        model = self.worker._store.get(config._model_id)
        if isinstance(model, Plan):
            if config._evaluation is None:
                raise UsageError("this TrainConfig came without a plan to evaluate with")
            return config._evaluation.with_state(model.state)
        loss_fn = self.worker._store.get(config._loss_fn_id)
        script = _script(model)

        def run(data: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            was_training = script.training
            script.eval()
            try:
                output = script(data)
            finally:
                script.train(was_training)
            return output, loss_fn(target=target, pred=output)

        return run


def _steps(config: TrainConfig, dataset: Any) -> int:
    try:
        steps = config.epochs * math.ceil(len(dataset) / config.batch_size)
    except TypeError:  # a stream of samples
        return max(config.max_nr_batches, 0)
    return min(steps, config.max_nr_batches) if config.max_nr_batches >= 0 else steps


def _script(model: Any) -> Any:
    if not isinstance(model, ObjectWrapper) or not isinstance(model.obj, torch.nn.Module):
        raise UsageError(
            f"the model of a TrainConfig must be a plan or a TorchScript module, not {type(model).__name__}"
        )
    return model.obj


def _classes(output: torch.Tensor) -> torch.Tensor:
    if output.dim() < 2 or output.shape[1] == 1:  # one column says yes or no
        return (output.reshape(len(output)) > 0.5).long()
    return output.argmax(dim=1)


def _histogram(classes: torch.Tensor, bins: int) -> list[float]:
    inside = classes[(classes >= 0) & (classes < bins)]
    return [float(count) for count in torch.bincount(inside, minlength=bins)]


SERVICES["training"] = TrainingService
