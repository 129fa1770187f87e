"""Steps of protocols that make no sense, sent to workers by a client that means no good. Run in a process of its own.

Commands of real computations are written down; then they are sent again with some operands replaced by others. Prints
which errors were the answers, how long the longest took, and by how much the memory of the process grew.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
import warnings
from collections import Counter
from dataclasses import replace
from typing import Any

import torch

import syft as sy
from syft.core.ids import new_id
from syft.core.messages import Call, Command, Failure, Ref
from syft.core.ops import BY_NAME, KERNEL
from syft.encoded.bilinear import PRODUCTS
from syft.encoded.moves import MOVES, SUMS
from syft.mpc.protocols import divide, is_negative, is_zero, linear, multiply, rectified, refreshed
from syft.serde import decode, encode

LIMIT = 1 << 20
HUGE = (2**20, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), -1, 0, 1, 2, 3)
TENSORS = (
    torch.zeros(0), torch.tensor(5), torch.tensor(-1.5), torch.ones(4), torch.ones(4, dtype=torch.bool), torch.arange(4),
    torch.arange(4, dtype=torch.int32), torch.zeros(2, 2, 2, 2, dtype=torch.int64),
    torch.full((3,), 2**62), torch.arange(32, dtype=torch.int16), torch.tensor([1j]), torch.arange(1), torch.zeros(1, dtype=torch.uint8),
)  # fmt: skip


class Client:
    """Sends workers what it likes.

    Args:
        seed: of its choices.
    """

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        hook = sy.TorchHook(torch)
        self.holders = [sy.VirtualWorker(hook, id=name, auto_add=False) for name in ("alice", "bob")]
        self.provider = sy.VirtualWorker(hook, id="james", auto_add=False)
        for worker in (*self.holders, self.provider):
            worker._executor.policy = replace(worker._executor.policy, result_bytes=LIMIT)
        self.answers: Counter[str] = Counter()
        self.longest, self.hungriest = (0.0, ""), (0.0, "")
        self.valid: list[tuple[Any, Command]] = []
        self.refs = [Ref("nothing"), Ref("service:mpc"), Ref("alice", ("grad",)), Ref("text")]

    def share(self) -> Any:
        """Something shared."""
        x = torch.arange(4).reshape(2, 2)
        return x.share(*self.holders, crypto_provider=self.provider, no_wrap=True)

    def learn(self) -> None:
        """Write the commands of each protocol down, and keep what they refer to."""

        def watch(worker: Any) -> Any:
            request = worker.request

            def watched(message: Any) -> Any:
                if type(message) is Command and message.op.startswith(KERNEL):
                    self.valid.append((worker, replace_args(message, self.kept(worker, message.args))))
                return request(message)

            worker.request = worker.post = watched
            return request

        before = [(worker, watch(worker)) for worker in (*self.holders, self.provider)]
        self.x = x = self.share()
        compute(x)
        fss = torch.arange(4).share(*self.holders, crypto_provider=self.provider, no_wrap=True, protocol="fss")
        is_negative(fss)
        for worker, _ in before:
            del worker.request, worker.post
            worker._objects["text"] = "a text"
        self.group = x.group
        self.valid += [
            (worker, Command(f"mpc.{verb}", (torch.ones(2), *args), None, None, False))
            for worker in self.holders
            for verb, args in (
                ("fix_precision", ({"base": 2},)),
                ("float_precision", ()),
                ("share", (("alice", "bob"), {})),
            )
        ]

    def kept(self, worker: Any, value: Any) -> Any:
        """Operands with references to objects that stay."""
        if type(value) is Ref:
            name = f"kept {new_id()}"
            worker._objects[name] = worker._objects[value.id]
            self.refs.append(Ref(name))
            return Ref(name)
        return type(value)([self.kept(worker, v) for v in value]) if type(value) in (tuple, list) else value

    def junk(self, depth: int = 0) -> Any:
        """An operand that makes no sense."""
        pick = self.choose
        kind = pick.randrange(12 if depth < 3 else 8)
        if kind < 2:
            return pick.choice(TENSORS)
        if kind < 4:
            return pick.choice(HUGE)
        if kind == 4:
            return pick.choice(self.refs)
        if kind == 5:
            return pick.choice((*PRODUCTS, *MOVES, *SUMS, "order", "equal", "", "x" * 300, self.group.name))
        if kind == 6:
            return pick.choice(
                (None, True, 1.5, float("nan"), 1e300, b"", b"x" * 32, torch.float32, torch.Size([2, 2]))
            )
        if kind == 7:
            return pick.choice(([None] * 20_000, (2**40,), (2**20, 2**20), (-1,), [-5, 3], {}, {"share": Ref("text")}))
        parts = [self.junk(depth + 1) for _ in range(pick.randrange(5))]
        return parts if kind == 8 else tuple(parts)

    def mutated(self, value: Any, depth: int = 0) -> Any:
        """The operand, or something else in its place, or something else inside of it."""
        pick = self.choose
        if type(value) in (tuple, list) and value and pick.random() < 0.7:
            parts = list(value)
            at = pick.randrange(len(parts))
            parts[at] = self.mutated(parts[at], depth + 1)
            return type(value)(parts)
        if type(value) is torch.Tensor and pick.random() < 0.5:
            return pick.choice(
                (
                    value.reshape(-1)[:1],
                    value.reshape(-1)[:-1],
                    value.float(),
                    value.expand(3, *value.shape),
                    value.reshape(-1).repeat(2),
                )
            )
        return self.junk()

    def send(self, worker: Any, message: Any, what: str) -> None:
        """Send it, and look at the answer."""
        start = time.perf_counter()
        try:
            binary = encode(message)
        except Exception:
            return
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply = decode(worker.recv_msg(binary), None)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        self.longest = max(self.longest, (time.perf_counter() - start, what))
        self.hungriest = max(self.hungriest, (grown, what))
        self.answers[reply.kind if isinstance(reply, Failure) else "ok"] += 1

    def attack(self, times: int) -> None:
        """Send that many commands and calls."""
        pick = self.choose
        for _ in range(times):
            worker, command = pick.choice(self.valid)
            args = list(command.args)
            if (
                "mpc.deal_arranged" != command.op
                and len(args) > 1
                and type(args[1]) is int
                and args[0] == self.group.name
            ):
                args[1] = self.group.number()
            for _ in range(pick.choice((1, 1, 2, 3))):
                if args:
                    at = pick.randrange(len(args))
                    args[at] = self.mutated(args[at])
            if pick.random() < 0.1:
                args = args[:-1] if pick.random() < 0.5 else [*args, self.junk()]
            kwargs = {"share": self.junk()} if pick.random() < 0.02 else None
            message = Command(command.op, tuple(args), kwargs, pick.choice((None, new_id())), False)
            self.send(worker, message, f"{command.op}{str(args)[:300]}")

    def move(self, times: int) -> None:
        """Ask holders and the provider to move elements to where they cannot be."""
        pick = self.choose
        shares = [p.ref for p in self.x.shares.values()]
        masks = self.x.wire.masks.ref
        for _ in range(times):
            name = pick.choice((*MOVES, *SUMS))
            sizes = [
                pick.choice((pick.choice(HUGE), [pick.choice(HUGE) for _ in range(pick.randrange(4))], pick.choice(TENSORS), [pick.choice(TENSORS)]))
                for _ in range(pick.randrange(5))
            ]  # fmt: skip
            what = f"{name} {sizes}"
            self.send(
                self.holders[0], Command("mpc.move", (name, shares[0], tuple(sizes)), None, new_id(), False), what
            )
            dealt = Command("mpc.deal_arranged", (self.group.name, masks, name, tuple(sizes)), None, new_id(), False)
            self.send(self.provider, dealt, what)

    def convolve(self, times: int) -> None:
        """Ask for products whose intermediate results would be enormous."""
        pick = self.choose
        a, b = torch.ones(1, 1, 2, 2, dtype=torch.int64), torch.ones(1, 1, 1, 1, dtype=torch.int64)
        for _ in range(times):
            pair = [(pick.choice(HUGE), pick.choice(HUGE)) for _ in range(5)]
            spec = (*pair[:3], pick.choice((1, 1, 1, 2, 2**40)), pair[4])
            kind = pick.choice(("conv", "conv_weight", "conv_input"))
            self.send(
                self.holders[0], Command("mpc.linear", (kind, spec, a, b), None, new_id(), False), f"{kind} {spec}"
            )

    def call(self, times: int) -> None:
        """Call the service with what makes no sense."""
        for _ in range(times):
            method = self.choose.choice(("lead", "join", "meet", "leave", "party", "dealer", "check", "_new_key"))
            args = tuple(self.junk() for _ in range(self.choose.randrange(5)))
            if self.choose.random() < 0.5:
                args = (f"group {self.choose.randrange(3)}", *args)
            self.send(self.provider, Call(Ref("service:mpc"), args, {}, None, method), f"{method}{str(args)[:300]}")


def replace_args(command: Command, args: Any) -> Command:
    """The same command with other operands."""
    return Command(command.op, tuple(args), None, None, False)


def compute(x: Any) -> None:
    """Each protocol once."""
    y = multiply("mul", (), x, x)
    z = divide(y, 8)
    bits = is_negative(x.moved("t"))
    multiply("mul", (), bits, z)
    multiply("matmul", (), x.moved("view", [2, 2]), z)
    is_zero(z)
    rectified(x)
    refreshed(z)
    linear("mul", (), x, torch.tensor([2, 3]))
    image = x.moved("view", [1, 1, 2, 2])
    multiply("conv", ((1, 1), (0, 0), (1, 1), 1), image, image)


def main(seed: int, times: int) -> None:
    """Attack, and see that the workers go on."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    client = Client(seed)
    client.learn()
    kernels = {name for name in BY_NAME if name.startswith(KERNEL)}
    tried = {command.op for _, command in client.valid}
    client.attack(2 * times)
    client.move(times // 2)
    client.convolve(times // 4)
    client.call(times // 2)
    x = client.share()
    right = torch.equal(
        multiply("matmul", (), x, x).get(), torch.arange(4).reshape(2, 2) @ torch.arange(4).reshape(2, 2)
    )
    print(json.dumps({
        "answers": client.answers, "longest": client.longest, "hungriest": client.hungriest, "right": right,
        "untried": sorted(kernels - tried),
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
