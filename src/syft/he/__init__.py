"""Homomorphic encryption: computing on numbers that only the holder of a key can read."""

from __future__ import annotations

from syft.he.levelled import encrypting as _encrypting  # noqa: F401 - registers the protocols
from syft.he.levelled import rules as _rules  # noqa: F401 - registers what is computed
from syft.he.levelled import rules_layers as _rules_layers  # noqa: F401 - likewise
from syft.he.levelled import travel as _travel  # noqa: F401 - registers the wire forms
from syft.he.levelled.activations import Polynomial, Square, levels_needed
from syft.he.levelled.context import Context, bfv_context, ckks_context, context_from_bytes
from syft.he.levelled.slots import BFVTensor, CKKSTensor
from syft.he.levelled.tensor import CiphertextTensor

__all__ = [
    "BFVTensor",
    "CKKSTensor",
    "CiphertextTensor",
    "Context",
    "Polynomial",
    "Square",
    "bfv_context",
    "ckks_context",
    "context_from_bytes",
    "levels_needed",
]
