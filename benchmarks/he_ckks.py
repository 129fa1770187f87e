"""CKKS through encrypted tensors against TenSEAL by itself, and a small network on encrypted images."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import syft as sy
from benchmarks.measure import alternate
from benchmarks.row import Row
from syft.core.optional import require

SLOTS, CIPHERTEXTS, DEGREE, PRIME_BITS, SCALE_BITS = 4096, 8, 8192, [60, 40, 40, 60], 40
IMAGES = 200


def measure_operations(*, quick: bool) -> list[Row]:
    """Operations on 8 ciphertexts of 4096 numbers: one tensor over a list of TenSEAL's vectors, the fastest calls."""
    tenseal = require("tenseal", "he")
    context = sy.he.ckks_context(degree=DEGREE, prime_bits=PRIME_BITS, scale_bits=SCALE_BITS)
    raw = tenseal.context(tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=PRIME_BITS, n_threads=1)
    raw.global_scale = 2.0**SCALE_BITS
    torch.manual_seed(0)
    x, y = (torch.randn(SLOTS, CIPHERTEXTS, dtype=torch.float64) for _ in range(2))
    listed, other = x.t().tolist(), y.t().tolist()

    def encrypt(values: torch.Tensor) -> Any:
        return values.encrypt(protocol="ckks", context=context)

    def vectors(columns: list[list[float]]) -> Any:
        return [tenseal.ckks_vector(raw, column) for column in columns]

    a, b, c, d = encrypt(x), encrypt(y), vectors(listed), vectors(other)
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "encrypt": (lambda: encrypt(x), lambda: vectors(listed)),
        "add": (lambda: a + b, lambda: [u + v for u, v in zip(c, d, strict=True)]),
        "multiply": (lambda: a * b, lambda: [u * v for u, v in zip(c, d, strict=True)]),
        "multiply by plain numbers": (lambda: a * y, lambda: [u * v for u, v in zip(c, other, strict=True)]),
        "decrypt, to tensors": (a.decrypt, lambda: torch.tensor([u.decrypt() for u in c])),
    }
    rows = []
    for name, (our_way, their_way) in pairs.items():
        timed = alternate(our_way, their_way, pairs=10 if quick else 60, calls=10 if name == "add" else 1)
        best = min(timed.ours), min(timed.plain)
        rows.append(
            Row(
                name=f"CKKS: {name}, 8 × 4096 numbers / TenSEAL",
                value=best[0] / best[1],
                unit="x",
                target=1.05,
                spread=str(timed.ratio()),
                note=f"{1e3 * best[0]:.3f} ms over {1e3 * best[1]:.3f} ms; N = {DEGREE}, primes {PRIME_BITS}",
                samples={"ours_seconds": timed.ours, "tenseal_seconds": timed.plain},
            )
        )
    return rows


def measure_linear(*, quick: bool) -> Row:
    """A linear layer from 64 to 10 on a batch of 4096, over TenSEAL's tensor with the samples in the slots."""
    tenseal = require("tenseal", "he")
    context = sy.he.ckks_context(degree=DEGREE, prime_bits=PRIME_BITS, scale_bits=SCALE_BITS)
    raw = tenseal.context(tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=PRIME_BITS, n_threads=1)
    raw.global_scale = 2.0**SCALE_BITS
    torch.manual_seed(0)
    x, weight = torch.randn(SLOTS, 64, dtype=torch.float64), torch.randn(10, 64, dtype=torch.float64)
    encrypted: Any = x.encrypt(protocol="ckks", context=context)
    plain = tenseal.plain_tensor(x.reshape(-1).tolist(), [SLOTS, 1, 64])
    theirs = tenseal.ckks_tensor(raw, plain, batch=True)
    columns = tenseal.plain_tensor(weight.t().reshape(-1).tolist(), [64, 10])
    timed = alternate(
        lambda: nn.functional.linear(encrypted, weight), lambda: theirs.mm(columns), pairs=2 if quick else 6, warm_up=1
    )
    scores: Any = nn.functional.linear(encrypted, weight)
    error = (scores.decrypt() - x @ weight.t()).abs().max().item()
    best = min(timed.ours), min(timed.plain)
    return Row(
        name="CKKS: linear layer 64 → 10 on 4096 samples / TenSEAL's batched mm",
        value=best[0] / best[1],
        unit="x",
        target=1.05,
        spread=str(timed.ratio()),
        note=f"{best[0]:.3f} s over {best[1]:.3f} s, both on one thread; largest error {error:.1e}",
        samples={"ours_seconds": timed.ours, "tenseal_seconds": timed.plain},
    )


def measure_network(*, quick: bool) -> list[Row]:
    """A convolution, a square and a linear layer on images of 14 x 14 pixels: seconds and bytes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 4, stride=2), sy.he.Square(), nn.Flatten(), nn.Linear(216, 10))
    images = torch.randn(IMAGES, 1, 14, 14)
    context = sy.he.ckks_context(precision=12, depth=sy.he.levels_needed(model, images), largest=200)
    times = []
    for _ in range(1 if quick else 3):
        start = time.perf_counter()
        encrypted = images.encrypt(protocol="ckks", context=context)
        ready = time.perf_counter()
        scores = model(encrypted)
        done = time.perf_counter()
        found = scores.decrypt()
        times.append((ready - start, done - ready, time.perf_counter() - done))
    encrypting, computing, decrypting = map(min, zip(*times, strict=True))
    with torch.no_grad():
        error = (found - model(images)).abs().max().item()
    there, back = len(sy.serde.serialize(encrypted)), len(sy.serde.serialize(scores))
    note = (
        f"{encrypting:.2f} to encrypt, {computing:.2f} to compute, {decrypting:.3f} to decrypt; as long for 1 image as "
        f"for {context.slots}; largest error {error:.1e}"
    )
    return [
        Row(
            name=f"CKKS: CNN on {IMAGES} encrypted images",
            value=encrypting + computing + decrypting,
            unit="s",
            note=note,
        ),
        Row(
            name=f"CKKS: bytes of {IMAGES} encrypted images of 14 × 14",
            value=there / 1e6,
            unit="MB",
            note=f"{back / 1e6:.1f} MB of scores back; keys {len(sy.serde.serialize(context)) / 1e6:.1f} MB, once",
        ),
    ]


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Operations, a layer and a network."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*measure_operations(quick=quick), measure_linear(quick=quick), *measure_network(quick=quick)]
    finally:
        torch.set_num_threads(threads)
