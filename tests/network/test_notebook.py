"""Workers of other processes in a notebook: a running event loop, cells one after the other, awaits and threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import syft as sy
from tests.conftest import REPOSITORY
from tests.network.conftest import Connect, Serve
from tests.network.servers import Host, ShownWorker

FIRST = """
import asyncio, sys, threading
sys.path.insert(0, {source!r})
import torch, syft as sy
hook = sy.TorchHook(torch)
bob = sy.WebsocketClientWorker(hook, "127.0.0.1", {port}, id="bob")
x = torch.tensor([1.0, 2.0]).send(bob)
"""
CELLS = (
    "(x + x).get().tolist()",
    "(await bob.async_get(x * 3)).tolist()",
    """
def squared(pred, target):
    return ((pred - target) ** 2).mean()
rows = torch.zeros(2, 3), torch.zeros(2, 1)
config = sy.TrainConfig(torch.nn.Linear(3, 1), squared, None, 2, 3, example=rows).send(bob)
ticks = 0
async def tick():
    global ticks
    while True:
        ticks += 1
        await asyncio.sleep(0)
ticking = asyncio.create_task(tick())
loss = await bob.async_fit("data")
ticking.cancel()
float(loss) >= 0, ticks > 1
""",
    """
found = []
threads = [threading.Thread(target=lambda n=n: found.append((x * n).get().tolist()[0])) for n in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
sorted(found)
""",
    """
try:
    x.view(7).get()
except RuntimeError as error:
    print("shape" in str(error))
(await asyncio.gather(*[bob.async_get(x + n) for n in range(3)]))[2].tolist()
""",
    "before = sorted(t.name for t in threading.enumerate() if 'syft' in t.name); bob.close(end=True); before",
)
SHOWN = (
    "[2.0, 4.0]", "[3.0, 6.0]", "(True, True)", "[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]", "True\n[3.0, 4.0]",
    "['syft-link-bob']",
)  # fmt: skip


@pytest.fixture
def port(hook: sy.TorchHook) -> Iterator[int]:
    """Where a worker of another process serves, with data to train on."""
    host = Host()
    number = host.new("bob")
    with ShownWorker(hook, "127.0.0.1", number, auto_add=False) as owner:
        owner.add_dataset(sy.BaseDataset(torch.zeros(40, 3), torch.zeros(40, 1)), "data")
    yield number
    host.close()


def test_a_program_in_a_running_loop_may_wait_and_await(served: Serve, connect: Connect) -> None:
    bob = connect(served())

    async def cell() -> list[Any]:
        x = torch.tensor([1.0, 2.0]).send(bob)
        waited = (x + x).get().tolist()
        awaited = await asyncio.gather(*[bob.async_get(x * n) for n in range(5)])
        threaded = await asyncio.to_thread(lambda: (x * 7).get().tolist())
        await bob.async_sync()
        return [waited, [found.tolist()[0] for found in awaited], threaded]

    assert asyncio.run(cell()) == [[2, 4], [0, 1, 2, 3, 4], [7, 14]]
    assert asyncio.run(cell()) == [[2, 4], [0, 1, 2, 3, 4], [7, 14]], "in another loop, too"


def test_awaits_let_other_coroutines_run_and_may_be_given_up(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = connect(served())
    x = torch.tensor([1.0]).send(bob)

    async def cell() -> tuple[int, float]:
        ticks = 0
        waiting = asyncio.create_task(bob.async_get(x + 1))
        while not waiting.done():
            ticks += 1
            await asyncio.sleep(0)
        given_up = asyncio.create_task(bob.async_sync())
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return ticks, float((await bob.async_get(x)).item())

    ticks, value = asyncio.run(cell())
    assert ticks > 1 and value == 1


def shown(cell: Any) -> str:
    """What a cell printed and gave."""
    texts = [out.get("text") or out["data"]["text/plain"] for out in cell.outputs]
    return "\n".join(text.strip() for text in texts)


@pytest.fixture
def run_cells(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[[list[str]], list[str]]:
    """Run cells in a kernel of Jupyter."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")

    def run(cells: list[str]) -> list[str]:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        # Not execute(): that keeps an event loop, with its sockets, for the life of the process.
        asyncio.run(nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").async_execute())
        return [shown(cell) for cell in notebook.cells]

    return run


@pytest.mark.network
@pytest.mark.timeout(180)
def test_the_cells_of_a_notebook(port: int, run_cells: Callable[[list[str]], list[str]]) -> None:
    first = FIRST.format(source=str(REPOSITORY / "src"), port=port)
    assert run_cells([first, *CELLS]) == ["", *SHOWN]


@pytest.mark.timeout(180)
def test_control_a_cell_that_fails_is_noticed(run_cells: Callable[[list[str]], list[str]]) -> None:
    with pytest.raises(Exception, match="ZeroDivisionError"):
        run_cells(["1 / 0"])
