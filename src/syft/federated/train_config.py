"""`TrainConfig`: what to train and how, sent to workers that have the data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from syft.core.ids import new_id
from syft.core.session import SESSION
from syft.dp.layers import check_layers
from syft.dp.terms import TrainingTerms
from syft.exceptions import FederatedError, NotRemoteError, UsageError
from syft.plans.plan import Plan
from syft.plans.training import LossPlan, TrainingPlan, evaluation_plan
from syft.serde.checks import flag, integer, items, object_id, text
from syft.serde.registry import serializable
from syft.tensors.object_wrapper import ObjectWrapper
from syft.tensors.torchscript import is_script


@serializable("syft.train_config")
class TrainConfig:
    """What a worker needs to train a model on a data set of its own: the model, the loss and the settings.

    A plain module is recorded as a `TrainingPlan`, for which an example of the data is needed. TorchScript, as 0.2
    programs send it, is run as it is, where the worker's policy takes TorchScript.

    Args:
        model: a module, or TorchScript.
        loss_fn: called by keyword, with ``pred`` and ``target``; TorchScript if the model is.
        owner: the worker it belongs to; the local one when None.
        batch_size: samples a batch.
        epochs: passes over the data in one ``fit``.
        optimizer: the name of an optimizer of ``torch.optim``.
        optimizer_args: its options; ``{"lr": 0.1}`` when None.
        id: its id; drawn when None.
        max_nr_batches: steps of one ``fit`` at most, over all epochs; -1 for no limit.
        shuffle: draw a new order every pass.
        loss_fn_id: the id of the loss on the worker, once sent.
        model_id: the id of the model on the worker, once sent.
        example: a pair of data and targets like those on the workers, to record a plain module with.
        privacy: train with differential privacy on these terms (`syft.dp.TrainingTerms`): batches are then drawn by
            Poisson sampling and ``batch_size`` is their mean size. Private data sets ask for it.

    Raises:
        UsageError: a number makes no sense.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> ivy = sy.VirtualWorker(hook, id="ivy")
        >>> data = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> ivy.add_dataset(sy.BaseDataset(data, data), key="swap")
        >>> def loss_fn(pred, target):
        ...     return ((pred - target) ** 2).mean()
        >>> config = sy.TrainConfig(torch.nn.Linear(2, 2), loss_fn, batch_size=2, example=(data, data)).send(ivy)
        >>> bool(ivy.fit("swap") > 0), config.model_ptr.get()(data).shape
        (True, torch.Size([2, 2]))
    """

    def __init__(
        self,
        model: Any = None,
        loss_fn: Any = None,
        owner: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        optimizer: str = "SGD",
        optimizer_args: Mapping[str, Any] | None = None,
        id: Any = None,
        max_nr_batches: int = -1,
        shuffle: bool = True,
        loss_fn_id: Any = None,
        model_id: Any = None,
        *,
        example: tuple[torch.Tensor, torch.Tensor] | None = None,
        privacy: TrainingTerms | None = None,
    ) -> None:
        if batch_size < 1 or epochs < 0 or max_nr_batches < -1:
            raise UsageError(
                f"batch_size={batch_size}, epochs={epochs}, max_nr_batches={max_nr_batches}: a batch has 1 sample or "
                "more, epochs are 0 or more, and max_nr_batches is -1 (no limit) or more"
            )
        self.model, self.loss_fn = model, loss_fn
        self.owner = SESSION.local_worker if owner is None else owner
        self.batch_size, self.epochs = batch_size, epochs
        self.optimizer = optimizer
        self.optimizer_args = {"lr": 0.1} if optimizer_args is None else dict(optimizer_args)
        self.id = new_id() if id is None else id
        self.max_nr_batches, self.shuffle = max_nr_batches, shuffle
        self.location: Any = None
        self.example, self.privacy = example, privacy
        self.model_ptr: Any = None
        self.loss_fn_ptr: Any = None
        self._model_id, self._loss_fn_id = model_id, loss_fn_id
        self._plan: TrainingPlan | LossPlan | None = None
        self._evaluation: Plan | None = None

    def send(self, worker: Any) -> TrainConfig:
        """Send model, loss and settings to a worker, which trains with them from its next ``fit`` on.

        Args:
            worker: a worker or its id.

        Returns:
            This very config, with ``model_ptr`` (and for TorchScript ``loss_fn_ptr``) pointing there.

        Raises:
            UsageError: the model is a plain module and there is no example.
        """
        worker = SESSION.worker(worker)
        if is_script(self.model):
            if self.privacy is not None:
                raise UsageError("a private training takes a plain module, which is sent as a plan, not TorchScript")
            model, loss = ObjectWrapper(self.model, self._model_id), ObjectWrapper(self.loss_fn, self._loss_fn_id)
            self.model_ptr, self.loss_fn_ptr = self.owner.send(model, worker), self.owner.send(loss, worker)
            self._model_id, self._loss_fn_id = model.id, loss.id
        else:
            plan = self.training_plan()
            self.model_ptr, self.loss_fn_ptr = TrainedModel(plan, plan.send(worker, refresh=True)), None
            self._model_id, self._loss_fn_id = plan.id, None
        worker.ask("training", "configure", self)
        return self

    def training_plan(self) -> TrainingPlan | LossPlan:
        """The plan that a plain module is trained as, recorded once; its state is the module's own.

        A private training needs the loss alone: who trains takes the gradients and the steps.

        Raises:
            UsageError: the model is not a plain module, or there is no example.
        """
        if self._plan is not None and self._plan.model is self.model:
            return self._plan
        if not isinstance(self.model, nn.Module):
            raise UsageError(f"a TrainConfig trains a module, not a {type(self.model).__name__}")
        if self.example is None:
            raise UsageError(
                "a module is trained elsewhere as a plan, and to record it a batch is needed: "
                "TrainConfig(model, loss_fn, example=(data, targets)) with two samples or more like those there"
            )
        data, targets = self.example
        loss = _by_keyword(self.loss_fn)
        plan: TrainingPlan | LossPlan
        if self.privacy is None:
            plan = TrainingPlan(self.model, loss, self.optimizer, self.optimizer_args, id=self._model_id)
        else:
            check_layers(self.model)
            plan = LossPlan(self.model, loss, id=self._model_id)
        plan.build(data, targets)
        self._evaluation = evaluation_plan(self.model, loss, data, targets)
        self._plan = plan
        return plan

    def again(self) -> TrainConfig:
        """The same training, of the same model, under an id of its own: for another worker or another time."""
        twin = copy.copy(self)
        twin.id, twin.model_ptr, twin.loss_fn_ptr = new_id(), None, None
        return twin

    def get_model(self) -> Any:
        """Fetch the trained model: a box that can be called, with the model as its ``obj``.

        Raises:
            NotRemoteError: the config was not sent.
        """
        return self._sent(self.model_ptr, "model").get()

    def get_loss_fn(self) -> Any:
        """Fetch the loss.

        Raises:
            NotRemoteError: the config was not sent, or the loss is a part of the plan.
        """
        return self._sent(self.loss_fn_ptr, "loss").get()

    def _sent(self, pointer: Any, what: str) -> Any:
        if pointer is None:
            raise NotRemoteError(f"the {what} of this config is not on a worker by itself; send the config first.")
        return pointer

    def to_wire(self) -> Any:
        """What travels: settings, the ids of model and loss, and the plan that evaluates."""
        settings = [
            self.batch_size,
            self.epochs,
            self.optimizer,
            self.optimizer_args,
            self.max_nr_batches,
            self.shuffle,
        ]
        terms = [] if self.privacy is None else [self.privacy.to_wire()]
        return [self.id, self._model_id, self._loss_fn_id, *settings, self._evaluation, *terms]

    @classmethod
    def from_wire(cls, data: Any, context: Any) -> TrainConfig:
        """The config again, without a model of its own."""
        id, model_id, loss_fn_id, batch_size, epochs, optimizer, options, limit, shuffle, evaluation, *terms = items(
            data
        )
        if not isinstance(options, dict) or not isinstance(evaluation, (Plan, type(None))) or len(terms) > 1:
            raise ValueError("a config has options by name and a plan to evaluate with")
        config = cls(
            None,
            None,
            context,
            integer(batch_size),
            integer(epochs),
            text(optimizer),
            options,
            object_id(id),
            integer(limit),
            flag(shuffle),
            None if loss_fn_id is None else object_id(loss_fn_id),
            object_id(model_id),
            privacy=TrainingTerms.from_wire(terms[0]) if terms else None,
        )
        config._evaluation = evaluation
        return config

    def __str__(self) -> str:
        owner = getattr(self.owner, "id", self.owner)
        location = f" location:{getattr(self.location, 'id', self.location)}" if self.location is not None else ""
        settings = f"epochs: {self.epochs} batch_size: {self.batch_size} optimizer_args: {self.optimizer_args}"
        return f"<TrainConfig id:{self.id} owner:{owner}{location} {settings}>"


class TrainedModel:
    """Stands for a model that is trained elsewhere as a plan.

    Args:
        plan: the plan of the model, here.
        pointer: the plan, there.
    """

    def __init__(self, plan: TrainingPlan | LossPlan, pointer: Any) -> None:
        self.plan, self.pointer = plan, pointer

    def get(self) -> ObjectWrapper:
        """Fetch the trained weights into the model here; a box around it. The worker forgets its own."""
        self.plan.load_state(self.pointer.get())
        self.pointer.delete()
        return ObjectWrapper(self.plan.model)

    def __repr__(self) -> str:
        return repr(self.pointer)


def _by_keyword(loss_fn: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def loss(output: Any, target: Any) -> Any:
        try:
            return loss_fn(pred=output, target=target)
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise FederatedError(
                f"the loss of a TrainConfig is called as loss_fn(pred=..., target=...), and this one says: {error}"
            ) from error

    return loss
