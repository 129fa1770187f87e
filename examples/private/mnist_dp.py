"""Trains a digit classifier whose parameters say almost the same whether or not any one image was there.

Run it with ``make demo-dp``: ten passes over MNIST with a budget of epsilon 3 at delta 1e-5, some minutes on one
core, to about 97 of 100 test images right.
"""

from __future__ import annotations

import argparse

from examples.encrypted.digits import load_digits, mnist_option
from examples.private.training import Recipe, train

TRAIN, TEST = 60_000, 10_000


def main(arguments: list[str] | None = None) -> None:
    recipe = Recipe()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mnist_option(parser)
    parser.add_argument("--epsilon", type=float, default=recipe.epsilon, help="the budget (default: %(default)s)")
    parser.add_argument("--delta", type=float, default=recipe.delta, help="of the budget (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=recipe.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=recipe.batch_size, help="on average (default: %(default)s)")
    parser.add_argument("--max-grad-norm", type=float, default=recipe.max_grad_norm, help="default: %(default)s")
    parser.add_argument("--lr", type=float, default=recipe.lr, help="default: %(default)s")
    parser.add_argument("--train", type=int, default=TRAIN, help="images to train with, at most")
    parser.add_argument("--test", type=int, default=TEST, help="images to test with, at most")
    options = parser.parse_args(arguments)

    digits = load_digits(options.mnist, options.train, options.test)
    recipe = Recipe(
        epsilon=options.epsilon,
        delta=options.delta,
        epochs=options.epochs,
        batch_size=options.batch_size,
        max_grad_norm=options.max_grad_norm,
        lr=options.lr,
    )
    print(f"{digits.name}: {len(digits.train[1])} images, budget epsilon {recipe.epsilon:g} at delta {recipe.delta:g}")
    train(digits, recipe, print)


if __name__ == "__main__":
    main()
