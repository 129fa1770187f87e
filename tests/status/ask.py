"""Requests as any client makes them."""

from __future__ import annotations

import io
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of an error."""
        (sentence,) = self.json.values()
        assert list(self.json) == ["error"] and sentence.endswith((".", "=...)", "allow_remote_inference=True."))
        return str(sentence)


def ask(
    url: str,
    body: bytes | None = None,
    *,
    method: str | None = None,
    token: str | None = None,
    context: ssl.SSLContext | None = None,
    **headers: str,
) -> Answer:
    """One request; an error status is an answer too."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        named["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as reply:
            return Answer(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def ask_json(url: str, content: Any, **settings: Any) -> Answer:
    """Send JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return ask(url, body, content_type="application/json", **settings)


def ask_npz(url: str, body: bytes, **settings: Any) -> Answer:
    """Send the bytes of an npz file."""
    return ask(url, body, content_type="application/x-npz", **settings)


def npz(**arrays: Any) -> bytes:
    """The bytes of an npz file."""
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()
