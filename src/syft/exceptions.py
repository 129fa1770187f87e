"""Every error that syft raises on purpose, in one tree.

* SyftError
    * UsageError                        an argument makes no sense here
    * NotSupportedError                 what was asked for does not exist, here or yet
        * UnsupportedOp                 the op is not in the op table, or the type has no rule for it
    * NotAMessageError                  what was sent to a worker is not a message
    * TensorsNotCollocatedException     the operands of one call live in different places
    * ObjectNotFoundError               a worker does not hold the id
        * ConsumedPointerError          the pointer was already fetched with ``.get()``
    * CannotRequestObjectAttribute      a remote attribute cannot be fetched by itself
    * InvalidTensorForRemoteGet         ``remote_get`` needs a pointer to a pointer
    * PermissionDenied
        * GetNotPermittedError          the worker does not reveal the value to this user
        * SendNotPermittedError         the owner does not let this user send the value
            * GetPendingError           the owner of the value has not decided yet
        * CommandNotPermittedError      the worker refuses to run this command
        * LimitExceededError            a message, a result or a store would be larger, or take longer, than allowed
        * AuthenticationError           the worker does not let this client in, or the client does not trust it
        * ModelPermissionError          a hosted model is not for this user, or not to be used like this
        * PrivacyBudgetError            a release would cost more privacy than its owner allows
    * ConnectionLost                    the connection to a worker broke and could not be made again
        * SessionLost                   the worker is there, but what this client had on it is gone
    * RequestTimeoutError               a worker did not answer within the time that was given
    * CredentialsError                  a token, key or certificate cannot be made, read or used
    * WorkerNotFoundException           no worker of that id is known here
    * WorkerConflictError               a worker of that id and another type exists
    * NotLocalError                     a local value was asked of a tensor that lives elsewhere
    * NotRemoteError                    something remote was asked of a tensor that lives here
    * IdNotUniqueError                  an id was handed out before
    * SerializationError
        * UnserializableError           the object has no wire form
        * DecodeError                   the bytes are not a message
        * CompressionNotFoundException  unknown compression code
    * RemoteError                       the worker failed with an error that has no local twin
    * FederatedError                    data, models or settings that cannot be trained or averaged together
        * AggregationError              updates cannot be summed in secret like this, or not any more
    * CheckpointError                   a checkpoint that cannot be read or does not fit
    * EncodingError                     a number cannot be written with so many digits
    * EncryptionParametersError         parameters of homomorphic encryption that are unsafe, or hold too little
    * DepthExceededError                more encrypted products in a row than the context was made for
    * KeyMismatchError                  ciphertexts and keys that do not belong together
    * MpcError                          shared values cannot be computed with like this
        * CryptoProviderError           there is no crypto provider, or it is one of the holders
        * ProtocolStepError             a holder refuses a step of a protocol
        * EmptyCryptoPrimitiveStoreError  what was prepared ahead is used up
    * DependencyError                   an optional package is missing
    * PlanError                         a plan or protocol cannot be recorded, sent or run like this
        * PlanBuildError                the function does something that cannot be recorded
        * PlanNotBuiltError             the plan has not been recorded yet
        * PlanArgumentError             the arguments of a call are not those of the recording
        * PlanConditionError            the recording does not hold for these arguments
        * ModelNotFoundError            the worker hosts no model of that name for this user
        * ProtocolError                 the workers of a protocol, or what it is called with, do not fit it
    * PlanCommandUnknownError, ResponseSignatureError, InvalidProtocolFileError,
      UndefinedProtocolTypeError, UndefinedProtocolTypePropertyError,
      PureFrameworkTensorFoundError, RemoteObjectFoundError
                                        names that 0.2 code may import; syft does not raise the last six
"""

from __future__ import annotations

from typing import Any


class SyftError(Exception):
    """Base class: ``except SyftError`` catches all that syft raises on purpose."""


class UsageError(SyftError, ValueError):
    """An argument makes no sense here; the message says what would."""


class NotSupportedError(SyftError, NotImplementedError):
    """What was asked for does not exist, here or yet."""


class NotAMessageError(SyftError, TypeError):
    """What was sent to a worker is not a message."""


class UnsupportedOp(NotSupportedError):
    """The op is not in the op table, or the tensor type has no rule for it.

    Never a ``TypeError``: torch turns a ``TypeError`` inside ``+`` into ``NotImplemented`` and the
    message is lost.
    """


class TensorsNotCollocatedException(SyftError):
    """The operands of one call live in different places.

    Attributes:
        tensor_a: the first operand.
        tensor_b: the operand that lives elsewhere.
    """

    def __init__(self, tensor_a: Any, tensor_b: Any, attr: str = "a method") -> None:
        self.tensor_a, self.tensor_b = tensor_a, tensor_b
        there_a, there_b = _place(tensor_a), _place(tensor_b)
        if there_a and there_b:
            where = f"one lives on {there_a!r}, the other on {there_b!r}. Move one of them with .move({there_a})"
        else:
            first_is_remote = bool(there_a)
            place = there_a or there_b
            which = "first is remote" if first_is_remote else "second is remote"
            where = f"the {which} (on {place!r}) and the other is local. Send it there first with .send({place})"
        super().__init__(f"You tried to call {attr} involving two tensors in different places: {where}.")


