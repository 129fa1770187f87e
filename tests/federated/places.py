"""Fresh workers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

import syft as sy

NAMES = ("bob", "alice", "james", "kim")


@contextmanager
def fresh_workers(*, wire: bool = False, names: tuple[Any, ...] = NAMES) -> Iterator[list[sy.VirtualWorker]]:
    """Workers that hold nothing; with ``wire`` every message is serialised."""
    hook = sy.TorchHook(torch)
    me = hook.local_worker
    for name in names:
        if name in me._known_workers:  # left behind by another test: its objects are not ours
            me.remove_worker_from_registry(name)
    workers = [sy.VirtualWorker(hook, id=name, wire=wire) for name in names]
    yield workers
    for name in names:
        me.remove_worker_from_registry(name)
