"""0.2.4's name for products of shared values."""

from __future__ import annotations

from typing import Any

from syft.exceptions import NotSupportedError
from syft.mpc.protocols import multiply
from syft.mpc.shared import AdditiveSharingTensor
from syft.tensors.base import unwrap

_KINDS = ("mul", "matmul")


def spdz_mul(
    cmd: str, x_sh: Any, y_sh: Any, crypto_provider: Any = None, field: int | None = None
) -> AdditiveSharingTensor:
    """The product of two values that are shared among the same holders, exact in the ring.

    Args:
        cmd: ``"mul"`` or ``"matmul"``.
        x_sh: shared integers, wrapped or not.
        y_sh: likewise.
        crypto_provider: accepted for 0.2.4 code; it is the one that they were shared with.
        field: accepted for 0.2.4 code; the ring is Z/2^64.

    Returns:
        The bare link.

    Raises:
        NotSupportedError: there is no such product.
    """
    if cmd not in _KINDS:
        raise NotSupportedError(f"there is no product {cmd!r} of shared values here; there are {' and '.join(_KINDS)}")
    return multiply(cmd, (), unwrap(x_sh), unwrap(y_sh))
