"""A worker's own models: hosted under a name, with versions, run for those who may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from syft.exceptions import ModelNotFoundError, ModelPermissionError, UsageError
from syft.plans.handover import is_at_home, run_for
from syft.plans.plan import Plan
from syft.plans.tree import wrapped
from syft.tensors.object_wrapper import ObjectWrapper
from syft.workers.services import SERVICES

_KIND = "model"


@dataclass(frozen=True, slots=True)
class Hosted:
    """One version of a model.

    Attributes:
        version: counted from 1.
        model: what runs.
        allow_download: whether its users may fetch it.
        allow_remote_inference: whether its users may run it here.
        users: who may use it; None for everybody.
        host: who hosted it and may delete it; None for everybody.
    """

    version: int
    model: Plan | ObjectWrapper
    allow_download: bool
    allow_remote_inference: bool
    users: frozenset[Any] | None
    host: Any


class ModelHost:
    """The models that a worker hosts. Workers have one each, as their service ``models``.

    Args:
        worker: whose.
    """

    remote_methods = frozenset({"serve", "describe", "delete", "run", "download"})

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        home = getattr(worker, "home", None)  # all clients of a served worker see the same models, each as its user
        self._models: dict[str, list[Hosted]] = {} if home is None else home.service("models")._models

    def serve(
        self,
        model: Any,
        model_id: str,
        allow_download: bool = False,
        allow_remote_inference: bool = False,
        users: Iterable[Any] | None = None,
        user: Any = None,
    ) -> int:
        """Host a model under a name; under a name that is taken it becomes the next version.

        Args:
            model: a plan, or TorchScript in an `ObjectWrapper`.
            model_id: the name.
            allow_download: whether its users may fetch it.
            allow_remote_inference: whether its users may run it here.
            users: who may use it; None for everybody.
            user: who hosts it, and alone may add versions to it or delete it; None for everybody.

        Returns:
            The version.

        Raises:
            UsageError: this is no model, or no name.
            ModelPermissionError: the name belongs to somebody else.
        """
        if not isinstance(model, (Plan, ObjectWrapper)):
            raise UsageError(f"a worker hosts plans and TorchScript, not a {type(model).__name__}")
        user = self._who(user)
        if type(model_id) is not str or not model_id:
            raise UsageError(f"a hosted model needs a name: model_id must be text, not {model_id!r}")
        versions = self._models.get(model_id, [])
        if versions and versions[-1].host not in (None, user):
            raise ModelPermissionError(f"model {model_id!r} was hosted by somebody else; choose another name.")
        version = versions[-1].version + 1 if versions else 1
        allowed = None if users is None else frozenset(users)
        charge = getattr(self.worker, "charge", None)  # a client of a served worker may leave only so much there
        if charge is not None:
            charge((_KIND, model_id, version), (model, model_id, allowed))
        hosted = Hosted(version, model, bool(allow_download), bool(allow_remote_inference), allowed, user)
        self._models[model_id] = [*versions, hosted]
        return version

    def describe(self, user: Any = None) -> list[dict[str, Any]]:
        """The models that a user may use: names, versions and what is allowed, in the order of the names."""
        user = self._who(user)
        return [
            {
                "id": name,
                "version": hosted.version,
                "allow_download": hosted.allow_download,
                "allow_remote_inference": hosted.allow_remote_inference,
            }
            for name in sorted(self._models)
            for hosted in self._models[name]
            if _may_use(hosted, user)
        ]

    def delete(self, model_id: str, version: int | None = None, user: Any = None) -> bool:
        """Take a model away, or one version of it.

        Raises:
            ModelNotFoundError: there is none.
            ModelPermissionError: somebody else hosted it.
        """
        user = self._who(user)
        versions = self._versions(model_id, version, user)
        if any(hosted.host not in (None, user) for hosted in versions):
            raise ModelPermissionError(f"model {model_id!r} was hosted by somebody else, who alone may delete it.")
        rest = [hosted for hosted in self._models[model_id] if hosted not in versions]
        release = getattr(self.worker, "release", None)
        if release is not None:
            for hosted in versions:
                release((_KIND, model_id, hosted.version))
        if rest:
            self._models[model_id] = rest
        else:
            del self._models[model_id]
        return True

    def run(self, model_id: str, *data: Any, version: int | None = None, user: Any = None) -> Any:
        """Run a model on a batch, without gradients.

        Raises:
            ModelNotFoundError: there is none.
            ModelPermissionError: the user may not run it.
        """
        hosted = self._versions(model_id, version, self._who(user))[-1]
        if not hosted.allow_remote_inference:
            raise ModelPermissionError(
                f"model {model_id!r} is not run for others; its host can allow that with allow_remote_inference=True."
            )
        data = wrapped(data)
        with torch.no_grad():
            return run_for(self.worker, hosted.model, data) if isinstance(hosted.model, Plan) else hosted.model(*data)

    def download(self, model_id: str, version: int | None = None, user: Any = None) -> Any:
        """A model itself.

        Raises:
            ModelNotFoundError: there is none.
            ModelPermissionError: the user may not have it.
        """
        hosted = self._versions(model_id, version, self._who(user))[-1]
        if not hosted.allow_download:
            raise ModelPermissionError(
                f"model {model_id!r} is not given out; its host can allow that with allow_download=True."
            )
        if not isinstance(hosted.model, Plan):
            return hosted.model
        if not is_at_home(hosted.model, self.worker):
            raise ModelPermissionError(
                f"model {model_id!r} is shared, and its shares are in the sessions of the client that hosted it; run "
                f"it on worker {self.worker.id!r} with run_remote_inference()."
            )
        return hosted.model.leaving()

    def _who(self, user: Any) -> Any:
        """The user that a client is known as, whatever its message says."""
        known = getattr(getattr(self.worker, "identity", None), "user", None)
        if known is None:
            return user
        if user not in (None, known):
            raise ModelPermissionError(f"you are {known!r} on this worker and cannot speak for user {user!r}.")
        return known

    def _versions(self, model_id: Any, version: int | None, user: Any) -> list[Hosted]:
        found = [hosted for hosted in self._models.get(model_id, []) if version in (None, hosted.version)]
        # To those who may not use a model it does not exist.
        found = [hosted for hosted in found if _may_use(hosted, user) or hosted.host == user is not None]
        if not found:
            which = "" if version is None else f" of version {version}"
            raise ModelNotFoundError(
                f"worker {self.worker.id!r} has no model {str(model_id)[:80]!r}{which} for user {user!r}; "
                "worker.list_models(user=...) says which it has."
            )
        return found


def _may_use(hosted: Hosted, user: Any) -> bool:
    return hosted.users is None or user in hosted.users


SERVICES["models"] = ModelHost
