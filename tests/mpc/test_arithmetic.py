"""Arithmetic on shares is that of Z/2^64, for all integers and any number of holders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from syft.encoded.bilinear import product
from syft.encoded.ring import LOCAL
from syft.exceptions import TensorsNotCollocatedException
from syft.mpc import protocols
from tests.mpc.parties import EXTREMES, HIGHEST, LOWEST, Parties, parties

INTEGERS = st.one_of(st.sampled_from(EXTREMES), st.integers(LOWEST, HIGHEST))
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
COUNTS = st.sampled_from([2, 2, 3, 5])

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Pair = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(autouse=True)
def _hook(hook: Any) -> None:
    """Torch is hooked."""


def arrays(shape: tuple[int, ...]) -> st.SearchStrategy[torch.Tensor]:
    """Integers of a shape; some are views that are not contiguous."""
    size = torch.Size(shape).numel()
    values = st.lists(INTEGERS, min_size=size, max_size=size)
    return st.builds(_array, values, st.just(shape), st.booleans())


def _array(values: list[int], shape: tuple[int, ...], turned: bool) -> torch.Tensor:
    tensor = torch.tensor(values, dtype=torch.int64).reshape(shape)
    if turned and tensor.dim() > 1:
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)
    return tensor


@st.composite
def broadcast(draw: Any) -> Pair:
    """Two tensors whose shapes go together."""
    shape = draw(SHAPES)
    other = tuple([draw(st.sampled_from([1, size])) for size in shape[draw(st.integers(0, len(shape))) :]])
    pair = draw(arrays(shape)), draw(arrays(other))
    return pair if draw(st.booleans()) else pair[::-1]


@st.composite
def matrices(draw: Any) -> Pair:
    """Two tensors that torch multiplies as vectors, matrices or batches."""
    n, k, m, b = (draw(st.integers(0, 3)) for _ in range(4))
    left, right = draw(
        st.sampled_from(
            [((k,), (k,)), ((n, k), (k,)), ((k,), (k, m)), ((n, k), (k, m)), ((b, n, k), (b, k, m)), ((b, n, k), (k, m)),
             ((n, k), (b, k, m)), ((2, 1, n, k), (b, k, m))]
        )
    )  # fmt: skip
    return draw(arrays(left)), draw(arrays(right))


@st.composite
def convolutions(draw: Any) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Input, weight and settings of a convolution over one or two dimensions."""
    dims, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    channels, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    each = {
        name: [draw(st.integers(low, 2)) for _ in range(dims)]
        for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    }
    kernel = [draw(st.integers(1, 3)) for _ in range(dims)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, each["dilation"], strict=True)]
    sizes = [max(1, s - 2 * p) + draw(st.integers(0, 2)) for s, p in zip(spans, each["padding"], strict=True)]
    x = draw(arrays((draw(st.integers(1, 2)), channels, *sizes)))
    w = draw(arrays((outputs, channels // groups, *kernel)))
    return x, w, {**each, "groups": groups}


def all_kinds(
    group: Parties, run: Callable[[Any, Any], Any], x: torch.Tensor, y: torch.Tensor, expected: torch.Tensor
) -> None:
    """Hold the op to torch's result with either operand public, and with both shared."""
    for left, right in ((group.share(x), group.share(y)), (group.share(x), y), (x, group.share(y))):
        out = run(left, right)
        assert out.shape == expected.shape
        assert torch.equal(out.get(), expected)


@pytest.mark.parametrize("op", [torch.add, torch.sub, torch.mul])
@quick
@given(pair=broadcast(), count=COUNTS)
def test_sums_differences_and_products_are_exact(op: Any, pair: Pair, count: int) -> None:
    """With broadcasting, empty tensors and tensors without dimensions."""
    all_kinds(parties(count), op, *pair, op(*pair))


@quick
@given(pair=matrices(), count=COUNTS)
def test_matrix_products_are_exact(pair: Pair, count: int) -> None:
    """Of vectors, matrices and batches."""
    all_kinds(parties(count), torch.matmul, *pair, torch.matmul(*pair))


@quick
@given(case=convolutions(), count=COUNTS)
def test_convolutions_are_exact(case: Any, count: int) -> None:
    """With stride, padding, dilation and groups, held to torch's own on tensors small enough for exact float64."""
    x, w, settings = case
    conv = F.conv1d if x.dim() == 3 else F.conv2d
    expected = _exactly(lambda a, b: conv(a, b, **settings), x, w)
    all_kinds(parties(count), lambda a, b: conv(a, b, **settings), x, w, expected)


def _exactly(
    run: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], x: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    """A bilinear function in Z/2^64 by float64, in which it is exact for limbs of 16 bits."""
    total: Any = 0
    for i in range(4):
        for j in range(4 - i):
            part = run(((x >> 16 * i) & 0xFFFF).double(), ((w >> 16 * j) & 0xFFFF).double())
            total = total + (part.to(torch.int64) << 16 * (i + j))
    return total


@quick
@given(case=convolutions(), count=COUNTS)
def test_gradients_of_convolutions_are_exact(case: Any, count: int) -> None:
    """The two products of the backward pass, against torch's on limbs."""
    x, w, settings = case
    if x.dim() == 3:
        x, w = x.unsqueeze(2), w.unsqueeze(2)
        settings = {k: v if k == "groups" else [1 if k != "padding" else 0, *v] for k, v in settings.items()}
    spec = (*[tuple(settings[k]) for k in ("stride", "padding", "dilation")], settings["groups"])
    shape = F.conv2d(x.double(), w.double(), **settings).shape
    g = torch.arange(shape.numel()).reshape(shape) * 0x123456789ABCDEF + LOWEST
    group = parties(count)

    def backward(a: torch.Tensor, b: torch.Tensor, which: int) -> torch.Tensor:
        grad, inputs, weight = (b, a, w.double()) if which else (a, x.double(), b)
        wanted = [which == 0, which == 1, False]
        args = [settings[k] for k in ("stride", "padding", "dilation")]
        out = torch.ops.aten.convolution_backward(
            grad, inputs, weight, None, *args, False, [0, 0], settings["groups"], wanted
        )
        return out[which]

    for kind, a, b, spec_of, which in (
        ("conv_input", g, w, (*spec, tuple(x.shape[2:])), 0),
        ("conv_weight", x, g, (*spec, tuple(w.shape[2:])), 1),
    ):
        expected = _exactly(lambda p, q, which=which: backward(p, q, which), a, b)
        assert torch.equal(protocols.multiply(kind, spec_of, group.shared(a), group.shared(b)).get(), expected)
        assert torch.equal(protocols.linear(kind, spec_of, group.shared(a), b).get(), expected)
        assert torch.equal(protocols.linear(kind, spec_of, a, group.shared(b)).get(), expected)


@quick
@given(x=SHAPES.flatmap(arrays), factor=INTEGERS, count=COUNTS)
def test_python_integers_are_operands(x: torch.Tensor, factor: int, count: int) -> None:
    """Negatives, multiples and sums with numbers."""
    group = parties(count)
    for run in (lambda v: -v, lambda v: v * factor, lambda v: factor * v, lambda v: v + factor, lambda v: factor - v):
        assert torch.equal(run(group.share(x)).get(), run(x))


@quick
@given(x=SHAPES.flatmap(arrays), count=COUNTS)
def test_powers_are_exact(x: torch.Tensor, count: int) -> None:
    """A square opens its operand once; it is no special case of products for anybody but the provider."""
    group = parties(count)
    shared = group.share(x)
    assert torch.equal((shared * shared).get(), x * x)
    assert torch.equal((shared**3).get(), x * x * x)
    assert torch.equal(shared**0, torch.ones_like(x))  # nothing is secret about it


@pytest.mark.parametrize("count", [2, 3, 5])
def test_products_of_comparison_bits_are_exact(count: int) -> None:
    """Bits have a masked form with another coefficient for each element; so do their complements."""
    group = parties(count)
    x, y = torch.tensor(EXTREMES), torch.tensor(EXTREMES[::-1])
    a, b = group.shared(x), group.shared(y)
    low, zero = protocols.is_negative(a), protocols.is_zero(b)
    high = protocols.complement(low)
    bits = {"<0": (low, (x < 0).long()), "==0": (zero, (y == 0).long()), ">=0": (high, (x >= 0).long())}
    for one, one_value in bits.values():
        assert torch.equal(one.get(keep=True), one_value)
        for other, other_value in bits.values():
            assert torch.equal(protocols.multiply("mul", (), one, other).get(), one_value * other_value)
        assert torch.equal(protocols.multiply("mul", (), one, b).get(), one_value * y)
        assert torch.equal(protocols.multiply("matmul", (), one, b).get(), one_value @ y)


@pytest.mark.parametrize("divisor", [2**16, 1000])
def test_products_of_quotients_are_exact(divisor: int) -> None:
    """A quotient has two masks; its products, with bits and with other quotients, are of the very value it opens to."""
    group = parties(3)
    x = torch.tensor([0, 1, -1, 2**40 + 12345, -(2**50) - 999, 2**61, -(2**61)])
    a, b = (protocols.divide(group.shared(x), divisor) for _ in range(2))
    bits = protocols.is_negative(group.shared(x))
    opened, other = a.get(keep=True), b.get(keep=True)
    assert torch.equal(protocols.multiply("mul", (), a, b).get(), opened * other)
    assert torch.equal(protocols.multiply("mul", (), a, a).get(), opened * opened)
    assert torch.equal(protocols.multiply("mul", (), a, bits).get(), opened * (x < 0))
    assert torch.equal(protocols.multiply("matmul", (), a, b).get(), opened @ other)
    again = protocols.divide(a, 4).get()
    assert ((again - torch.div(opened, 4, rounding_mode="floor")).abs() <= 1).all()


def test_the_masked_form_of_a_tensor_serves_what_is_derived_from_it() -> None:
    """A transposed, flipped, repeated or sliced tensor needs no opening of its own, however often it is derived."""
    group = parties(2)
    x = torch.tensor(EXTREMES[:12]).reshape(3, 4)
    shared = group.share(x)
    assert torch.equal((shared * shared).get(), x * x)
    moves: list[Callable[[Any], Any]] = [
        lambda v: v.t(), lambda v: v.flip(1), lambda v: v[1:], lambda v: v[:, 1], lambda v: v.reshape(2, 6),
        lambda v: v.unsqueeze(0).expand(2, 3, 4), lambda v: v[torch.tensor([2, 0, 0])], lambda v: F.pad(v, (1, 2)),
        lambda v: v.roll(1, 0), lambda v: v.repeat(2, 1), lambda v: v.t().t().t(), lambda v: v.tril(),
        lambda v: v.diagonal(), lambda v: v.sum(0), lambda v: v.cumsum(1), lambda v: torch.cat([v, v], 1),
    ]  # fmt: skip
    for _ in range(2):
        for move in moves:
            derived, plain = move(shared), move(x)
            assert torch.equal((derived * derived).get(), plain * plain)
            assert torch.equal((derived * shared[0, 0]).get(), plain * x[0, 0])


def test_views_of_what_is_not_opened_yet_are_right_too() -> None:
    """Then the tensor that they were derived from is opened; or they are, if it is gone."""
    group = parties(2)
    x = torch.tensor(EXTREMES[:6]).reshape(2, 3)
    shared = group.share(x)
    derived = shared.t()
    again = derived.reshape(-1).reshape(3, 2).t().reshape(6)
    assert torch.equal((again * again).get(), x.t().reshape(-1).reshape(3, 2).t().reshape(6) ** 2)
    gone = group.share(x)
    left = gone.t().t()
    assert torch.equal(gone.get(), x)
    assert torch.equal((left @ left.t()).get(), x @ x.t())


def test_a_transposed_weight_takes_part_many_times() -> None:
    """As that of a linear layer does, with gradients in between."""
    group = parties(2)
    w, x = torch.tensor(EXTREMES[:6]).reshape(2, 3), torch.tensor(EXTREMES[3:12]).reshape(3, 3)
    weight, data = group.share(w), group.share(x)
    for _ in range(20):
        assert torch.equal((data @ weight.t()).get(), x @ w.t())
        assert torch.equal((weight @ data.t()).get(), w @ x.t())


def test_structure_is_exact() -> None:
    """Joining, splitting and summing up, with public parts among the shared ones."""
    group = parties(3)
    x = torch.tensor(EXTREMES[:12]).reshape(3, 4)
    shared = group.share(x)
    assert torch.equal(torch.cat([shared, x, shared * 2], -1).get(), torch.cat([x, x, x * 2], -1))
    assert torch.equal(torch.stack([x, shared], 1).get(), torch.stack([x, x], 1))
    for mine, plain in zip(shared.split(2, 1), x.split(2, 1), strict=True):
        assert torch.equal(mine.get(), plain)
    for mine, plain in zip(shared.chunk(2), x.chunk(2), strict=True):
        assert torch.equal(mine.get(), plain)
    for mine, plain in zip(shared, x, strict=True):
        assert torch.equal(mine.get(), plain)
    assert torch.equal(F.pad(shared, (1, 0, 2, 1), value=-7).get(), F.pad(x, (1, 0, 2, 1), value=-7))


def test_only_one_holder_adds_what_is_public() -> None:
    """Also in place, and when an element is set."""
    for count in (2, 3, 5):
        group = parties(count)
        x = torch.arange(6).reshape(2, 3)
        shared = group.share(x)
        shared += 2
        shared *= 3
        shared -= torch.ones(3, dtype=torch.int64)
        shared[0, 1] = -5
        shared[1:] = group.share(torch.tensor([7, 8, 9]))
        shared[:, 2] = torch.tensor([1, 2])
        assert torch.equal(shared.get(), torch.tensor([[5, -5, 1], [7, 8, 2]]))


def test_gradients_go_through_an_assignment() -> None:
    """To what was assigned, and to what was not replaced."""
    group = parties(2)
    x, y = group.fixed([1.0, 2.0, 3.0], requires_grad=True), group.fixed([5.0], requires_grad=True)
    z = x * 2
    z[1:2] = y * 3
    (z * z).sum().backward()
    assert torch.allclose(x.grad.get().float_precision(), torch.tensor([8.0, 0.0, 24.0]), atol=1e-3)
    assert torch.allclose(y.grad.get().float_precision(), torch.tensor([90.0]), atol=1e-2)


def test_holders_must_be_the_same() -> None:
    """The order of the shares does not matter; who has them does."""
    group, others = parties(2), parties(3)
    x = torch.tensor([3, HIGHEST])
    turned = x.share(*group.holders[::-1], crypto_provider=group.provider)
    for run in (torch.add, torch.sub, torch.mul):
        assert torch.equal(run(group.share(x), turned).get(), run(x, x))
        with pytest.raises(TensorsNotCollocatedException):
            run(group.share(x), others.share(x))


def test_the_provider_of_either_operand_serves_a_product() -> None:
    """A sum knows it, too."""
    group = parties(2)
    x = torch.tensor([3, HIGHEST])
    without = x.share(*group.holders)
    assert torch.equal((without * group.share(x)).get(), x * x)
    assert torch.equal((group.share(x) * without).get(), x * x)
    total = without + group.share(x)
    assert torch.equal((total * total).get(), 4 * x * x)


def test_products_on_the_way_agree_with_the_local_ring() -> None:
    """The kernels are those that numbers use here; a negative control sees that the comparison can fail."""
    x, y = torch.tensor([[HIGHEST, 2]]), torch.tensor([[3], [LOWEST]])
    assert torch.equal(LOCAL.product("matmul", (), x, y), product("matmul", (), x, y))
    assert not torch.equal(x @ y, (x.double() @ y.double()).long())


@pytest.mark.parametrize("protocol", ["tree", "fss"])
def test_all_protocols_are_exact_wherever_the_workers_are(workers: list[Any], protocol: str) -> None:
    """In this process, through the codec, and in other processes."""
    bob, alice, james = workers
    x = torch.tensor(EXTREMES[:12]).reshape(3, 4)
    shared = x.share(bob, alice, crypto_provider=james, protocol=protocol)
    assert torch.equal((shared * shared).copy().get(), x * x)
    assert torch.equal((shared @ shared.t()).get(), x @ x.t())
    assert torch.equal((shared < 0).get(), (x < 0).long())
    assert torch.equal((shared[1:] == 0).get(), (x[1:] == 0).long())
    assert torch.equal((shared.refresh() + x).get(), x + x)
    small = torch.tensor([5000, -5000, 7]).share(bob, alice, crypto_provider=james, protocol=protocol)
    quotient = (small / 8).get()
    assert ((quotient - torch.tensor([625, -625, 0])).abs() <= 1).all()
    image, kernel = x.reshape(1, 1, 3, 4), torch.tensor([[[[1, -1], [HIGHEST, 2]]]])
    out = F.conv2d(image.share(bob, alice, crypto_provider=james), kernel.share(bob, alice, crypto_provider=james))
    assert torch.equal(out.get(), _exactly(F.conv2d, image, kernel))
    fixed = torch.tensor([1.5, -2.0]).fix_precision().share(bob, alice, crypto_provider=james, protocol=protocol)
    assert (fixed.relu() * 2).get().float_precision().tolist() == pytest.approx([3.0, 0.0], abs=2e-3)
