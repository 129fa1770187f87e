"""Who "me" is: the one worker that stands for this process.

0.2.4's API has one implicit local worker (``sy.local_worker``, ``x.send("bob")``, ``x.owner``). It is kept
here and nowhere else; `TorchHook` sets it.
"""

from __future__ import annotations

from typing import Any

from syft.exceptions import WorkerNotFoundException


class Session:
    """Holds the local worker of this process and the first hook that was made."""

    def __init__(self) -> None:
        self.local_worker: Any = None
        self.hook: Any = None

    def me(self) -> Any:
        """The local worker.

        Raises:
            WorkerNotFoundException: torch has not been hooked yet.
        """
        if self.local_worker is None:
            raise WorkerNotFoundException("there is no local worker yet; make one with hook = sy.TorchHook(torch)")
        return self.local_worker

    def worker(self, worker: Any) -> Any:
        """The worker that ``worker`` names.

        Args:
            worker: a worker, or the id of one that the local worker knows.

        Raises:
            WorkerNotFoundException: no worker of that id is known.
        """
        if isinstance(worker, (str, int)):
            return self.me().get_worker(worker, fail_hard=True)
        return worker


SESSION = Session()
