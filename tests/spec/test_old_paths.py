"""0.2.4's import paths and names lead to what stands for them today."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft._legacy import ALIASES
from syft.exceptions import UsageError
from tests.conftest import ScriptRunner
from tests.mpc.parties import parties

pytestmark = pytest.mark.usefixtures("hook")


@pytest.mark.parametrize("path", ALIASES)
def test_an_old_path_is_the_very_module_of_today(path: str) -> None:
    assert importlib.import_module(path) is importlib.import_module(ALIASES[path])


def test_no_path_is_both_old_and_of_today() -> None:
    assert not {path for path in ALIASES if path in ALIASES.values()}


def test_modules_that_are_named_as_others_in_the_folder_of_today_are_not_those(run_script: ScriptRunner) -> None:
    # syft.federated has a module `dataset` of its own, which must not be imported a second time, and
    # syft.plans.plan is no package.
    lines = [
        "import syft",
        "from syft.frameworks.torch.fl.dataset import FederatedDataset",
        "import syft.frameworks.torch.fl.utils as utils",
        "from syft.messaging.plan.plan import Plan",
        "from syft.messaging.plan import state",
        "from syft.federated import dataset",
        "print(FederatedDataset.__module__, utils.__name__, Plan.__module__, state.__name__, dataset.__name__)",
    ]
    out = run_script("\n".join(lines))
    today = "federated.federate federated.fl_utils plans.plan plans.state federated.dataset"
    assert out.split() == [f"syft.{name}" for name in today.split()]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("tensors.interpreters.additive_shared", ["AdditiveSharingTensor"]),
        ("tensors.interpreters.autograd", ["AutogradTensor"]),
        ("tensors.interpreters.large_precision", ["LargePrecisionTensor"]),
        ("tensors.interpreters.precision", ["FixedPrecisionTensor"]),
    ],
)
def test_types_are_those_of_the_package(path: str, names: list[str]) -> None:
    module = importlib.import_module(f"syft.frameworks.torch.{path}")
    for name in names:
        assert getattr(module, name) is getattr(sy, name)
        assert name in sy.__all__


def test_the_building_blocks_of_protocols() -> None:
    from syft.frameworks.torch.mpc import securenn
    from syft.frameworks.torch.mpc.spdz import spdz_mul

    wanted = "decompose division flip maxpool maxpool2d maxpool_deriv msb private_compare relu relu_deriv select_share"
    assert all(callable(getattr(securenn, name)) for name in [*wanted.split(), "share_convert"])
    assert callable(spdz_mul)


def test_types_are_found_in_chains() -> None:
    x = torch.tensor([1.5]).fix_precision()
    assert isinstance(x.child, sy.FixedPrecisionTensor)
    shared = parties().share(x)
    assert isinstance(shared.child.child, sy.AdditiveSharingTensor)
    assert isinstance(parties().share(torch.tensor([1])).child, sy.AdditiveSharingTensor)


# --- AutogradTensor -------------------------------------------------------------------------------


def tensors() -> Iterator[Any]:
    values = torch.tensor([1.0, -2.0])
    yield "plain", values
    yield "fixed", values.fix_precision()
    yield "shared", parties().fixed(values)
    yield "remote", values.send(parties().holders[0])


@pytest.mark.parametrize("kind", ["plain", "fixed", "shared", "remote"])
def test_autograd_tensors_are_differentiated_by_torch(kind: str) -> None:
    tensor = dict(tensors())[kind]
    x = sy.AutogradTensor().on(tensor)
    assert isinstance(x, torch.Tensor) and x.requires_grad and x.is_leaf
    assert not tensor.requires_grad
    (x * x).sum().backward()
    grad = x.grad.get() if kind in ("shared", "remote") else x.grad
    grad = grad.float_precision() if kind in ("shared", "fixed") else grad
    assert grad.tolist() == [2.0, -4.0]


def test_autograd_tensors_take_the_arguments_of_0_2_4() -> None:
    values = torch.tensor([1.0])
    assert sy.AutogradTensor(data=values, requires_grad=True, preinitialize_grad=True).requires_grad
    assert not sy.AutogradTensor(requires_grad=False).on(values, wrap=False).requires_grad


@pytest.mark.parametrize("shared", [False, True])
def test_integers_have_no_gradients(shared: bool) -> None:
    values = torch.tensor([1])
    with pytest.raises(UsageError, match="fix_precision"):
        sy.AutogradTensor().on(parties().share(values) if shared else values)
