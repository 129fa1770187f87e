"""The verbs of encoded tensors on a tensor that is at a worker: the worker does what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from syft.core.ops import kernel
from syft.encoded.precision import fix_precision, float_precision
from syft.mpc.service import MpcService
from syft.mpc.sharing import share


@kernel("mpc.share")
def _share(service: MpcService, tensor: torch.Tensor, owners: Sequence[Any], settings: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = share(tensor, *owners, **settings)
    return out


@kernel("mpc.fix_precision")
def _fix(service: MpcService, tensor: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    out: torch.Tensor = fix_precision(tensor, **settings)
    return out


@kernel("mpc.float_precision")
def _float(service: MpcService, tensor: torch.Tensor) -> torch.Tensor:
    return float_precision(tensor)
