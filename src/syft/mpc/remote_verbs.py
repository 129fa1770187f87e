"""The verbs of encoded tensors on a tensor that is at a worker: the worker does what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from syft.core.ops import kernel
from syft.encoded.large import FIELD
from syft.encoded.precision import fix_precision, float_precision, needs_large
from syft.mpc.service import MpcService
from syft.mpc.sharing import share
from syft.tensors.base import is_wrapper

_BESIDE_DIGITS = 40  # bytes: a Python integer has 30 bits in each 4 of the others


@kernel("mpc.share")
def _share(service: MpcService, tensor: torch.Tensor, owners: Sequence[Any], settings: dict[str, Any]) -> torch.Tensor:
    settings = {**settings, "crypto_provider": _known(service, settings.get("crypto_provider"))}
    out: torch.Tensor = share(tensor, *[_known(service, owner) for owner in owners], **settings)
    return out


def _known(service: MpcService, worker: Any) -> Any:
    # A name means whom this client knows here, never whom the process that serves it knows.
    return service.worker.get_worker(worker, fail_hard=True) if isinstance(worker, (str, int)) else worker


@kernel("mpc.fix_precision")
def _fix(service: MpcService, tensor: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    if not is_wrapper(tensor):
        service.check(tensor.numel() * _bytes_of_one(tensor, **settings))
    out: torch.Tensor = fix_precision(tensor, **settings)
    return out


def _bytes_of_one(
    values: torch.Tensor,
    base: int = 10,
    precision_fractional: int = 3,
    storage: str = "auto",
    field: int = FIELD,
    **_: Any,
) -> int:
    """How much a number takes: 8 bytes, or what a Python integer of the field does, and the reference to it."""
    if storage != "large" and not needs_large(values, base, precision_fractional):
        return 8
    return _BESIDE_DIGITS + field.bit_length() // 7


@kernel("mpc.float_precision")
def _float(service: MpcService, tensor: torch.Tensor) -> torch.Tensor:
    return float_precision(tensor)
