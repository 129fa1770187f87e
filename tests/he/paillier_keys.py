"""Keys for tests: one pair is made, once, as that takes a while."""

from __future__ import annotations

from functools import cache

import pytest

from syft.he.paillier import PaillierPrivateKey, PaillierPublicKey, keygen

pytest.importorskip("gmpy2", reason="Paillier's cryptosystem needs gmpy2")


@cache
def keys(number: int = 0) -> tuple[PaillierPublicKey, PaillierPrivateKey]:
    """A pair of the shortest keys there are; another one for each number."""
    return keygen(n_length=2048)
