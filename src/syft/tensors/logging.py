"""`LoggingTensor`: says which torch calls pass through it. The smallest real tensor type; read it first."""

from __future__ import annotations

import sys
from typing import Any

from syft.core.ops import Op
from syft.tensors.chain import ChainTensor

_METHODS = frozenset({"Tensor.add"})
_FUNCTIONS = frozenset({"torch.add", "torch.mul", "torch.nn.functional.relu"})


class LoggingTensor(ChainTensor):
    """Writes a line to standard output for ``add`` and for every torch function, and passes the call on.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> x = sy.LoggingTensor().on(torch.tensor([1, 2]))
        >>> torch.div(x, 2)
        Default log torch.div
        (Wrapper)>LoggingTensor>tensor([0.5000, 1.0000])
    """

    @classmethod
    def default(cls, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Say what is called, then run it on what is under the link."""
        if op.name in _METHODS:
            sys.stdout.write(f"Log method {op.key}\n")
        elif op.name in _FUNCTIONS:
            sys.stdout.write(f"Log function {op.name}\n")
        elif not op.name.startswith("Tensor."):
            sys.stdout.write(f"Default log {op.name}\n")
        return super().default(op, args, kwargs)
