"""Files that a training can be stopped after and gone on from, readable by plain ``torch.load(path)``.

A checkpoint is one dict of tensors, numbers, strings, lists and dicts; its ``state_dict`` is the global
model. It is written beside its final place and moved there whole, so a crash never leaves half a file.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from syft.exceptions import CheckpointError, FederatedError
from syft.federated.averaging import StateDict
from syft.federated.history import History

FORMAT = "syft.federated.checkpoint"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a training needs to go on as if it had never stopped.

    Args:
        state_dict: the global model.
        round: how many rounds are done.
        history: the records of those rounds.
        rng: the states of this process's random number generators (see `rng_state`).
        strategy: what the strategy remembers.
        clients: what is kept for each client between rounds: its optimizer's state, its own model.
    """

    state_dict: StateDict
    round: int
    history: History
    rng: Mapping[str, Any] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)
    clients: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, replacing an older one of that name at once.

    Args:
        path: the file; its folder is made if it is missing.
        checkpoint: what to write.

    Raises:
        CheckpointError: the file cannot be written. An older checkpoint of that name is then unharmed.
    """
    path = Path(path)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "state_dict": {name: tensor.detach() for name, tensor in checkpoint.state_dict.items()},
        "round": checkpoint.round,
        "history": checkpoint.history.to_dict(),
        "rng": dict(checkpoint.rng),
        "strategy": dict(checkpoint.strategy),
        "clients": dict(checkpoint.clients),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(path, content)
    except OSError as error:
        raise CheckpointError(f"the checkpoint {path} cannot be written: {error}.") from error


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; tensors come to the CPU.

    Nothing in the file is ever run: it is read with ``weights_only=True``.

    Args:
        path: a file that `save_checkpoint` wrote.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind or of a newer version.
    """
    path = Path(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}; check the path, or start without resuming.") from error
    except Exception as error:  # a damaged file fails in any of a dozen ways
        raise CheckpointError(f"{path} is not a checkpoint, or it is damaged: {_first_line(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of a federated training; it lacks the mark {FORMAT!r}.")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has version {content.get('version')} and this release reads version {VERSION}; "
            "use the release that wrote it."
        )
    try:
        return Checkpoint(
            state_dict=_tensors(content["state_dict"]),
            round=int(content["round"]),
            history=History.from_dict(content["history"]),
            rng=dict(content["rng"]),
            strategy=dict(content["strategy"]),
            clients=dict(content["clients"]),
        )
    except (KeyError, TypeError, ValueError, FederatedError) as error:
        raise CheckpointError(f"{path} is a damaged checkpoint: {_first_line(error)}") from error


def rng_state() -> dict[str, Any]:
    """The states of torch's, numpy's and Python's default generators, CUDA's too where it is in use.

    Returns:
        A dict of tensors, numbers and lists. Generators that a data loader was given are not in it.
    """
    kind, gauss, words = _python_state(random.getstate())
    legacy: Any = np.random.get_state(legacy=False)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": {"version": kind, "words": words, "gauss": gauss},
        "numpy": {
            "words": [int(word) for word in legacy["state"]["key"]],
            "position": int(legacy["state"]["pos"]),
            "has_gauss": int(legacy["has_gauss"]),
            "gauss": float(legacy["gauss"]),
        },
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_rng(state: Mapping[str, Any]) -> None:
    """Set the default generators to what `rng_state` gave.

    Args:
        state: the dict; what it lacks stays as it is.

    Raises:
        CheckpointError: the states do not have that form.
    """
    try:
        if "torch" in state:
            torch.set_rng_state(state["torch"])
        if "python" in state:
            python = state["python"]
            random.setstate((python["version"], tuple(python["words"]), python["gauss"]))
        if "numpy" in state:
            numpy = state["numpy"]
            words = np.array(numpy["words"], dtype=np.uint32)
            np.random.set_state(("MT19937", words, numpy["position"], numpy["has_gauss"], numpy["gauss"]))
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the checkpoint's random number states are damaged: {_first_line(error)}") from error


def _python_state(state: tuple[Any, ...]) -> tuple[int, float | None, list[int]]:
    version, words, gauss = state
    return version, gauss, list(words)


def _tensors(state: Any) -> dict[str, torch.Tensor]:
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("its state_dict is not a dict of tensors")
    return dict(state)


def _write_atomically(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
