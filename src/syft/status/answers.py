"""Errors as answers: which status an error has, and JSON with its sentence."""

from __future__ import annotations

import json
from typing import Any

from syft.core.optional import require
from syft.exceptions import (
    AuthenticationError,
    LimitExceededError,
    ModelNotFoundError,
    PermissionDenied,
    SyftError,
)

# The first that fits; everything else that syft raises on purpose is the request's fault.
_STATUS: tuple[tuple[type[SyftError], int], ...] = (
    (AuthenticationError, 401),
    (LimitExceededError, 413),
    (PermissionDenied, 403),
    (ModelNotFoundError, 404),
    (SyftError, 400),
)
_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # A page of another origin may not read an answer, nor show one in a frame.
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


class RefusedRequestError(SyftError):
    """A request that cannot be answered.

    Attributes:
        status: the status code of HTTP.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


def status_of(error: SyftError) -> int:
    """The status code of HTTP that says the same as an error."""
    if isinstance(error, RefusedRequestError):
        return error.status
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def answer(content: bytes | str, media_type: str, status: int = 200, **headers: str) -> Any:
    """A response that nobody caches and no foreign page may use.

    Args:
        content: the body.
        media_type: its content type.
        status: the status code.
        **headers: further headers, with ``_`` for ``-``.
    """
    response: Any = require("starlette.responses", "status").Response
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return response(content, status, {**_HEADERS, **extra}, media_type)


def json_answer(content: Any, status: int = 200, **headers: str) -> Any:
    """A response with JSON.

    Raises:
        ValueError: a number in it is infinite or not a number.
    """
    return answer(json.dumps(content, allow_nan=False), "application/json", status, **headers)


def error_answer(status: int, sentence: str) -> Any:
    """A response with ``{"error": sentence}``.

    With 401 it says how to identify oneself; after a body that is too long or too slow the connection ends.
    """
    headers = {401: {"www_authenticate": "Bearer"}, 408: {"connection": "close"}, 413: {"connection": "close"}}
    return json_answer({"error": sentence}, status, **headers.get(status, {}))
