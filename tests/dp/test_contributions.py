"""What a sample contributes: the same norms and sums, whether its gradient is written down or not."""

from __future__ import annotations

import pytest
import torch

from syft.dp.contributions import Contribution, Looked, Outer, Written

B = 4
REAL = {"dtype": torch.float64}


def outer(positions: int, columns: int, rows: int) -> Outer:
    return Outer(
        torch.randn(B, positions, columns, **REAL), torch.randn(B, positions, rows, **REAL), torch.Size((rows, columns))
    )


def looked(positions: int) -> Looked:
    return Looked(torch.randint(0, 3, (B, positions)), torch.randn(B, positions, 2, **REAL), torch.Size((3, 2)))


KINDS = {
    "written": lambda: Written(torch.randn(B, 3, 2, **REAL)),
    "one number": lambda: Written(torch.randn(B, **REAL)[:, None]),
    "one position": lambda: outer(1, 5, 3),
    "few positions": lambda: outer(2, 5, 3),
    "many positions": lambda: outer(9, 3, 2),
    "no position": lambda: outer(0, 3, 2),
    "rows of a table": lambda: looked(6),
    "one row of a table": lambda: looked(1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_norms_and_sums_are_those_of_the_gradients_written_down(kind):
    contribution: Contribution = KINDS[kind]()
    weights = torch.rand(B, **REAL)
    norms, total, each = contribution.squared_norms(), contribution.weighted_sum(weights), contribution.each()
    torch.testing.assert_close(norms, each.flatten(1).square().sum(1))
    torch.testing.assert_close(total, torch.einsum("b,b...->...", weights, each))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_can_be_left_out_whatever_they_hold(kind):
    contribution: Contribution = KINDS[kind]()
    bad = torch.tensor([False, True, False, False])
    without = contribution.without(bad)
    assert float(without.squared_norms()[1]) == 0
    torch.testing.assert_close(without.each()[~bad], contribution.each()[~bad])


def test_the_norm_of_an_outer_product_of_repeated_positions_is_that_of_their_sum():
    inputs, outputs = torch.ones(1, 3, 2), torch.tensor([[[1.0], [1.0], [-2.0]]])
    assert float(Outer(inputs, outputs, torch.Size((1, 2))).squared_norms()) == 0


def test_the_norm_of_a_row_that_is_looked_up_twice_is_that_of_the_sum():
    twice = Looked(torch.tensor([[1, 1]]), torch.tensor([[[3.0], [1.0]]]), torch.Size((2, 1)))
    assert float(twice.squared_norms()) == 16
