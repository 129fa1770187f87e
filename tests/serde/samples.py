"""One fixed object for each tag of `syft.serde`: their bytes are kept in ``golden/``."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from syft.core import messages as m
from syft.core.metadata import metadata_of

GOLDEN = Path(__file__).parent / "golden"

_REF = m.Ref(2**62 + 1, ("grad",))


def _tensor() -> torch.Tensor:
    return torch.tensor([[1.0, -2.0], [0.5, float("inf")]])


def _leaf() -> torch.Tensor:
    leaf = torch.nn.Parameter(torch.tensor([1.5, 2.5], dtype=torch.float64))
    leaf.grad = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    entry = metadata_of(leaf)
    entry.id, entry.tags, entry.description = 77, {"#b", "#a"}, "two weights"
    return leaf


def _coo() -> torch.Tensor:
    return torch.sparse_coo_tensor([[0, 2], [1, 0]], [7, 8], (3, 2), check_invariants=True)


def samples() -> dict[str, Any]:
    """Name of the golden file -> the object; a name begins with the tag, a dash tells several apart."""
    return {
        "tuple": (1, ("two", None), [3.5, True, -(2**63), 2**64 - 1, b"\0\xff"]),
        "set": {"b", "a", "c"},
        "frozenset": frozenset({3, 1, 2}),
        "range": range(1, 10, 3),
        "slice": slice(None, 5, -1),
        "ellipsis": ...,
        "complex": complex(1, -0.0),
        "ordered_dict": OrderedDict([("z", 1), ("a", {"k": (2,)}), (3, None)]),
        "numpy.array": np.arange(6, dtype=">i2").reshape(2, 3).T,
        "numpy.scalar": np.float32(0.1),
        "torch.dtype": torch.bfloat16,
        "torch.layout": torch.sparse_csr,
        "torch.memory_format": torch.channels_last,
        "torch.linear_cross_entropy_options": torch.nn.LinearCrossEntropyOptions(),
        "torch.device": torch.device("cuda", 3),
        "torch.size": torch.Size([2, 0, 3]),
        "tensor": _tensor(),
        "tensor-leaf": _leaf(),
        "tensor-coo": _coo(),
        "tensor-several": [torch.tensor(True), torch.zeros(0, 3), torch.arange(5, dtype=torch.int16)],
        "ref": _REF,
        "put": m.Put(((1, _tensor()), ("two", [1, 2])), ("user", "token"), True, False, True),
        "command": m.Command("add", (_REF, m.Ref("x"), 2.5), {"alpha": 2}, 2**60, False, (4, "y")),
        "command-short": m.Command("Tensor.add", (m.Ref(7), m.Ref("x"), 2.5, None, "ab"), None, 2**60, True, (4, "y")),
        "call": m.Call(_REF, (1, slice(0, 2)), {"flag": True}, "result", "forward"),
        "take": m.Take((_REF, m.Ref(5)), "user", "reason", True),
        "relay": m.Relay((1, "b"), "alice", (2, "c"), True, None),
        "fetch": m.Fetch(9),
        "forget": m.Forget((1, 2**63 - 1, "three")),
        "describe": m.Describe(_REF),
        "describe-short": m.Describe(m.Ref(2**62 + 1)),
        "is_none": m.IsNone(m.Ref(3, ("grad",))),
        "search": m.Search(("#tag", 5)),
        "tag": m.Tag(4, frozenset({"#b", "#a"}), "words"),
        "stored": m.Stored(8),
        "shown": m.Shown((torch.tensor([1, -1]),)),
        "named": m.Named(("values", "indices"), (m.Stored(1), m.Stored(2))),
        "gradients": m.Gradients(
            (
                (1, None),
                ("two", m.Description((2,), torch.float32, torch.device("cpu"), torch.strided, (1,), False, True)),
            )
        ),
        "description": m.Description(
            (2, 3), torch.float32, torch.device("cuda", 1), torch.strided, (3, 1), True, False
        ),
        "description-short": m.Description(
            (2, 3), torch.float32, torch.device("cpu"), torch.strided, (3, 1), True, False
        ),
        "found": m.Found(6, "tensor", ("#a",), None, (2, 3)),
        "failure": m.Failure("ObjectNotFoundError", "no such object", "add", "Traceback …", (5, "bob")),
    }
