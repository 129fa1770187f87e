"""The notebook sandbox: what it defines, what it prints, which data the workers hold."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import DependencyError, NotSupportedError
from syft.grid.private_grid import PrivateGridNetwork
from syft.sandbox import WORKERS, generated_housing

Said = pytest.CaptureFixture[str]

QUIET = "Setting up Sandbox...\nDone!\n"
VERBOSE = """Setting up Sandbox...
\t- Hooking PyTorch
\t- Creating Virtual Workers:
\t\t- bob
\t\t- theo
\t\t- jason
\t\t- alice
\t\t- andy
\t\t- jon
\tStoring hook and workers as global variables...
"""
LOADING = """\tLoading datasets from SciKit Learn...
\t\t- Boston Housing Dataset
\t\t- Diabetes Dataset
\t\t- Breast Cancer Dataset
\t- Digits Dataset
\t\t- Iris Dataset
\t\t- Wine Dataset
\t\t- Linnerud Dataset
\tDistributing Datasets Amongst Workers...
"""
END = "\tCollecting workers into a VirtualGrid...\nDone!\n"
# tag, rows of a piece, rows of the last piece, columns, shape of a target's row
DATASETS = [
    ("#boston", 84, 86, 13, ()),
    ("#diabetes", 73, 77, 10, ()),
    ("#breast_cancer", 94, 99, 30, ()),
    ("#digits", 299, 302, 64, ()),
    ("#iris", 25, 25, 4, ()),
    ("#wine", 29, 33, 13, ()),
    ("#linnerud", 3, 5, 3, (3,)),
]


@pytest.fixture
def notebook(hook: sy.TorchHook) -> Iterator[dict[str, Any]]:
    """A notebook's globals; afterwards nobody knows its workers."""
    known = dict(hook.local_worker._known_workers)
    yield {"torch": torch}
    hook.local_worker._known_workers.clear()
    hook.local_worker._known_workers.update(known)


@pytest.fixture
def filled(notebook: dict[str, Any]) -> dict[str, Any]:
    for worker in WORKERS:
        sy.local_worker._known_workers.pop(worker, None)
    sy.create_sandbox(notebook, verbose=False)
    return notebook


def test_it_defines_the_hook_the_workers_and_the_grid(notebook: dict[str, Any]) -> None:
    assert sy.create_sandbox(notebook, download_data=False) is None
    assert set(notebook) == {"torch", "hook", "workers", "grid", *WORKERS}
    assert isinstance(notebook["hook"], sy.TorchHook)
    assert [worker.id for worker in notebook["workers"]] == ["bob", "theo", "jason", "alice", "andy", "jon"]
    assert all(notebook[worker.id] is worker for worker in notebook["workers"])
    assert type(notebook["grid"]) is PrivateGridNetwork
    assert notebook["grid"].workers == notebook["workers"]


def test_torch_may_be_called_th(notebook: dict[str, Any]) -> None:
    named = {"th": torch}
    sy.create_sandbox(named, download_data=False)
    assert "grid" in named


def test_without_torch_it_says_so() -> None:
    with pytest.raises(KeyError):
        sy.create_sandbox({}, download_data=False)


def test_what_is_printed(notebook: dict[str, Any], capsys: Said) -> None:
    sy.create_sandbox(notebook, download_data=False)
    assert capsys.readouterr().out == VERBOSE + END
    sy.create_sandbox(notebook)
    assert capsys.readouterr().out == VERBOSE + LOADING + END
    sy.create_sandbox(notebook, verbose=False, download_data=False)
    assert capsys.readouterr().out == QUIET


def test_the_short_form_before_hooking(run_script: Any) -> None:
    program = "import torch, syft as sy\nsy.hook(globals())\nprint(bob, sy.hook is hook, grid.workers[-1].id)"
    assert run_script(program) == QUIET + "<VirtualWorker id:bob #objects:0> True jon\n"


def test_every_worker_holds_fourteen_float_tensors(filled: dict[str, Any]) -> None:
    for worker in filled["workers"]:
        tensors = list(worker._objects.values())
        assert len(tensors) == 14
        assert {t.dtype for t in tensors} == {torch.float32}


