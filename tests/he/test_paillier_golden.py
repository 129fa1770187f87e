"""The bytes of keys and encrypted tensors are those that were checked in: what one release sends, the next one reads.

``python -m tests.he.test_paillier_golden`` writes the files anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from syft.he.paillier import PackedPaillierTensor, PaillierPrivateKey, PaillierPublicKey, PaillierTensor
from syft.he.paillier.packed import PackedCiphertexts, Packing, side_by_side
from syft.he.paillier.plaintexts import whole
from syft.he.paillier.tensor import CipherTensor, array
from syft.serde import decode, encode

gmpy2 = pytest.importorskip("gmpy2", reason="Paillier's cryptosystem needs gmpy2")
GOLDEN = Path(__file__).parent / "golden"
NUMBERS = torch.tensor([[1.5, -2.0], [0.25, 0.0]])


@cache
def fixed_keys() -> tuple[PaillierPublicKey, PaillierPrivateKey]:
    """Keys that everybody knows: of the first fitting primes above two round numbers."""
    p, q = gmpy2.next_prime(3 << 1022), gmpy2.next_prime(7 << 1021)
    public = PaillierPublicKey(int(p * q), 4)
    return public, PaillierPrivateKey(public, int(p), int(q))


def _hidden(integers: list[int]) -> Any:
    public, _ = fixed_keys()
    noise = [gmpy2.powmod(place + 2, public.n, public.nsquare) for place in range(len(integers))]
    return array((1 + public.n * m) * r % public.nsquare for m, r in zip(integers, noise, strict=True))


def samples() -> dict[str, Any]:
    """Name of the golden file -> the object."""
    public, _ = fixed_keys()
    single = PaillierTensor.of(public, _hidden(whole(NUMBERS, -4)).reshape(2, 2), -4, 20, torch.float32, fresh=True)
    single._id, single.tags, single.description = 77, {"#b", "#a"}, "four numbers"
    packing = Packing(8, 16, 32)
    values = _hidden(side_by_side(packing.integers(NUMBERS), public, packing))
    packed = PackedPaillierTensor(public, PackedCiphertexts(values, 3, fresh=True), (2, 2), packing, torch.float64)
    return {"paillier_key": public, "paillier_tensor": CipherTensor(single), "paillier_packed": CipherTensor(packed)}


@pytest.mark.parametrize("name", samples())
def test_the_bytes_have_not_changed(name: str) -> None:
    assert encode(samples()[name]).hex(" ") == (GOLDEN / f"{name}.bin").read_bytes().hex(" ")


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("name", samples())
def test_the_bytes_still_mean_the_same(name: str) -> None:
    found: Any = decode((GOLDEN / f"{name}.bin").read_bytes())
    if name == "paillier_key":
        assert (found, found.h) == (fixed_keys()[0], 4)
    else:
        assert torch.equal(found.decrypt(fixed_keys()[1]).float(), NUMBERS)
        assert found.dtype == (torch.float32 if name == "paillier_tensor" else torch.float64)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, sample in samples().items():
        (GOLDEN / f"{name}.bin").write_bytes(encode(sample))
