"""`AutogradTensor`: 0.2.4's name for tensors that are differentiated. PyTorch does that here."""

from __future__ import annotations

from typing import Any

import torch

from syft.exceptions import UsageError


class AutogradTensor:
    """Makes tensors that require gradients. It is no link: nothing of it stands in a chain.

    Args:
        data: the tensor, if `on` is not called.
        requires_grad: whether gradients are computed.
        owner: accepted for 0.2.4 code, no effect, as the others that follow.
        id: likewise.
        preinitialize_grad: likewise.
        grad_fn: likewise.
        **names: ``tags`` and ``description``, likewise.

    Example:
        >>> x = AutogradTensor().on(torch.tensor([1.0, 2.0]))
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    def __new__(
        cls,
        data: torch.Tensor | None = None,
        requires_grad: bool = True,
        owner: Any = None,
        id: Any = None,
        preinitialize_grad: bool = False,
        grad_fn: Any = None,
        **names: Any,
    ) -> Any:
        """A tensor if there is data, otherwise what makes one with `on`."""
        self = super().__new__(cls)
        self.requires_grad = requires_grad
        return self if data is None else self.on(data)

    requires_grad: bool

    def on(self, tensor: torch.Tensor, wrap: bool = True) -> torch.Tensor:
        """The same values as a leaf that requires gradients.

        Args:
            tensor: with fractions: local, a pointer, in fixed precision or shared.
            wrap: accepted for 0.2.4 code, no effect.

        Raises:
            UsageError: its values are integers.
        """
        if not (tensor.is_floating_point() or tensor.is_complex()):
            raise UsageError(
                "only numbers with fractions have gradients, and these are integers: use .float() on local ones, and "
                ".fix_precision() before .share(...)"
            )
        return tensor.detach().requires_grad_(self.requires_grad)
