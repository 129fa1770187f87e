"""Holders of shares and their crypto provider that are killed and started again, as empty as on the first day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from syft.exceptions import SyftError
from tests.network.processes import Restartable, processes, workers

__all__ = ["processes", "workers"]

pytestmark = pytest.mark.network
NAMES = ("ann", "ben", "cyd")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Restartable]]:
    """Two holders and a provider."""
    folder = tmp_path_factory.mktemp("holders")
    started = {name: Restartable(folder, name, "--keepalive", "1") for name in NAMES}
    yield started
    for process in started.values():
        process.close()


@pytest.mark.parametrize("name", ["cyd", "ann"])
def test_values_that_are_shared_again_agree_on_new_keys(
    processes: dict[str, Restartable], workers: dict[str, Any], name: str
) -> None:
    """Also while tensors of before are still there, which are lost and say so."""
    ann, ben, cyd = workers.values()

    def shared() -> Any:
        return torch.tensor([2, -3]).share(ann, ben, crypto_provider=cyd)

    lost = shared()
    assert (lost * lost).get().tolist() == [4, 9]
    processes[name].kill()
    processes[name].start()
    for worker in workers.values():
        worker.connect()
    again = shared()
    assert (again * again).get().tolist() == [4, 9] and (again > 0).get().tolist() == [1, 0]
    with pytest.raises(SyftError):
        (lost > 0).get()
