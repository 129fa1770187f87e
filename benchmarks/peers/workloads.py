"""What is computed on shared values: the inputs, the right result and how far from it a result may be.

Every side takes the same arrays, in torch's layout, and is checked against the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy
from numpy.lib.stride_tricks import sliding_window_view

Array = numpy.ndarray

LEARNING_RATE = 0.1


@dataclass(frozen=True)
class Workload:
    """One computation on secrets.

    Attributes:
        kind: What is computed: `mul`, `matmul`, `relu`, `mlp`, `cnn` or `train`.
        inputs: The secret values other than a model's: one or two arrays of float32.
        parameters: The weights and biases of the model in torch's order, secret as well; empty where there is no model.
        expected: The result, or for `train` the parameters after the step, one after the other.
        tolerance: The largest error of a result with 16 binary digits after the point.
    """

    kind: str
    inputs: tuple[Array, ...]
    parameters: tuple[Array, ...]
    expected: tuple[Array, ...]
    tolerance: float

    def error(self, results: tuple[Array, ...]) -> float:
        """How far the results are from the expected ones, at most.

        Raises:
            ValueError: They have other shapes.
        """
        shapes, wanted = [numpy.shape(r) for r in results], [e.shape for e in self.expected]
        if shapes != wanted:
            raise ValueError(f"results have the shapes {shapes}, where {wanted} are expected")
        return max(float(numpy.abs(r - e).max()) for r, e in zip(results, self.expected, strict=True))


def _layer(random: numpy.random.Generator, *shape: int) -> tuple[Array, Array]:
    """Weight and bias as torch initialises them."""
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    return (
        random.uniform(-bound, bound, shape).astype(numpy.float32),
        random.uniform(-bound, bound, shape[:1]).astype(numpy.float32),
    )


def _relu(x: Array) -> Array:
    return numpy.maximum(x, 0)


def _mlp(x: Array, parameters: tuple[Array, ...]) -> Array:
    w1, b1, w2, b2 = parameters
    return _relu(x @ w1.T + b1) @ w2.T + b2


def _convolve_and_pool(x: Array, weight: Array, bias: Array) -> Array:
    """5×5 convolution, ReLU and the mean of 2×2 cells."""
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    y = _relu(numpy.einsum("nchwij,ocij->nohw", windows, weight, optimize=True) + bias[:, None, None])
    n, channels, height, width = y.shape
    return y.reshape(n, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))


def _cnn(x: Array, parameters: tuple[Array, ...]) -> Array:
    x = _convolve_and_pool(x, *parameters[:2])
    x = _convolve_and_pool(x, *parameters[2:4])
    return _mlp(x.reshape(len(x), -1), parameters[4:])


def _train(x: Array, target: Array, parameters: tuple[Array, ...]) -> tuple[Array, ...]:
    """The parameters after one step of SGD on the mean squared error."""
    w1, b1, w2, b2 = parameters
    before = x @ w1.T + b1
    hidden = _relu(before)
    output = hidden @ w2.T + b2
    d_output = 2 * (output - target) / output.size
    d_before = (d_output @ w2) * (before > 0)
    gradients = d_before.T @ x, d_before.sum(0), d_output.T @ hidden, d_output.sum(0)
    return tuple(p - LEARNING_RATE * g for p, g in zip(parameters, gradients, strict=True))


def _mul(random: numpy.random.Generator) -> Workload:
    x, y = random.standard_normal((2, 100_000), numpy.float32)
    return Workload("mul", (x, y), (), (x * y,), 1e-3)


def _matmul(random: numpy.random.Generator) -> Workload:
    x, w = random.standard_normal((64, 784), numpy.float32), random.standard_normal((784, 128), numpy.float32) / 20
    return Workload("matmul", (x, w), (), (x @ w,), 1e-2)


def _relu_of(random: numpy.random.Generator, count: int) -> Workload:
    x = random.standard_normal(count, numpy.float32)
    return Workload("relu", (x,), (), (_relu(x),), 1e-3)


def _perceptron(random: numpy.random.Generator, batch: int) -> Workload:
    parameters = (*_layer(random, 128, 784), *_layer(random, 10, 128))
    x = random.random((batch, 784), numpy.float32)
    return Workload("mlp", (x,), parameters, (_mlp(x, parameters),), 1e-2)


def _convolutional(random: numpy.random.Generator, batch: int) -> Workload:
    shapes = (16, 1, 5, 5), (16, 16, 5, 5), (100, 256), (10, 100)
    parameters = tuple(part for shape in shapes for part in _layer(random, *shape))
    x = random.random((batch, 1, 28, 28), numpy.float32)
    return Workload("cnn", (x,), parameters, (_cnn(x, parameters),), 1e-2)


def _training(random: numpy.random.Generator, batch: int) -> Workload:
    parameters = (*_layer(random, 128, 784), *_layer(random, 10, 128))
    x = random.random((batch, 784), numpy.float32)
    target = numpy.eye(10, dtype=numpy.float32)[random.integers(0, 10, batch)]
    return Workload("train", (x, target), parameters, _train(x, target, parameters), 2e-4)


_MAKERS: dict[str, Callable[[numpy.random.Generator], Workload]] = {
    "mul 1e5": _mul,
    "matmul 64×784 @ 784×128": _matmul,
    "ReLU 1e4": lambda random: _relu_of(random, 10_000),
    "ReLU 1e5": lambda random: _relu_of(random, 100_000),
    "MLP 784-128-10, batch 1": lambda random: _perceptron(random, 1),
    "MLP 784-128-10, batch 128": lambda random: _perceptron(random, 128),
    "CNN, batch 64": lambda random: _convolutional(random, 64),
    "training step of the MLP, batch 128": lambda random: _training(random, 128),
}


def make_workload(name: str) -> Workload:
    """Return the workload of this name, with the same values each time.

    Raises:
        KeyError: There is none of this name.
    """
    return _MAKERS[name](numpy.random.default_rng(0))
