"""Clinics train one model on their images of digits; their updates are added up while they are encrypted.

    PYTHONPATH=. python examples/encrypted/paillier_aggregation.py

Each clinic encrypts how its model has changed, under the key of a notary whom it has nothing else to do with. The
server adds ciphertexts, and the notary opens the sum. The same training in the open shows what that costs.
"""

from __future__ import annotations

import argparse
import copy
import time
from typing import Any

import torch
from torch import nn

import syft as sy
from examples.encrypted.digits import small_digits
from syft.federated import FedAvg, FederatedTrainer, PaillierAggregation, Strategy, clients_from

CLINICS = ("ashford", "bellevue", "calder")


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's digits, as vectors of 64 numbers, and their labels."""
    images, labels = small_digits()
    return nn.functional.avg_pool2d(images[:, :, 2:-2, 2:-2], 3).flatten(1), labels


def trained(strategy: Strategy, clinics: list[Any], rounds: int) -> tuple[nn.Module, float]:
    """The model after some rounds, and the seconds that these took."""
    images, labels = data()
    dataset = sy.BaseDataset(images[360:], labels[360:]).federate(clinics)
    torch.manual_seed(1)
    model = nn.Linear(64, 10)
    trainer = FederatedTrainer(
        copy.deepcopy(model),
        clients_from(dataset, batch_size=32),
        nn.functional.cross_entropy,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        strategy=strategy,
    )
    started = time.perf_counter()
    trainer.fit(rounds)
    return trainer.model, time.perf_counter() - started


def accuracy(model: nn.Module) -> float:
    """Of the digits that no clinic has."""
    images, labels = data()
    with torch.no_grad():
        return float((model(images[:360]).argmax(1) == labels[:360]).float().mean())


def main(rounds: int = 5, bits: int = 3072) -> dict[str, float]:
    """Train twice and print both accuracies; returns these, and how far the models are apart."""
    hook = sy.TorchHook(torch)
    clinics = [sy.VirtualWorker(hook, id=name, auto_add=False) for name in CLINICS]
    notary = sy.VirtualWorker(hook, id="notary", auto_add=False)
    encrypted = PaillierAggregation(notary, n_length=bits)
    secret, seconds = trained(encrypted, clinics, rounds)
    plain, seconds_in_the_open = trained(FedAvg(), clinics, rounds)
    apart = max(
        float((a - b).detach().abs().max()) for a, b in zip(secret.parameters(), plain.parameters(), strict=True)
    )
    found = {"encrypted": accuracy(secret), "in the open": accuracy(plain), "apart": apart}
    print(f"updates encrypted under {encrypted.public_key!r}, whose private half only the notary has")
    print(f"encrypted    {found['encrypted']:.1%} right, {seconds:.1f} s for {rounds} rounds")
    print(f"in the open  {found['in the open']:.1%} right, {seconds_in_the_open:.1f} s")
    print(f"the models are {apart:.1e} apart")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bits", type=int, default=3072, help="of the key")
    options = parser.parse_args()
    main(options.rounds, options.bits)
