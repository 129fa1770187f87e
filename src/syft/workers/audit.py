"""One line for each message that was refused and each that reveals something. Never a value."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

logger = logging.getLogger("syft.audit")


class Audit:
    """Writes the audit log of one worker, as JSON lines to the logger ``syft.audit``.

    Args:
        worker: the worker's id.
    """

    def __init__(self, worker: Any) -> None:
        self.worker = str(worker)

    def __call__(self, event: str, user: str | None, session: str, **details: Any) -> None:
        """Write a line.

        Args:
            event: what happened, such as ``"refused"`` or ``"revealed"``.
            user: who asked.
            session: in which session.
            **details: kinds, names, ids, sizes.
        """
        entry = {"time": time.time(), "worker": self.worker, "event": event, "user": user, "session": session}
        logger.info(json.dumps({**entry, **details}, default=str))
