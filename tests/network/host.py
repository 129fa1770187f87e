"""A process that serves workers on loopback ports, as tests ask for on its standard input.

Each line of input is a JSON object; each gets a line of JSON back. ``{"new": id, ...}`` makes a worker and says its
port; ``{"stop": port}`` stops it. The tests' workers have one service more than others, ``inspect``, that shows what
a session holds: only here, for a worker never tells that.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

import syft as sy
from syft.workers.services import SERVICES
from syft.workers.websocket_server import WebsocketServerWorker


class Inspect:
    """Shows a session's objects, and gives its worker data sets."""

    remote_methods = frozenset({"ids", "objects", "add_dataset", "remove_dataset", "known", "seed"})

    def __init__(self, worker: Any) -> None:
        self.session = worker

    def ids(self) -> list[Any]:
        """The ids of what the session holds."""
        return [*self.session.home._store.objects, *self.session._store.objects]

    def known(self) -> list[Any]:
        """The workers the session knows."""
        return list(self.session._known_workers)

    def seed(self, number: int) -> None:
        """Set the random state of the process."""
        torch.manual_seed(number)

    def add_dataset(self, dataset: Any, key: str) -> None:
        """Give the worker a data set, as its owner would."""
        self.session.home.service("training").add_dataset(dataset, key)

    def remove_dataset(self, key: str) -> None:
        """Take it away again."""
        self.session.home.service("training").datasets.pop(key, None)


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # what tensors print must not get between the answers
    hook = sy.TorchHook(torch)
    SERVICES["inspect"] = Inspect
    workers: dict[int, WebsocketServerWorker] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "new" in order:
            torch.set_num_threads(order["threads"])  # results of several threads differ in the last bit
            worker = WebsocketServerWorker(hook, "127.0.0.1", 0, id=order["new"], torchscript=True, auto_add=False)
            worker.start(block=False)
            workers[worker.port] = worker
            answer = {"port": worker.port}
        else:
            workers.pop(order["stop"]).stop()
            answer = {"stopped": order["stop"]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
