"""Inverses and QR factors of tensors that are here, at a worker and shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.exceptions import UsageError
from syft.frameworks.torch.linalg import DASH, inv_sym, qr
from syft.frameworks.torch.linalg.operations import _norm_mpc
from syft.mpc import profile
from syft.mpc.linalg.matrices import inv_upper

KINDS = ("plain", "pointer", "shared")
GRAM = torch.tensor([[0.8904, 2.3612], [2.3612, 6.4767]])
INDEFINITE = torch.tensor([[2.0, -1.5, 0.3], [-1.5, -1.0, 0.2], [0.3, 0.2, 0.7]])
TABLE = torch.tensor(
    [[0.9, -1.2, 0.4], [-0.3, 0.8, 1.1], [1.5, 0.2, -0.7], [0.1, 0.6, 0.9], [-1.4, 0.5, 0.3], [0.7, -0.8, 1.3]]
)


@pytest.fixture
def place(hook: sy.TorchHook) -> Any:
    """Put a tensor somewhere, and bring what was computed there back."""
    alice, bob, james = (sy.VirtualWorker(hook, id=id) for id in ("alice", "bob", "james"))

    def put(kind: str, tensor: torch.Tensor, **encoding: Any) -> Any:
        if kind == "plain":
            return tensor
        if kind == "pointer":
            return tensor.send(alice)
        encoding = encoding or {"precision_fractional": 6}
        return tensor.fix_precision(**encoding).share(alice, bob, crypto_provider=james)

    return put


def back(kind: str, tensor: Any) -> torch.Tensor:
    if kind == "plain":
        return tensor
    return tensor.get() if kind == "pointer" else tensor.get().float_precision()


def tolerance(kind: str) -> float:
    return 1e-4 if kind == "shared" else 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("matrix", [GRAM, INDEFINITE, torch.tensor([[4.0]])])
def test_a_symmetric_matrix_times_its_inverse_is_the_unit_matrix(place: Any, kind: str, matrix: torch.Tensor) -> None:
    want = torch.linalg.inv(matrix.double())
    found = back(kind, inv_sym(place(kind, matrix)))
    assert (found - want).abs().max() < tolerance(kind) * want.abs().max()


def test_an_inverse_with_binary_digits(place: Any) -> None:
    found = back("shared", inv_sym(place("shared", INDEFINITE, base=2, precision_fractional=16)))
    assert (found - torch.linalg.inv(INDEFINITE)).abs().max() < 1e-3


def test_an_inverse_takes_few_rounds(place: Any) -> None:
    shared = place("shared", INDEFINITE)
    with profile() as seen:
        inv_sym(shared)
    assert seen.total.rounds < 30 * 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_upper_triangular_matrix_is_inverted(place: Any, kind: str) -> None:
    upper = torch.tensor([[1.5, -0.4, 2.0], [0.0, -0.7, 0.3], [0.0, 0.0, 2.2]])
    found = back(kind, inv_upper(place(kind, upper)))
    assert (found - torch.linalg.inv(upper)).abs().max() < tolerance(kind)
    assert DASH._inv_upper is inv_upper


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("table", [TABLE, TABLE[:3], TABLE.t()[:2]])
def test_factors_are_those_of_numpy(place: Any, kind: str, mode: Any, table: torch.Tensor) -> None:
    found = [back(kind, one) for one in qr(place(kind, table), mode, norm_factor=max(table.shape) ** 0.5)]
    for one, want in zip(found, np.linalg.qr(table.numpy(), mode), strict=True):
        assert one.shape == want.shape
        assert np.abs(one.numpy() - want).max() < tolerance(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_only_r(place: Any, kind: str) -> None:
    found = back(kind, qr(place(kind, TABLE), mode="r", norm_factor=2.5))
    assert np.abs(found.numpy() - np.linalg.qr(TABLE.numpy(), "r")).max() < tolerance(kind)


def test_a_column_of_zeros_has_an_orthogonal_factor() -> None:
    table = TABLE.clone()
    table[:, 0] = 0
    Q, R = qr(table, "complete")
    assert torch.allclose(Q @ R, table, atol=1e-6) and torch.allclose(Q @ Q.t(), torch.eye(6), atol=1e-6)


@pytest.mark.parametrize(("digits", "error"), [(6, 1e-4), (4, 2e-3), (3, 2e-2)])
def test_the_norm_of_a_shared_vector(place: Any, digits: int, error: float) -> None:
    vector = torch.linspace(-1.7, 2.1, 100)
    found = back("shared", _norm_mpc(place("shared", vector, precision_fractional=digits), 10.0))
    assert found.dim() == 0 and abs(found - vector.norm()) < error


def test_a_norm_needs_no_good_factor(place: Any) -> None:
    vector = torch.tensor([3.0, -4.0])
    for factor in (1.3, 7.0, 400.0):
        assert abs(back("shared", _norm_mpc(place("shared", vector), factor)) - 5) < 1e-3


def test_mistakes_are_explained(place: Any) -> None:
    with pytest.raises(UsageError, match=r"mode should have one of the values in the list:\['reduced', 'complete'"):
        qr(TABLE, mode="full")
    with pytest.raises(UsageError, match="norm_factor"):
        qr(place("shared", TABLE))
    with pytest.raises(UsageError, match=r"not a tensor of shape \(3,\)"):
        qr(TABLE[0])
    with pytest.raises(UsageError, match="not list"):
        qr([[1.0]])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"not a tensor of shape \(6, 3\)"):
        inv_sym(TABLE)
    with pytest.raises(UsageError, match=r"not a tensor of shape \(6, 3\)"):
        inv_upper(TABLE)
    with pytest.raises(UsageError, match="fix_precision"):
        _norm_mpc(place("shared", torch.tensor([0.5]), precision_fractional=0).child.child.wrap(), 1.0)
