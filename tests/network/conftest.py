"""What tests of workers on a network have in common: nothing of theirs is left when they are over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import syft as sy
from tests.faults.leaks import nothing_left


@pytest.fixture(autouse=True)
def _no_leaks(hook: sy.TorchHook) -> Iterator[None]:
    """Threads, sockets and pipes are gone. A fixture that made clients must not hold on to them: they have a pipe."""
    with nothing_left():
        yield
