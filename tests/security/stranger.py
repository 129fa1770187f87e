"""Somebody who sends a worker any bytes and keeps every byte that comes back."""

from __future__ import annotations

import struct
from typing import Any

import torch

import syft as sy
from syft.core.messages import Command, Failure, Forget, ObjectId, Put, Ref, Take
from syft.serde import decode, encode
from syft.tensors.base import Wrapper, wrap
from syft.tensors.pointer import PointerTensor
from syft.tensors.private import PrivateTensor

SECRET = 7654321
"""A number that nothing else has: where it shows, a value got out. float32 and int32 hold it exactly."""

OWNER = "owner of the secret"


def betrays(data: bytes | str) -> bool:
    """Whether the secret stands in bytes or text, as memory of a tensor, as a number of msgpack, or as digits."""
    data = data.encode() if isinstance(data, str) else data
    memory = [struct.pack(order + kind, SECRET) for order in "<>" for kind in "fdiqIQ"]
    return any(form in data for form in (*memory, str(SECRET).encode(), b"7.6543e+06"))


class Stranger:
    """Talks to one worker in bytes and is nobody's allowed user.

    Args:
        worker: the worker.

    Attributes:
        heard: every reply, as bytes.
    """

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.heard: list[bytes] = []

    def send(self, binary: bytes) -> Any:
        """Send bytes; the answer, decoded where no worker is known."""
        reply = self.worker.recv_msg(binary)
        self.heard.append(reply)
        return decode(reply, None)

    def ask(self, message: Any) -> Any:
        """Send a message."""
        return self.send(encode(message))

    def run(self, op: str, *args: Any, result: ObjectId | None = None, **kwargs: Any) -> Any:
        """Send a `Command`."""
        return self.ask(Command(op, args, kwargs, result))

    def put(self, id: ObjectId, obj: Any, user: Any = None) -> Ref:
        """Store an object; a `Ref` to it."""
        self.ask(Put(((id, obj),), user))
        return Ref(id)

    def take(self, id: ObjectId, user: Any = None) -> Any:
        """Ask for an object and leave it there; the object, or the `Failure`."""
        reply = self.ask(Take((Ref(id),), user, keep=True))
        return reply if isinstance(reply, Failure) else reply[0]

    def forget(self, *ids: ObjectId) -> None:
        """Have objects dropped."""
        self.ask(Forget(ids))

    def knows_the_secret(self) -> bool:
        """Whether any reply so far betrayed it."""
        return any(map(betrays, self.heard))


def hide(worker: Any, id: ObjectId, values: Any, users: tuple[Any, ...] = (OWNER,)) -> Ref:
    """Have a private tensor of the owner lie on a worker, as if it had been sent there."""
    guarded = PrivateTensor(allowed_users=users).on(torch.as_tensor(values))
    worker.recv_msg(encode(Put(((id, guarded),))))
    assert type(worker._objects[id]) is Wrapper
    return Ref(id)


def pointer(worker: Any, id: ObjectId) -> Wrapper:
    """A pointer that owns nothing: a stranger can make one to any object."""
    return wrap(PointerTensor(worker, id, sy.local_worker, garbage_collect_data=False))


def refused(reply: Any, *kinds: str) -> bool:
    """Whether the reply is a `Failure`, of one of these kinds if any are given."""
    return isinstance(reply, Failure) and (not kinds or reply.kind in kinds)
