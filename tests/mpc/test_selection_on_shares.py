"""Maxima, order and pooling of shared values, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from syft.encoded import selection
from syft.encoded.costs import profile
from syft.exceptions import CryptoProviderError
from syft.mpc.sharing import is_shared
from tests.conftest import WorkerMaker
from tests.tensors.selections import DISTINCT, GRADIENTS, IMAGE, POOLS, TIED, TIES, Function, flat


@pytest.fixture
def mode() -> str:
    """Workers in this process: what is tested is what they compute, not how messages travel."""
    return "reference"


@pytest.fixture(params=[2, 3])
def sharing(request: pytest.FixtureRequest, make_worker: WorkerMaker) -> tuple[list[Any], Any]:
    """Holders and a provider."""
    return [make_worker(f"holder {i}") for i in range(request.param)], make_worker("provider")


@pytest.fixture
def share(sharing: tuple[list[Any], Any]) -> Any:
    """Share numbers in fixed precision."""
    holders, provider = sharing

    def share(x: torch.Tensor, **settings: Any) -> Any:
        fixed = x.fix_precision(base=2, precision_fractional=16) if x.dtype.is_floating_point else x
        return fixed.share(*holders, crypto_provider=provider, **settings)

    return share


@pytest.fixture(params=["tournament", "ranking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the largest is found."""
    monkeypatch.setattr(selection, "_FEW_PAIRS", 0 if request.param == "tournament" else 1 << 60)
    return str(request.param)


def opened(x: Any) -> torch.Tensor:
    values = x.get() if is_shared(x) else x
    return values if type(values) is torch.Tensor else values.float_precision()


def assert_same(function: Function, shared: Any, x: torch.Tensor) -> None:
    for got, want in zip(flat(function(shared)), flat(function(x)), strict=True):
        assert got.shape == want.shape
        assert torch.equal(opened(got), want.to(torch.float32 if x.dtype.is_floating_point else torch.int64))


@pytest.mark.parametrize("name", TIES)
def test_the_first_of_equal_ones_is_picked(name: str, share: Any, way: str) -> None:
    assert_same(TIES[name], share(TIED), TIED)


@pytest.mark.parametrize(
    "name", ["max", "max of a dimension", "argmax", "argmin of a dimension", "sort", "amin of all, kept"]
)
def test_integers_have_integer_places(name: str, share: Any, way: str) -> None:
    assert_same(TIES[name], share(TIED.long()), TIED.long())


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_go_to_what_was_picked(name: str, share: Any, way: str) -> None:
    gradients_agree(GRADIENTS[name], share(DISTINCT), DISTINCT)


@pytest.mark.parametrize("name", POOLS)
def test_pooling(name: str, share: Any) -> None:
    gradients_agree(POOLS[name], share(IMAGE), IMAGE)


def gradients_agree(function: Function, x: Any, values: torch.Tensor) -> None:
    plain, x = values.clone().requires_grad_(), x.requires_grad_()
    want, got = function(plain), function(x)
    weights = torch.arange(want.numel()).reshape(want.shape) / 4 - 1
    (want * weights).sum().backward()
    (got * weights).sum().backward()
    assert got.shape == want.shape
    assert torch.allclose(opened(got), want, atol=1e-3)
    assert torch.allclose(opened(x.grad), plain.grad, atol=2e-3)


def test_gradients_are_computed_once(share: Any, way: str) -> None:
    x = share(DISTINCT).requires_grad_()
    best = x.amax(2)
    best.backward(torch.ones(2, 3), retain_graph=True)
    assert torch.equal(opened(x.grad), F.one_hot(DISTINCT.argmax(2), 4).float())
    (grad,) = torch.autograd.grad((best * best).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("width", [32, 64])
def test_the_whole_range_is_compared(width: int, share: Any, way: str) -> None:
    top = 1 << (width - 2)
    x = torch.tensor([-top, top - 1, 0, top - 2, -1, 1 - top])
    shared = share(x, width=width)
    for function in (torch.max, torch.min, torch.argmax, torch.argmin, torch.sort):
        assert_same(function, shared, x)


@pytest.mark.parametrize("width", [32, 64])
def test_borders_are_below_all_values(width: int, share: Any) -> None:
    low = 1 - (1 << (width - 2))
    x = torch.tensor([[[low, low + 1, low, -1, low]]])
    got = opened(F.max_pool1d(share(x, width=width), 3, 1, 1))
    assert got.tolist() == [[[low + 1, low + 1, -1, -1, -1]]]


def test_one_hot(share: Any, way: str) -> None:
    hot = opened(share(TIED).argmax(dim=1, one_hot=True))
    assert torch.equal(hot, F.one_hot(TIED.argmax(1), 3).movedim(-1, 1).float())
    assert torch.equal(opened(share(TIED.long()).argmin(-1, one_hot=True)), F.one_hot(TIED.argmin(-1), 4))


@pytest.mark.parametrize("kind", ["public", "shared", "shared numbers"])
def test_accuracy_counts_from_zero(kind: str, share: Any) -> None:
    outputs, target = torch.tensor([[1.0, 2, 0], [3, 1, 2], [0, 1, 5]]), torch.tensor([1, 2, 2])
    known: Any = {"public": target, "shared": share(target), "shared numbers": share(target.float())}[kind]
    correct: Any = 0
    pred = share(outputs).argmax(dim=1)
    correct += pred.eq(known.view_as(pred)).sum()
    assert opened(correct).item() == 2


def test_the_places_of_products_are_exact(share: Any) -> None:
    x, w = torch.randn(4, 3), torch.randn(3, 5)
    assert torch.equal(opened((share(x) @ share(w)).argmax(1)), (x @ w).argmax(1).float())


def test_few_values_take_the_rounds_of_two_comparisons(share: Any) -> None:
    x = share(torch.randn(2, 10))
    with profile() as costs:
        x.argmax(1)
    assert costs.total.rounds == 14
    with profile() as costs:
        F.max_pool1d(x.unsqueeze(1), 2)
    assert costs.total.rounds == 7
    assert costs.costs["max_pool1d"].rounds == 7


def test_a_provider_is_needed(sharing: tuple[list[Any], Any]) -> None:
    x = torch.tensor([1, 2, 3]).share(*sharing[0])
    with pytest.raises(CryptoProviderError, match="needs a crypto provider"):
        x.max()


@pytest.mark.parametrize("mode", ["wire", "network"])
def test_holders_elsewhere(mode: str, share: Any) -> None:
    x = share(IMAGE).requires_grad_()
    pooled = F.max_pool2d(x, 3, 2, 1)
    best = pooled.flatten(1).sort(descending=True)[0][:, :3]
    best.square().sum().backward()
    plain = IMAGE.clone().requires_grad_()
    want = F.max_pool2d(plain, 3, 2, 1).flatten(1).sort(descending=True)[0][:, :3]
    want.square().sum().backward()
    assert torch.allclose(opened(best), want, atol=1e-3)
    assert torch.allclose(opened(x.grad), plain.grad, atol=1e-2)


@pytest.mark.parametrize("way", ["tournament", "ranking"], indirect=True)
def test_function_secret_sharing_compares_as_well(way: str, make_worker: WorkerMaker) -> None:
    alice, bob, provider = (make_worker(id) for id in ("alice", "bob", "provider"))
    x = TIED.fix_precision(base=2, precision_fractional=16)
    shared = x.share(alice, bob, crypto_provider=provider, protocol="fss")
    for name in ("max of a dimension", "argmin", "sort"):
        assert_same(TIES[name], shared, TIED)
