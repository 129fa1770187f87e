"""The exceptions that programs written for 0.2 import and catch."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

import syft as sy
from syft import exceptions
from syft.exceptions import (
    CompressionNotFoundException,
    DependencyError,
    IdNotUniqueError,
    InvalidTensorForRemoteGet,
    ObjectNotFoundError,
    PlanCommandUnknownError,
    RemoteObjectFoundError,
    ResponseSignatureError,
    SyftError,
    TensorsNotCollocatedException,
)

Worker = sy.VirtualWorker
NAMES = (
    "ObjectNotFoundError TensorsNotCollocatedException CannotRequestObjectAttribute InvalidTensorForRemoteGet "
    "GetNotPermittedError SendNotPermittedError WorkerNotFoundException IdNotUniqueError PlanCommandUnknownError "
    "CompressionNotFoundException DependencyError ResponseSignatureError InvalidProtocolFileError "
    "UndefinedProtocolTypeError UndefinedProtocolTypePropertyError PureFrameworkTensorFoundError RemoteObjectFoundError"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_the_name_can_be_imported_and_caught(name: str) -> None:
    cls = getattr(exceptions, name)
    assert issubclass(cls, Exception)
    assert issubclass(cls, SyftError)
    assert getattr(sy.exceptions, name) is cls


@pytest.mark.parametrize(
    "cls", [c for c in vars(exceptions).values() if inspect.isclass(c) and issubclass(c, SyftError)]
)
def test_every_error_is_a_syft_error_and_documented(cls: type[Exception]) -> None:
    assert inspect.getdoc(cls)
    assert issubclass(cls, SyftError)


def test_object_not_found_names_id_and_worker(bob: Worker) -> None:
    error = ObjectNotFoundError(17, bob)
    assert str(error).startswith('Object "17" not found on worker!!!')
    assert "bob" in str(error)
    assert "_objects" in str(error)
    assert ".get()" in str(error)
    assert (error.obj_id, error.worker) == (17, bob)


def test_a_missing_object_names_its_id_and_worker_wherever_it_is_asked_for(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    bob.clear_objects()
    for ask in (p.get, lambda: p + 1, lambda: p.sum().shape, lambda: p.move("me"), lambda: p.dtype):
        with pytest.raises(ObjectNotFoundError) as caught:
            ask()
        assert caught.value.obj_id == p.id_at_location
        assert getattr(caught.value.worker, "id", caught.value.worker) == "bob"


def test_collocation_errors_can_be_made_by_hand(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1]).send(bob), torch.tensor([1]).send(alice)
    error = TensorsNotCollocatedException(p, q)
    assert str(error).startswith("You tried to call a method involving two tensors")
    assert "bob" in str(error)
    assert "alice" in str(error)
    assert (error.tensor_a is p, error.tensor_b is q) == (True, True)
    assert "call add " in str(TensorsNotCollocatedException(p, torch.tensor([1]), attr="add"))


def test_invalid_tensor_for_remote_get_names_the_tensor(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert str(p.child) in str(InvalidTensorForRemoteGet(p))


def test_id_not_unique_lists_the_ids() -> None:
    provider = type(sy.ID_PROVIDER)(given_ids=[4])
    with pytest.raises(IdNotUniqueError, match="4"):
        provider.set_next_ids([4])


def test_compression_not_found_gives_the_code() -> None:
    with pytest.raises(CompressionNotFoundException, match="99"):
        sy.serde.compression.set_default(99)


def test_unknown_plan_commands_are_named() -> None:
    assert str(PlanCommandUnknownError("jump")) == "Command jump is not implemented."


def test_missing_dependencies_say_how_to_install_them() -> None:
    assert "pip install 'scikit-learn'" in str(DependencyError("sklearn", "scikit-learn")).replace('"', "'")
    assert "sklearn" in str(DependencyError("sklearn"))


def test_response_signature_errors_carry_ids() -> None:
    assert ResponseSignatureError([1, 2]).get_attributes() == {"ids_generated": [1, 2]}
    assert ResponseSignatureError().get_attributes() == {"ids_generated": None}


def test_remote_object_found_holds_the_pointer(bob: Worker) -> None:
    p = torch.tensor([1]).send(bob)
    assert RemoteObjectFoundError(p).pointer is p


def test_errors_do_not_keep_remote_objects_alive_forever(bob: Worker) -> None:
    p = torch.tensor([1.0, 2.0]).send(bob)
    try:
        p.view(7)
    except RuntimeError:
        pass
    del p
    assert bob._objects == {}


def raised(call: Any) -> str:
    with pytest.raises(SyftError) as caught:
        call()
    return str(caught.value)


def test_messages_are_sentences_with_a_way_out(bob: Worker, alice: Worker) -> None:
    p, q = torch.tensor([1.0]).send(bob), torch.tensor([1.0]).send(alice)
    assert ".move(" in raised(lambda: p + q)
    assert ".send(" in raised(lambda: p + torch.tensor([1.0]))
    assert ".send(" in raised(lambda: torch.tensor([1.0]).move(bob))
    assert ".get()" in raised(p.item)
