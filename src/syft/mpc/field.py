"""The ring of the shares, under 0.2.4's name for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Ring(int):
    """2^64. int64 tensors are already reduced modulo it, and ``tensor % x.child.field`` says so.

    >>> torch.tensor([-1, 5]) % RING
    tensor([-1,  5])
    """

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """The remainder of an int64 tensor is the tensor."""
        if func in (torch.Tensor.__mod__, torch.remainder, torch.Tensor.remainder) and isinstance(args[1], Ring):
            return args[0].clone()
        return func(*[int(a) if isinstance(a, Ring) else a for a in args], **(kwargs or {}))


RING = Ring(2**64)
