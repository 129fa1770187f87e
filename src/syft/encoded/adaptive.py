"""Adam and its kin on encoded parameters: the mean of squared gradients must not vanish in fixed precision.

A gradient of 0.01 gives 0.001 · 0.0001 at Adam's first step, far below one unit in the last place. Adam's step does not
depend on a constant factor of all gradients (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
section 2.1), so gradients are multiplied by a power of two while it steps, as losses are in mixed precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch

from syft.encoded.ring import ring_of
from syft.encoded.tensor import EncodedTensor, number_of, tensor_of

_ADAPTIVE = (torch.optim.Adam, torch.optim.NAdam)  # AdamW is an Adam
_ROOM = 28

_undo: WeakKeyDictionary[torch.optim.Optimizer, list[Callable[[], None]]] = WeakKeyDictionary()
_warned: WeakKeyDictionary[torch.optim.Optimizer, bool] = WeakKeyDictionary()


def factor_of(unit: int) -> int:
    """What gradients are multiplied with: 64 with 16 binary digits, 512 with three decimal ones.

    Squares must be below 2^31 ulp, so gradients may be up to 2.8 in the long run before their steps get smaller.
    """
    return 1 << max(0, (_ROOM - (unit - 1).bit_length()) // 2)


def raise_gradients(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Multiply the gradients, and eps and weight decay with them, before a step on encoded parameters.

    `TorchHook` has torch call it.

    Args:
        optimizer: about to step.
        args: of ``step``, not used.
        kwargs: of ``step``, not used.
    """
    if not isinstance(optimizer, _ADAPTIVE):
        return
    lower_gradients(optimizer, args, kwargs)  # those of a step that failed
    for group in optimizer.param_groups:
        encoded = next((p for p in group["params"] if isinstance(p.grad, EncodedTensor)), None)
        if encoded is not None:
            unit = number_of(encoded.grad).unit
            _check_eps(optimizer, group["eps"], unit)
            _undo.setdefault(optimizer, []).extend(_raised(group, factor_of(unit)))


def _raised(group: dict[str, Any], factor: int) -> list[Callable[[], None]]:
    """Multiply all that must go along, and say how to undo it."""
    undo: list[Callable[[], None]] = []
    # Weight decay that is added to the gradients, and eps, which is added to their size.
    names = ["eps"] if group.get("decoupled_weight_decay") else ["eps", "weight_decay"]
    for name in names:
        undo.append(partial(group.__setitem__, name, group[name]))
        group[name] *= factor
    for parameter in group["params"]:
        if (grad := parameter.grad) is not None:
            undo.append(partial(setattr, parameter, "grad", grad))
            parameter.grad = _multiplied(grad, factor)
    return undo


def lower_gradients(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Give parameters their own gradients back after a step of Adam. `TorchHook` has torch call it.

    Args:
        optimizer: has stepped.
        args: of ``step``, not used.
        kwargs: of ``step``, not used.
    """
    for undo in _undo.pop(optimizer, ()):
        undo()


def _multiplied(grad: torch.Tensor, factor: int) -> Any:
    if not isinstance(grad, EncodedTensor):
        return grad * factor
    number = number_of(grad)
    if number.scale % factor == 0:
        return tensor_of(number.with_raw(number.raw, number.scale // factor))
    return tensor_of(number.with_raw(ring_of(number.raw).scale(number.raw, factor)))


def _check_eps(optimizer: torch.optim.Optimizer, eps: float, unit: int) -> None:
    if eps * factor_of(unit) * unit < 1 and optimizer not in _warned:
        _warned[optimizer] = True
        warnings.warn(
            f"eps={eps} of {type(optimizer).__name__} is written as 0 with {unit} units to 1, so it has no effect: "
            f"where the mean square of a gradient is 0, nothing is changed. Give eps={1 / unit:.2g} or more to "
            "have an effect",
            stacklevel=5,
        )
