"""PySyft's tutorial, part 9: computing on numbers that none of the computers involved can read.

python examples/encrypted/part09_intro_to_encrypted_programs.py
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

import syft as sy

# --- 1. by hand -----------------------------------------------------------------------------------

Q = 1234567891011  # all arithmetic is modulo this number


def encrypt(x: int) -> tuple[int, int, int]:
    """Three shares that add up to x. Two of them are any numbers at all, so no two shares say anything about x."""
    draw = random.SystemRandom().randrange  # an ordinary generator would be guessed from what it gave before
    a, b = draw(Q), draw(Q)
    return a, b, (x - a - b) % Q


def decrypt(shares: Sequence[int]) -> int:
    """What the shares add up to."""
    return sum(shares) % Q


def add(x: Sequence[int], y: Sequence[int]) -> tuple[int, ...]:
    """Shares of the sum: each holder adds up its own two, and nobody needs to ask anybody."""
    return tuple([(a + b) % Q for a, b in zip(x, y, strict=True)])


# --- 2. with syft ---------------------------------------------------------------------------------


def shares_and_back(bob: sy.VirtualWorker, alice: sy.VirtualWorker, bill: sy.VirtualWorker) -> int:
    """Share a number, look at what each worker has, and add it up."""
    x = torch.tensor([25]).share(bob, alice, bill)
    print(x)
    print("bob has", bob._objects)
    bobs, alices, bills = (next(iter(worker._objects.values())) for worker in (bob, alice, bill))
    total = (bobs + alices + bills) % x.child.field
    print("all three together:", total, "by get():", x.get())
    return int(total)


def arithmetic(bob: sy.VirtualWorker, alice: sy.VirtualWorker, james: sy.VirtualWorker) -> dict[str, list[int]]:
    """Sums, differences, products. A product needs a third worker, which deals out random numbers and sees nothing."""
    x = torch.tensor([25, 5]).share(bob, alice, crypto_provider=james)
    y = torch.tensor([5, 7]).share(bob, alice, crypto_provider=james)
    square = torch.tensor([[1, 2], [3, 4]]).share(bob, alice, crypto_provider=james)
    double = torch.tensor([[2, 0], [0, 2]]).share(bob, alice, crypto_provider=james)
    results = {"x + y": x + y, "x - y": x - y, "x * y": x * y, "x * 3": x * 3, "square.mm(double)": square.mm(double)}
    return {name: result.get().flatten().tolist() for name, result in results.items()}


def comparisons(bob: sy.VirtualWorker, alice: sy.VirtualWorker, james: sy.VirtualWorker) -> dict[str, list[int]]:
    """Comparisons: 1 is yes. The answers are as secret as the numbers, until somebody fetches them."""
    x = torch.tensor([25, 5]).share(bob, alice, crypto_provider=james)
    y = torch.tensor([5, 5]).share(bob, alice, crypto_provider=james)
    results = {"x > y": x > y, "x <= y": x <= y, "x == y": x == y, "x == y + 20": x == y + 20}
    return {name: result.get().tolist() for name, result in results.items()}


def maxima(bob: sy.VirtualWorker, alice: sy.VirtualWorker, james: sy.VirtualWorker) -> dict[str, list[int]]:
    """The largest of all, and the largest of each column with its row."""
    x = torch.tensor([[2, 3], [4, 1]]).share(bob, alice, crypto_provider=james)
    largest, rows = x.max(dim=0)
    return {
        "x.max()": x.max().get().flatten().tolist(),
        "values of x.max(dim=0)": largest.get().tolist(),
        "indices of x.max(dim=0)": rows.get().tolist(),
    }


def main() -> None:
    """Everything in order."""
    x, y = encrypt(25), encrypt(5)
    print("shares of 25:", x, "of 5:", y)
    print("decrypted:", decrypt(x), "their sum:", decrypt(add(x, y)), "\n")
    hook = sy.TorchHook(torch)
    bob, alice, bill, james = (sy.VirtualWorker(hook, id=name) for name in ("bob", "alice", "bill", "james"))
    shares_and_back(bob, alice, bill)
    for results in (arithmetic, comparisons, maxima):
        print()
        for name, value in results(bob, alice, james).items():
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
