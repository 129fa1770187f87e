"""What a test leaves behind in this process: threads of ours, sockets, pipes."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 10.0  # seconds; threads and sockets that are on their way out are no leak


def threads() -> Counter[str]:
    """Our threads, by name."""
    return Counter(t.name for t in threading.enumerate() if t.name.startswith(("syft-", "proxy")))


def descriptors() -> int:
    """How many sockets, pipes and polls this process has open."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith(("socket:", "pipe:", "anon_inode:"))
        except OSError:  # the descriptor of the listing itself
            continue
    return found


@contextmanager
def nothing_left(patience: float = _PATIENCE) -> Iterator[None]:
    """Fail if what happens inside leaves threads or descriptors behind."""
    gc.collect()
    before, open_before = threads(), descriptors()
    yield
    deadline = time.monotonic() + patience
    while True:
        left, more = threads() - before, descriptors() - open_before
        if not left and more <= 0:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"left behind: threads {sorted(left.elements())}, {more} sockets and pipes")
        gc.collect()
        time.sleep(0.02)
