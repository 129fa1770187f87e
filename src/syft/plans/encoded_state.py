"""The verbs of fixed precision and of sharing for what has a state: they change its tensors in place."""

from __future__ import annotations

from typing import Any, Self

import torch

from syft.encoded.precision import change_each, fix_precision, float_precision
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import UsageError
from syft.mpc.modules import fetched, sharing
from syft.mpc.sharing import duplicated, is_shared, shared_under
from syft.plans.dimensions import map_parts
from syft.plans.state import State
from syft.tensors.base import is_wrapper, link_of


class EncodedState:
    """Something whose state can be encoded and shared, as `torch.nn.Module` can.

    What refers to the tensors, such as modules that are attributes and optimizers, goes on referring to them. Integers
    and bools stay as they are: they count, index and mask.
    """

    name: str
    state: State

    def fix_precision(self, *args: Any, **kwargs: Any) -> Self:
        """Give the floating-point tensors of the state fixed precision, in place.

        Args:
            *args: of ``Tensor.fix_precision``.
            **kwargs: likewise.

        Returns:
            This plan.

        Raises:
            UsageError: they have it already.
        """
        return self._change(lambda tensor: fix_precision(tensor, *args, **kwargs))

    def float_precision(self) -> Self:
        """Decode the tensors of the state, in place; returns this plan.

        Raises:
            UsageError: they have no fixed precision, or are shared: fetch them with ``get`` first.
        """
        return self._change(float_precision)

    def share(self, *owners: Any, **kwargs: Any) -> Self:
        """Share the tensors of the state among workers, in place.

        Args:
            *owners: the holders.
            **kwargs: of ``Tensor.share``.

        Returns:
            This plan.

        Raises:
            UsageError: they have no fixed precision, or are shared already.
        """
        if not self._floating():
            raise UsageError(
                f"plan {self.name!r} has no floating-point state to share: its state is {self.state}, and integers "
                "stay as they are"
            )
        return self._change(sharing(*owners, **kwargs))

    def get(self) -> Self:
        """Fetch the tensors of the state that are shared, in place; the holders forget them. The plan itself is here.

        Returns:
            This plan; its tensors have fixed precision then.
        """
        return self._change(fetched)

    def encrypt(self, *, workers: Any, crypto_provider: Any, **kwargs: Any) -> Self:
        """`fix_precision` and `share` in one call.

        Args:
            workers: the holders.
            crypto_provider: see ``Tensor.share``.
            **kwargs: ``base`` and ``precision_fractional`` for the encoding, the rest for ``Tensor.share``.

        Returns:
            This plan.
        """
        encoding = {name: kwargs.pop(name) for name in ("base", "precision_fractional", "dtype") if name in kwargs}
        return self.fix_precision(**encoding).share(*workers, crypto_provider=crypto_provider, **kwargs)

    def decrypt(self) -> Self:
        """`get` and `float_precision` in one call; returns this plan."""
        return self.get().float_precision()

    fix_prec = fix_precision_ = fix_prec_ = fix_precision
    float_prec = float_precision_ = float_prec_ = float_precision
    share_, get_ = share, get

    # --- whose shares they are ----------------------------------------------------------------------

    @property
    def is_shared(self) -> bool:
        """Whether any of the state is shared."""
        return any(isinstance(tensor, EncodedTensor) and is_shared(tensor) for tensor in self.state)

    def owned_pointers(self) -> list[Any]:
        """The pointers to the shares of the state."""
        return [p for tensor in self.state if is_wrapper(tensor) for p in link_of(tensor).owned_pointers()]

    def mentioned_workers(self) -> list[Any]:
        """The holders of the shares of the state, and their providers."""
        encoded = [link_of(tensor) for tensor in self.state if isinstance(tensor, EncodedTensor)]
        return list(dict.fromkeys(place for link in encoded for place in link.mentioned_workers()))

    def _floating(self) -> list[torch.Tensor]:
        return [tensor for tensor in self.state if tensor.dtype.is_floating_point]

    def _change(self, change: Any) -> Self:
        change_each(self._floating(), change)
        return self


def own_shares(result: Any, used: list[Any]) -> Any:
    """What a plan returns, with shares of its own where it returns a tensor that it was given or has.

    Args:
        result: tensors, however nested.
        used: the tensors that the plan was given and has.
    """
    shared = [tensor for tensor in used if type(tensor) is EncodedTensor and is_shared(tensor)]
    if not shared:
        return result
    foreign = {id(pointer) for tensor in shared for pointer in shared_under(tensor).shares.values()}

    def own(part: Any) -> Any:
        if type(part) is not EncodedTensor or not is_shared(part):
            return map_parts(part, own)
        known = any(id(pointer) in foreign for pointer in shared_under(part).shares.values())
        return duplicated(part) if known else part

    return own(result)
