"""Many numbers in one ciphertext: what can be computed, and that nothing ever spills over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from syft.exceptions import EncodingError, UnsupportedOp, UsageError
from syft.he.paillier.decryption import decrypted
from syft.he.paillier.packed import Packing, apart, side_by_side
from syft.he.paillier.processes import hidden
from tests.he.paillier_keys import keys

pytestmark = pytest.mark.usefixtures("hook")

X = torch.arange(40.0).reshape(5, 8) / 7 - 3
Y = torch.arange(40.0).flip(0).reshape(5, 8) * 2.25 - 40


def packed(values: torch.Tensor, **settings: Any) -> Any:
    return values.encrypt(keys()[1], packed=True, **settings)  # type: ignore[attr-defined]


@given(npst.arrays(np.int64, st.integers(0, 70)), st.sampled_from([16, 24, 32, 40, 48, 56, 64]))
@settings(max_examples=150, deadline=None)
def test_integers_of_all_bits_lie_side_by_side(integers: Any, bits: int) -> None:
    public, _ = keys()
    packing = Packing(0, 1, bits)
    integers = integers >> (64 - bits)
    plain = side_by_side(integers, public, packing)
    assert len(plain) == -(-len(integers) // (2046 // bits)) and all(abs(n) < public.n // 2 for n in plain)
    assert (apart(plain, len(integers), public, packing) == integers).all()


def test_how_many_there_are_in_one() -> None:
    assert Packing(0, 1).slots(keys()[0]) == 31 and Packing(0, 1, 32).slots(keys()[0]) == 63
    assert len(packed(torch.zeros(63)).child.child) == 3 and len(packed(torch.zeros(63), slot_bits=32).child.child) == 1
    assert "2 ciphertexts of shape (5, 8), 1 of 1024 addends" in str(packed(X))


COMPUTED: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "alpha": lambda x, y: torch.sub(x, y, alpha=3),
    "rsub": lambda x, y: 1.5 - x,
    "plain": lambda x, y: (Y + x) - X,
    "row": lambda x, y: x + Y[0],
    "neg": lambda x, y: -x,
    "mul": lambda x, y: 3 * x * -2,
    "0-d": lambda x, y: x * torch.tensor(4),
    "view": lambda x, y: x.view(-1) + y.reshape(40),
    "flatten": lambda x, y: x.unsqueeze(0).squeeze(0).flatten(),
    "in place": lambda x, y: in_place(x, y),
    "sum": lambda x, y: sum([x, y, x]),
    "clone": lambda x, y: x.clone().add_(1) + x,
}


def in_place(x: Any, y: Any) -> Any:
    x = x.clone()
    flat = x.view(-1)
    flat += y.view(-1)
    x -= 2
    return x + flat.view(5, 8)


@pytest.mark.parametrize("name", COMPUTED)
def test_sums_and_whole_multiples(name: str) -> None:
    found, expected = COMPUTED[name](packed(X), packed(Y)), COMPUTED[name](X, Y)
    plain = found.decrypt(keys()[1])
    assert plain.shape == found.shape == expected.shape and plain.dtype == expected.dtype
    assert torch.allclose(plain, expected, atol=1e-6)


@pytest.mark.parametrize("bits", [24, 32, 40])
def test_shorter_numbers(bits: int) -> None:
    x = packed(X, slot_bits=bits, additions=8)
    assert torch.allclose((x + x - 3 * x).decrypt(keys()[1]), -X, atol=2.0 ** (2 - bits // 2))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 31), (32,)])
def test_all_shapes(shape: tuple[int, ...]) -> None:
    values = torch.full(shape, -1.25)
    assert torch.equal((packed(values) + packed(values)).decrypt(keys()[1]), 2 * values)


def test_integers_are_exact() -> None:
    values = torch.tensor([2**53 - 1, -(2**53) + 1, 0])
    found = (packed(values) + values - 2 * packed(values)).decrypt(keys()[1])
    assert found.tolist() == [0, 0, 0] and found.dtype == torch.int64
    assert (packed(torch.tensor([5])) * 1024).decrypt(keys()[1]).tolist() == [5120]


def test_addends_are_counted_and_none_too_many_is_added() -> None:
    one = packed(torch.full((3,), 2.0**28), additions=4)
    total = one + one + one + one
    assert total.child.addends == 4
    assert total.decrypt(keys()[1]).tolist() == [2.0**30] * 3
    for more in (lambda: total + one, lambda: total - one, lambda: total * 2, lambda: total + 1.0, lambda: one * -5):
        with pytest.raises(EncodingError, match=r"the sum would have \d+ addends, and these .* packed for 4"):
            more()
    total.child.memory.addends = 4
    with pytest.raises(EncodingError, match="would have 5 addends"):
        total += one


def test_control_one_more_addend_spills_over() -> None:
    """Without the count, the largest numbers run into their neighbours; with it, they cannot."""
    public, private = keys()
    largest, packing = np.full(3, 2**63 - 1), Packing(0, 1)
    plain = side_by_side(largest, public, packing) * 2
    total = np.prod(np.array(hidden(plain, private), dtype=object)) % public.nsquare
    with pytest.raises(EncodingError, match="packed numbers"):
        apart(decrypted([total], private, public.room), 3, public, packing)
    wide = apart(decrypted([total], private, public.room), 4, public, packing)
    assert wide.tolist() == [-2, -1, -1, 1]  # the neighbours have taken what did not fit


@pytest.mark.parametrize("values", [[1e30], [float("nan")], [float("inf")], [-3e6]])
def test_what_is_too_large_for_its_slot_is_refused(values: list[float]) -> None:
    with pytest.raises(EncodingError, match="overflows: numbers that are packed for 1024 additions"):
        packed(torch.tensor(values))
    with pytest.raises(EncodingError, match="overflows"):
        packed(torch.tensor([2**54]))
    with pytest.raises(EncodingError, match="overflows"):
        packed(torch.zeros(1)) + torch.tensor(values)


def test_numbers_that_are_larger_than_their_addends_are_noticed() -> None:
    x = packed(torch.full((3,), 1e6), additions=2**10)
    x.child.memory.addends = 0  # a wrong claim
    with pytest.raises(EncodingError, match="larger than 0 addends can be"):
        x.decrypt(keys()[1])


REFUSED: dict[str, tuple[Callable[..., Any], type[Exception], str]] = {
    "float": (lambda x: x * 1.5, UnsupportedOp, "product with float.*added, subtracted and multiplied by whole"),
    "tensor": (lambda x: x * X, UnsupportedOp, "product with Tensor"),
    "encrypted": (lambda x: x * x, UnsupportedOp, "product with PackedPaillierTensor"),
    "div": (lambda x: x / 2, UnsupportedOp, "'div' cannot"),
    "mm": (lambda x: x @ X.t(), UnsupportedOp, "'mm' cannot"),
    "sum": (lambda x: x.sum(), UnsupportedOp, "Encrypt without packed=True"),
    "index": (lambda x: x[0], UnsupportedOp, "'select' cannot"),
    "t": (lambda x: x.t(), UnsupportedOp, "order of elements"),
    "broadcast": (lambda x: x + torch.ones(2, 5, 8), UnsupportedOp, "broadcasts"),
    "packing": (lambda x: x + packed(Y, additions=7), UsageError, "one shape and one packing"),
    "kind": (lambda x: x + Y.encrypt(keys()[0]), UsageError, "a PackedPaillierTensor and a PaillierTensor"),
    "fraction": (lambda x: packed(torch.tensor([1])) + 0.5, UsageError, "fractional digits"),
    "compare": (lambda x: x > 0, UnsupportedOp, "'gt' cannot"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_computed_is_refused(name: str) -> None:
    function, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        function(packed(X))


def test_packings_that_cannot_be() -> None:
    for settings_ in (
        {"additions": 0},
        {"additions": 2**63},
        {"slot_bits": 20},
        {"slot_bits": 72},
        {"fraction_bits": -1},
        {"fraction_bits": 63},
        {"additions": 2.5},
    ):
        with pytest.raises(UsageError, match="cannot be packed in"):
            packed(X, **settings_)
    for settings_ in ({"additions": 7}, {"fraction_bits": 3}, {"slot_bits": 32}):
        with pytest.raises(UsageError, match="packed=True as well"):
            X.encrypt(keys()[0], **settings_)
