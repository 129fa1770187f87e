"""Calls whose operands do not fit each other, on tensors that have neighbours in memory. Run in a process of its own.

Each tensor lies in the middle of a larger buffer, as objects of a worker lie beside each other. A kernel that trusts
sizes or indices reads or overwrites the rest of the buffer; then the result depends on the neighbours, or they change.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch

import syft as sy
from syft.core.messages import Command, Failure, Ref, Take
from syft.serde import decode, encode

ROOM = 4096  # elements before and after: further than any of these calls reaches
NEIGHBOURS = (3, 7)

F = torch.float32
I = torch.int64  # noqa: E741


def t(*shape: int, of: float = 0.5, dtype: torch.dtype = F) -> torch.Tensor:
    """A tensor of one value."""
    return torch.full(shape, of, dtype=dtype)


def ints(*values: int, dtype: torch.dtype = I) -> torch.Tensor:
    """A vector of integers."""
    return torch.tensor(values, dtype=dtype)


def fused(op: str, **sizes: int) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """A fused optimizer step over one parameter, gradient and state of these sizes."""
    n = {"p": 40, "g": 40, "a": 40, "b": 40} | sizes
    p, g, a, b = ([t(n[name])] for name in "pgab")
    if op == "sgd":
        settings: dict[str, Any] = {"momentum": 0.9, "dampening": 0.0, "nesterov": False, "is_first_step": False}
        return "torch._fused_sgd_", (p, g, a), settings | {"weight_decay": 0.0, "lr": 1.0, "maximize": False}
    if op == "adagrad":
        settings = {"lr": 1.0, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 1e-8, "maximize": False}
        return "torch._fused_adagrad_", (p, g, a, [torch.tensor(1.0)]), settings
    settings = {"lr": 1.0, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0, "eps": 1e-8, "amsgrad": False}
    return f"torch._fused_{op}_", (p, g, a, b, [], [torch.tensor(1.0)]), settings | {"maximize": False}


def lstm(*sizes: tuple[int, ...]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """One layer of width 4 over inputs of width 3, with weights of these sizes."""
    state = (t(1, 2, 4), t(1, 2, 4))
    return "torch.lstm", (t(5, 2, 3), state, [t(*size) for size in sizes], True, 1, 0.0, False, False, False), {}


def cases() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The calls; none of them makes sense."""
    for op in ("sgd", "adagrad", "adam", "adamw"):
        for name in "pgab"[: 3 if op in ("sgd", "adagrad") else 4]:
            yield from (fused(op, **{name: size}) for size in (1, 20, 80))
        name, args, kwargs = fused(op)
        yield name, (args[0], [t(1).expand(40)], *args[2:]), kwargs
    for n in (0, 1, 2):
        yield "torch.native_batch_norm", (t(2, 4, 3), t(n), t(4), t(4), t(4), True, 0.1, 1e-5), {}
        yield "torch.native_batch_norm", (t(2, 4, 3), t(4), t(n), t(4), t(4), False, 0.1, 1e-5), {}
        yield "torch.native_batch_norm", (t(2, 4, 3), t(4), t(4), t(n), t(4), True, 0.1, 1e-5), {}
        yield "torch.native_batch_norm", (t(2, 4, 3), t(4), t(4), t(4), t(n), False, 0.1, 1e-5), {}
        yield "torch._weight_norm", (t(4, 3), t(n), 0), {}
        yield "torch.lu_unpack", (t(4, 4), ints(*[1] * n, dtype=torch.int32)), {}
    yield "torch._weight_norm", (t(8, 3), t(4, 1), 0), {}
    yield "torch._weight_norm", (t(0), t(4, 1), 0), {}
    yield lstm((1,), (16, 4), (16,), (16,))
    yield lstm((16, 3), (1,), (16,), (16,))
    yield lstm((8, 3), (16, 4), (16,), (16,))
    yield lstm((16, 3), (16, 4), (1,), (16,))
    yield lstm((16, 3), (16, 4))
    indices = ints(1, 2, 4, 5, 4, 3)
    for mode in (0, 1, 2):
        for offsets in (ints(0), ints(0, -5), ints(0, 100), ints(5, 1), ints(0, 3, 0, 3), ints(-3, 2)):
            for last in (False, True):
                yield "torch.embedding_bag", (t(10, 3), indices, offsets, False, mode, False, None, last), {}
                named = {"mode": ("sum", "mean", "max")[mode], "include_last_offset": last}
                yield "torch.nn.functional.embedding_bag", (indices, t(10, 3), offsets), named
    yield "torch.embedding_bag", (t(10, 3), indices, ints(0, 3), False, 0, False, t(2)), {}
    for target in (2000, -2000, 20, -1):
        targets = ints(*[target] * 30).reshape(1, 30)
        yield "torch.ctc_loss", (t(50, 1, 20, of=-3.0), targets, [50], [30]), {}
        yield "torch.nn.functional.ctc_loss", (t(50, 1, 20, of=-3.0), targets, ints(50), ints(30)), {}
    for lengths in ((2, 400), (-2, 8), (3, 1000)):
        for unsafe in (False, True):
            yield "torch.segment_reduce", (t(6), "sum"), {"lengths": ints(*lengths), "unsafe": unsafe}
            yield "torch.segment_reduce", (t(6), "sum"), {"offsets": ints(0, *lengths), "unsafe": unsafe}
    yield "torch.searchsorted", (t(6), t(3)), {"sorter": ints(0, 100, 2, 300, -4, 5)}
    yield "torch._pad_packed_sequence", (t(8, 3), ints(2, 2, 2, 1, 90), False, 0.0, 5), {}
    yield "torch.native_group_norm", (t(2, 4, 3), t(4), t(4), 20, 4, 3, 2, 1e-5), {}
    yield "torch.native_group_norm", (t(2, 4, 3), t(2), t(4), 2, 4, 3, 2, 1e-5), {}
    yield "torch._C._nn.max_unpool2d", (t(1, 2, 2, 2), ints(*[900] * 8).reshape(1, 2, 2, 2), [4, 4]), {}
    yield "torch._C._nn.multilabel_margin_loss", (t(3, 5), ints(*[500] * 15).reshape(3, 5)), {}
    yield "torch.index_put", (t(4), (ints(100),), t(1)), {}
    yield "torch.gather", (t(3), 0, ints(-50)), {}


