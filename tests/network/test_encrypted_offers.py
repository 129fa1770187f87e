"""Encrypted tensors that the owner of a served worker offers to all: each client computes on a copy of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.he.paillier_keys import keys
from tests.network.conftest import Connect, Serve

X = torch.tensor([[1.5, -2.0, 0.25], [4, 0, -7]])


@pytest.mark.parametrize("packed", [False, True])
def test_what_an_owner_offers_is_computed_on_and_never_changed(served: Serve, connect: Connect, packed: bool) -> None:
    public, private = keys()
    data: Any = X.encrypt(public, packed=packed).tag("#numbers")  # type: ignore[attr-defined]
    worker = served(data=[data])
    for _ in range(2):
        (found,) = connect(worker).search("#numbers")
        found += 1
        assert torch.allclose((found + found).get().decrypt(private), 2 * X + 2)
    assert torch.equal(data.decrypt(private), X)
