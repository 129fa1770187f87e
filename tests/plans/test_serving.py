"""Models hosted on a worker under a name: who may run them, fetch them, and delete them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import syft as sy
from syft.core.messages import Call, Put, Ref
from syft.exceptions import (
    CommandNotPermittedError,
    ModelNotFoundError,
    ModelPermissionError,
    ObjectNotFoundError,
    PlanArgumentError,
    UsageError,
)
from tests.plans.models import Cnn, mlp

X = torch.randn(5, 3)


def test_a_module_runs_for_everybody(bob: Any) -> None:
    model = mlp()
    assert bob.serve_model(model, "m", allow_remote_inference=True, example=torch.zeros(2, 3)) is True
    assert model.training
    result = bob.run_remote_inference("m", X)
    assert torch.equal(result, model.eval()(X))
    assert not result.requires_grad
    assert len(bob._objects) == 0
    assert bob.models == ["m"]


def test_a_pointer_as_data_gives_a_pointer(bob: Any) -> None:
    bob.serve_model(nn.ReLU(), "relu", allow_remote_inference=True, example=torch.zeros(2))
    out = bob.run_remote_inference("relu", torch.tensor([-1.0, 2.0]).send(bob))
    assert out.location is bob
    assert out.get().tolist() == [0.0, 2.0]


def test_plans_and_torchscript_are_hosted_too(bob: Any) -> None:
    @sy.func2plan(args_shape=[(-1,)])
    def double(x: Any) -> Any:
        return x + x

    bob.serve_model(double, "double", allow_remote_inference=True, allow_download=True)
    assert bob.run_remote_inference("double", torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
    assert bob.download_model("double")(torch.ones(1)).item() == 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.script(nn.Linear(3, 1))
    bob.serve_model(script, "script", allow_remote_inference=True)
    assert torch.equal(bob.run_remote_inference("script", X), script(X).detach())


def test_a_hosted_model_is_a_copy(bob: Any) -> None:
    model = nn.Linear(3, 1)
    bob.serve_model(model, "m", allow_remote_inference=True, example=torch.zeros(2, 3))
    before = model(X).detach()
    with torch.no_grad():
        model.weight.zero_()
    assert torch.equal(bob.run_remote_inference("m", X), before)


def test_nothing_is_allowed_unless_the_host_says_so(bob: Any) -> None:
    bob.serve_model(mlp(), "m", example=torch.zeros(2, 3))
    with pytest.raises(ModelPermissionError, match="allow_remote_inference=True"):
        bob.run_remote_inference("m", X)
    with pytest.raises(ModelPermissionError, match="allow_download=True"):
        bob.download_model("m")


def test_models_exist_for_their_users_only(bob: Any) -> None:
    bob.serve_model(
        mlp(),
        "m",
        allow_remote_inference=True,
        allow_download=True,
        users=["ann"],
        user="dan",
        example=torch.zeros(2, 3),
    )
    assert bob.models == []
    assert bob.list_models(user="eve") == []
    assert [m["id"] for m in bob.list_models(user="ann")] == ["m"]
    assert bob.run_remote_inference("m", X, user="ann").shape == (5, 2)
    for user in (None, "eve"):
        with pytest.raises(ModelNotFoundError, match="no model 'm'"):
            bob.run_remote_inference("m", X, user=user)
        with pytest.raises(ModelNotFoundError):
            bob.download_model("m", user=user)
        with pytest.raises(ModelNotFoundError):
            bob.delete_model("m", user=user)
    with pytest.raises(ModelPermissionError, match="alone may delete"):
        bob.delete_model("m", user="ann")
    with pytest.raises(ModelPermissionError, match="somebody else"):
        bob.serve_model(mlp(), "m", user="ann", example=torch.zeros(2, 3))
    assert bob.delete_model("m", user="dan") is True
    assert bob.list_models(user="ann") == []


def test_versions(bob: Any) -> None:
    for factor in (1.0, 2.0, 3.0):
        plan = sy.Plan("scale", forward=lambda x, factor=factor: x * factor)
        plan.forward = (lambda f: lambda x: x * f)(factor)
        plan.build(torch.zeros(1))
        bob.serve_model(plan, "scale", allow_remote_inference=True)
    one = torch.ones(1)
    assert bob.run_remote_inference("scale", one).item() == 3.0
    assert bob.run_remote_inference("scale", one, version=1).item() == 1.0
    assert [m["version"] for m in bob.list_models()] == [1, 2, 3]
    assert bob.models == ["scale"]
    bob.delete_model("scale", version=3)
    assert bob.run_remote_inference("scale", one).item() == 2.0
    with pytest.raises(ModelNotFoundError, match="of version 3"):
        bob.run_remote_inference("scale", one, version=3)
    bob.serve_model(mlp(), "scale", example=torch.zeros(2, 3))
    assert [m["version"] for m in bob.list_models()] == [1, 2, 3]
    bob.delete_model("scale")
    assert bob.models == []


def test_arguments_that_make_no_sense(bob: Any) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        bob.serve_model(mlp(), example=torch.zeros(2, 3))
    with pytest.raises(UsageError, match="example="):
        bob.serve_model(mlp(), "m")
    with pytest.raises(UsageError, match="not a dict"):
        bob.serve_model({}, "m")
    with pytest.raises(UsageError, match="is not built"):
        bob.serve_model(sy.Plan("p", forward=lambda x: x), "m")
    with pytest.raises(UsageError, match="a plan whose state is shared"):
        bob.serve_model(mlp(), "m", mpc=True)
    assert bob.models == []
    bob.serve_model(mlp(), "m", allow_remote_inference=True, example=torch.zeros(2, 3))
    with pytest.raises(PlanArgumentError, match="requires 1 arguments, received 2"):
        bob.run_remote_inference("m", X, X)
    with pytest.raises(RuntimeError):
        bob.run_remote_inference("m", torch.zeros(2, 4))
    assert bob.run_remote_inference("m", X).shape == (5, 2)


def test_no_object_passes_for_a_service_and_no_message_reaches_the_rest_of_it(bob: Any) -> None:
    bob.request(Put((("service:models", torch.ones(1)),)))
    bob.serve_model(mlp(), "m", example=torch.zeros(2, 3))
    assert bob.models == ["m"]
    for method in ("_versions", "__init__", "worker", "_models", "service"):
        with pytest.raises(CommandNotPermittedError):
            bob.request(Call(Ref("service:models"), ("m",), {}, None, method))
    with pytest.raises(ObjectNotFoundError):
        bob.request(Call(Ref("service:os"), (), {}, None, "run"))


def test_the_digits_of_the_seeds_network(bob: Any) -> None:
    model = Cnn()
    bob.serve_model(model, model_id="digits", allow_remote_inference=True, example=torch.zeros(2, 1, 28, 28))
    batch = torch.randn(7, 1, 28, 28)
    assert torch.equal(bob.run_remote_inference("digits", batch), model.eval()(batch))
