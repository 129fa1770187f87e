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


def fastest(action: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest of some calls: what others do on the machine only ever adds to them."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return min(found)


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
        return _measured(paillier, rounds=2 if quick else 5)
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

    def theirs_added() -> Any:
        return [a + b for a, b in zip(their_x, their_y, strict=True)]

    encrypting = fastest(lambda: [their_public.encrypt(v) for v in x.tolist()], 1)
    adding = fastest(theirs_added, 3 * rounds)
    decrypting = fastest(lambda: [their_private.decrypt(v) for v in their_x], rounds)
    scaling = fastest(lambda: [a * b for a, b in zip(their_x, y.tolist(), strict=True)], rounds)
    seconds = {
        "encrypt": (encrypting, fastest(lambda: x.encrypt(public), rounds), 10),
        "encrypt, by the holder of the private key": (encrypting, fastest(lambda: x.encrypt(private), rounds), None),
        "encrypt, packed": (encrypting, fastest(lambda: x.encrypt(public, packed=True), rounds), None),
        "add": (adding, fastest(lambda: our_x + our_y, 3 * rounds), 4),
        "add, packed": (adding, fastest(lambda: packed_x + packed_y, 3 * rounds), None),
        "add, packed in 32 bits": (adding, fastest(lambda: short_x + short_y, 3 * rounds), 300),
        "multiply by doubles": (scaling, fastest(lambda: our_x * y, rounds), None),
        "decrypt": (decrypting, fastest(lambda: our_x.decrypt(private), rounds), 1.05),
        "decrypt, packed": (decrypting, fastest(lambda: packed_x.decrypt(private), rounds), None),
    }
    foreign = _without_h(public, private)
    seconds["encrypt under a key without an h"] = (encrypting, fastest(lambda: x.encrypt(foreign), 1), None)
    return [
        Row(
            name=f"Paillier, {BITS} bits: {what}, {COUNT} doubles; python-paillier takes times as long",
            value=theirs / ours,
            unit="x",
            target=target,
            at_least=True,
            note=f"{theirs * 1e3:.3g} ms and {ours * 1e3:.3g} ms, the fastest call of each",
        )
        for what, (theirs, ours, target) in seconds.items()
    ]


def _without_h(public: PaillierPublicKey, private: PaillierPrivateKey) -> PaillierPrivateKey:
    return PaillierPrivateKey(PaillierPublicKey(public.n), private.p, private.q)
