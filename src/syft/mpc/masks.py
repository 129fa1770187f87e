"""`Masks`: what a crypto provider remembers."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from syft.exceptions import ProtocolStepError


class Masks:
    """What the provider keeps of masks. No tensor: nobody fetches it, or computes with it but by the steps below.

    Args:
        group: whose strips they are made of.
        tensors: int64.
    """

    # No slots here and in what else a step keeps: a session counts what an object has in its dictionary.
    remote_kind: ClassVar[str] = "mpc_masks"

    def __init__(self, group: str, tensors: tuple[torch.Tensor, ...]) -> None:
        self.group, self.tensors = group, tensors


def tensors_of(masks: Any, group: str) -> tuple[torch.Tensor, ...]:
    """The masks, for a step of their group.

    Raises:
        ProtocolStepError: they are of another group, or no masks.
    """
    # What is dealt from masks can be read by the last holder: it must not be of another group, nor any other tensor.
    if type(masks) is not Masks or masks.group != group:
        raise ProtocolStepError(
            f"a provider deals from masks that it has kept for the same group, not from a {type(masks).__name__}"
        )
    return masks.tensors
