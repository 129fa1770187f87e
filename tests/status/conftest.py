"""A furnished worker, and its status port on a loopback port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'status' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'status' is not installed")
pytest.importorskip("prometheus_client", reason="the extra 'status' is not installed")

from syft.status import StatusServer
from tests.status.lab import CountingWorker, Lab, furnish

TOKENS = {"ann-0123": "ann", "ben-4567": "ben"}


@pytest.fixture(params=["wire"])
def mode(request: pytest.FixtureRequest) -> str:
    """These workers count what goes over the wire, so they always have one."""
    return str(request.param)


@pytest.fixture
def lab(hook: Any, make_worker: Any) -> Iterator[Lab]:
    """A worker in use, that lets everybody in."""
    lab = Lab(CountingWorker(hook, id="lab"))
    pointers = furnish(lab)
    yield lab
    pointers.clear()


@pytest.fixture
def server(lab: Lab) -> Iterator[StatusServer]:
    """The status port of the worker; gone afterwards with all its threads."""
    before = set(threading.enumerate())
    with StatusServer(lab) as server:
        yield server
    assert set(threading.enumerate()) <= before


@pytest.fixture
def guarded(lab: Lab, server: StatusServer) -> StatusServer:
    """The same port of a worker that demands a token."""
    lab.tokens = TOKENS
    return server
