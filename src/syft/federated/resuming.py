"""Writing a federated training to a file between two rounds, and going on from there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from syft.exceptions import CheckpointError, FederatedError
from syft.federated.checkpoint import Checkpoint, load_checkpoint, rng_state, save_checkpoint
from syft.federated.history import History
from syft.federated.local_training import detached
from syft.federated.strategies import Strategy


def check_rounds(rounds: int, checkpoint_every: int) -> None:
    """Refuse numbers that make no sense.

    Raises:
        FederatedError: they are negative, or no round would ever be written.
    """
    if rounds < 0 or checkpoint_every < 1:
        raise FederatedError(
            f"cannot train {rounds} rounds with a checkpoint every {checkpoint_every}; use positive numbers."
        )


def save(
    path: str | Path,
    model: nn.Module,
    history: History,
    strategy: Strategy,
    clients: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint.

    Args:
        path: the file.
        model: the global model.
        history: the rounds that are done.
        strategy: what it remembers is written, too.
        clients: what is kept for each client between rounds.

    Raises:
        CheckpointError: the file cannot be written.
    """
    checkpoint = Checkpoint(
        state_dict=detached(model),
        round=len(history),
        history=history,
        rng=rng_state(),
        strategy=strategy.state_dict(),
        clients=clients or {},
    )
    save_checkpoint(path, checkpoint)


def restore(path: str | Path, model: nn.Module, strategy: Strategy) -> Checkpoint:
    """Read a checkpoint into a model and a strategy.

    Args:
        path: the file.
        model: the global model; it gets the values of the file.
        strategy: it gets what it remembered.

    Returns:
        The checkpoint, for what else is in it.

    Raises:
        CheckpointError: the file cannot be read or does not fit the model.
    """
    saved = load_checkpoint(path)
    try:
        model.load_state_dict(saved.state_dict)
    except RuntimeError as error:
        raise CheckpointError(f"{path} was made with another model: {error}") from error
    strategy.begin(model)
    strategy.load_state_dict(saved.strategy)
    return saved
