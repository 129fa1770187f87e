"""Errors as answers: what a worker raises becomes a `Failure`, and the same error again at the client."""

from __future__ import annotations

import traceback
from typing import Any

import torch

from syft import exceptions
from syft.core.messages import Failure
from syft.exceptions import ObjectNotFoundError, RemoteError, SyftError, TensorsNotCollocatedException

# Looked up by name, never imported by name: an error type that is not here arrives as RemoteError.
_BUILTIN = (
    ArithmeticError, AssertionError, AttributeError, BufferError, FloatingPointError, IndexError, KeyError,
    LookupError, MemoryError, NotImplementedError, OverflowError, PermissionError, RecursionError, RuntimeError,
    TypeError, ValueError, ZeroDivisionError,
)  # fmt: skip
_TORCH = (torch.OutOfMemoryError, torch.linalg.LinAlgError)
KINDS: dict[str, type[Exception]] = {
    **{cls.__name__: cls for cls in _BUILTIN},
    **{cls.__name__: cls for cls in _TORCH},
    **{n: c for n, c in vars(exceptions).items() if isinstance(c, type) and issubclass(c, SyftError)},
}


def to_failure(error: Exception, op: str) -> Failure:
    """Describe an error for the wire.

    Args:
        error: what was raised.
        op: what was being done, for the message.

    Returns:
        Its type name, text and traceback; no objects of the worker.
    """
    kind = next((c.__name__ for c in type(error).__mro__ if KINDS.get(c.__name__) is c), "RemoteError")
    details: tuple[Any, ...] = ()
    if isinstance(error, ObjectNotFoundError):
        details = (error.obj_id, str(getattr(error.worker, "id", error.worker)))
    text = "".join(traceback.format_exception(error))
    return Failure(kind, str(error), op, text, details)


def to_error(failure: Failure, worker: Any) -> Exception:
    """The error to raise at the client.

    Args:
        failure: a worker's answer.
        worker: whom it came from.

    Returns:
        An error of the same type with the same text; its note holds the worker's traceback.
    """
    cls = KINDS.get(failure.kind, RemoteError)
    error: Exception
    if issubclass(cls, ObjectNotFoundError) and len(failure.details) == 2:
        error = ObjectNotFoundError(failure.details[0], worker, failure.message)
    elif issubclass(cls, RemoteError):
        error = RemoteError(failure.message, failure.kind)
    elif issubclass(cls, TensorsNotCollocatedException):
        error = cls.__new__(cls)
        Exception.__init__(error, failure.message)
        error.tensor_a = error.tensor_b = None
    else:
        error = cls.__new__(cls)
        Exception.__init__(error, failure.message)
    error.add_note(f"raised by {failure.op!r} on worker {getattr(worker, 'id', worker)!r}:\n{failure.traceback}")
    return error
