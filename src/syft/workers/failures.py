"""Errors as answers: what a worker raises becomes a `Failure`, and the same error again at the client."""

from __future__ import annotations

import re
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


_LONGEST, _LONGEST_ID = 10_000, 256
_PACKAGES = frozenset({"syft", "torch", "numpy", "websockets", "msgpack"})
_PATH = re.compile(r'File "(?P<path>[^"\n]*)"')


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
        id = error.obj_id
        details = (cut(id, _LONGEST_ID) if isinstance(id, str) else id, str(getattr(error.worker, "id", error.worker)))
    return Failure(kind, cut(str(error), _LONGEST), op, cut(_frames(error), _LONGEST), details)


def cut(text: str, length: int) -> str:
    """The text, without its middle if it is longer."""
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def _frames(error: BaseException) -> str:
    """The traceback, with files named from their package on: where things lie on a worker is its owner's business."""
    lines = traceback.TracebackException.from_exception(error).format()
    return "".join([_PATH.sub(_inside, line) for line in lines])


def _inside(found: re.Match[str]) -> str:
    parts = re.split(r"[\\/]", found["path"])
    package = next((place for place in range(len(parts) - 1, -1, -1) if parts[place] in _PACKAGES), None)
    return f'File "{"/".join(parts[package:]) if package is not None else parts[-1]}"'


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
