"""`TorchHook`: gives torch the verbs of syft. `METHODS` is all that it adds."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import Dataset

from syft.core.ops import PROTOCOLS, is_allowed
from syft.core.session import SESSION
from syft.encoded import (
    adaptive,
    encryption,
    precision,
    rules_arithmetic,
    rules_functions,
    rules_indexing,
    rules_large,
    rules_layers,
    rules_losses,
    rules_networks,
    rules_selection,
    rules_structure,
)
from syft.exceptions import UnsupportedOp
from syft.federated import federated_client, privacy_service
from syft.federated.federate import federate
from syft.federated.optimizer_state import before_step
from syft.he.paillier import verbs as paillier_verbs
from syft.mpc import dealing, kernels, preparing, remote_verbs, ring, sharing, travel
from syft.mpc import modules as mpc_modules
from syft.mpc import service as mpc_service
from syft.plans import serving
from syft.tensors import attributes, modules, pointer_rules, verbs, wire
from syft.tensors.base import SyftTensor, Wrapper
from syft.tensors.hook_args import handle_func_command
from syft.tensors.numpy_tensor import numpy_tensor
from syft.tensors.private import private_tensor
from syft.workers import object_kinds
from syft.workers.base import BaseWorker
from syft.workers.services import SERVICES
from syft.workers.virtual import VirtualWorker

SERVICES[PROTOCOLS] = mpc_service.MpcService

logger = logging.getLogger("syft.torch_hook")

METHODS: dict[type, dict[str, Any]] = {
    torch.Tensor: {
        "send": verbs.send,
        "send_": verbs.send_,
        "get": verbs.get,
        "get_": verbs.get_,
        "move": verbs.move,
        "remote_send": verbs.remote_send,
        "remote_get": verbs.remote_get,
        "copy": verbs.copy,
        "tag": verbs.tag,
        "describe": verbs.describe,
        "allow": verbs.allow,
        "private_tensor": private_tensor,
        "numpy_tensor": numpy_tensor,
        "fix_precision": precision.fix_precision,
        "fix_prec": precision.fix_precision,
        "fix_precision_": precision.fix_precision_,
        "fix_prec_": precision.fix_precision_,
        "float_precision": precision.float_precision,
        "float_prec": precision.float_precision,
        "float_precision_": precision.float_precision_,
        "float_prec_": precision.float_precision_,
        "share": sharing.share,
        "share_": sharing.share_,
        "encrypt": encryption.encrypt,
        "decrypt": encryption.decrypt,
        "handle_func_command": staticmethod(handle_func_command),
        "combine": verbs.combine,
        "create_pointer": verbs.create_pointer,
        "on": verbs.on,
        "wrap": verbs.wrap_over,
        "serialize": verbs.serialize,
        "ser": verbs.serialize,
        "torch_type": attributes.torch_type,
        "has_child": attributes.has_child,
        "id": attributes.id_,
        "owner": attributes.owner,
        "is_wrapper": attributes.is_wrapped,
        "location": attributes.location,
        "tags": attributes.tags,
        "description": attributes.description,
        "ptr": attributes.ptr,
        "__repr__": attributes.text_with_names(torch.Tensor.__repr__),
    },
    nn.Module: {
        "send": modules.send,
        "send_": modules.send,
        "get": mpc_modules.module_get,
        "get_": mpc_modules.module_get,
        "fix_precision": precision.module_fix_precision,
        "fix_prec": precision.module_fix_precision,
        "fix_precision_": precision.module_fix_precision,
        "float_precision": precision.module_float_precision,
        "float_prec": precision.module_float_precision,
        "float_precision_": precision.module_float_precision,
        "share": mpc_modules.module_share,
        "share_": mpc_modules.module_share,
        "encrypt": mpc_modules.module_encrypt,
        "decrypt": mpc_modules.module_decrypt,
        "move": modules.move,
        "copy": modules.copy,
        "named_tensors": nn.Module.named_parameters,
        "location": modules.ModuleAttribute("location", modules.location),
        "owner": modules.ModuleAttribute("owner", modules.owner),
    },
    torch.optim.Optimizer: {
        "fix_precision": precision.optimizer_fix_precision,
        "fix_prec": precision.optimizer_fix_precision,
        "float_precision": precision.optimizer_float_precision,
        "float_prec": precision.optimizer_float_precision,
    },
    Dataset: {"federate": federate},
}
"""Everything that hooking adds to torch: class, name, what stands there. Besides, torch calls
`before_step` before every optimizer step, and what `adaptive` has before and after it,
through the hooks it offers for that."""

WORKER_METHODS: dict[str, Any] = {
    "prepare": preparing.prepare,
    "crypto_store": property(preparing.crypto_store),
    "serve_model": serving.serve_model,
    "list_models": serving.list_models,
    "models": property(serving.models),
    "delete_model": serving.delete_model,
    "run_remote_inference": serving.run_remote_inference,
    "download_model": serving.download_model,
    "add_dataset": federated_client.add_dataset,
    "remove_dataset": federated_client.remove_dataset,
    "datasets": property(federated_client.datasets),
    "train_config": property(federated_client.train_config),
    "fit": federated_client.fit,
    "evaluate": federated_client.evaluate,
    "privacy": property(privacy_service.privacy),
}
"""What rooms above the workers add to every worker."""

_RULES = (
    object_kinds,
    pointer_rules,
    wire,
    rules_arithmetic,
    rules_functions,
    rules_large,
    rules_indexing,
    rules_layers,
    rules_losses,
    rules_networks,
    rules_selection,
    rules_structure,
    kernels,
    dealing,
    remote_verbs,
    ring,
    travel,
    paillier_verbs,
)  # importing them registers what they define


class TorchHook:
    """Adds syft's verbs to torch and makes the worker that stands for this process.

    Local torch stays as it was: nothing that torch has is replaced but the printing of tensors, which then
    shows tags and descriptions.

    Args:
        torch: the torch module.
        local_worker: who stands for this process; a `VirtualWorker` called ``me`` when None. Ignored once
            torch is hooked.
        is_client: kept for 0.2.4 code; becomes ``local_worker.is_client_worker``.
        verbose: accepted for 0.2.4 code, no effect.

    Attributes:
        local_worker: the worker that stands for this process.
        torch: the torch module.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> hook.local_worker.id
        'me'
    """

    ALIAS = "torch"

    def __init__(
        self, torch: ModuleType = torch, local_worker: Any = None, is_client: bool = True, verbose: bool = True
    ) -> None:
        self.torch = torch
        self.trace: Any = None
        if SESSION.local_worker is not None:
            logger.warning("Torch was already hooked... skipping hooking process")
            self.local_worker = SESSION.local_worker
            return
        for cls, methods in METHODS.items():
            for name, method in methods.items():
                setattr(cls, name, method)
        for name, method in WORKER_METHODS.items():
            setattr(BaseWorker, name, method)
        register_optimizer_step_pre_hook(before_step)
        register_optimizer_step_pre_hook(adaptive.raise_gradients)
        register_optimizer_step_post_hook(adaptive.lower_gradients)
        torch.torch_hooked = True  # type: ignore[attr-defined]
        if local_worker is None:
            local_worker = VirtualWorker(hook=None, id="me", is_client_worker=is_client)
        self.local_worker = SESSION.local_worker = local_worker
        SESSION.hook = self
        local_worker.hook = self
        local_worker.torch, local_worker.framework = torch, self.framework

    @property
    def framework(self) -> TorchHook:
        """0.2.4's name for what stands between syft and torch."""
        return self

    @property
    def hook(self) -> TorchHook:
        """This hook (``sy.framework.hook`` in 0.2.4)."""
        return self

    @staticmethod
    def create_shape(dims: Any) -> torch.Size:
        """A torch shape of these dimensions."""
        return torch.Size(dims)

    @staticmethod
    def create_wrapper(wrapper_type: Any = None) -> Wrapper:
        """An empty wrapper.

        Raises:
            UnsupportedOp: a wrapper type other than ``torch.Tensor`` was asked for.
        """
        return SyftTensor().wrap(type=wrapper_type)

    @staticmethod
    def create_zeros(*shape: Any, dtype: Any = None, **kwargs: Any) -> torch.Tensor:
        """``torch.zeros`` under 0.2.4's name."""
        return torch.zeros(*shape, dtype=dtype, **kwargs)

    @staticmethod
    def _is_command_valid_guard(name: str) -> bool:
        return is_allowed(name)

    @staticmethod
    def _command_guard(name: str) -> str:
        if not is_allowed(name):
            raise UnsupportedOp(f'Command "{name}" is not a supported torch operation.')
        return name

    @staticmethod
    def _hook_syft_tensor_methods(tensor_type: type) -> None:
        """Kept for 0.2.4 code: tensor types register when they are defined."""
