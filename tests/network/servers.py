"""Real server processes for tests, and the worker that shows tests what is on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

import syft as sy
from syft.core import messages as m
from syft.tensors.base import is_wrapper

REPOSITORY = Path(__file__).resolve().parents[2]


class Host:
    """A process that serves workers; see `tests.network.host`."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.network.host"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
            cwd=REPOSITORY,
        )  # fmt: skip

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the server process died"
        return dict(json.loads(line))

    def new(self, id: Any) -> int:
        """Start a worker; its port."""
        return int(self._order(new=id, threads=torch.get_num_threads())["port"])

    def stop(self, port: int) -> None:
        """Stop a worker."""
        self._order(stop=port)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


class RemoteObjects(Mapping[Any, Any]):
    """What a session holds on its worker, fetched when it is looked at."""

    def __init__(self, worker: ShownWorker) -> None:
        self._worker = worker

    def _ids(self) -> list[Any]:
        return list(self._worker.ask("inspect", "ids"))

    def __getitem__(self, id: Any) -> Any:
        if id not in self._ids():
            raise KeyError(id)
        (obj,) = self._worker.request(m.Take((m.Ref(id),), keep=True))
        return obj

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ids())

    def __len__(self) -> int:
        return len(self._ids())

    def pop(self, id: Any, *default: Any) -> Any:
        obj = self.get(id, *default)
        self._worker.post(m.Forget((id,)))
        return obj

    def __setitem__(self, id: Any, obj: Any) -> None:
        self._worker.request(m.Put(((id, obj),)))

    def __delitem__(self, id: Any) -> None:
        self.pop(id)

    def clear(self) -> None:
        self._worker.clear_objects_remote()

    def __repr__(self) -> str:
        return repr(dict(self))


class RemoteStore:
    """The store of a session on its worker."""

    def __init__(self, worker: ShownWorker) -> None:
        self.objects = RemoteObjects(worker)

    def __len__(self) -> int:
        return len(self.objects)

    def get(self, id: Any) -> Any:
        return self.objects[id]


class ShownWorker(sy.WebsocketClientWorker):
    """A worker in another process, with the same insight for tests that a virtual worker gives."""

    @property
    def _objects(self) -> Any:
        return RemoteObjects(self)

    def current_objects(self) -> dict[Any, Any]:
        return dict(RemoteObjects(self))

    def find_by_id(self, id: Any) -> Any:
        return RemoteObjects(self).get(id)

    def __getitem__(self, id: Any) -> Any:
        return RemoteObjects(self).get(id)

    def clear_objects(self, return_self: bool = True) -> Any:
        self.clear_objects_remote()
        return self if return_self else None

    def add_dataset(self, dataset: Any, key: str) -> None:
        self.ask("inspect", "add_dataset", dataset, key)

    def remove_dataset(self, key: str) -> None:
        self.ask("inspect", "remove_dataset", key)


def is_plain(obj: Any) -> bool:
    """Whether an object is no wrapper."""
    return not is_wrapper(obj)
