"""TorchScript on the wire: the archive that ``torch.jit.save`` writes, decoded only where a policy allows it.

TorchScript is code. It computes with tensors and can also read files, so a worker that serves strangers does
not take it: see `syft.workers.policy.Policy.torchscript`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

from syft.exceptions import DecodeError
from syft.serde.registry import register

_REFUSED: ContextVar[bool] = ContextVar("torchscript_refused", default=False)

SCRIPTS = (torch.jit.ScriptModule, torch.jit.ScriptFunction)
"""The types of what ``torch.jit.script`` and ``torch.jit.trace`` return."""


def is_script(value: Any) -> bool:
    """Whether the value is TorchScript."""
    return isinstance(value, SCRIPTS)


@contextmanager
def refused() -> Iterator[None]:
    """Decode without taking TorchScript, whatever the receiver's policy says."""
    before = _REFUSED.set(True)
    try:
        yield
    finally:
        _REFUSED.reset(before)


def _to_wire(script: Any) -> bytes:
    archive = io.BytesIO()
    with warnings.catch_warnings():
        # torch calls all of torch.jit deprecated; what takes its place cannot be sent yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(script, archive)
    return archive.getvalue()


def _from_wire(data: Any, context: Any) -> Any:
    executor = getattr(context, "_executor", None)
    if executor is None or _REFUSED.get() or not executor.policy.torchscript:
        receiver = "nobody" if context is None else f"worker {context.id!r}"
        raise DecodeError(
            f"the message has TorchScript, which is code, and its receiver ({receiver}) does not take any. Send a plan "
            "instead, such as a TrainConfig of a plain module makes; between a worker and clients that trust each "
            "other, say torchscript=True at both ends (syft worker --torchscript)."
        )
    if type(data) is not bytes:
        raise DecodeError(f"TorchScript travels as bytes, not as {type(data).__name__}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(io.BytesIO(data), map_location="cpu")


register(torch.jit.ScriptModule, "torch.script", _to_wire, _from_wire, subclasses=True)
register(torch.jit.ScriptFunction, "torch.script_function", _to_wire, _from_wire)
