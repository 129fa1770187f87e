"""syft: deep learning on data that stays where it is.

Everything that can be reached from here through ``__all__`` is public.
"""

from __future__ import annotations

from typing import Any as _Any

from syft import dp, exceptions, he, mpc, serde, version
from syft._legacy import install as _install_legacy_paths
from syft.core.ids import ID_PROVIDER
from syft.core.session import SESSION as _SESSION
from syft.encoded.fixed import FixedPrecisionTensor
from syft.encoded.large import LargePrecisionTensor
from syft.federated.concurrent import ConcurrentTrainer
from syft.federated.dataset import BaseDataset, PointerDataset
from syft.federated.federate import FederatedDataset
from syft.federated.loader import FederatedDataLoader
from syft.federated.train_config import TrainConfig
from syft.federated.trainer import FederatedTrainer
from syft.grid.private_grid import PrivateGridNetwork, VirtualGrid
from syft.he.paillier import keygen
from syft.mpc.shared import AdditiveSharingTensor
from syft.plans import protocol_wire as _protocols_on_the_wire  # noqa: F401 - registers their form
from syft.plans import wire as _plans_on_the_wire  # noqa: F401 - registers their form
from syft.plans.decorators import func2plan, method2plan
from syft.plans.plan import Plan
from syft.plans.pointer import PointerPlan
from syft.plans.protocol import Protocol
from syft.plans.protocol_pointer import PointerProtocol
from syft.plans.roles import func2protocol
from syft.plans.state import State
from syft.plans.training import TrainingPlan
from syft.sandbox import create_sandbox, make_hook
from syft.tensors.abstract import AbstractTensor
from syft.tensors.autograd import AutogradTensor
from syft.tensors.logging import LoggingTensor
from syft.tensors.multi_pointer import MultiPointerTensor, combine_pointers
from syft.tensors.numpy_tensor import NumpyTensor
from syft.tensors.object_wrapper import ObjectWrapper
from syft.tensors.pointer import PointerTensor
from syft.tensors.private import PrivateTensor
from syft.tensors.strings import String
from syft.torch_hook import TorchHook
from syft.version import __version__
from syft.workers import session_service as _session_service  # noqa: F401 - registers it
from syft.workers.virtual import VirtualWorker
from syft.workers.websocket_client import WebsocketClientWorker
from syft.workers.websocket_server import WebsocketServerWorker

_install_legacy_paths()

__all__ = [
    "ID_PROVIDER",
    "AbstractTensor",
    "AdditiveSharingTensor",
    "AutogradTensor",
    "BaseDataset",
    "ConcurrentTrainer",
    "FederatedDataLoader",
    "FederatedDataset",
    "FederatedTrainer",
    "FixedPrecisionTensor",
    "LargePrecisionTensor",
    "LoggingTensor",
    "MultiPointerTensor",
    "NumpyTensor",
    "ObjectWrapper",
    "Plan",
    "PointerDataset",
    "PointerPlan",
    "PointerProtocol",
    "PointerTensor",
    "PrivateGridNetwork",
    "PrivateTensor",
    "Protocol",
    "State",
    "String",
    "TorchHook",
    "TrainConfig",
    "TrainingPlan",
    "VirtualGrid",
    "VirtualWorker",
    "WebsocketClientWorker",
    "WebsocketServerWorker",
    "__version__",
    "combine_pointers",
    "create_sandbox",
    "dp",
    "exceptions",
    "framework",
    "func2plan",
    "func2protocol",
    "he",
    "hook",
    "keygen",
    "local_worker",
    "make_hook",
    "method2plan",
    "mpc",
    "serde",
    "torch",
    "version",
]


def __getattr__(name: str) -> _Any:
    # 0.2.4's names for what exists only once torch is hooked.
    hook = _SESSION.hook
    if name == "local_worker":
        return _SESSION.local_worker
    if name == "hook":
        return make_hook if hook is None else hook
    if name in ("torch", "framework"):
        return None if hook is None else hook.framework
    raise AttributeError(f"module 'syft' has no attribute {name!r}")
