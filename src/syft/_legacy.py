"""Old import paths, one line each: the only place that knows 0.2.4's module tree."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

ALIASES = {
    "syft.common.util": "syft.chebyshev",
    "syft.federated.floptimizer": "syft.federated.optimizers",
    "syft.federated.utils": "syft.federated.fl_utils",
    "syft.frameworks.torch.dp": "syft.dp",
    "syft.frameworks.torch.dp.pate": "syft.dp.pate",
    "syft.frameworks.torch.fl": "syft.federated",
    "syft.frameworks.torch.fl.dataset": "syft.federated.federate",
    "syft.frameworks.torch.fl.loader": "syft.federated.loader",
    "syft.frameworks.torch.fl.utils": "syft.federated.fl_utils",
    "syft.frameworks.torch.he.fv": "syft.he.fv",
    "syft.frameworks.torch.he.fv.ciphertext": "syft.he.fv",
    "syft.frameworks.torch.he.fv.context": "syft.he.fv",
    "syft.frameworks.torch.he.fv.decryptor": "syft.he.fv",
    "syft.frameworks.torch.he.fv.encryption_params": "syft.he.fv",
    "syft.frameworks.torch.he.fv.encryptor": "syft.he.fv",
    "syft.frameworks.torch.he.fv.evaluator": "syft.he.fv",
    "syft.frameworks.torch.he.fv.integer_encoder": "syft.he.fv",
    "syft.frameworks.torch.he.fv.key_generator": "syft.he.fv",
    "syft.frameworks.torch.he.fv.modulus": "syft.he.fv",
    "syft.frameworks.torch.he.fv.plaintext": "syft.he.fv",
    "syft.frameworks.torch.he.fv.public_key": "syft.he.fv",
    "syft.frameworks.torch.he.fv.relin_keys": "syft.he.fv",
    "syft.frameworks.torch.he.fv.secret_key": "syft.he.fv",
    "syft.frameworks.torch.he.paillier": "syft.he.paillier",
    "syft.frameworks.torch.linalg": "syft.mpc.linalg",
    "syft.frameworks.torch.linalg.lr": "syft.mpc.linalg",
    "syft.frameworks.torch.linalg.operations": "syft.mpc.linalg.matrices",
    "syft.frameworks.torch.mpc": "syft.mpc",
    "syft.frameworks.torch.mpc.securenn": "syft.mpc.securenn",
    "syft.frameworks.torch.mpc.spdz": "syft.mpc.spdz",
    "syft.frameworks.torch.tensors.decorators.logging": "syft.tensors.logging",
    "syft.frameworks.torch.tensors.interpreters.additive_shared": "syft.mpc.shared",
    "syft.frameworks.torch.tensors.interpreters.autograd": "syft.tensors.autograd",
    "syft.frameworks.torch.tensors.interpreters.large_precision": "syft.encoded.large",
    "syft.frameworks.torch.tensors.interpreters.numpy": "syft.tensors.numpy_tensor",
    "syft.frameworks.torch.tensors.interpreters.paillier": "syft.he.paillier",
    "syft.frameworks.torch.tensors.interpreters.precision": "syft.encoded.fixed",
    "syft.frameworks.torch.tensors.interpreters.private": "syft.tensors.private",
    "syft.generic.frameworks.hook.hook_args": "syft.tensors.hook_args",
    "syft.generic.frameworks.overload": "syft.tensors.abstract",
    "syft.generic.id_provider": "syft.core.ids",
    "syft.generic.metrics": "syft.metrics",
    "syft.generic.object_storage": "syft.workers.object_storage",
    "syft.generic.pointers.callable_pointer": "syft.tensors.object_wrapper",
    "syft.generic.pointers.multi_pointer": "syft.tensors.multi_pointer",
    "syft.generic.pointers.object_pointer": "syft.tensors.object_pointer",
    "syft.generic.pointers.object_wrapper": "syft.tensors.object_wrapper",
    "syft.generic.pointers.pointer_tensor": "syft.tensors.pointer",
    "syft.generic.pointers.string_pointer": "syft.tensors.strings",
    "syft.generic.string": "syft.tensors.strings",
    "syft.generic.tensor": "syft.tensors.abstract",
    "syft.messaging.message": "syft.core.messages",
    "syft.messaging.plan": "syft.plans.plan",
    "syft.messaging.plan.plan": "syft.plans.plan",
    "syft.messaging.plan.state": "syft.plans.state",
    "syft.generic.pointers.pointer_plan": "syft.plans.pointer",
    "syft.execution.plan": "syft.plans.plan",
    "syft.execution.state": "syft.plans.state",
    "syft.serde.msgpack.serde": "syft.serde",
    "syft.workers.abstract": "syft.workers.base",
}
"""Old path → today's module."""

_PARENTS = {name.rsplit(".", up)[0] for name in ALIASES for up in range(1, name.count("."))} - {"syft"}


class _LegacyFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves an old path as the module it names now, and missing parents as empty packages."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in ALIASES or fullname in _PARENTS:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ not in ALIASES:
            return
        # Returned from sys.modules, so the old path is the very module of today.
        today = sys.modules[module.__name__] = importlib.import_module(ALIASES[module.__name__])
        # So are those below it, now: Python would look for them in the folder of today's package and import what has
        # the same name there a second time, or find that today's module is no package.
        for path in ALIASES:
            if path.startswith(f"{module.__name__}."):
                below = sys.modules[path] = importlib.import_module(ALIASES[path])
                vars(today).setdefault(path.rpartition(".")[2], below)


def install() -> None:
    """Make the old paths importable. Real modules always win."""
    if not any(isinstance(finder, _LegacyFinder) for finder in sys.meta_path):
        sys.meta_path.append(_LegacyFinder())
