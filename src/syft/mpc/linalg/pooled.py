"""Sums of products over the rows of many owners: computed where the rows are, shared from there, added up in shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from syft.core.random import SYSTEM_RANDOM
from syft.core.session import SESSION
from syft.encoded import number as n
from syft.encoded.number import Number
from syft.encoded.tensor import number_of
from syft.exceptions import EncodingError, NotRemoteError, TensorsNotCollocatedException, UsageError
from syft.mpc.linalg.normal_equations import LARGEST_SQUARE, MOMENT_BITS
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.pointer import PointerTensor

Pointer = Any
"""A wrapped pointer to a tensor."""


def checked(lists: Sequence[Sequence[Pointer]], what: str) -> list[list[Pointer]]:
    """The columns of each owner, the last as a matrix of one column.

    Args:
        lists: pointers to matrices of features, one an owner, and last the pointers to vectors of targets.
        what: the name of what an owner has, such as ``"pairs (X, y)"``.

    Raises:
        NotRemoteError: something is not a wrapped pointer.
        TensorsNotCollocatedException: what should be at one worker is at several.
        UsageError: numbers of rows or columns differ, or there are none.
    """
    if len({len(one) for one in lists}) > 1 or not lists[0]:
        counts = ", ".join(str(len(one)) for one in lists)
        raise UsageError(f"{what} are made of one pointer of each list, and there are {counts} pointers")
    owners = list(zip(*lists, strict=True))
    for own in owners:
        if not all(is_wrapper(t) and isinstance(link_of(t), PointerTensor) for t in own):
            raise NotRemoteError("Some tensors are not wrapped, please provide a wrapped Pointer Tensor")
    for own in owners:
        elsewhere = [t for t in own if t.location is not own[0].location]
        if elsewhere:
            error = TensorsNotCollocatedException(own[0], elsewhere[0])
            error.args = (f"Some {what} are not located in the same worker",)
            raise error
        if len({t.shape[0] for t in own}) > 1:
            raise UsageError(f"Some {what} do not have the same number of samples")
        if any(t.dim() != 2 for t in own[:-1]) or own[-1].shape.numel() != own[-1].shape[0]:
            raise UsageError(f"features have two dimensions and targets one; some {what} have others")
    if any([t.shape[1] for t in own[:-1]] != [t.shape[1] for t in owners[0][:-1]] for own in owners):
        raise UsageError("Tensors do not have the same number of features")
    return [[*own[:-1], own[-1].reshape(-1, 1)] for own in owners]


def pooled(owners: Sequence[tuple[Pointer, Pointer]], total: int, hbc_worker: Any, crypto_provider: Any) -> Number:
    """Moments of the rows of all owners, shared between one of them and a worker that is honest but curious.

    Args:
        owners: of each owner, pointers to ``left`` of shape (rows, r) and ``right`` of shape (rows, c).
        total: the number of all rows.
        hbc_worker: holds one share.
        crypto_provider: makes the correlated randomness.

    Returns:
        The shared means of ``left.T @ right``, and below them a row with the mean squares of the columns of ``right``:
        of shape (r + 1, c), with scale ``2 ** MOMENT_BITS``.

    Raises:
        EncodingError: the numbers of an owner are NaN or too large.
        UsageError: no owner can be a holder.
    """
    hbc_worker, crypto_provider = SESSION.worker(hbc_worker), SESSION.worker(crypto_provider)
    holders = (_drawn([left.location for left, _ in owners], (hbc_worker, crypto_provider)), hbc_worker)
    limit = LARGEST_SQUARE / len(owners)
    # All owners begin before the first one is waited for.
    shared = [_moments(left, right, total, limit) for left, right in owners]
    sums: Number | None = None
    for (left, _), moments in zip(owners, shared, strict=True):
        number = _shared(moments, left.location, holders, crypto_provider)
        sums = number if sums is None else n.add(sums, number)
    if sums is None:
        raise UsageError("there is nothing to add up")
    return Number(sums.raw, sums.scale, None)


def _moments(left: Pointer, right: Pointer, total: int, limit: float) -> Pointer:
    left, right = left.double(), right.double()
    products = left.t() @ right
    moments = torch.cat([products, (right * right).sum(0, keepdim=True)], 0) / total
    # An error about what is too large would tell the number; NaN tells nothing else.
    return moments.masked_fill(moments.abs() >= limit, float("nan"))


def _shared(moments: Pointer, owner: Any, holders: Sequence[Any], crypto_provider: Any) -> Number:
    try:
        encoded = moments.fix_precision(base=2, precision_fractional=MOMENT_BITS)
        return number_of(encoded.share(*holders, crypto_provider=crypto_provider).get())
    except EncodingError as error:
        raise EncodingError(
            f"some columns at {owner.id!r} have NaN, infinite or very large numbers; the root of the mean of the "
            f"squares must be below {int(LARGEST_SQUARE**0.5)} divided by the root of the number of owners. Express "
            "them in a larger unit, or standardise them"
        ) from error


def _drawn(owners: Sequence[Any], others: Sequence[Any]) -> Any:
    possible = [owner for owner in owners if owner not in others]
    if not possible:
        raise UsageError(
            "one owner of data holds shares together with the hbc_worker, and it can be neither that worker nor the "
            "crypto_provider; pass workers that own no data"
        )
    return possible[int.from_bytes(SYSTEM_RANDOM.bytes(8).tobytes(), "big") % len(possible)]
