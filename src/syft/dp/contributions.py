"""What each sample of a batch contributes to the gradient of one parameter, written down or left implicit.

The gradient of a sample for the weight of a linear layer is the outer product of the layer's input and of the
gradient at its output. Its norm follows from the two factors (arXiv 1510.01799), and so does the clipped sum over
the batch, so the gradients of the samples are never formed where that is dearer (arXiv 2205.10683).
"""

from __future__ import annotations

from typing import Protocol

import torch


class Contribution(Protocol):
    """The gradients of ``B`` samples for one parameter."""

    def squared_norms(self) -> torch.Tensor:
        """The squared L2 norm for each sample: shape ``(B,)``."""

    def weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        """The sum over the samples, each times its weight: the parameter's shape."""

    def each(self) -> torch.Tensor:
        """The gradients one by one: shape ``(B, *parameter.shape)``."""

    def without(self, bad: torch.Tensor) -> Contribution:
        """The same with zeros for the samples that are marked: ``bad`` is a bool tensor of shape ``(B,)``."""


class Written:
    """Gradients that are written down sample by sample.

    Args:
        gradients: of shape ``(B, *parameter.shape)``.

    Example:
        >>> Written(torch.tensor([[3.0, 4.0], [0.0, 2.0]])).squared_norms()
        tensor([25.,  4.])
    """

    def __init__(self, gradients: torch.Tensor) -> None:
        self._gradients = gradients

    def squared_norms(self) -> torch.Tensor:
        """See `Contribution.squared_norms`."""
        flat = self._gradients.flatten(1)
        return torch.linalg.vector_norm(flat, dim=1).square_()

    def weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        """See `Contribution.weighted_sum`."""
        return (weights.to(self._gradients.dtype) @ self._gradients.flatten(1)).view(self._gradients.shape[1:])

    def each(self) -> torch.Tensor:
        """See `Contribution.each`."""
        return self._gradients

    def without(self, bad: torch.Tensor) -> Written:
        """See `Contribution.without`."""
        return Written(_blank(self._gradients, bad))


class Outer:
    """Gradients for a matrix, as sums over positions of outer products.

    Args:
        inputs: of shape ``(B, positions, columns)``.
        outputs: the gradients at the outputs, of shape ``(B, positions, rows)``.
        shape: of the parameter, ``rows * columns`` numbers.
    """

    def __init__(self, inputs: torch.Tensor, outputs: torch.Tensor, shape: torch.Size) -> None:
        self._inputs, self._outputs, self._shape = inputs, outputs, shape
        positions, columns = inputs.shape[1:]
        rows = outputs.shape[2]
        # Multiplications a sample: the Gram matrices of the positions against the gradient itself.
        self._written = positions > 1 and rows * columns < positions * (rows + columns)
        self._each: torch.Tensor | None = None

    def squared_norms(self) -> torch.Tensor:
        """See `Contribution.squared_norms`."""
        inputs, outputs = self._inputs, self._outputs
        if inputs.shape[1] == 1:
            return (
                torch.linalg.vector_norm(inputs, dim=(1, 2)) * torch.linalg.vector_norm(outputs, dim=(1, 2))
            ).square_()
        if self._written:
            return Written(self.each()).squared_norms()
        grams = torch.bmm(inputs, inputs.transpose(1, 2)).mul_(torch.bmm(outputs, outputs.transpose(1, 2)))
        return grams.sum((1, 2)).clamp_(min=0)  # what is 0 may come out below

    def weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        """See `Contribution.weighted_sum`."""
        if self._each is not None:
            return Written(self._each).weighted_sum(weights)
        outputs = self._outputs * weights.to(self._outputs.dtype)[:, None, None]
        return (outputs.flatten(0, 1).t() @ self._inputs.flatten(0, 1)).view(self._shape)

    def each(self) -> torch.Tensor:
        """See `Contribution.each`."""
        if self._each is None:
            product = torch.bmm(self._outputs.transpose(1, 2), self._inputs)
            self._each = product.view(len(product), *self._shape)
        return self._each

    def without(self, bad: torch.Tensor) -> Outer:
        """See `Contribution.without`."""
        return Outer(_blank(self._inputs, bad), _blank(self._outputs, bad), self._shape)


class Looked:
    """Gradients for the rows of a table that were looked up.

    Args:
        rows: which row at each position, of shape ``(B, positions)``.
        outputs: the gradients at what was looked up, of shape ``(B, positions, columns)``.
        shape: of the table.
    """

    def __init__(self, rows: torch.Tensor, outputs: torch.Tensor, shape: torch.Size) -> None:
        self._rows, self._outputs, self._shape = rows, outputs, shape

    def squared_norms(self) -> torch.Tensor:
        """See `Contribution.squared_norms`."""
        same = self._rows[:, :, None] == self._rows[:, None, :]
        grams = torch.bmm(self._outputs, self._outputs.transpose(1, 2))
        return torch.where(same, grams, 0).sum((1, 2)).clamp_(min=0)

    def weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        """See `Contribution.weighted_sum`."""
        outputs = self._outputs * weights.to(self._outputs.dtype)[:, None, None]
        return outputs.new_zeros(self._shape).index_add_(0, self._rows.flatten(), outputs.flatten(0, 1))

    def each(self) -> torch.Tensor:
        """See `Contribution.each`."""
        count = len(self._rows)
        table = self._outputs.new_zeros(count * self._shape[0], *self._shape[1:])
        rows = self._rows + torch.arange(count, device=self._rows.device)[:, None] * self._shape[0]
        return table.index_add_(0, rows.flatten(), self._outputs.flatten(0, 1)).view(count, *self._shape)

    def without(self, bad: torch.Tensor) -> Looked:
        """See `Contribution.without`."""
        return Looked(self._rows, _blank(self._outputs, bad), self._shape)


def _blank(values: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
    return torch.where(bad.view(-1, *[1] * (values.dim() - 1)), values.new_zeros(()), values)
