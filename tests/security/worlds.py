"""Two workers that differ in nothing but private values: whatever a stranger hears from both must be the same.

This finds what no search for one number finds: a value that shows in a shape, in the text of an error, in a public
tensor that was written on the way, or in anything computed from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import torch

import syft as sy
from syft.core.messages import Describe, IsNone, Put, Ref, Search, Take
from syft.serde import encode
from tests.security.stranger import Stranger, hide

NAMES = ("world 1", "world 2")  # of one length, as replies are compared byte by byte
MALLORY = "mallory"
USERS = (None, MALLORY)
"""Who may ask: nobody in particular, and somebody with private tensors of her own."""

# Integers stay small enough to be used as indices, so that no call fails in one world only.
SECRETS: tuple[dict[str, Any], ...] = (
    {"s": [1.5, -2.25, 0.5, 3.0], "i": [2, 0, 1, 2], "b": [True, False, False, True], "z": 2.5, "k": 1},
    {"s": [0.25, 1.75, -3.5, 2.0], "i": [1, 1, 0, 0], "b": [False, False, True, False], "z": -0.75, "k": 2},
)
SQUARES = ([[4.0, 1.0], [1.0, 3.0]], [[5.0, 2.0], [2.0, 6.0]])
PUBLIC: dict[str, Any] = {
    "p": torch.tensor([1.0, 2.0, 3.0, 4.0]),
    "q": torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]),
    "m": torch.tensor([[2.0, 0.5], [0.5, 1.0]]),
    "j": torch.tensor([0, 1, 2, 1]),
    "c": torch.tensor([True, False, True, True]),
    "w": torch.tensor([1.0, -1.0, 2.0, 0.5], requires_grad=True),
    "n": torch.tensor(2.0),
}


class World:
    """A worker with private tensors of the owner, one of mallory's, and public ones.

    Args:
        worker: an empty worker.
        which: which of the two sets of secrets it holds.
    """

    def __init__(self, worker: Any, which: int) -> None:
        self.stranger, self.worker, self.which = Stranger(worker), worker, which
        self.reset()

    def reset(self) -> None:
        """Put everything back as it was."""
        self.worker._objects.clear()
        for id, values in SECRETS[self.which].items():
            hide(self.worker, id, torch.tensor(values))
        hide(self.worker, "a", torch.tensor(SQUARES[self.which]))
        hide(self.worker, "mine", torch.zeros(4), (MALLORY,))
        public = {id: value.detach().clone().requires_grad_(value.requires_grad) for id, value in PUBLIC.items()}
        self.worker.recv_msg(encode(Put(tuple(public.items()))))

    def hear(self, message: Any) -> bytes:
        """The reply to a message, with the ids and random numbers that it may contain made predictable."""
        sy.ID_PROVIDER.set_next_ids(range(1000, 1100), check_ids=False)
        torch.manual_seed(7)
        try:
            self.stranger.heard.append(self.worker.recv_msg(encode(message)))
        finally:
            sy.ID_PROVIDER.set_next_ids([], check_ids=False)
        return self.stranger.heard[-1]

    def look(self, ids: Iterable[Any]) -> list[bytes]:
        """What can be asked about objects without changing them: about these, if they are there, and all others."""
        public = [Ref(id) for id in (*PUBLIC, "mine") if id in self.worker._objects]
        heard = [self.hear(Search(())), *(self.hear(Take((ref,), MALLORY, keep=True)) for ref in public)]
        for id in ids:
            if id in self.worker._objects:
                heard += [self.hear(Describe(Ref(id))), self.hear(IsNone(Ref(id, ("grad",))))]
                heard += [self.hear(Take((Ref(id),), user, keep=True)) for user in USERS]
        return heard


def worlds(make_worker: Callable[..., Any]) -> tuple[World, World]:
    """The two worlds."""
    return World(make_worker(NAMES[0]), 0), World(make_worker(NAMES[1]), 1)


def alike(replies: Iterable[bytes]) -> list[bytes]:
    """Replies without what may differ: the names of the worlds, and where objects lie in memory.

    An error of torch's, of pixel_unshuffle, has the address of a tensor object in it.
    """
    return [re.sub(rb"0x[0-9a-f]+", b"0x", reply.replace(NAMES[1].encode(), NAMES[0].encode())) for reply in replies]


def failed(reply: bytes) -> bool:
    """Whether the reply is a `Failure`."""
    return b"\x07\x01failure" in reply[:40]
