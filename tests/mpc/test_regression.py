"""Regressions on the rows of several owners: against least squares in clear, and what they show to whom."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.encoded.number import Number
from syft.exceptions import (
    CryptoProviderError,
    EncodingError,
    NotRemoteError,
    SyftError,
    TensorsNotCollocatedException,
    UsageError,
)
from syft.frameworks.torch.linalg import DASH, EncryptedLinearRegression
from syft.mpc import profile
from syft.mpc.linalg import normal_equations as ne
from syft.mpc.linalg.student import two_sided_p
from syft.mpc.shared import AdditiveSharingTensor
from syft.sandbox import generated_housing

TRUE = torch.tensor([1.0, 2.0], dtype=torch.float64)


class Lab:
    """Owners of data, a holder and a crypto provider."""

    def __init__(self, make: Any) -> None:
        self.owners = [make("alice"), make("bob")]
        self.hbc, self.provider = make("hbc"), make("provider")

    def split(self, tensor: torch.Tensor) -> list[Any]:
        cut = len(tensor) // 3
        return [tensor[:cut].send(self.owners[0]), tensor[cut:].send(self.owners[1])]

    def linear(self, X: Any, y: Any, **settings: Any) -> EncryptedLinearRegression:
        model = EncryptedLinearRegression(self.provider, self.hbc, **settings)
        assert model.fit(self.split(X), self.split(y)) is model
        return model


@pytest.fixture
def lab(hook: sy.TorchHook) -> Lab:
    return Lab(lambda id: sy.VirtualWorker(hook, id=id))


def noisy(rows: int, noise: float = 0.1, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(rows, 2, generator=draw, dtype=torch.float64)
    return X, X @ TRUE + 0.5 + noise * torch.randn(rows, generator=draw, dtype=torch.float64)


def least_squares(X: Any, y: Any, intercept: bool = True) -> tuple[Any, Any, float]:
    X, y = np.asarray(X, np.float64), np.asarray(y, np.float64).reshape(-1)
    table = np.column_stack([X, np.ones(len(X))]) if intercept else X
    coefficients = np.linalg.lstsq(table, y, rcond=None)[0]
    residuals = y - table @ coefficients
    variance = float(residuals @ residuals) / (len(y) - table.shape[1])
    return coefficients, np.sqrt(variance * np.diag(np.linalg.inv(table.T @ table))), math.sqrt(variance)


@pytest.mark.parametrize("rows", [300, 3000])
def test_coefficients_and_standard_errors_are_those_of_least_squares(lab: Lab, rows: int) -> None:
    X, y = noisy(rows)
    model = lab.linear(X, y)
    coefficients, errors, sigma = least_squares(X, y)
    assert np.abs(model.coef.numpy() - coefficients[:2]).max() < 5e-6
    assert abs(float(model.intercept) - coefficients[2]) < 5e-6
    assert model.se_coef.numpy() == pytest.approx(errors[:2], rel=1e-4)
    assert float(model.se_intercept) == pytest.approx(errors[2], rel=1e-4)
    assert float(model.sigma) == pytest.approx(sigma, rel=1e-4)
    assert (model.n_features, model.total_size, model._dgf) == (2, rows, rows - 3)
    assert model.coef.dtype == torch.float32 and model.intercept.dim() == 0
    assert isinstance(model.pvalue_coef, np.ndarray) and (model.pvalue_coef < 1e-12).all()


def test_p_values_of_coefficients_that_may_be_zero(lab: Lab) -> None:
    X, y = noisy(60, noise=3.0)
    model = lab.linear(X, y - 0.4)
    coefficients, errors, _ = least_squares(X, y - 0.4)
    want = [two_sided_p(c / e, 57) for c, e in zip(coefficients, errors, strict=True)]
    assert 0.01 < want[2] < 1
    assert [*model.pvalue_coef, model.pvalue_intercept] == pytest.approx(want, rel=1e-3)


def test_without_an_intercept(lab: Lab) -> None:
    X, y = noisy(100)
    model = lab.linear(X, y.unsqueeze(1), fit_intercept=False)
    coefficients, errors, _ = least_squares(X, y, intercept=False)
    assert np.abs(model.coef.numpy() - coefficients).max() < 5e-6
    assert model.se_coef.numpy() == pytest.approx(errors, rel=1e-4)
    assert model.intercept is model.se_intercept is model.pvalue_intercept is None


def test_columns_in_units_of_any_size(lab: Lab) -> None:
    X, y, _ = generated_housing()
    assert X.max() > 500 and X.std(0).min() < 0.3
    model = lab.linear(torch.tensor(X), torch.tensor(y))
    coefficients, errors, sigma = least_squares(X, y)
    assert np.abs((model.coef.numpy() - coefficients[:-1]) / errors[:-1]).max() < 1e-3
    assert model.se_coef.numpy() == pytest.approx(errors[:-1], rel=1e-3)
    assert float(model.sigma) == pytest.approx(sigma, rel=1e-4)


@pytest.mark.parametrize(("feature", "target"), [(0.02, 30_000.0), (20_000.0, 0.05), (9000.0, 9000.0)])
def test_the_ends_of_the_range(lab: Lab, feature: float, target: float) -> None:
    X, y = noisy(200, noise=1.0)
    X, y = X * feature, y / y.std() * target
    if target / feature > 1e5:
        y = y / 10
    model = lab.linear(X, y)
    coefficients, errors, _ = least_squares(X, y)
    resolution = 2.0**-20
    assert np.abs(model.coef.numpy() - coefficients[:2]).max() < 2e-3 * errors[:2].max() + 2 * resolution
    assert model.se_coef.numpy() == pytest.approx(errors[:2], rel=2e-3)


def test_collinear_columns_show_by_their_standard_errors(lab: Lab) -> None:
    X, y = noisy(200)
    model = lab.linear(torch.cat([X, X[:, :1]], 1), y)
    assert model.coef.isfinite().all() and float(model.se_coef.min()) < 0.01 and float(model.se_coef.max()) > 0.1


def test_fewer_digits(lab: Lab) -> None:
    X, y = noisy(300)
    model = lab.linear(X, y, precision_fractional=2)
    steps = model.coef.double() * 2**7
    assert (steps - steps.round()).abs().max() < 1e-6 and (model.coef - TRUE).abs().max() < 0.03


def test_predictions(lab: Lab) -> None:
    X, y = noisy(50)
    model = lab.linear(X, y)
    want = X @ TRUE + 0.5
    assert (model.predict(X.float()) - want).abs().max() < 0.1
    there = model.predict(X.send(lab.owners[0]))
    assert there.location is lab.owners[0] and (there.get() - want).abs().max() < 0.1


def test_the_summary(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = noisy(3000)
    model = lab.linear(X, y)
    model.coef, model.se_coef = torch.tensor([0.99921, 2.0006]), torch.tensor([0.0421, 0.0408])
    model.intercept, model.se_intercept = torch.tensor(0.4976), torch.tensor(0.0414)
    capsys.readouterr()
    model.summarize()
    assert capsys.readouterr().out == (
        "====================================================\n"
        "           SMPC Linear Regression Results\n"
        "====================================================\n"
        "                 value         stderr        p-value\n"
        "----------------------------------------------------\n"
        "coef1           0.9992         0.0421         0.0000\n"
        "coef2           2.0006         0.0408         0.0000\n"
        "intercept       0.4976         0.0414         0.0000\n"
        "----------------------------------------------------\n"
    )


def test_through_the_wire_and_over_connections(make_worker: Any) -> None:
    lab = Lab(make_worker)
    X, y = noisy(90)
    model = lab.linear(X, y)
    coefficients, errors, _ = least_squares(X, y)
    assert np.abs(model.coef.numpy() - coefficients[:2]).max() < 5e-6
    assert model.se_coef.numpy() == pytest.approx(errors[:2], rel=1e-4)


# --- DASH -------------------------------------------------------------------------------------------


def genomes(rows: int = 450, tried: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    X, C, noise = (torch.randn(rows, k, generator=draw, dtype=torch.float64) for k in (tried, 2, 1))
    return X, C, (C @ TRUE + 0.1 * X[:, 0] + noise[:, 0])


def test_dash_is_one_regression_a_column(lab: Lab) -> None:
    X, C, y = genomes()
    model, targets = DASH(lab.provider, lab.hbc), lab.split(y)
    assert model.fit(lab.split(X), lab.split(C), targets) is None
    assert targets[0].dim() == 1, "the caller's list is left as it is"
    for i in range(3):
        coefficients, errors, sigma = least_squares(torch.cat([X[:, i : i + 1], C], 1), y, intercept=False)
        assert abs(float(model.get_coeff()[i]) - coefficients[0]) < 5e-6
        assert float(model.get_standard_errors()[i]) == pytest.approx(errors[0], rel=1e-4)
        assert float(model.sigma2[i]) == pytest.approx(sigma**2, rel=1e-4)
        assert model.get_p_values()[i] == pytest.approx(two_sided_p(coefficients[0] / errors[0], 447), abs=1e-4)
    assert model.coef is model.get_coeff() and model.se is model.get_standard_errors()


def test_dash_takes_no_more_rounds_for_more_columns(lab: Lab) -> None:
    rounds = []
    for tried in (1, 40):
        X, C, y = genomes(90, tried)
        pointers = lab.split(X), lab.split(C), lab.split(y)
        with profile() as seen:
            DASH(lab.provider, lab.hbc).fit(*pointers)
        rounds.append(seen.total.rounds)
    assert rounds[0] == rounds[1] < 130


# --- what is shown ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["linear", "dash"])
def test_only_results_are_opened(lab: Lab, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = AdditiveSharingTensor.get
    monkeypatch.setattr(AdditiveSharingTensor, "get", lambda self, **k: opened.append(self.shape) or real(self, **k))
    X, C, y = genomes(90)
    if kind == "linear":
        lab.linear(X, y)
        assert opened == [(4 + 4 + 1,)]
    else:
        DASH(lab.provider, lab.hbc).fit(lab.split(X), lab.split(C), lab.split(y))
        assert opened == [(3 * 3,)]


def test_holders_are_an_owner_and_the_curious_worker(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    holders = set()
    real = AdditiveSharingTensor.get

    def spied(self: Any, **settings: Any) -> Any:
        holders.add(tuple(holder.id for holder in self.holders))
        assert self.provider is lab.provider
        return real(self, **settings)

    monkeypatch.setattr(AdditiveSharingTensor, "get", spied)
    X, y = noisy(12)
    for _ in range(40):
        lab.linear(X, y)
        if len(holders) == 2:
            break
    assert holders == {("alice", "hbc"), ("bob", "hbc")}, "one owner is drawn at random"


def test_workers_may_be_given_by_their_ids(lab: Lab) -> None:
    X, y = noisy(30)
    model = EncryptedLinearRegression("provider", "hbc").fit(lab.split(X), lab.split(y))
    assert (model.coef - TRUE).abs().max() < 0.2


def test_the_provider_gets_no_shares_and_keeps_nothing(lab: Lab) -> None:
    X, y = noisy(30)
    before = [set(w._objects) for w in (*lab.owners, lab.hbc, lab.provider)]
    lab.linear(X, y)
    assert [set(w._objects) for w in (*lab.owners, lab.hbc, lab.provider)] == before


# --- mistakes ---------------------------------------------------------------------------------------


def test_mistakes_are_explained(lab: Lab) -> None:
    X, y = noisy(30)
    xs, ys = lab.split(X), lab.split(y)
    model = EncryptedLinearRegression(lab.provider, lab.hbc)
    dash = DASH(lab.provider, lab.hbc)
    with pytest.raises(NotRemoteError, match="Some tensors are not wrapped, please provide a wrapped Pointer Tensor"):
        model.fit([X, xs[1]], ys)
    with pytest.raises(NotRemoteError, match="Some tensors are not wrapped"):
        model.fit([xs[0].child, xs[1]], ys)
    with pytest.raises(TensorsNotCollocatedException, match=r"Some pairs \(X, y\) are not located in the same worker"):
        model.fit(xs, ys[::-1])
    with pytest.raises(UsageError, match=r"Some pairs \(X, y\) do not have the same number of samples"):
        model.fit(xs, [y[:3].send(lab.owners[0]), ys[1]])
    with pytest.raises(UsageError, match="Tensors do not have the same number of features"):
        model.fit([X[:10, :1].send(lab.owners[0]), xs[1]], ys)
    with pytest.raises(TensorsNotCollocatedException, match=r"Some tuples \(X, C, y\) are not located in the same"):
        dash.fit(xs, xs, ys[::-1])
    with pytest.raises(UsageError, match=r"Some tuples \(X, C, y\) do not have the same number of samples"):
        dash.fit(xs, [X[:3].send(lab.owners[0]), xs[1]], ys)
    with pytest.raises(UsageError, match="2, 1 pointers"):
        model.fit(xs, ys[:1])
    with pytest.raises(UsageError, match="targets one"):
        model.fit(ys, ys)
    with pytest.raises(UsageError, match=r"more than 2 rows"):
        model.fit([X[:2].send(lab.owners[0])], [y[:2].send(lab.owners[0])])
    with pytest.raises(UsageError, match="no coefficients yet"):
        EncryptedLinearRegression(lab.provider, lab.hbc).summarize()
    with pytest.raises(UsageError, match="no coefficients yet"):
        DASH(lab.provider, lab.hbc).get_p_values()
    with pytest.raises(UsageError, match="precision_fractional=9"):
        EncryptedLinearRegression(lab.provider, lab.hbc, precision_fractional=9)


def test_workers_that_cannot_hold_shares(lab: Lab) -> None:
    X, y = noisy(30)
    alone = [X.send(lab.hbc)], [y.send(lab.hbc)]
    with pytest.raises(UsageError, match="own no data"):
        EncryptedLinearRegression(lab.provider, lab.hbc).fit(*alone)
    with pytest.raises(CryptoProviderError):
        EncryptedLinearRegression(lab.hbc, lab.hbc).fit(lab.split(X), lab.split(y))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 3e6])
def test_data_that_cannot_be_computed_with_is_refused_without_telling_it(make_worker: Any, bad: float) -> None:
    lab = Lab(make_worker)
    X, y = noisy(30)
    X[7, 1] = bad
    with pytest.raises(EncodingError, match="'alice'") as caught:
        lab.linear(X, y)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert isinstance(seen, SyftError) and "e+1" not in str(seen) and "6.3" not in str(seen)
        seen = seen.__cause__


# --- parts ------------------------------------------------------------------------------------------


def integers(values: Any, scale: int) -> Number:
    return Number((torch.as_tensor(values, dtype=torch.float64) * scale).round().long(), scale, None)


def reals(number: Number) -> torch.Tensor:
    return number.raw.double() / number.scale


def test_roots_of_numbers_of_any_size() -> None:
    values = torch.logspace(-6, 0, 50, dtype=torch.float64)
    root, inverse = (reals(one) for one in ne.roots(integers(values, ne.ROOT_OF)))
    assert ((root / values.sqrt() - 1).abs() < 1e-8 + 1e-11 / values).all()
    assert ((inverse * values.sqrt() - 1).abs() < 1e-8 + 1e-11 / values).all()


def test_an_inverse_of_a_badly_conditioned_matrix() -> None:
    vectors = torch.linalg.qr(torch.linspace(-1, 2, 25, dtype=torch.float64).sin().reshape(5, 5) + torch.eye(5))[0]
    matrix = vectors @ torch.diag(torch.tensor([2.0**-10, 0.01, 0.1, 0.5, 0.9], dtype=torch.float64)) @ vectors.t()
    found = reals(ne.inverse(integers(matrix, 1 << 28)))
    want = torch.linalg.inv(matrix)
    assert (found - want).abs().max() < 1e-4 * want.abs().max()


def test_opened_coefficients_do_not_tell_the_units_by_zeros_at_their_end() -> None:
    values = torch.linspace(0.011, 0.2, 40, dtype=torch.float64)
    down, up = Number(torch.tensor(2**22), 2**16, None), Number(torch.tensor(2**22), 2**6, None)
    product = ne.times(ne.split_product(integers(values, ne.SOLVED), down), up)
    last = product.raw // 2**22
    assert product.scale == ne.SOLVED and (reals(product) / 2**22 - values).abs().max() < 1e-10
    assert 5 < int((last % 2).sum()) < 35


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (0.0, 5, 1.0),
        (1.0, 1, 0.5),
        (math.sqrt(2), 2, 1 - math.sqrt(0.5)),
        (12.7062047361747, 1, 0.05),
        (2.2281388519649, 10, 0.05),
        (-2.2281388519649, 10, 0.05),
        (1.9623390808264, 1000, 0.05),
        (3.2905267314919, 10**7, 1.0e-3),
        (1e-9, 3, 1.0),
        (math.inf, 3, 0.0),
    ],
)
def test_student_against_tables(t: float, freedom: int, p: float) -> None:
    assert two_sided_p(t, freedom) == pytest.approx(p, rel=1e-4 if freedom > 10**6 else 1e-10, abs=1e-9 * (p == 1))


def test_student_against_the_closed_form_for_three_degrees_of_freedom() -> None:
    # 1 - F for 3 degrees of freedom is elementary; far out it is small, and still exact.
    for t in (0.3, 2.0, 40.0):
        want = 2 * (0.5 - (math.atan(t / math.sqrt(3)) + t * math.sqrt(3) / (3 + t * t)) / math.pi)
        assert two_sided_p(t, 3) == pytest.approx(want, rel=1e-9)
    assert two_sided_p(60.0, 200) == pytest.approx(7.711578584e-130, rel=1e-8)
    with pytest.raises(UsageError, match="not 0"):
        two_sided_p(1.0, 0)
    assert math.isnan(two_sided_p(math.nan, 3))