def run(worker: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any], fill: int) -> tuple[str, list[Any]]:
    """How a call ended with neighbours of this value, and all that can be seen afterwards."""
    buffers: list[torch.Tensor] = []
    worker._objects.clear()

    def place(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            one = value.numel() > 1 and set(value.stride()) == {0}  # an expanded view has one number in memory
            values = value.flatten()[:1] if one else value
            buffer = torch.full((ROOM + value.numel() + ROOM,), fill, dtype=value.dtype)
            inside = buffer[ROOM : ROOM + values.numel()].view(values.shape)
            inside.copy_(values)
            inside = inside.expand(value.shape) if one else inside
            buffers.append(buffer)
            worker._objects[f"t{len(buffers)}"] = inside
            return Ref(f"t{len(buffers)}")
        if isinstance(value, (list, tuple)):
            return type(value)([place(part) for part in value])
        return value

    message = Command(op, place(args), {name: place(value) for name, value in kwargs.items()}, "out")
    torch.manual_seed(7)
    sy.ID_PROVIDER.set_next_ids(range(1000), check_ids=False)
    reply = decode(worker.recv_msg(encode(message)), None)
    sizes = [worker._objects[f"t{n + 1}"].numel() for n in range(len(buffers))]
    for buffer, size in zip(buffers, sizes, strict=True):
        if (buffer[:ROOM] != fill).any() or (buffer[ROOM + size :] != fill).any():
            return "overwrote its neighbours", []
    if isinstance(reply, Failure):
        return "refused", []
    everything = Take(
        tuple(map(Ref, sorted(worker._objects, key=lambda id: (isinstance(id, int), str(id))))), keep=True
    )
    seen = decode(worker.recv_msg(encode(everything)), None)
    return "ran", [value.nan_to_num().tolist() if isinstance(value, torch.Tensor) else None for value in seen]


def outcome(worker: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """``refused``, ``ran``, or what was wrong with it."""
    (first, one), (second, other) = (run(worker, op, args, kwargs, fill) for fill in NEIGHBOURS)
    if {first, second} <= {"ran", "refused"} and (first != second or one != other):
        return "read its neighbours"
    return first if first not in ("ran", "refused") else second


def main() -> None:
    """Try each call and say, a line each, how it ended."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    worker = sy.VirtualWorker(sy.TorchHook(torch), id="bob")
    for op, args, kwargs in cases():
        sys.stdout.write(f"{op} ")
        sys.stdout.flush()  # a crash leaves the name
        sys.stdout.write(json.dumps(outcome(worker, op, args, kwargs)) + "\n")
