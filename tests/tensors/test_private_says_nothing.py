"""Two secrets, one conversation: whatever a client asks of a private tensor, it sees the same for both.

Every op of the table is sent with private and public operands in many places. The answers, the texts of errors,
the shapes of results, the public tensors and the stream of random numbers must not depend on the secret.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch

import syft as sy
from syft.core.messages import Command, Named, Ref, Stored
from syft.core.ops import BY_NAME
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.permission import may_see

SECRETS = (
    torch.tensor([[0.2, 0.7, 0.4], [0.1, 0.9, 0.5], [0.3, 0.2, 0.6]]),
    torch.tensor([[-3.0, 7.0, 100.0], [5.0, -1.0, 2.0], [0.0, 0.0, 1e6]]),
)
RESULT = 99
# Private: a matrix, a vector, a number. Public: a matrix, indices, a leaf that can have a gradient.
P, V, N, Q, K, G = (Ref(id) for id in range(1, 7))
PATTERNS: dict[str, tuple[Any, ...]] = {
    "p": (P,),
    "v": (V,),
    "n": (N,),
    "p p": (P, P),
    "p q": (P, Q),
    "q p": (Q, P),
    "g p": (G, P),
    "q v": (Q, V),
    "q n": (Q, N),
    "k n": (K, N),
    "p 1": (P, 1),
    "v 3": (V, 3),
    "q 1 v": (Q, 1, V),
    "q 0 k p": (Q, 0, K, P),
    "q 0 n 1": (Q, 0, N, 1),
    "q n n": (Q, N, N),
    "q q p": (Q, Q, P),
    "q p q": (Q, P, Q),
    "q p p q": (Q, P, P, Q),
    "[p q]": ([P, Q],),
    "[n n]": ([N, N],),
    "[q] [p]": ([Q], [P]),
    "q [n]": (Q, [N]),
    "p k k - - train": (P, K, K, None, None, True, 1.0, 1e-5, False),
}
CHUNKS = 16


class Told(Exception):
    """A secret is in the open."""


def fill(worker: sy.VirtualWorker, secret: torch.Tensor, dtype: torch.dtype) -> None:
    secret = secret.to(dtype)
    parts = (secret.clone(), secret[:, 0].clone(), secret[0, 0].clone())
    private = [sy.PrivateTensor(allowed_users="ann").on(part) for part in parts]
    public = [torch.arange(9.0).view(3, 3), torch.tensor([0, 2, 1]), torch.ones(3, 3, requires_grad=True)]
    worker._objects.clear()
    worker._objects.update(zip(range(1, 7), [*private, *public], strict=True))


def shown(reply: Any) -> Any:
    """A reply without the ids that the worker drew."""
    if isinstance(reply, Stored):
        return "stored"
    if isinstance(reply, Named):
        return reply.names, shown(reply.results)
    if isinstance(reply, (list, tuple)):
        return type(reply).__name__, [shown(part) for part in reply]
    if isinstance(reply, torch.Tensor):
        raise Told("a tensor itself is the answer")
    return repr(reply)


def outside(worker: sy.VirtualWorker) -> list[Any]:
    """What anybody may know of the objects there."""
    seen = []
    for id, obj in worker._objects.items():
        name = min(int(id), 100)
        if is_wrapper(obj):
            if may_see(obj, None):
                raise Told(f"object {id} is open to everybody")
            seen.append((name, obj.shape, obj.dtype, link_of(obj).allowed_users))
        else:
            grad = obj.grad if obj.is_leaf else None
            seen.append((name, obj.dtype, repr(obj.tolist()), grad if grad is None else repr(grad)))
    return seen


def converse(
    worker: sy.VirtualWorker, name: str, args: tuple[Any, ...], secret: torch.Tensor, dtype: torch.dtype
) -> Any:
    """Everything a client can see of one command."""
    fill(worker, secret, dtype)
    torch.manual_seed(0)
    try:
        reply = shown(worker._executor.handle(Command(name, args, {}, RESULT)))
    except Told:
        raise
    except Exception as error:
        # pixel_unshuffle's error prints a bound method, and so the address of a tensor object
        reply = (type(error).__name__, re.sub("0x[0-9a-f]+", "0x…", str(error)))
    return reply, outside(worker), torch.rand(1).item()


def differences(worker: sy.VirtualWorker, names: list[str]) -> tuple[list[str], int]:
    found, ran = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            for pattern, args in PATTERNS.items():
                for dtype in (torch.float32, torch.int64):
                    one, two = (converse(worker, name, args, secret, dtype) for secret in SECRETS)
                    ran += RESULT in worker._objects
                    if one != two:
                        found.append(f"{name}({pattern}) on {dtype}: {one} / {two}"[:500])
    return found, ran


@pytest.fixture
def worker(hook: sy.TorchHook) -> sy.VirtualWorker:
    return sy.VirtualWorker(hook, id="guard", auto_add=False)


def chunk(number: int) -> list[str]:
    return [name for name in sorted(BY_NAME) if sum(map(ord, name)) % CHUNKS == number]


COMMON = """
torch.add Tensor.add_ Tensor.copy_ Tensor.set_ Tensor.__getitem__ Tensor.__setitem__ Tensor.view_as Tensor.to
Tensor.type_as Tensor.expand_as torch.cat torch.where torch.equal Tensor.__bool__ Tensor.__float__
Tensor.nonzero torch.masked_select torch.bincount torch.repeat_interleave torch.unique
torch.nn.functional.one_hot torch.nn.functional.nll_loss torch.nn.functional.embedding
torch.nn.functional.batch_norm torch.nn.functional.grid_sample torch.index_select torch.gather Tensor.scatter_
Tensor.index_put_ Tensor.backward torch.autograd.backward torch.autograd.grad Tensor.grad.__set__
Tensor.data.__set__ torch._foreach_add_ torch._foreach_copy_ torch.bernoulli torch.poisson torch.multinomial
torch.linalg.cholesky torch.linalg.inv Tensor.view Tensor.repeat Tensor.expand torch.broadcast_tensors
torch.meshgrid torch.tensor_split torch.max Tensor.unbind Tensor.to_sparse torch.nn.functional.pad
torch.matmul torch.nn.functional.linear torch.nn.functional.dropout Tensor.requires_grad_
""".split()


def test_the_common_ops_say_the_same_of_two_secrets(worker: sy.VirtualWorker) -> None:
    names = [name for name in COMMON if name in BY_NAME]
    assert len(names) > 50
    found, ran = differences(worker, names)
    assert found == []
    assert ran > 150


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(CHUNKS))
def test_every_op_says_the_same_of_two_secrets(worker: sy.VirtualWorker, number: int) -> None:
    found, ran = differences(worker, chunk(number))
    assert found == []
    assert ran > 100


class Unguarded:
    """In the place of `PrivateTensor`: guards nothing."""

    def __init__(self, allowed_users: str) -> None:
        pass

    def on(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor


@pytest.mark.parametrize(
    ("name", "args"),
    [("Tensor.__float__", (N,)), ("Tensor.copy_", (Q, P)), ("torch.max", (P, 0)), ("torch.linalg.cholesky", (P,))],
)
def test_control_public_tensors_do_talk(
    worker: sy.VirtualWorker, monkeypatch: pytest.MonkeyPatch, name: str, args: tuple[Any, ...]
) -> None:
    monkeypatch.setattr(sy, "PrivateTensor", Unguarded)
    conversations = [converse(worker, name, args, secret, torch.float32) for secret in SECRETS]
    (one, two) = ((reply, objects[3:]) for reply, objects, _ in conversations)
    assert one != two
