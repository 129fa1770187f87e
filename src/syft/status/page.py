"""The page: one document without data or outside resources, which fetches ``status.json`` every two seconds."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_HERE = Path(__file__).parent


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def load() -> tuple[str, str]:
    """The page and what it may do.

    Returns:
        The document, and a Content-Security-Policy that lets exactly its own style and script work and lets it talk
        to its own origin only.
    """
    style, script, document = (
        (_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html")
    )
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return document.replace("/*style*/", style).replace("/*script*/", script), policy
