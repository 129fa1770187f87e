"""The calls that users make on a worker to host models and to run them. `TorchHook` puts them on workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from syft.core.ids import new_id
from syft.core.messages import Forget, Put, Ref
from syft.exceptions import UsageError
from syft.plans import model_host  # noqa: F401 - registers the service
from syft.plans.plan import Plan
from syft.plans.training import in_mode
from syft.tensors.base import unwrap
from syft.tensors.object_pointer import reference
from syft.tensors.object_wrapper import ObjectWrapper
from syft.tensors.torchscript import is_script
from syft.tensors.verbs import own

Worker = Any


def serve_model(
    self: Worker,
    model: Any,
    model_id: str | None = None,
    mpc: bool = False,
    allow_download: bool = False,
    allow_remote_inference: bool = False,
    *,
    example: Any = None,
    users: Iterable[Any] | None = None,
    user: Any = None,
) -> bool:
    """Host a model on this worker under a name.

    Args:
        model: a built plan, TorchScript, or any module together with an ``example``. A copy is hosted, in evaluation
            mode if it is a module; the model here stays as it is.
        model_id: the name. Under a name that is taken the model becomes the next version.
        mpc: refuse a model that is not shared. A plan with shared state is hosted as it is: its copy here has shares of
            its own at the same holders, this worker drives the protocol, and never sees the model, data or results.
        allow_download: whether users may fetch the model.
        allow_remote_inference: whether users may run it on their data.
        example: an input, or a tuple of inputs, to record a module with.
        users: who may use the model; None for everybody.
        user: who hosts it and alone may change it; None for everybody.

    Returns:
        True.

    Raises:
        UsageError: no name, or a module without an example.
        ModelPermissionError: the name belongs to somebody else.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> gus = sy.VirtualWorker(hook, id="gus")
        >>> gus.serve_model(torch.nn.Flatten(), "flat", allow_remote_inference=True, example=torch.zeros(2, 1, 3))
        True
        >>> gus.run_remote_inference("flat", torch.ones(1, 2, 2))
        tensor([[1., 1., 1., 1.]])
    """
    if mpc and not (isinstance(model, Plan) and model.is_shared):
        raise UsageError(
            "with mpc=True the model is a plan whose state is shared: build it, and then call "
            "plan.fix_precision().share(alice, bob, crypto_provider=james)"
        )
    if model_id is None:
        raise UsageError("a hosted model needs a name: serve_model(model, model_id='digits')")
    hosted = _hostable(model, model_id, example)
    named = None if users is None else frozenset(users)
    about = model_id, allow_download, allow_remote_inference, named, user
    if not (isinstance(hosted, Plan) and hosted.is_shared):
        self.ask("models", "serve", hosted, *about)
        return True
    leaving, id = hosted.leaving(), new_id()
    self.request(Put(((id, leaving),), owning=True))
    own(leaving, False)
    try:
        self.ask("models", "serve", Ref(id), *about)
    finally:
        self.post(Forget((id,)))
    return True


def _hostable(model: Any, model_id: str, example: Any) -> Any:
    if isinstance(model, Plan):
        if not model.is_built:
            raise UsageError(f"plan {model.name!r} is not built; call plan.build(example) before it is hosted")
        return model
    if is_script(model):
        return ObjectWrapper(model)
    if not isinstance(model, nn.Module):
        raise UsageError(f"a worker hosts plans, modules and TorchScript, not a {type(model).__name__}")
    if example is None:
        raise UsageError(
            "a module is hosted as a plan, and to record it an input is needed: "
            "serve_model(model, model_id=..., example=torch.zeros(2, 3)) with the shape of your data"
        )
    plan = Plan(model_id, forward=model, state=model)
    with in_mode(model, training=False):
        plan.build(*(example if isinstance(example, tuple) else (example,)))
    return plan


def list_models(self: Worker, user: Any = None) -> list[dict[str, Any]]:
    """The models that a user may use here.

    Args:
        user: who asks.

    Returns:
        For each version ``id``, ``version``, ``allow_download`` and ``allow_remote_inference``.
    """
    return list(self.ask("models", "describe", user))


def models(self: Worker) -> list[str]:
    """The names of the models that everybody may use here."""
    return list(dict.fromkeys(entry["id"] for entry in list_models(self)))


def delete_model(self: Worker, model_id: str, version: int | None = None, user: Any = None) -> bool:
    """Take a model away from this worker, or one version of it; True.

    Raises:
        ModelNotFoundError: there is none.
        ModelPermissionError: somebody else hosted it.
    """
    return bool(self.ask("models", "delete", model_id, version, user))


def run_remote_inference(self: Worker, model_id: str, *data: Any, version: int | None = None, user: Any = None) -> Any:
    """Run a model of this worker on a batch.

    Args:
        model_id: its name.
        *data: local tensors, which travel to the worker, or pointers to tensors that are there. Of shared tensors only
            the descriptions travel.
        version: which version; the newest when None.
        user: who asks.

    Returns:
        The result: for local data it comes back here, for pointers it stays there and a pointer is returned.

    Raises:
        ModelNotFoundError: there is no such model for this user.
        ModelPermissionError: the model is not run for others.
    """
    links = unwrap(list(data))
    remote = [link for link in links if getattr(link, "location", None) is not None]
    reply = self.ask("models", "run", model_id, *[reference(link, self) for link in links], version=version, user=user)
    if not remote:
        return self.fetch_reply(reply)
    return _pointers(remote[0].answer(reply))


def _pointers(answer: Any) -> Any:
    if isinstance(answer, (list, tuple)):
        return [_pointers(part) for part in answer]
    return answer.wrap() if hasattr(answer, "wrap") else answer


def download_model(self: Worker, model_id: str, version: int | None = None, user: Any = None) -> Any:
    """A copy of a model of this worker.

    Args:
        model_id: its name.
        version: which version; the newest when None.
        user: who asks.

    Returns:
        A `Plan`, or an `ObjectWrapper` with TorchScript.

    Raises:
        ModelNotFoundError: there is no such model for this user.
        ModelPermissionError: the model is not given out.
    """
    return self.fetch_reply(self.ask("models", "download", model_id, version, user))
