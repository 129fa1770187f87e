"""Windows that slide over dimensions, and lines of elements along dimensions: what selections pick from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from syft.encoded import number as n
from syft.encoded.number import Number, settled
from syft.encoded.selection import Selection, largest
from syft.exceptions import UsageError


@dataclass(frozen=True, slots=True)
class Lines:
    """Some dimensions of a tensor as one, the last.

    Attributes:
        shape: of the tensor.
        dims: which, from 0, in their order.
    """

    shape: torch.Size
    dims: tuple[int, ...]

    @classmethod
    def along(cls, shape: torch.Size, dim: Any = None) -> Lines:
        """Check dimensions.

        Args:
            shape: of the tensor.
            dim: one or several of them, counted from the end if negative; None stands for all.

        Raises:
            UsageError: there is no such dimension, or one is named twice.
        """
        count = max(1, len(shape))
        named = list(range(count)) if dim is None or dim == () else [dim] if isinstance(dim, int) else list(dim)
        if any(not -count <= d < count for d in named):
            raise UsageError(
                f"there is no dimension {named} in a tensor of {len(shape)}: they go from 0, or from -1 down"
            )
        dims = tuple(sorted(d % count for d in named))
        if len(set(dims)) < len(dims):
            raise UsageError(f"dimensions {named} name one of them twice")
        return cls(shape if shape else torch.Size([1]), dims)

    @property
    def others(self) -> list[int]:
        """The dimensions that stay."""
        return [d for d in range(len(self.shape)) if d not in self.dims]

    @property
    def lead(self) -> list[int]:
        """The sizes of these."""
        return [self.shape[d] for d in self.others]

    def of(self, a: Number) -> Number:
        """(others …, elements)"""
        if not a.shape:
            a = a.moved("view", [1])
        a = _permuted(a, [*self.others, *self.dims])
        if len(self.dims) == 1:
            return a
        return a.moved("view", [*self.lead, -1])

    def back(self, lines: Number, shape: Any) -> Number:
        """Undo `of`, for as many elements along the dimensions as there are.

        Args:
            lines: (others …, elements)
            shape: of the result.
        """
        if len(self.dims) > 1:
            lines = lines.moved("view", [self.shape[d] for d in (*self.others, *self.dims)])
        order = [*self.others, *self.dims]
        lines = _permuted(lines, [order.index(d) for d in range(len(order))])
        return lines if lines.shape == torch.Size(shape) else lines.moved("view", list(shape))

    def reduced(self, values: Number, keepdim: bool) -> Number:
        """One value for each line, with the dimensions kept at 1 or left out."""
        if not keepdim:
            return values
        return values.moved("view", [1 if d in self.dims else size for d, size in enumerate(self.shape)])


def _permuted(a: Number, order: list[int]) -> Number:
    return a if order == sorted(order) else a.moved("permute", order)


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over one dimension.

    Attributes:
        dim: which, from 0.
        size: how many elements it takes.
        stride: how far it slides.
        padding: how many elements are thought on both sides.
        dilation: how far its elements are apart.
        ceil_mode: whether the last one may reach over the end.
    """

    dim: int
    size: int
    stride: int
    padding: int
    dilation: int
    ceil_mode: bool

    @property
    def span(self) -> int:
        """How far it reaches."""
        return (self.size - 1) * self.dilation + 1

    def borders(self, length: int) -> tuple[int, int]:
        """How many elements are added before and after so many.

        Raises:
            UsageError: they are too few for one window, or the padding is larger than half of it.
        """
        if not 0 <= 2 * self.padding <= self.size:
            raise UsageError(
                f"padding has to be at most half of the kernel's size, not {self.padding} for a kernel of {self.size}"
            )
        slack = length + 2 * self.padding - self.span
        if slack < 0 and not (self.ceil_mode and slack + self.stride > 0):
            raise UsageError(f"a kernel that spans {self.span} elements does not fit into {length}")
        steps = -(-slack // self.stride) if self.ceil_mode else slack // self.stride
        if self.ceil_mode and steps * self.stride >= length + self.padding:
            steps -= 1  # a window that would begin behind the end
        return self.padding, max(0, steps * self.stride + self.span - length - self.padding)

    def views(self, a: Number) -> Number:
        """(…, elements of a window), windows being where the elements were."""
        a = a.moved("unfold", self.dim, self.span, self.stride)
        return a if self.dilation == 1 else a.moved("slice", -1, 0, self.span, self.dilation)

    def gathered(self, g: Number, shape: Any) -> Number:
        """The gradient of what the windows were taken from."""
        if self.dilation > 1:
            g = g.moved("slice_backward", [*g.shape[:-1], self.span], -1, 0, self.span, self.dilation)
        return g.moved("unfold_backward", list(shape), self.dim, self.span, self.stride)


class MaxPool:
    """The largest of each window. One dimension is done after the other, the last one first, which compares less than
    whole windows do.

    Args:
        a: what the windows slide over.
        windows: of different dimensions.

    Attributes:
        values: the largest ones.
    """

    def __init__(self, a: Number, windows: Sequence[Window]) -> None:
        self.shape = a.shape
        borders = [window.borders(a.shape[window.dim]) for window in windows]
        self._inside = [
            (w.dim, before, before + a.shape[w.dim]) for w, (before, _) in zip(windows, borders, strict=True)
        ]
        padded = _with_border(settled(a), windows, borders)
        self._stages: list[tuple[Window, torch.Size, Selection]] = []
        for window in reversed(windows):
            selection = largest(window.views(padded))
            self._stages.append((window, padded.shape, selection))
            padded = selection.values
        self.values = padded

    def spread(self, g: Number) -> Number:
        """The gradient of what the windows slid over, from that of the values."""
        for window, shape, selection in reversed(self._stages):
            g = window.gathered(selection.spread(g), shape)
        for dim, start, end in self._inside:
            if (start, end) != (0, g.shape[dim]):
                g = g.moved("slice", dim, start, end)
        return g


def _with_border(a: Number, windows: Sequence[Window], borders: Sequence[tuple[int, int]]) -> Number:
    if not any(map(any, borders)):
        return a
    first = min(window.dim for window in windows)
    by_dim = {window.dim: border for window, border in zip(windows, borders, strict=True)}
    sizes = [size for dim in range(len(a.shape) - 1, first - 1, -1) for size in by_dim.get(dim, (0, 0))]
    inside = torch.zeros(a.shape, dtype=torch.int64)
    # No element is as small, and the difference to none of them is too large to be compared.
    lowest = -(1 << (getattr(a.raw, "width", 64) - 2))
    border = torch.nn.functional.pad(inside, sizes, value=lowest)
    return n.add(a.moved("constant_pad_nd", sizes, 0), a.with_raw(border))
