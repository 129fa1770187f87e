"""SPU with its protocol SEMI2K on 64 bits: two parties, each a thread of this process, joined by its memory link."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy
from spu import api, libspu
from spu.utils import frontend

from benchmarks.peers.answering import answer
from benchmarks.peers.workloads import LEARNING_RATE, make_workload

PARTIES = 2
_SECRET = libspu.Visibility.VIS_SECRET
_CONFIG = libspu.RuntimeConfig(protocol=libspu.ProtocolKind.SEMI2K, field=libspu.FieldType.FM64)
_CONFIG.max_concurrency = 1  # threads a party uses within an operation


def _relu(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0.0)


def _mlp(x: jax.Array, *parameters: jax.Array) -> jax.Array:
    w1, b1, w2, b2 = parameters
    return _relu(x @ w1.T + b1) @ w2.T + b2


def _convolve_and_pool(x: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
    convolved = jax.lax.conv_general_dilated(x, weight, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    window = (1, 2, 2, 1)
    return jax.lax.reduce_window(_relu(convolved + bias), 0.0, jax.lax.add, window, window, "VALID") * 0.25


def _cnn(x: jax.Array, *parameters: jax.Array) -> jax.Array:
    """Images with channels first, which SPU cannot convolve: they go last meanwhile."""
    x = x.transpose(0, 2, 3, 1)
    for weight, bias in (parameters[:2], parameters[2:4]):
        x = _convolve_and_pool(x, weight.transpose(2, 3, 1, 0), bias)
    return _mlp(x.transpose(0, 3, 1, 2).reshape(len(x), -1), *parameters[4:])


def _train(x: jax.Array, target: jax.Array, *parameters: jax.Array) -> tuple[jax.Array, ...]:
    def loss(parameters: tuple[jax.Array, ...]) -> jax.Array:
        return jnp.mean((_mlp(x, *parameters) - target) ** 2)

    gradients = jax.grad(loss)(parameters)
    return tuple(p - LEARNING_RATE * g for p, g in zip(parameters, gradients, strict=True))


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "mul": lambda x, y: x * y,
    "matmul": lambda x, w: x @ w,
    "relu": _relu,
    "mlp": _mlp,
    "cnn": _cnn,
    "train": _train,
}


class _Prepared:
    """A workload, compiled, with shares of its inputs at two parties."""

    def __init__(self, name: str) -> None:
        self._workload = make_workload(name)
        values = [*self._workload.inputs, *self._workload.parameters]
        names = [f"input {index}" for index in range(len(values))]
        self._program, _ = frontend.compile(
            *(frontend.Kind.JAX, _FUNCTIONS[self._workload.kind], values, {}, names, [_SECRET] * len(values)),
            lambda outputs: [f"output {index}" for index in range(len(outputs))],
        )
        description = libspu.link.Desc()
        for party in range(PARTIES):
            description.add_party(f"party {party}", f"thread {party}")
        self._threads = ThreadPoolExecutor(PARTIES)
        self._links = list(self._threads.map(lambda party: libspu.link.create_mem(description, party), range(PARTIES)))
        self._parties = list(self._threads.map(lambda link: api.Runtime(link, _CONFIG), self._links))
        self._door = api.Io(PARTIES, _CONFIG)
        for input_name, value in zip(names, values, strict=True):
            for party, share in zip(self._parties, self._door.make_shares(value, _SECRET), strict=True):
                party.set_var(input_name, share)
        self.run()
        self.error = self._workload.error(tuple(map(self._open, self._program.output_names)))

    def _open(self, name: str) -> numpy.ndarray:
        return self._door.reconstruct([party.get_var(name) for party in self._parties])

    def run(self) -> float:
        """Compute once; return the seconds of the slower party."""

        def part(party: api.Runtime, link: libspu.link.Context) -> float:
            link.barrier()
            started = time.perf_counter()
            party.run(self._program)
            return time.perf_counter() - started

        return max(self._threads.map(part, self._parties, self._links))


_prepared = cache(_Prepared)


def _measure(name: str, calls: int) -> tuple[list[float], float]:
    prepared = _prepared(name)
    prepared.run()
    return [prepared.run() for _ in range(calls)], prepared.error


if __name__ == "__main__":
    answer(_measure)
