"""The ops of the database that do not come out right, and why that is so."""

from __future__ import annotations

from dataclasses import dataclass

from syft.exceptions import SyftError, TensorsNotCollocatedException, UnsupportedOp


@dataclass(frozen=True, slots=True)
class Expected:
    """Why an op fails.

    Attributes:
        error: what its samples raise; anything else fails the test.
        reason: why it is left so.
    """

    error: type[SyftError]
    reason: str


def _denied(reason: str) -> Expected:
    return Expected(UnsupportedOp, reason)


_STRIDED = _denied("it reads outside the view it is given")
_STALE = _denied("it hands out memory that nobody wrote")
_COUNTS = Expected(
    TensorsNotCollocatedException,
    "without a mask torch.masked makes its counts here, with torch.ones, and divides by them",
)

EXPECTED: dict[str, Expected] = {
    "as_strided": _STRIDED,
    "as_strided_copy": _STRIDED,
    "as_strided_partial_views": _STRIDED,
    "as_strided_scatter": _STRIDED,
    "item": _denied("the value lives with its owner"),
    "masked_mean": _COUNTS,
    "masked_std": _COUNTS,
    "masked_var": _COUNTS,
    "nn_functional_triplet_margin_with_distance_loss": _denied("it calls a function of the caller"),
    "resize_": _STALE,
    "resize_as_": _STALE,
}
"""Ops of torch's public interface that fail on a pointer, all or some of their samples."""

_ATEN = _denied("the database calls torch.ops.aten directly, which is no interface for users")
_PRIVATE = _denied("a private function of torch")

INTERNAL: dict[str, Expected] = {
    "_batch_norm_with_update": _ATEN,
    "_chunk_cat": _PRIVATE,
    "_native_batch_norm_legit": _PRIVATE,
    "_softmax_backward_data": _ATEN,
    "_unsafe_masked_index": _PRIVATE,
    "_unsafe_masked_index_put_accumulate": _PRIVATE,
    "_upsample_bilinear2d_aa": _ATEN,
    "max_pool2d_with_indices_backward": _ATEN,
    "native_dropout_backward": _ATEN,
    "slice": _ATEN,
    "torch_ops_aten__safe_softmax_default": _ATEN,
}
"""Ops that are not of torch's public interface; all their samples are refused."""
