"""PATE: a student learns digits from teachers whose images never leave them.

1. Every teacher is a worker with images of its own, and trains a small network on them, there.
2. Every teacher labels public images. Its votes are split into secret shares where they are cast; only the totals
   over all teachers are put together.
3. The aggregator answers the questions on which enough teachers agree (Confident-GNMax), with noise.
4. The student trains on the public images with these labels, like anybody who got to see them could.

Who learns what: a teacher nothing of another one; the holders of the shares, as long as they do not all put them
together, nothing; the aggregator how many teachers voted for what, not who; the student, and whoever gets its model,
the noisy labels alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

import syft as sy
from examples.encrypted.digits import Digits, load_digits, mnist_option
from examples.private.training import TanhNet
from syft.dp import pate

CLASSES = 10


@dataclass(frozen=True)
class Setting:
    """How PATE runs.

    Args:
        teachers: among how many the private images are dealt out.
        questions: how many public images the student asks about.
        sigma: see `syft.dp.pate.Aggregator`.
        threshold: likewise.
        sigma_threshold: likewise.
        delta: of the promise.
        epochs: of each teacher over its images.
        student_epochs: of the student over the images that were labelled.
    """

    teachers: int = 100
    questions: int = 1000
    sigma: float = 15.0
    threshold: float = 70.0
    sigma_threshold: float = 30.0
    delta: float = 1e-5
    epochs: int = 12
    student_epochs: int = 40


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Args:
        cost: of the labels.
        labels: for the questions, `syft.dp.pate.UNANSWERED` where there is none.
        right: the part of the labels that are right.
        accuracy: of the student on images that nobody asked about.
        teacher_accuracy: of the teachers there, on average over some.
    """

    cost: pate.PateCost
    labels: np.ndarray
    right: float
    accuracy: float
    teacher_accuracy: float


def teach(teacher: sy.VirtualWorker, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> torch.nn.Module:
    """Train a network at the worker that has the images; it stays there."""
    x, y = images.flatten(1).send(teacher), labels.send(teacher)
    model = torch.nn.Sequential(torch.nn.Linear(784, 32), torch.nn.ReLU(), torch.nn.Linear(32, CLASSES)).send(teacher)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(epochs):
        for at in range(0, len(images), 50):
            optimizer.zero_grad()
            F.cross_entropy(model(x[at : at + 50]), y[at : at + 50]).backward()
            optimizer.step()
    return model


def votes_of(model: torch.nn.Module, teacher: sy.VirtualWorker, public: torch.Tensor) -> torch.Tensor:
    """The teacher's votes, a 1 for each image, as a pointer: (images, classes)."""
    with torch.no_grad():
        return F.one_hot(model(public.flatten(1).send(teacher)).argmax(1), CLASSES)


def totals(votes: list[torch.Tensor], holders: list[sy.VirtualWorker], dealer: sy.VirtualWorker) -> np.ndarray:
    """How many teachers vote for what; nothing else is put together."""
    shared = [vote.share(*holders, crypto_provider=dealer).get() for vote in votes]
    total = shared[0]
    for vote in shared[1:]:
        total = total + vote
    return total.get().numpy()


def student_of(images: torch.Tensor, labels: torch.Tensor, epochs: int) -> torch.nn.Module:
    """A network trained on public images."""
    model = TanhNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model.eval()


def run(hook: sy.TorchHook, digits: Digits, setting: Setting, seed: int = 0) -> Outcome:
    """The four steps; the seed is for weights and batches, and the noise does not heed it."""
    torch.manual_seed(seed)
    public, known = digits.test[0][: setting.questions], digits.test[1][: setting.questions]
    holders = [sy.VirtualWorker(hook, id=f"holder{i}") for i in range(2)]
    dealer = sy.VirtualWorker(hook, id="dealer")
    votes, right = [], []
    shards = zip(digits.train[0].chunk(setting.teachers), digits.train[1].chunk(setting.teachers), strict=True)
    for number, (images, labels) in enumerate(shards):
        teacher = sy.VirtualWorker(hook, id=f"teacher{number}")
        model = teach(teacher, images, labels, setting.epochs)
        vote = votes_of(model, teacher, public)
        right.append((vote.argmax(1) == known.send(teacher)).float().mean().get().item())
        votes.append(vote)
    counts = totals(votes, holders, dealer)
    aggregator = pate.Aggregator(setting.sigma, setting.threshold, setting.sigma_threshold)
    answers = aggregator.answer(counts)
    answered = torch.from_numpy(answers != pate.UNANSWERED)
    labels = torch.from_numpy(answers)[answered]
    student = student_of(public[answered], labels, setting.student_epochs)
    rest_x, rest_y = digits.test[0][setting.questions :], digits.test[1][setting.questions :]
    with torch.no_grad():
        accuracy = (student(rest_x).argmax(1) == rest_y).float().mean().item()
    return Outcome(
        aggregator.cost(counts, answers, setting.delta),
        answers,
        (labels == known[answered]).float().mean().item(),
        accuracy,
        sum(right) / len(right),
    )


def main(arguments: list[str] | None = None) -> None:
    setting = Setting()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--teachers", type=int, default=setting.teachers, help="default: %(default)s")
    parser.add_argument("--questions", type=int, default=setting.questions, help="default: %(default)s")
    parser.add_argument("--sigma", type=float, default=setting.sigma, help="default: %(default)s")
    parser.add_argument("--threshold", type=float, default=setting.threshold, help="default: %(default)s")
    parser.add_argument("--sigma-threshold", type=float, default=setting.sigma_threshold, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=setting.epochs, help="of a teacher (default: %(default)s)")
    parser.add_argument("--train", type=int, default=60_000, help="private images, at most")
    parser.add_argument("--test", type=int, default=10_000, help="public images, at most")
    options = parser.parse_args(arguments)
    setting = Setting(
        teachers=options.teachers,
        questions=options.questions,
        sigma=options.sigma,
        threshold=options.threshold,
        sigma_threshold=options.sigma_threshold,
        epochs=options.epochs,
    )
    digits = load_digits(options.mnist, options.train, options.test)
    print(f"{digits.name}: {len(digits.train[1])} private images at {setting.teachers} teachers")
    outcome = run(sy.TorchHook(torch), digits, setting)
    cost = outcome.cost
    print(f"a teacher labels {outcome.teacher_accuracy:.1%} of the public images right, on average")
    print(f"{cost.answered} of {setting.questions} questions were answered, {outcome.right:.1%} of them rightly")
    print(f"the student labels {outcome.accuracy:.1%} of the images right that nobody asked about")
    print(
        f"cost at delta {setting.delta:g}: epsilon {cost.data_dependent:.2f} by the votes, which is for the teachers' "
        f"eyes only; {cost.data_independent:.2f} whatever the votes"
    )


if __name__ == "__main__":
    main()