@pytest.mark.parametrize(("tag", "rows", "last", "columns", "target"), DATASETS)
def test_the_pieces_of_a_dataset(
    filled: dict[str, Any], tag: str, rows: int, last: int, columns: int, target: tuple[int, ...]
) -> None:
    for kind, row in (("#data", (columns,)), ("#target", target)):
        found = filled["grid"].search(tag, kind)
        assert {id: [tuple(p.shape) for p in pointers] for id, pointers in found.items()} == {
            id: [(last if id == "jon" else rows, *row)] for id in WORKERS
        }


def test_the_pieces_are_the_dataset_cut_in_order(filled: dict[str, Any]) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    pieces = [filled[name].search(["#iris", "#data"])[0] for name in WORKERS]
    assert torch.equal(torch.cat(pieces), torch.tensor(datasets.load_iris().data, dtype=torch.float32))


def test_tags_and_description(filled: dict[str, Any]) -> None:
    (boston,) = filled["alice"].search(["#boston", "#data"])
    assert boston.tags == {"#boston", "#housing", "#boston_housing", "#data", "..", "_boston_dataset:"}
    (linnerud,) = filled["alice"].search(["#linnerud", "#target"])
    assert {"#target", "..", "_linnerrud_dataset:"} < linnerud.tags
    assert "physiological" in linnerud.description


def test_search_results_leave_the_data_where_it_is(filled: dict[str, Any]) -> None:
    found = filled["grid"].search("#iris")
    assert {len(pointers) for pointers in found.values()} == {2}
    del found
    assert len(filled["bob"]._objects) == 14


def test_without_scikit_learn(notebook: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in [name for name in sys.modules if name.startswith("sklearn.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError, match=r"resyft\[sandbox\]"):
        sy.create_sandbox(notebook)
    sy.create_sandbox(notebook, download_data=False)


def test_the_housing_substitute_is_synthetic_deterministic_and_learnable() -> None:
    data, price, description = generated_housing()
    assert (data.shape, price.shape) == ((506, 13), (506,))
    assert "These numbers are generated" in description
    assert description.startswith(".. _boston_dataset:\n")
    digest = hashlib.sha256(data.tobytes() + price.tobytes()).hexdigest()
    again = generated_housing()
    assert digest == hashlib.sha256(again[0].tobytes() + again[1].tobytes()).hexdigest()
    x = torch.tensor(data)
    x = torch.cat([(x - x.mean(0)) / x.std(0), torch.ones(506, 1, dtype=x.dtype)], dim=1)
    y = torch.tensor(price)
    residual = y - x @ torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    assert residual.var() < 0.3 * y.var()
    assert 5 <= price.min() <= price.max() <= 50


# --- the grid ----------------------------------------------------------------------------------------


def test_grid_search(make_worker: Any) -> None:
    bob, alice = make_worker("bob"), make_worker("alice")
    torch.tensor([1, 2]).tag("#a", "#b").send(bob, garbage_collect_data=False)
    torch.tensor([3]).tag("#b").send(alice, garbage_collect_data=False)
    sy.String("text", tags=["#b"]).send(alice)
    grid = sy.PrivateGridNetwork(bob, alice)
    assert grid.search("#none") == grid.search("#b", "#none") == {}
    found = grid.search("#b", "#a")
    assert list(found) == ["bob"]
    assert found["bob"][0].get().tolist() == [1, 2]
    assert {id: len(pointers) for id, pointers in grid.search().items()} == {"alice": 2}


def test_the_grid_has_names_and_a_text(make_worker: Any) -> None:
    grid = sy.VirtualGrid(make_worker("bob"), make_worker("alice"))
    assert sy.VirtualGrid is sy.PrivateGridNetwork is PrivateGridNetwork
    assert repr(grid) == "<PrivateGridNetwork of bob, alice>"


def test_virtual_workers_host_no_models(make_worker: Any) -> None:
    grid = sy.PrivateGridNetwork(make_worker("bob"))
    for call in (
        lambda: grid.serve_model(torch.nn.Linear(1, 1), id="m"),
        lambda: grid.query_model_hosts("m"),
        lambda: grid.run_remote_inference("m", torch.ones(1)),
    ):
        with pytest.raises(NotImplementedError, match="VirtualWorker") as raised:
            call()
        assert isinstance(raised.value, NotSupportedError)
