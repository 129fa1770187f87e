"""CrypTen with two processes and its provider `TFP`: the first process makes all triples, within the time of a call.

The processes talk over gloo on loopback. The caller's process is the first of them and has the second do the same.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy
import torch

from benchmarks.peers.answering import answer
from benchmarks.peers.workloads import LEARNING_RATE, Workload, make_workload

# This module of CrypTen 0.4.1 imports parts of torch.onnx that are gone; it only serves to read ONNX files.
_unused = types.ModuleType("crypten.nn.onnx_converter")
_unused.from_onnx = _unused.from_pytorch = _unused.from_tensorflow = None
_unused.TF_AND_TF2ONNX = False
sys.modules[_unused.__name__] = _unused

import crypten  # noqa: E402
from crypten import communicator, nn  # noqa: E402

Call = Callable[[], object]
Results = Callable[[], tuple[object, ...]]


def _share(values: numpy.ndarray) -> crypten.CrypTensor:
    return crypten.cryptensor(torch.from_numpy(values), src=0)


def _open(secret: crypten.CrypTensor) -> numpy.ndarray:
    """The value of a secret. CrypTen's own decoding is off by one for negatives just above an integer."""
    return secret.reveal().numpy() / 2.0**16


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def _cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 100), nn.ReLU(), nn.Linear(100, 10)),
    )


def _encrypted(model: nn.Module, workload: Workload) -> nn.Module:
    for parameter, values in zip(model.parameters(), workload.parameters, strict=True):
        parameter.data.copy_(torch.from_numpy(values))
    return model.encrypt(src=0)


def _inference(model: nn.Module, workload: Workload) -> Call:
    encrypted = _encrypted(model, workload)
    encrypted.eval()
    x = _share(workload.inputs[0])

    def call() -> object:
        with crypten.no_grad():
            return encrypted(x)

    return call


def _training(workload: Workload) -> tuple[Call, Results]:
    model = _encrypted(_mlp(), workload)
    model.train()
    optimizer = crypten.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    x, target = map(_share, workload.inputs)
    loss_of = nn.MSELoss()

    def call() -> None:
        optimizer.zero_grad()
        loss_of(model(x), target).backward()
        optimizer.step()

    return call, lambda: tuple(model.parameters())


def _prepare(workload: Workload) -> tuple[Call, Results]:
    """Share what the workload needs; return what is timed, and what calls it once and returns the results of that."""
    if workload.kind == "train":
        call, parameters = _training(workload)
        return call, lambda: (call(), parameters())[1]
    if workload.kind in ("mlp", "cnn"):
        call = _inference(_mlp() if workload.kind == "mlp" else _cnn(), workload)
    else:
        secrets = [_share(values) for values in workload.inputs]
        operation = {"mul": lambda x, y: x * y, "matmul": lambda x, w: x.matmul(w), "relu": lambda x: x.relu()}
        call = partial(operation[workload.kind], *secrets)
    return call, lambda: (call(),)


@cache
def _prepared(name: str) -> tuple[Call, float]:
    """What is timed for the workload of this name, and how far its first results were from the right ones."""
    workload = make_workload(name)
    call, results = _prepare(workload)
    return call, workload.error(tuple(_open(secret) for secret in results()))


def _measure_here(name: str, calls: int) -> tuple[list[float], float]:
    """This process's part in a measurement: the seconds it took for each call, and the error."""
    call, error = _prepared(name)
    call()
    seconds = []
    for _ in range(calls):
        communicator.get().barrier()
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds, error


def _join(rank: int, meeting_point: str) -> None:
    """Become one of the two parties."""
    os.environ.update(WORLD_SIZE="2", RANK=str(rank), RENDEZVOUS=f"file://{meeting_point}", DISTRIBUTED_BACKEND="gloo")
    torch.set_num_threads(1)
    crypten.init()


def _second(meeting_point: str, orders: Connection) -> None:
    """Do what the first party does, and tell it how long that took."""
    _join(1, meeting_point)
    while (order := orders.recv()) is not None:
        orders.send(_measure_here(*order)[0])


def main() -> None:
    """Answer requests, together with a second process."""
    meeting_point = str(Path(tempfile.mkdtemp()) / "rendezvous")
    orders, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=_second, args=(meeting_point, theirs), daemon=True)
    other.start()
    _join(0, meeting_point)

    def measure(name: str, calls: int) -> tuple[list[float], float]:
        orders.send((name, calls))
        mine, error = _measure_here(name, calls)
        return [max(pair) for pair in zip(mine, orders.recv(), strict=True)], error

    answer(measure)
    orders.send(None)
    other.join(20)


if __name__ == "__main__":
    main()
