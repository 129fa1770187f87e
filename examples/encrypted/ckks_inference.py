"""Encrypted inference: digits are sent encrypted to a network in another process, which answers without seeing them.

    python examples/encrypted/ckks_inference.py --mnist DIR

Alice has trained a small convolutional network with square activations, and hosts it at a worker of her own, a process
that this program starts. Bob has images and a secret key. He encrypts the images with CKKS; alice's worker computes the
scores of the ten digits on ciphertexts; bob decrypts them. Alice learns how many images there were, and nothing of what
is on them. Bob learns the scores, and of the network what these tell.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import nn, optim

import syft as sy
from examples.encrypted.digits import load_digits, mnist_option, side_by_side
from examples.websocket_mnist.workers import Workers

SHOWN = 5  # images in a row, 80 columns
SIZE = 14  # pixels: bob halves his images, for each pixel is a ciphertext
PRECISION, LARGEST = 12, 200  # bits after the binary point; what scores and the sums on the way stay below


@dataclass(frozen=True)
class Answer:
    """What came back, and what it took.

    Args:
        scores: of the ten digits, (N, 10).
        sent: bytes of the encrypted images.
        got: bytes of the encrypted scores.
        seconds: to encrypt, to be answered, and to decrypt.
    """

    scores: torch.Tensor
    sent: int
    got: int
    seconds: tuple[float, float, float]


def network(channels: int = 6, size: int = SIZE) -> nn.Module:
    """A convolution, a square, a linear layer: three products in a row. (N, 1, size, size) to scores (N, 10)."""
    hidden = channels * (size // 2 - 1) ** 2
    return nn.Sequential(nn.Conv2d(1, channels, 4, stride=2), sy.he.Square(), nn.Flatten(), nn.Linear(hidden, 10))


def halved(images: torch.Tensor) -> torch.Tensor:
    """Images of 28 x 28 pixels as 14 x 14."""
    return F.avg_pool2d(images, 2)


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Train in plain sight; squares need gradients of limited length."""
    optimizer = optim.Adam(model.parameters(), weight_decay=1e-4)
    steps = epochs * -(-len(images) // 64)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=max(2, steps))
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()


def ask(alice: Any, images: torch.Tensor, context: sy.he.Context) -> Answer:
    """What alice's network says about images that she cannot see.

    Args:
        alice: her worker, which has the context already.
        images: (N, 1, 14, 14).
        context: with the secret key.
    """
    start = time.perf_counter()
    encrypted = images.encrypt(protocol="ckks", context=context)
    ready = time.perf_counter()
    scores = alice.run_remote_inference("digits", encrypted)
    answered = time.perf_counter()
    plain = scores.decrypt(context=context)
    seconds = ready - start, answered - ready, time.perf_counter() - answered
    return Answer(plain, len(sy.serde.serialize(encrypted)), len(sy.serde.serialize(scores)), seconds)


def table_of(answer: Answer, labels: torch.Tensor, plain: torch.Tensor, context: sy.he.Context) -> Table:
    """How good and how expensive it was."""
    count, found = len(labels), answer.scores.argmax(1)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    rights = [int((digits == labels).sum()) for digits in (found, plain.argmax(1))]
    same = int((found == plain.argmax(1)).sum())
    table.add_row("right, encrypted", f"{rights[0]} of {count}, {rights[0] / count:.1%}")
    table.add_row("right, in plain sight", f"{rights[1]} of {count}, {rights[1] / count:.1%}")
    table.add_row("the same answer", f"{same} of {count}; scores differ by {(answer.scores - plain).abs().max():.1g}")
    encrypting, answering, decrypting = answer.seconds
    took = f"{encrypting:.2f} to encrypt, {answering:.2f} to be answered, {decrypting:.2f} to decrypt"
    table.add_row("seconds", f"{took}; {1000 * sum(answer.seconds) / count:.0f} ms an image")
    table.add_row("bytes", f"{answer.sent:,} there, {answer.got:,} back, {answer.sent // count:,} an image")
    table.add_row("public keys", f"{len(sy.serde.serialize(context)):,} bytes, sent once")
    return table


def main() -> None:
    """Read the command line, train in plain sight, host, encrypt, ask, decrypt, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--train", type=int, default=20000, help="images that alice trains with, in plain sight")
    parser.add_argument("--images", type=int, default=300, help="images that bob has classified")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--channels", type=int, default=6, help="of the convolution")
    options = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(highlight=False)
    hook = sy.TorchHook(torch)
    torch.manual_seed(0)
    digits = load_digits(options.mnist, options.train, options.images)
    images, labels = halved(digits.test[0]), digits.test[1]
    console.print(f"[bold]Encrypted inference on {digits.name}[/]")
    model = network(options.channels)
    with console.status("alice trains her network in plain sight"):
        train(model, halved(digits.train[0]), digits.train[1], options.epochs)
    depth = sy.he.levels_needed(model, images)
    context = sy.he.ckks_context(precision=PRECISION, depth=depth, largest=LARGEST)
    console.print(f"{depth} products in a row: {context}\n", soft_wrap=True, markup=False)
    with tempfile.TemporaryDirectory() as folder, Workers({"alice": ""}, Path(folder)) as processes:
        alice: Any = sy.WebsocketClientWorker(hook, "localhost", processes["alice"].port, id="alice")
        alice.serve_model(model, "digits", allow_remote_inference=True, example=images[:2])
        context.send(alice)
        with console.status("alice's worker computes on ciphertexts"):
            answer = ask(alice, images, context)
        alice.close(end=True)
    found = answer.scores.argmax(1)
    for at in range(0, min(len(images), 2 * SHOWN), SHOWN):
        here = slice(at, min(at + SHOWN, len(images)))
        console.print(side_by_side(digits.test[0][here]), soft_wrap=True, markup=False)
        answers = zip(found[here].tolist(), labels[here].tolist(), strict=True)
        marked = [f"{a:^14}" if a == b else f"[red]{f'{a}, not {b}':^14}[/]" for a, b in answers]
        console.print("  ".join(marked) + "\n", soft_wrap=True)
    with torch.no_grad():
        console.print(table_of(answer, labels, model(images), context))


if __name__ == "__main__":
    main()
