"""Objects to bytes and back, for bytes that may come from anyone.

No name that arrives is imported, looked up on an object or evaluated: tags are looked up in a table of
registered types (`syft.serde.registry`), dtypes and the like in tables of their own.
"""

from __future__ import annotations

from syft.serde import compression, messages, native_types, numpy_types, torch_tensors, torch_types
from syft.serde.codec import decode, encode
from syft.serde.limits import Limits
from syft.serde.registry import register, serializable
from syft.serde.serialization import deserialize, serialize

__all__ = [
    "Limits",
    "compression",
    "decode",
    "deserialize",
    "encode",
    "messages",
    "native_types",
    "numpy_types",
    "register",
    "serializable",
    "serialize",
    "torch_tensors",
    "torch_types",
]
