"""Tags and descriptions of whatever can be stored: plain tensors, wrapped chains, other objects."""

from __future__ import annotations

from typing import Any

import torch

from syft.core.metadata import existing_metadata, metadata_of


def _bearer(obj: Any) -> Any:
    """Where an object's names are kept: its link, itself, or the side table of plain tensors."""
    child = getattr(obj, "__dict__", {}).get("child")
    if isinstance(obj, torch.Tensor):
        return child if child is not None and not isinstance(child, torch.Tensor) else existing_metadata(obj)
    return obj


def names_of(obj: Any) -> tuple[set[Any], str | None]:
    """The tags and the description of an object.

    Args:
        obj: a stored object.

    Returns:
        A set of tags (empty if it has none) and a description or None.
    """
    bearer = _bearer(obj)
    return set(getattr(bearer, "tags", None) or ()), getattr(bearer, "description", None)


def set_names(obj: Any, tags: Any, description: str | None) -> None:
    """Name an object.

    Args:
        obj: a stored object.
        tags: its tags from now on, or None for none.
        description: its description from now on.
    """
    bearer = _bearer(obj)
    if bearer is None:
        bearer = metadata_of(obj)
    bearer.tags = set(tags) if tags else None
    bearer.description = description


def set_identity(obj: Any, id: Any, owner: Any) -> None:
    """Give a plain tensor the id it is stored under and the worker that holds it."""
    if isinstance(obj, torch.Tensor) and "child" not in obj.__dict__:
        entry = metadata_of(obj)
        entry.id, entry.owner = id, owner
    elif (link := getattr(obj, "__dict__", {}).get("child")) is not None and hasattr(type(link), "wrap"):
        link.owner = owner
