"""``nn.Module`` on shares: parameters and buffers are switched in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from syft.encoded import encryption
from syft.encoded.precision import change_all, module_fix_precision, module_float_precision
from syft.encoded.tensor import EncodedTensor
from syft.mpc.sharing import get, is_shared, share
from syft.tensors import modules


def module_share(self: nn.Module, *owners: Any, requires_grad: bool | None = None, **kwargs: Any) -> nn.Module:
    """Share all parameters and buffers, in place.

    Args:
        *owners: the holders.
        requires_grad: whether the parameters are trained; as before when None.
        **kwargs: of `share`.

    Returns:
        This module.
    """

    return change_all(self, sharing(*owners, requires_grad=requires_grad, **kwargs))


def sharing(*owners: Any, requires_grad: bool | None = None, **kwargs: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """What makes a shared tensor of one: a parameter stays a parameter.

    Args:
        *owners: the holders.
        requires_grad: whether parameters are trained; as before when None.
        **kwargs: of `share`.
    """

    def change(tensor: torch.Tensor) -> torch.Tensor:
        wanted = (
            tensor.requires_grad if requires_grad is None or not isinstance(tensor, nn.Parameter) else requires_grad
        )
        out: torch.Tensor = share(tensor.detach(), *owners, requires_grad=wanted, **kwargs)
        return nn.Parameter(out, wanted) if isinstance(tensor, nn.Parameter) else out

    return change


def module_get(self: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    """Fetch all parameters and buffers, in place, from a worker or from the holders of their shares.

    Args:
        *args: of `syft.tensors.modules.get`.
        **kwargs: likewise.

    Returns:
        This module.
    """
    tensors = [*self.parameters(), *self.buffers()]
    if not any(isinstance(tensor, EncodedTensor) for tensor in tensors):
        return modules.get(self, *args, **kwargs)
    return change_all(self, fetched)


def fetched(tensor: torch.Tensor) -> torch.Tensor:
    """The values of a tensor, if these are shared; otherwise the tensor itself."""
    return get(tensor) if isinstance(tensor, EncodedTensor) and is_shared(tensor) else tensor


def module_encrypt(
    self: nn.Module,
    *keys: Any,
    protocol: str | None = None,
    workers: Any = (),
    crypto_provider: Any = None,
    **kwargs: Any,
) -> nn.Module:
    """Encrypt all parameters and buffers, in place; returns the module.

    Args:
        *keys: see `syft.encoded.encryption.encrypt`.
        protocol: likewise; with workers and without a key, `fix_precision` and `share` in one call.
        workers: the holders.
        crypto_provider: see `share`.
        **kwargs: ``base`` and ``precision_fractional`` for the encoding, the rest for `share`.
    """
    if not workers:
        return encryption.module_encrypt(self, *keys, protocol=protocol, **kwargs)
    encoding = {name: kwargs.pop(name) for name in ("base", "precision_fractional", "dtype") if name in kwargs}
    module_fix_precision(self, **encoding)
    protocol = "tree" if protocol in (None, "mpc") else protocol
    return module_share(self, *workers, crypto_provider=crypto_provider, protocol=protocol, **kwargs)


def module_decrypt(self: nn.Module, *keys: Any, **settings: Any) -> nn.Module:
    """Decrypt all parameters and buffers, in place; shared ones are fetched, and their holders forget the shares.

    Args:
        *keys: see `syft.encoded.encryption.decrypt`.
        **settings: likewise.

    Returns:
        This module.
    """
    if any(isinstance(tensor, EncodedTensor) for tensor in [*self.parameters(), *self.buffers()]):
        return module_float_precision(module_get(self))
    return encryption.module_decrypt(self, *keys, **settings)
