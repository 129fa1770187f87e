"""Paillier's cryptosystem against python-paillier with gmpy2: 1000 doubles under one key of 2048 bits, on one core."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

import syft as sy
from benchmarks.row import Row
from syft.he.paillier import PaillierPrivateKey, PaillierPublicKey

COUNT, BITS = 1000, 2048
_PART = 100  # of the numbers that python-paillier encrypts at a time, as that takes it long


def fastest(theirs: Callable[[], Any], ours: Callable[[], Any], rounds: int, calls: int) -> tuple[float, float]:
    """Processor seconds of the fastest calls of each of two, which take turns: what else runs only adds to them."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for action, seconds in zip((theirs, ours), found, strict=True):
            started = time.process_time()
            for _ in range(calls):
                action()
            seconds.append((time.process_time() - started) / calls)
    return min(found[0]), min(found[1])


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure both on the same numbers, and check that both decrypt to the right ones."""
    try:
        from phe import paillier, util
    except ImportError:
        return [_absent()]
    if not util.HAVE_GMP:
        return [_absent()]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured(paillier, rounds=2 if quick else 4)
    finally:
        torch.set_num_threads(threads)


def _absent() -> Row:
    note = "python-paillier with gmpy2 is not installed: pip install phe gmpy2"
    return Row(name="Paillier: encrypt 1000 doubles", value=float("nan"), unit="x", note=note)


def _measured(paillier: Any, rounds: int) -> list[Row]:
    torch.manual_seed(0)
    x, y = torch.randn(COUNT, dtype=torch.float64), torch.randn(COUNT, dtype=torch.float64)
    their_public, their_private = paillier.generate_paillier_keypair(n_length=BITS)
    public, private = sy.keygen(n_length=BITS)
    their_x, their_y = [their_public.encrypt(v) for v in x.tolist()], [their_public.encrypt(v) for v in y.tolist()]
    our_x, our_y = x.encrypt(public), y.encrypt(private)
    packed_x, packed_y = x.encrypt(public, packed=True), y.encrypt(public, packed=True)
    short_x, short_y = (v.encrypt(public, packed=True, slot_bits=32, additions=64) for v in (x, y))
    sums = [a + b for a, b in zip(their_x, their_y, strict=True)]
    for found in (
        torch.tensor([their_private.decrypt(v) for v in sums[:20]], dtype=torch.float64),
        (our_x + our_y).decrypt(private)[:20],
        (packed_x + packed_y).decrypt(private)[:20],
    ):
        if not torch.allclose(found, (x + y)[:20], atol=1e-8):
            raise RuntimeError("a side has computed something wrong")

    some = x[:_PART].tolist()

    def encrypt() -> Any:
        return [their_public.encrypt(v) for v in some]

    def add() -> Any:
        return [a + b for a, b in zip(their_x, their_y, strict=True)]

    def decrypt() -> Any:
        return [their_private.decrypt(v) for v in their_x]

    def multiply() -> Any:
        return [a * b for a, b in zip(their_x, y.tolist(), strict=True)]

    foreign = PaillierPrivateKey(PaillierPublicKey(public.n), private.p, private.q)
    sides: list[tuple[str, Callable[[], Any], Callable[[], Any], float | None]] = [
        ("encrypt", encrypt, lambda: x.encrypt(public), 10),
        ("encrypt, by the holder of the private key", encrypt, lambda: x.encrypt(private), None),
        ("encrypt, by the holder of a key without an h", encrypt, lambda: x.encrypt(foreign), None),
        ("encrypt, packed", encrypt, lambda: x.encrypt(public, packed=True), None),
        ("add", add, lambda: our_x + our_y, 4),
        ("add, packed", add, lambda: packed_x + packed_y, None),
        ("add, packed in 32 bits", add, lambda: short_x + short_y, None),
        ("multiply by doubles", multiply, lambda: our_x * y, None),
        ("decrypt", decrypt, lambda: our_x.decrypt(private), 1.05),
        ("decrypt, packed", decrypt, lambda: packed_x.decrypt(private), None),
    ]
    seconds = {}
    for what, theirs, ours, target in sides:
        their_seconds, our_seconds = fastest(theirs, ours, rounds, 20 if theirs is add else 1)
        seconds[what] = their_seconds * (COUNT / _PART if theirs is encrypt else 1), our_seconds, target
    their_sum, our_sum = (seconds["encrypt, packed"][side] + seconds["add, packed"][side] for side in (0, 1))
    seconds["encrypt and add, packed"] = their_sum, our_sum, 300
    return [
        Row(
            name=f"Paillier, {BITS} bits: {what}, {COUNT} doubles; python-paillier takes times as long",
            value=theirs / ours,
            unit="x",
            target=target,
            at_least=True,
            note=f"{theirs * 1e3:.4g} ms and {ours * 1e3:.4g} ms of one core, the fastest calls of each",
        )
        for what, (theirs, ours, target) in seconds.items()
    ]
