"""``serialize`` and ``deserialize`` as 0.2 spells them, over the codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core.metadata import metadata_of
from syft.core.session import SESSION
from syft.serde.codec import decode, encode_with
from syft.serde.compression import default_scheme


def serialize(
    obj: Any,
    worker: Any = None,
    simplified: bool = False,
    force_full_simplification: bool = False,
    strategy: Callable[..., bytes] | None = None,
) -> bytes:
    """Turn an object into bytes, compressed as `syft.serde.compression.set_default` says.

    Args:
        obj: see `syft.serde.encode`.
        worker: accepted for 0.2 code; the wire form does not depend on it.
        simplified: accepted for 0.2 code; there is no separate simplified form.
        force_full_simplification: send workers with the objects they hold, instead of their names.
        strategy: called as ``strategy(obj, worker, simplified, force_full_simplification)`` instead, if given.

    Returns:
        The bytes; the first is the compression code.

    Raises:
        UnserializableError: the object, or something in it, has no wire form.

    Example:
        >>> binary = serialize([1, (2.5, None)])
        >>> binary[0], deserialize(binary)
        (40, [1, (2.5, None)])
    """
    if strategy is not None:
        return strategy(obj, worker, simplified, force_full_simplification)
    return encode_with(obj, default_scheme(), full=force_full_simplification)


def deserialize(binary: bytes, worker: Any = None, strategy: Callable[..., Any] | None = None) -> Any:
    """Turn bytes into an object.

    Args:
        binary: what `serialize` returned, here or elsewhere.
        worker: who receives it, the local worker if None.
        strategy: called as ``strategy(binary, worker)`` instead, if given.

    Returns:
        The object.

    Raises:
        DecodeError: the bytes are not a message.
        CompressionNotFoundException: their first byte is not a compression code.
    """
    receiver = SESSION.local_worker if worker is None else worker
    if strategy is not None:
        return strategy(binary, receiver)
    obj = decode(binary, receiver)
    if type(obj) is torch.Tensor and receiver is not None and "child" not in obj.__dict__:
        metadata_of(obj).owner = receiver
    return obj
