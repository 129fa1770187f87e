"""`PrivateTensor`: who may send and fetch, what is computed from private tensors, and what stands on them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import GetNotPermittedError, NotRemoteError, SendNotPermittedError

Worker = sy.VirtualWorker
pytestmark = pytest.mark.usefixtures("hook")


def private(*users: Any, values: tuple[float, ...] = (1.0, 2.0)) -> Any:
    return torch.tensor(values).private_tensor(allowed_users=users)


# --- making one -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "users"),
    [("ann", ("ann",)), (("ann", "bea"), ("ann", "bea")), (["ann", "bea"], ("ann", "bea")), ((), ()), (7, (7,))],
)
def test_one_credential_or_several(given: Any, users: tuple[Any, ...]) -> None:
    made = torch.tensor([1.0]).private_tensor(allowed_users=given)
    assert made.child.allowed_users == users
    assert str(made) == "(Wrapper)>PrivateTensor>tensor([1.])"


def test_nobody_is_allowed_when_nobody_is_named() -> None:
    made = torch.tensor([1.0]).private_tensor()
    assert made.child.allowed_users == ()
    assert not any(made.allow(user) for user in ("ann", None, [], ()))


def test_without_a_wrapper_with_tags_and_a_description() -> None:
    made = torch.tensor([1.0]).private_tensor(
        allowed_users=("ann",), no_wrap=True, tags=["#ages"], description="of patients"
    )
    assert type(made) is sy.PrivateTensor
    assert set(made.tags) == {"#ages"}
    assert made.description == "of patients"


def test_credentials_are_added_to_the_link_and_not_to_the_wrapper() -> None:
    made = private("ann")
    assert made.child.register_credentials("bea") is made.child
    made.child.register_credentials(("cat", "dan"))
    assert made.child.allowed_users == ("ann", "bea", "cat", "dan")
    assert all(made.allow(user) for user in ("ann", "bea", "cat", "dan"))
    with pytest.raises(AttributeError):
        made.register_credentials("eve")


# --- who may see ------------------------------------------------------------------------------------


def test_every_private_layer_must_agree() -> None:
    both = private("ann", "bea").private_tensor(allowed_users=("bea", "cat"))
    assert [both.allow(user) for user in ("ann", "bea", "cat", "dan")] == [False, True, False, False]


def test_public_tensors_allow_everybody() -> None:
    for public in (torch.tensor([1.0]), torch.tensor([1.0]).fix_precision(), sy.LoggingTensor().on(torch.ones(1))):
        assert public.allow("anybody")
        assert public.allow(None)


def test_private_layers_count_however_deep_they_are() -> None:
    assert not torch.tensor([1.0]).fix_precision().private_tensor(allowed_users=("ann",)).allow("bea")
    assert not sy.LoggingTensor().on(private("ann")).allow("bea")
    assert sy.LoggingTensor().on(private("ann")).allow("ann")


@pytest.mark.parametrize("settings", [{}, {"user": "eve"}, {"user": ("ann",)}])
def test_sending_takes_an_allowed_user(bob: Worker, settings: dict[str, Any]) -> None:
    made = private("ann")
    with pytest.raises(SendNotPermittedError, match="is private"):
        made.send(bob, **settings)
    assert made.child.child.tolist() == [1, 2]
    assert made.send(bob, user="ann").location is bob


@pytest.mark.parametrize("settings", [{}, {"user": "eve"}, {"user": "eve", "reason": "a paper"}])
def test_fetching_takes_an_allowed_user(bob: Worker, settings: dict[str, Any]) -> None:
    pointer = private("ann").send(bob, user="ann")
    asked: tuple[Any, ...] = (
        pointer,
        pointer.copy(),
        pointer + pointer,
        pointer.sum(),
        torch.relu(pointer),
        pointer * 2,
    )
    for wanted in asked:
        with pytest.raises(GetNotPermittedError, match="may not see this object"):
            wanted.get(**settings)
    assert str((pointer + pointer).get(user="ann")) == "(Wrapper)>PrivateTensor>tensor([2., 4.])"
    assert str(pointer.copy().get(user="ann", reason="a paper")) == "(Wrapper)>PrivateTensor>tensor([1., 2.])"
    assert str(pointer.get(user="ann")) == "(Wrapper)>PrivateTensor>tensor([1., 2.])"


def test_there_is_nothing_to_fetch_from_a_local_one() -> None:
    with pytest.raises(NotRemoteError):  # an AttributeError, as it was
        private("ann").get(user="ann")


# --- what is computed -------------------------------------------------------------------------------


def test_results_are_for_those_who_may_see_all_operands() -> None:
    """0.2.4 kept the users of the left operand alone."""
    a, b = private("ann", "bea"), private("bea", "cat")
    for result in (a + b, b + a, a * b, torch.stack([a, b])):
        assert result.child.allowed_users == ("bea",)
    assert (a + a).child.allowed_users == ("ann", "bea")


def test_results_of_private_and_public_operands_are_private() -> None:
    """0.2.4 raised PureFrameworkTensorFoundError."""
    a, public = private("ann"), torch.tensor([10.0, 20.0])
    for result in (a + public, public + a, a * 2, 2 * a):
        assert type(result.child) is sy.PrivateTensor
        assert result.child.allowed_users == ("ann",)
    assert type(public) is torch.Tensor


def test_results_know_what_they_were_computed_from() -> None:
    a, b = private("ann"), private("ann")
    result = a + b
    assert result.child.command == "add"
    assert result.child.parents == (a.child, b.child)
    assert (a.child.command, a.child.parents) == (None, ())
    a.add_(1)
    assert a.child.command == "add_"


# --- over fixed precision ---------------------------------------------------------------------------


@pytest.fixture
def fixed() -> Any:
    return torch.tensor([1.5, 2.0]).fix_precision().private_tensor(allowed_users=("ann",))


def test_it_stands_over_fixed_precision(fixed: Any) -> None:
    assert str(fixed) == "(Wrapper)>PrivateTensor>FixedPrecisionTensor>tensor([1500, 2000])"
    decoded = fixed.float_precision()
    assert str(decoded) == "(Wrapper)>PrivateTensor>tensor([1.5000, 2.0000])"
    assert decoded.child.allowed_users == ("ann",)
    assert decoded.child.command == "float_precision"


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x * x, [2.25, 4.0]), (lambda x: x + x, [3.0, 4.0]), (lambda x: x * 2, [3.0, 4.0]),
        (lambda x: x / 2, [0.75, 1.0]), (lambda x: torch.mul(x, x) * x, [3.375, 8.0]), (lambda x: x @ x, 6.25),
        (lambda x: x.sum(), 3.5), (lambda x: x[1:], [2.0]), (lambda x: x.mul_(x), [2.25, 4.0]),
    ],
)  # fmt: skip
def test_products_have_the_right_scale(fixed: Any, compute: Any, expected: Any) -> None:
    result = compute(fixed)
    assert result.child.allowed_users == ("ann",)
    assert result.float_precision().child.child.tolist() == pytest.approx(expected, abs=2e-3)


def test_products_have_the_right_scale_elsewhere(bob: Worker, fixed: Any) -> None:
    pointer = fixed.send(bob, user="ann")
    with pytest.raises(GetNotPermittedError):
        (pointer * pointer).float_precision().get(user="eve")
    there = (pointer * pointer).float_precision().get(user="ann")
    here = (pointer * pointer).get(user="ann").float_precision()
    for found in (there, here):
        assert found.child.child.tolist() == pytest.approx([2.25, 4.0])


def test_other_links_over_fixed_precision_have_the_right_scale() -> None:
    logged = sy.LoggingTensor().on(torch.tensor([1.5, 2.0]).fix_precision())
    assert str(logged * logged) == "(Wrapper)>LoggingTensor>FixedPrecisionTensor>tensor([2250, 4000])"
