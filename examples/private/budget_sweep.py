"""Trains one digit classifier for each of several budgets, and draws what privacy costs.

Two pictures come out: the accuracy that each budget buys, beside that of training without privacy, and how each
training spends its budget step by step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.encrypted.digits import load_digits, mnist_option
from examples.private.training import Recipe, train
from syft.dp.plots import plot_accuracy, plot_spending

BUDGETS = (0.5, 1.0, 2.0, 4.0, 8.0)


def main(arguments: list[str] | None = None) -> None:
    recipe = Recipe()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--epsilons", type=float, nargs="+", default=BUDGETS, help="default: %(default)s")
    parser.add_argument("--delta", type=float, default=recipe.delta, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=recipe.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=recipe.batch_size, help="on average (default: %(default)s)")
    parser.add_argument("--train", type=int, default=60_000, help="images to train with, at most")
    parser.add_argument("--test", type=int, default=10_000, help="images to test with, at most")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder for the pictures")
    options = parser.parse_args(arguments)

    digits = load_digits(options.mnist, options.train, options.test)
    settings = {"delta": options.delta, "epochs": options.epochs, "batch_size": options.batch_size}
    # Without privacy a smaller step does as well; the recipe's is made for clipped gradients.
    plain = train(digits, Recipe(epsilon=None, lr=0.05, **settings))[-1].accuracy
    print(f"{digits.name}, {len(digits.train[1])} images; without privacy {plain:.2%} of the test images right")
    accuracies, spending = [], {}
    for epsilon in options.epsilons:
        trained = train(digits, Recipe(epsilon=epsilon, **settings))
        accuracies.append(trained[-1].accuracy)
        spending[f"budget {epsilon:g}"] = [(epoch.number, epoch.epsilon or 0.0) for epoch in trained]
        print(f"epsilon {trained[-1].epsilon:.2f}: {accuracies[-1]:.2%}")
    options.out.mkdir(parents=True, exist_ok=True)
    title = f"{digits.name}, {len(digits.train[1]):,} images"
    plot_accuracy(
        list(options.epsilons), accuracies, options.out / "accuracy_by_epsilon.png",
        plain=plain, delta=options.delta, title=title,
    )  # fmt: skip
    plot_spending(spending, options.out / "privacy_spending.png", delta=options.delta, title=title, unit="epoch")
    print(f"pictures: {options.out / 'accuracy_by_epsilon.png'}, {options.out / 'privacy_spending.png'}")


if __name__ == "__main__":
    main()
