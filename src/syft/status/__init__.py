"""A second port for a networked worker: health, metrics, a page to look at, and predictions over HTTP.

What it shows describes the worker (counts, shapes, tags, losses), never the value of a tensor. It asks the worker
through `WorkerView` and knows nothing else of it. Needs the extra ``status``: ``pip install 'resyft[status]'``.
"""

from __future__ import annotations

from syft.status.server import StatusServer
from syft.status.view import ObjectRow, SessionRow, Traffic, TrainingRow, WorkerView

__all__ = ["ObjectRow", "SessionRow", "StatusServer", "Traffic", "TrainingRow", "WorkerView"]