def _place(tensor: Any) -> str | None:
    location = getattr(tensor, "location", None)
    return None if location is None else str(getattr(location, "id", location))


class ObjectNotFoundError(SyftError, LookupError):
    """A worker does not hold an object of that id.

    Attributes:
        obj_id: the id asked for.
        worker: the worker that was asked, or its id.
    """

    def __init__(self, obj_id: Any, worker: Any = None, message: str | None = None) -> None:
        self.obj_id, self.worker = obj_id, worker
        name = getattr(worker, "id", worker)
        super().__init__(
            message
            or f'Object "{obj_id}" not found on worker!!! Worker {name!r} does not hold it: it was fetched with '
            f".get(), deleted with its last pointer, or never sent. Look at {name}._objects for what is there."
        )


class ConsumedPointerError(ObjectNotFoundError, AttributeError):
    """The pointer was already fetched with ``.get()``; nothing remote stands behind it any more."""

    def __init__(self, what: str) -> None:
        super().__init__(
            None,
            None,
            f"This tensor was a pointer and its object was already fetched or moved away ({what}). "
            "Use the tensor that .get() returned, or peek with .copy().get() next time.",
        )


class CannotRequestObjectAttribute(SyftError):
    """A remote attribute cannot be fetched by itself."""


class InvalidTensorForRemoteGet(SyftError):
    """``remote_get`` was called on something that is not a pointer to a pointer."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        super().__init__(
            f"remote_get() shortens a pointer to a pointer, and {tensor!r} is not one. "
            "Send a pointer with .send(worker) first, or fetch this tensor with .get()."
        )


class PermissionDenied(SyftError, PermissionError):
    """Somebody asked for what the owner of the data did not allow."""


class GetNotPermittedError(PermissionDenied):
    """The worker does not reveal this value to this user."""


class GetPendingError(GetNotPermittedError):
    """The owner of the value has been asked and has not decided yet; ask again later."""


class LimitExceededError(PermissionDenied):
    """A message, a result or a store would be larger, or take longer, than the worker allows."""


class AuthenticationError(PermissionDenied):
    """The worker does not let this client in, or the client does not trust the worker."""


class ConnectionLost(SyftError, ConnectionError):
    """The connection to a worker broke and could not be made again.

    What was sent may have been carried out. The worker keeps the client's objects for the time of its lease:
    ``worker.connect()`` within that time takes them up again.
    """


class SessionLost(ConnectionLost):
    """The worker is there, but what this client had on it is gone: it was restarted, or the lease ran out."""


class RequestTimeoutError(SyftError, TimeoutError):
    """A worker did not answer within the time that was given. It may still carry the request out."""


class CredentialsError(SyftError, ValueError):
    """A token, a key or a certificate cannot be made, read or used; the message says why."""


class SendNotPermittedError(PermissionDenied):
    """The owner does not let this user send this value."""


class CommandNotPermittedError(PermissionDenied):
    """The worker refuses to run this command."""


class ModelPermissionError(PermissionDenied):
    """A hosted model is not for this user, or not to be used like this."""


class PrivacyBudgetError(PermissionDenied):
    """A release would cost more privacy than the owner of the data allows; nothing was released."""


class WorkerNotFoundException(SyftError, KeyError):
    """No worker of that id is known here."""

    def __str__(self) -> str:
        # KeyError would print the sentence as a quoted key.
        return str(self.args[0]) if self.args else ""


class WorkerConflictError(SyftError, RuntimeError):
    """A worker of that id and another type exists already."""


class NotLocalError(SyftError, RuntimeError):
    """A local value was asked of a tensor that lives elsewhere."""


class NotRemoteError(SyftError, AttributeError):
    """Something only a remote tensor can do was asked of a tensor that lives here."""


class IdNotUniqueError(SyftError, ValueError):
    """An id was handed out before."""


class SerializationError(SyftError, ValueError):
    """An object could not be turned into bytes or back."""


class UnserializableError(SerializationError):
    """The object has no wire form."""


class DecodeError(SerializationError):
    """The bytes are not a message of this protocol."""


class CompressionNotFoundException(SerializationError):
    """The compression code is unknown."""


class RemoteError(SyftError, RuntimeError):
    """The worker failed with an error that has no local twin.

    Attributes:
        remote_type: the name of the error's type on the worker.
    """

    def __init__(self, message: str, remote_type: str = "Exception") -> None:
        self.remote_type = remote_type
        super().__init__(message)


class FederatedError(SyftError, ValueError):
    """Data, models or settings that cannot be trained or averaged together."""


class AggregationError(FederatedError):
    """Updates cannot be summed in secret like this: too few are left, or somebody asks for what would show one."""


class CheckpointError(SyftError, ValueError):
    """A checkpoint that cannot be read, or that does not fit the model."""


class PlanError(SyftError):
    """A plan or protocol cannot be recorded, sent or run like this."""


class PlanBuildError(PlanError, ValueError):
    """The function does something that cannot be recorded; the message says what to do instead."""


class PlanNotBuiltError(PlanError, RuntimeError):
    """The plan has not been recorded yet."""


class PlanArgumentError(PlanError, TypeError):
    """The arguments of a call are not those of the recording: too many, too few, or of another kind."""


class PlanConditionError(PlanError, ValueError):
    """The recording does not hold for these arguments: the function decided by a size that differs now."""


class ProtocolError(PlanError, RuntimeError):
    """The workers of a protocol, or what it is called with, do not fit it."""


class ModelNotFoundError(PlanError, LookupError):
    """The worker hosts no model of that name, or not that version, for this user."""


class EncodingError(SyftError, ValueError):
    """A number cannot be written as an integer with the precision asked for."""


class EncryptionParametersError(SyftError, ValueError):
    """Parameters of homomorphic encryption that are not safe, or do not hold what is to be computed."""


class DepthExceededError(SyftError, RuntimeError):
    """A homomorphic computation has more products in a row than its context was made for."""


class KeyMismatchError(SyftError, ValueError):
    """Ciphertexts under different keys are computed with together, or a key is not the one that decrypts."""


class DivisionByZeroError(SyftError, ZeroDivisionError):
    """A number in fixed precision is divided by a public zero."""


class MpcError(SyftError, RuntimeError):
    """Shared values cannot be computed with like this."""


class CryptoProviderError(MpcError, ValueError):
    """An operation needs a crypto provider and there is none, or it is not a worker of its own."""


class ProtocolStepError(MpcError):
    """A holder or a provider refuses a step of a protocol."""


class EmptyCryptoPrimitiveStoreError(MpcError):
    """What was prepared ahead of time is used up.

    Args:
        crypto_store: of the provider.
        available_instances: how many there are.
        **kwargs: ``op``, ``n_instances`` and whatever else was asked for; kept as ``kwargs_``.
    """

    def __init__(self, crypto_store: Any = None, available_instances: int = -1, **kwargs: Any) -> None:
        worker = getattr(getattr(crypto_store, "provider", None), "id", None)
        self.kwargs_ = {"crypto_store": crypto_store, "available_instances": available_instances, **kwargs}
        super().__init__(
            f"You tried to run a crypto protocol with crypto provider {worker} but its crypto_store doesn't have "
            f"enough primitives left for the type '{kwargs.get('op')}' ({kwargs.get('n_instances')} were requested "
            f"while only {available_instances} are available). Use crypto_provider.prepare(function, *inputs, "
            "n_instances=...) or crypto_store.provide_primitives before, or set crypto_store.force_preprocessing to "
            "False."
        )


class DependencyError(SyftError, ImportError):
    """An optional package is missing."""

    def __init__(self, package: str, pypi_alias: str | None = None) -> None:
        self.package = package
        alias = pypi_alias or package
        super().__init__(f"{package!r} is not installed and this needs it. Install it with: pip install {alias!r}")


class PlanCommandUnknownError(SyftError):
    """The plan command is unknown."""

    def __init__(self, command_name: Any) -> None:
        super().__init__(f"Command {command_name} is not implemented.")


class ResponseSignatureError(SyftError):
    """Kept for 0.2 code that imports it; replies carry their ids by themselves."""

    def __init__(self, ids_generated: Any = None) -> None:
        self.ids_generated = ids_generated
        super().__init__("A reply does not have the announced form.")

    def get_attributes(self) -> dict[str, Any]:
        """The ids the reply was made of.

        Returns:
            A dict with the key ``ids_generated``.
        """
        return {"ids_generated": self.ids_generated}


class InvalidProtocolFileError(SyftError):
    """Kept for 0.2 code that imports it: the type table is part of the source and cannot be invalid."""


class UndefinedProtocolTypeError(SyftError):
    """Kept for 0.2 code that imports it; see `UnserializableError`."""


class UndefinedProtocolTypePropertyError(SyftError):
    """Kept for 0.2 code that imports it."""


class PureFrameworkTensorFoundError(SyftError):
    """Kept for 0.2 code that imports it: no error is control flow here."""


class RemoteObjectFoundError(SyftError):
    """Kept for 0.2 code that imports it: no error is control flow here."""

    def __init__(self, pointer: Any = None) -> None:
        self.pointer = pointer
        super().__init__(f"found a pointer: {pointer!r}")
