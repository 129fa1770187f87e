"""All batches of an epoch, sorted by the worker that holds them."""

from __future__ import annotations

from typing import Any

from syft.exceptions import FederatedError
from syft.federated.worker_keys import WorkerDict


def extract_batches_per_worker(federated_train_loader: Any) -> WorkerDict:
    """Draw one epoch and sort its batches by worker, for training the workers in parallel.

    All batches exist on their workers as long as the result does.

    Args:
        federated_train_loader: a `FederatedDataLoader` in any mode, or an iterable of what one gives.

    Returns:
        ``{worker: [(data, target), ...]}``, keyed by worker objects; a worker's id finds its list as well.

    Raises:
        FederatedError: a batch is not on one worker.
    """
    batches = WorkerDict()
    for step in federated_train_loader:
        for data, target in step.values() if isinstance(step, dict) else (step,):
            worker = getattr(data, "location", None)
            if worker is None:
                raise FederatedError(
                    f"a batch is a {type(data).__name__} that is not on one worker. "
                    "Draw batches from a FederatedDataLoader, or send them first."
                )
            if worker not in batches:
                batches[worker] = []
            batches[worker].append((data, target))
    return batches
