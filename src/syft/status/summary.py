"""The worker's state as JSON: what the page shows, and what a script may read instead of the page."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from syft.status.view import ObjectRow, TrainingRow, WorkerView

MOST_ROWS = 200
MOST_POINTS = 400
_MOST_TAGS = 20
_LONGEST_TEXT = 200


def summarize(view: WorkerView) -> dict[str, Any]:
    """Everything that is known of a worker, with only JSON's types in it.

    Args:
        view: the worker.

    Returns:
        ``worker``, ``started`` and ``now`` (seconds since 1970), ``healthy``, ``ops``, ``stored_bytes``, and for each
        of ``objects``, ``sessions``, ``models`` its ``count`` and at most `MOST_ROWS` ``rows``; ``traffic`` by kind;
        ``training`` or None.
    """
    sessions, objects = view.sessions(), view.objects()
    return {
        "worker": view.id,
        "started": view.started,
        "now": time.time(),
        "healthy": view.healthy(),
        "ops": view.ops(),
        "stored_bytes": sum(row.nbytes for row in sessions),
        "sessions": _table(sessions, [asdict(row) for row in sessions[:MOST_ROWS]]),
        "objects": _table(objects, [_object(row) for row in objects[:MOST_ROWS]]),
        "models": _models(view),
        "traffic": {kind: asdict(row) for kind, row in sorted(view.traffic().items())},
        "training": _training(view.training()),
    }


def _table(all_rows: Sequence[Any], shown: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(all_rows), "rows": shown}


def _object(row: ObjectRow) -> dict[str, Any]:
    return {
        # As text: a browser rounds numbers beyond 2**53, and ids have 63 bits.
        "id": str(row.id),
        "kind": row.kind,
        "shape": None if row.shape is None else list(row.shape),
        "dtype": row.dtype,
        "tags": [_short(tag) for tag in row.tags[:_MOST_TAGS]],
        "description": _short(row.description or ""),
        "owner": row.owner,
    }


def _models(view: WorkerView) -> dict[str, Any]:
    models = view.models()
    rows = [
        {
            "id": _short(str(model["id"])),
            "version": int(model["version"]),
            "allow_download": bool(model["allow_download"]),
            "allow_remote_inference": bool(model["allow_remote_inference"]),
        }
        for model in models[:MOST_ROWS]
    ]
    return _table(models, rows)


def _training(row: TrainingRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"dataset": _short(row.dataset), "step": row.step, "losses": thinned(row.losses, row.step)}


def thinned(losses: Sequence[float], step: int) -> list[list[float | int | None]]:
    """A loss curve with at most `MOST_POINTS` points and the newest among them.

    Args:
        losses: the newest losses, one a step, the oldest first.
        step: the step of the last one.

    Returns:
        Pairs of step and loss; None for a loss that is infinite or not a number, which JSON cannot say.

    Example:
        >>> thinned([0.5, float("nan"), 0.25], step=10)
        [[8, 0.5], [9, None], [10, 0.25]]
        >>> curve = thinned([float(step) for step in range(1, 1001)], step=1000)
        >>> len(curve), curve[0], curve[-1]
        (334, [1, 1.0], [1000, 1000.0])
    """
    stride = max(1, math.ceil(len(losses) / MOST_POINTS))
    last = len(losses) - 1
    kept = range(last % stride, len(losses), stride)
    return [[step - last + at, losses[at] if math.isfinite(losses[at]) else None] for at in kept]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
