"""What a function learns of its tensors while it is recorded: each answer that it reads is noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core.messages import Description, Ref
from syft.plans.dimensions import Dimension, Size
from syft.plans.recording import Expect


class Watched:
    """A `Description` that notes what is read of it, as the recording holds only for tensors of which that is true.

    Args:
        info: of the example.
        ref: the tensor.
        note: told of every `Expect` and `Condition`.
    """

    # Strides are those of the example; asked for, they are refused like answers about values.
    stride = None

    def __init__(self, info: Description, ref: Ref, note: Callable[[Any], None]) -> None:
        self._info, self._ref, self._note = info, ref, note
        self.device, self.is_leaf = info.device, info.is_leaf

    def _read(self, what: str, value: Any) -> Any:
        self._note(Expect(self._ref.id, self._ref.path, what, value))  # type: ignore[arg-type]
        return value

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes, as symbols; how many there are is noted."""
        self._read("rank", len(self._info.shape))
        return tuple(Dimension(size, Size(self._ref, axis), self._note) for axis, size in enumerate(self._info.shape))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype, noted."""
        dtype: torch.dtype = self._read("dtype", self._info.dtype)
        return dtype

    @property
    def layout(self) -> torch.layout:
        """The layout, noted."""
        layout: torch.layout = self._read("layout", self._info.layout)
        return layout

    @property
    def requires_grad(self) -> bool:
        """Whether the tensor requires a gradient, noted."""
        return bool(self._read("requires_grad", self._info.requires_grad))
