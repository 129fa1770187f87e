"""0.2.4's building blocks by name: its own examples, torch, two and three holders, bare and wrapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import syft as sy
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import CryptoProviderError, NotSupportedError, UsageError
from syft.mpc import securenn, spdz
from syft.mpc.shared import AdditiveSharingTensor
from tests.mpc.parties import HIGHEST, LOWEST, Parties, parties

pytestmark = pytest.mark.usefixtures("hook")


@pytest.fixture(params=[2, 3])
def group(request: pytest.FixtureRequest, hook: Any) -> Parties:
    return parties(request.param)


@pytest.fixture(params=["bare", "wrapped"])
def share(request: pytest.FixtureRequest, group: Parties) -> Callable[[Any], Any]:
    def share(values: Any) -> Any:
        return group.shared(values) if request.param == "bare" else group.share(torch.as_tensor(values))

    return share


def opened(x: Any, like: Any) -> torch.Tensor:
    """The values of a result, which has the form of the operand."""
    assert type(x) is type(like)
    assert isinstance(x, AdditiveSharingTensor | EncodedTensor)
    return x.get()


def test_bits() -> None:
    bits = securenn.decompose(torch.tensor([[6, -1], [HIGHEST, LOWEST]]))
    assert bits.shape == (2, 2, 64)
    assert bits[0, 0, :5].tolist() == [0, 1, 1, 0, 0] and bits[0, 1].tolist() == [1] * 64
    assert bits[1, 0].tolist() == [1] * 63 + [0] and bits[1, 1].tolist() == [0] * 63 + [1]


def test_bits_at_workers(group: Parties) -> None:
    holders = group.holders[:2]
    wanted = securenn.decompose(torch.tensor([6, 5]))
    assert securenn.decompose(torch.tensor([6, 5]).send(holders[0])).get().equal(wanted)
    assert all(bits.equal(wanted) for bits in securenn.decompose(torch.tensor([6, 5]).send(*holders)).get())


def test_signs(share: Any) -> None:
    values = [5, 0, -5, 1, -1, HIGHEST, LOWEST]
    x = share(values)
    assert opened(securenn.msb(x), x).tolist() == [0, 0, 1, 0, 1, 0, 1]
    assert opened(securenn.relu_deriv(x), x).tolist() == [1, 1, 0, 1, 0, 1, 0]
    assert opened(securenn.relu(x), x).tolist() == [max(0, value) for value in values]


def test_moves_and_selections(share: Any) -> None:
    x = share([[1, 2, 3]])
    assert opened(securenn.flip(x, 1), x).tolist() == [[3, 2, 1]]
    bits, y, z = share([0, 1, 1]), share([1, 2, HIGHEST]), share([-1, -2, LOWEST])
    assert opened(securenn.select_share(bits, y, z), y).tolist() == [1, -2, LOWEST]


def test_the_quotients_of_0_2_4(share: Any) -> None:
    x, y = share([25, 9, -9, 0, 7]), share([5, 2, 2, 3, -2])
    assert opened(securenn.division(x, y, bit_len_max=6), x).tolist() == [5, 4, 0, 0, 63]
    assert opened(securenn.division(share([25, 0]), share([0]), bit_len_max=6), x).tolist() == [63, 63]


@pytest.mark.parametrize("bits", [1, 2, 5, 31])
def test_quotients_of_every_length(group: Parties, bits: int) -> None:
    torch.manual_seed(0)
    top = 2**bits
    y = torch.randint(1, 2 ** min(31, 63 - bits), (30,))
    wanted = torch.randint(0, top, (30,))
    wanted[0], wanted[1] = top - 1, 0
    x = y * wanted + (torch.rand(30, dtype=torch.float64) * y).long()
    assert securenn.division(group.shared(x), group.shared(y), bits).get().equal(wanted)
    assert securenn.division(group.share(x), group.share(y), bit_len_max=bits).get().equal(wanted)


def test_one_divisor_for_all_and_many_for_one(group: Parties) -> None:
    assert securenn.division(group.shared([[7, 8], [9, 100]]), group.shared([3]), 8).get().tolist() == [[2, 2], [3, 33]]
    assert securenn.division(group.shared([100]), group.shared([3, 7]), 8).get().tolist() == [33, 14]


def test_a_quotient_takes_one_comparison_for_two_bits(group: Parties) -> None:
    x, y = group.share(torch.tensor([1000])), group.share(torch.tensor([7]))
    with sy.mpc.profile() as costs:
        securenn.division(x, y)
    assert costs.costs["ge"].calls == 16
    assert costs.costs["mul"].rounds == 1  # the divisor is opened under its mask, once


@pytest.mark.parametrize("bits", [0, 62])
def test_quotients_of_other_lengths_are_refused(group: Parties, bits: int) -> None:
    with pytest.raises(UsageError, match="1 to 61"):
        securenn.division(group.shared([1]), group.shared([1]), bits)


SIZES = [(2, 2), (1, 5), (2, 3), (3, 3), (7,), (1,), (2, 3, 2)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_largest_and_where_it_stands_for_every_size(share: Any, size: tuple[int, ...]) -> None:
    torch.manual_seed(len(size))
    for _ in range(3):
        values = torch.randint(-4, 5, size)  # with some that are equal
        x = share(values)
        largest, place = securenn.maxpool(x)
        first = int((values.flatten() == values.max()).nonzero()[0])
        assert opened(largest, x) == values.max() and opened(place, x) == first
        wanted = torch.zeros(values.numel(), dtype=torch.int64)
        wanted[first] = 1
        assert opened(securenn.maxpool_deriv(x), x).equal(wanted.reshape(size))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (2, 2, 0), (3, 1, 1), (2, 1, 1)])
def test_windows(share: Any, kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(1)
    values = torch.randint(-9, 9, (1, 2, 4, 5))
    x = share(values)
    got = opened(securenn.maxpool2d(x, kernel_size=kernel, stride=stride, padding=padding), x)
    assert got.equal(F.max_pool2d(values.double(), kernel, stride, padding).long())


def test_numbers_in_fixed_precision(group: Parties) -> None:
    x = group.fixed([1.5, -2.0])
    assert securenn.relu(x).get().float_precision().tolist() == [1.5, 0.0]
    assert securenn.maxpool(x)[0].get().float_precision() == 1.5


@pytest.mark.parametrize(
    "call",
    [securenn.private_compare, securenn.share_convert, lambda x: securenn.decompose(x)],
    ids=["private_compare", "share_convert", "decompose"],
)
def test_what_would_open_values_is_refused_and_says_what_to_use(group: Parties, call: Callable[..., Any]) -> None:
    for x in (group.shared([1]), group.share(torch.tensor([1]))):
        with pytest.raises(NotSupportedError, match="x > y|as they are"):
            call(x)


def test_without_a_provider_the_error_says_so(group: Parties) -> None:
    with pytest.raises(CryptoProviderError, match="james"):
        securenn.relu(torch.tensor([1]).share(*group.holders, no_wrap=True))


@pytest.mark.parametrize(
    ("name", "x", "y", "wanted"),
    [("mul", [6, -7], [7, LOWEST], [42, LOWEST]), ("matmul", [[1, 2]], [[3], [4]], [[11]])],
)
def test_products(share: Any, name: str, x: Any, y: Any, wanted: Any) -> None:
    product = spdz.spdz_mul(name, share(x), share(y))
    assert isinstance(product, AdditiveSharingTensor)
    assert product.get().tolist() == wanted


def test_other_products_are_refused(share: Any) -> None:
    with pytest.raises(NotSupportedError, match="'mul' and 'matmul'|mul and matmul"):
        spdz.spdz_mul("conv2d", share([1]), share([1]))
