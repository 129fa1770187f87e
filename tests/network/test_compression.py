"""A connection may compress what passes in both directions, where that pays."""

from __future__ import annotations

import sys

import pytest
import torch

import syft as sy
from syft.exceptions import CommandNotPermittedError, DependencyError, UsageError
from tests.network.conftest import Connect, Serve

pytest.importorskip("zstandard")

LABELS = torch.arange(200_000) % 10


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_fewer_bytes_pass_in_both_directions(compression: str | None, served: Serve, connect: Connect) -> None:
    worker = served()
    bob = connect(worker, compression=compression)
    x = LABELS.send(bob)
    assert torch.equal((x + 1).get(), LABELS + 1)
    size = LABELS.numel() * LABELS.element_size()
    there, here = bob.traffic.by_kind()["Put"].bytes_out, bob.traffic.by_kind()["list"].bytes_in
    assert worker.traffic.by_kind()["Put"].bytes_in == there
    assert worker.traffic.by_kind()["list"].bytes_out == here
    if compression:
        assert there < size / 10 and here < size / 10
    else:
        assert there > size and here > size


def test_what_does_not_shrink_passes_as_it_is(served: Serve, connect: Connect) -> None:
    bob, noise = connect(served(), compression="zstd"), torch.randn(100_000)
    assert torch.equal(noise.send(bob).get(), noise)
    assert bob.traffic.by_kind()["Put"].bytes_out > noise.numel() * 4


def test_one_client_s_compression_is_not_the_other_s(served: Serve, connect: Connect) -> None:
    worker = served()
    mine, theirs = connect(worker, compression="zstd"), connect(worker)
    x, y = LABELS.send(mine), LABELS.send(theirs)
    assert torch.equal(x.get(), LABELS) and torch.equal(y.get(), LABELS)
    size = LABELS.numel() * LABELS.element_size()
    assert theirs.traffic.by_kind()["list"].bytes_in > size > mine.traffic.by_kind()["list"].bytes_in * 10


def test_a_new_session_is_compressed_too(served: Serve, connect: Connect) -> None:
    bob = connect(served(), compression="zstd")
    bob.close(end=True)
    assert bob.connect() is False
    assert torch.equal(LABELS.send(bob).get(), LABELS)
    assert bob.traffic.by_kind()["list"].bytes_in < LABELS.numel()


def test_a_worker_without_the_package_says_so_and_serves_others(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served()
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(DependencyError, match="compression"):
        connect(worker, compression="zstd")
    with pytest.raises(DependencyError, match="compression") as caught:
        connect(worker).ask("session", "compress", "zstd")
    assert "raised by 'session.compress' on worker 'bob'" in "".join(caught.value.__notes__)
    assert LABELS[:3].send(connect(worker)).get().tolist() == [0, 1, 2]


def test_an_older_worker_says_that_it_does_not_compress(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = sy.workers.session_service.SessionService.remote_methods - {"compress"}
    monkeypatch.setattr(sy.workers.session_service.SessionService, "remote_methods", methods)
    with pytest.raises(CommandNotPermittedError, match="compress"):
        connect(served(), compression="zstd")


def test_another_compression_is_refused_here_and_there(served: Serve, connect: Connect) -> None:
    worker = served()
    with pytest.raises(UsageError, match="'zstd'"):
        connect(worker, compression="brotli")
    with pytest.raises(UsageError, match="'zstd'"):
        connect(worker).ask("session", "compress", "brotli")
