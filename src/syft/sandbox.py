"""`create_sandbox`: a hook and six workers with data sets, for notebooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from syft.core.optional import require
from syft.grid.private_grid import PrivateGridNetwork
from syft.tensors import verbs
from syft.torch_hook import TorchHook
from syft.workers.virtual import VirtualWorker

WORKERS = ("bob", "theo", "jason", "alice", "andy", "jon")
"""The sandbox's workers, in order."""


def create_sandbox(gbs: dict[str, Any], verbose: bool = True, download_data: bool = True) -> None:
    """Hook torch and make six workers, each with a sixth of seven small data sets.

    Defines ``hook``, ``bob``, ``theo``, ``jason``, ``alice``, ``andy``, ``jon``, ``workers`` (a list of these)
    and ``grid`` (a `PrivateGridNetwork` over them). Every worker gets 14 float32 tensors, found by tags such as
    ``#iris`` with ``#data`` or ``#target``.

    Args:
        gbs: the notebook's ``globals()``, in which torch is imported.
        verbose: write what is done to standard output.
        download_data: load the data sets. They come with scikit-learn, nothing is downloaded; the Boston
            housing table, which scikit-learn no longer has, is replaced by generated numbers.

    Raises:
        KeyError: torch is not imported in ``gbs``.
        DependencyError: data was asked for and scikit-learn is not installed.

    Example:
        >>> import torch
        >>> notebook = {"torch": torch}
        >>> create_sandbox(notebook, verbose=False)
        Setting up Sandbox...
        Done!
        >>> notebook["grid"].search("#boston", "#data")["alice"][0].shape
        torch.Size([84, 13])
    """
    say = _say if verbose else _silent
    _say("Setting up Sandbox...")
    torch_module = gbs["torch"] if "torch" in gbs else gbs["th"]
    say("\t- Hooking PyTorch")
    hook = TorchHook(torch_module)
    say("\t- Creating Virtual Workers:")
    workers = []
    for name in WORKERS:
        say(f"\t\t- {name}")
        workers.append(VirtualWorker(hook, id=name))
    say("\tStoring hook and workers as global variables...")
    gbs.update(zip(WORKERS, workers, strict=True), hook=hook, workers=workers)
    if download_data:
        say("\tLoading datasets from SciKit Learn...")
        loaded = list(_load_all(say))
        say("\tDistributing Datasets Amongst Workers...")
        for arguments in loaded:
            _distribute(workers, *arguments)
    say("\tCollecting workers into a VirtualGrid...")
    gbs["grid"] = PrivateGridNetwork(*workers)
    _say("Done!")


def make_hook(gbs: dict[str, Any]) -> None:
    """Like `create_sandbox`, quiet and without data (``sy.hook(globals())`` before torch is hooked)."""
    create_sandbox(gbs, verbose=False, download_data=False)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _silent(line: str) -> None:
    pass


def _load_all(say: Any) -> Iterator[tuple[Any, Any, str, tuple[str, ...]]]:
    datasets = require("sklearn.datasets", "sandbox", "scikit-learn")
    say("\t\t- Boston Housing Dataset")
    yield *generated_housing(), ("#boston", "#housing", "#boston_housing")
    # The third line has one tab in 0.2.4, and programs compare what is written.
    for line, load, tag in (
        ("\t\t- Diabetes Dataset", datasets.load_diabetes, "#diabetes"),
        ("\t\t- Breast Cancer Dataset", datasets.load_breast_cancer, "#breast_cancer"),
        ("\t- Digits Dataset", datasets.load_digits, "#digits"),
        ("\t\t- Iris Dataset", datasets.load_iris, "#iris"),
        ("\t\t- Wine Dataset", datasets.load_wine, "#wine"),
        ("\t\t- Linnerud Dataset", datasets.load_linnerud, "#linnerud"),
    ):
        say(line)
        bunch = load()
        yield bunch.data, bunch.target, bunch.DESCR, (tag,)


def _distribute(workers: list[Any], data: Any, target: Any, description: str, tags: tuple[str, ...]) -> None:
    words = description.split("\n")[0].lower().split(" ")
    rows = len(data) // len(workers)
    for index, worker in enumerate(workers):
        end = len(data) if worker is workers[-1] else (index + 1) * rows
        for values, kind in ((data, "#data"), (target, "#target")):
            piece = torch.tensor(values[index * rows : end], dtype=torch.float32)
            verbs.tag(piece, *tags, kind, *words).describe(description).send(worker, garbage_collect_data=False)


_HOUSING = """.. _boston_dataset:

A substitute for the Boston house prices table
----------------------------------------------

**These numbers are generated.** They have the shape of the old Boston housing table (506 districts, 13
attributes, and the median price in 1000 dollars as target), and were drawn from a fixed random stream, the same
everywhere. They describe no real place: use them to try out code, never to learn about housing.

    :Number of Instances: 506

    :Number of Attributes: 13 numeric, in this order:

        - crime     crimes per 100 inhabitants
        - lots      share of land for large lots, percent
        - industry  share of land for industry, percent
        - river     1 beside a river, else 0
        - oxides    nitric oxides, parts per 10 million
        - rooms     rooms per dwelling
        - age       share of dwellings over 50 years old, percent
        - distance  kilometres to the places of work
        - roads     index of access to motorways
        - tax       property tax per 10,000 dollars
        - pupils    pupils per teacher
        - parks     share of land for parks, percent
        - poverty   share of poor households, percent

    :Target: a noisy linear function of the attributes, between 5 and 50.
"""


def generated_housing() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], str]:
    """A generated stand-in for the Boston housing table that scikit-learn no longer has.

    Returns:
        Attributes of shape ``(506, 13)``, prices of shape ``(506,)``, both float64, and a description which
        says that the numbers are synthetic.
    """
    rows = 506
    # RandomState, not default_rng: numpy promises that its stream never changes.
    draw = np.random.RandomState(rows)
    city = draw.beta(2, 2, rows)  # 0 is the countryside, 1 the centre: what ties the attributes together
    columns = (
        draw.gamma(0.8, 1 + 8 * city**2, rows),
        np.clip(100 * (0.7 - city) * draw.beta(2, 3, rows), 0, 100),
        25 * city * draw.beta(3, 2, rows),
        (draw.uniform(size=rows) < 0.07).astype(np.float64),
        0.38 + 0.4 * city + draw.normal(0, 0.03, rows),
        draw.normal(6.3, 0.7, rows),
        np.clip(100 * draw.beta(1 + 3 * city, 1, rows), 0, 100),
        1 + 11 * (1 - city) * draw.beta(2, 2, rows),
        draw.randint(1, 9, rows).astype(np.float64),
        200 + 450 * city + draw.normal(0, 40, rows),
        draw.normal(18.5, 2, rows),
        40 * (1 - city) * draw.beta(2, 2, rows),
        30 * draw.beta(2, 4, rows) * (0.5 + city),
    )
    data = np.round(np.column_stack(columns), 4)
    weights = np.array([-0.15, 0.03, -0.1, 2.5, -12, 5.5, -0.01, -0.4, 0.1, -0.008, -0.7, 0.05, -0.45])
    price = 23 + (data - data.mean(axis=0)) @ weights + draw.normal(0, 2.5, rows)
    return data, np.round(np.clip(price, 5, 50), 1), _HOUSING
