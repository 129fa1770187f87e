"""The commands and programs of docs/networking.md, as they stand there, with real processes on this machine.

Changed are host names, ports that may be taken, and tokens, which are secrets: nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/networking.md").read_text(encoding="utf-8")
SYFT = [sys.executable, "-c", "from syft.cli.main import main; main()"]
SERVES = re.compile(r"worker (\S+) serves at wss?://[^:]+:(\d+); Ctrl-C stops it")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"}

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]


def blocks(section: str, language: str) -> list[str]:
    """The blocks of one language in a section of the page."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(section + "\n")]
    return re.findall(rf"```{language}\n(.*?)```", found, re.DOTALL)


def commands(section: str) -> list[str]:
    """The commands of a section: what stands behind a prompt."""
    return [line[2:] for block in blocks(section, "console") for line in block.splitlines() if line.startswith("$ ")]


def adapted(text: str, **changes: str) -> str:
    """The text with each of these once or more in it replaced."""
    for old, new in {"bob.example.org": "localhost", **changes}.items():
        text = text.replace(old, new)
    return text


@dataclass
class Served:
    """A worker in a process of its own."""

    process: subprocess.Popen[str]
    port: str
    output: str


Run = Callable[[str], str]
Start = Callable[[str], Served]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The worker's machine."""
    (tmp_path / "worker").mkdir()
    (tmp_path / "ana").mkdir()
    return tmp_path / "worker"


@pytest.fixture
def syft(place: Path) -> Run:
    """Run a command of the page to its end on the worker's machine; what it printed."""

    def run(command: str) -> str:
        program, *arguments = shlex.split(command)
        assert program == "syft", command
        done = subprocess.run(
            [*SYFT, *arguments], cwd=place, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Start a worker with a command of the page, at a free port."""
    started: list[subprocess.Popen[str]] = []

    def run(command: str) -> Served:
        program, *arguments = shlex.split(command)
        assert program == "syft", command
        process = subprocess.Popen(
            [*SYFT, *arguments, *([] if "--port" in arguments else ["--port", "0"])],
            cwd=place, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if (found := SERVES.search(line)) is not None:
                return Served(process, found[2], output)
        raise AssertionError(f"{command} does not serve: {output}")

    yield run
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def ana(place: Path) -> Run:
    """Run a program on Ana's machine; what it printed."""

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=place.parent / "ana", env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_on_one_machine(start: Start, ana: Run) -> None:
    (command,) = commands("On one machine")
    served = start(adapted(command, **{"--port 8777": "--port 0"}))
    (console,) = blocks("On one machine", "console")
    for line in console.splitlines()[1:]:  # what the page says that it prints
        assert adapted(line, **{"8777": served.port}) in served.output
    (program,) = blocks("On one machine", "python")
    expected = re.findall(r"print\(.*\)\s+# (.*)", program)
    assert ana(adapted(program, **{"8777": served.port})).splitlines() == expected


def imports() -> str:
    """The first lines of the page's first program, which the later ones go on from."""
    program = blocks("On one machine", "python")[0]
    return "".join(line for line in program.splitlines(keepends=True) if line.startswith(("import", "hook")))


def test_on_two_machines(syft: Run, start: Start, ana: Run, place: Path) -> None:
    cert, token, worker = commands("On two machines")
    syft(adapted(cert))
    secret = syft(token).strip().splitlines()[-1]
    assert secret.startswith("syft-ana-")
    served = start(worker)
    shutil.copy(place / "certs/ca.pem", place.parent / "ana")  # "Give ca.pem and the token to Ana"
    (program,) = blocks("On two machines", "python")
    use = "\nprint((torch.tensor([1.0, 2.0]).send(bob) * 2).get())"
    assert "syft-ana-…" in program and "ca.pem" in program
    assert (
        ana(imports() + adapted(program, **{"8777": served.port, "syft-ana-…": secret}) + use) == "tensor([2., 4.])\n"
    )
    with pytest.raises(AssertionError, match="CredentialsError"):
        ana(imports() + adapted(program, **{"8777": served.port, "syft-ana-…": secret[:-4] + "AAAA"}) + use)
    with pytest.raises(AssertionError, match="AuthenticationError|ConnectionLost"):
        ana(imports() + adapted(program, **{"8777": served.port, "syft-ana-…": secret, 'ca="ca.pem", ': ""}) + use)


def write_images(folder: Path) -> None:
    """Four images in MNIST's files."""
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        images = struct.pack(">IIII", 0x803, 4, 28, 28) + bytes(4 * 28 * 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 4) + bytes([0, 3, 7, 9]))


def test_data_at_the_start(syft: Run, start: Start, ana: Run, place: Path) -> None:
    write_images(place / "data/MNIST")
    (place / "prices.csv").write_text("price,area\n1.5,20\n2.5,30\n", encoding="utf-8")
    (command,) = commands("Data at the start")
    served = start(command)
    use = f"""
bob = sy.WebsocketClientWorker(hook, "localhost", {served.port})
print(len(bob.search("#prices")))
model, rows = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)), torch.zeros(2, 28, 28)
def loss_fn(pred, target):
    return torch.nn.functional.cross_entropy(pred, target)
config = sy.TrainConfig(model, loss_fn, batch_size=2, example=(rows, torch.zeros(2, dtype=torch.int64))).send(bob)
print(bob.fit("mnist").item() > 0)
"""
    assert ana(imports() + use).splitlines() == ["2", "True"]  # data and targets


def test_an_owner_decides_about_requests(syft: Run, start: Start, ana: Run, place: Path) -> None:
    cert, token, worker = commands("On two machines")
    syft(adapted(cert))
    secrets = [syft(line).strip().splitlines()[-1] for line in (token, token.replace("ana", "olga --role owner"))]
    (place / "prices.csv").write_text("price,area\n1.5,20\n2.5,30\n", encoding="utf-8")
    served = start(f'{worker} --take ask --data "prices=prices.csv#prices"')
    shutil.copy(place / "certs/ca.pem", place.parent / "ana")
    (program,) = blocks("Data at the start", "python")
    ask = f"""
bob = sy.WebsocketClientWorker(hook, "localhost", {served.port}, ca="ca.pem", token="{secrets[0]}")
prices = bob.search("#prices")[0]
try:
    print(prices.get(reason="a study").numel())
except sy.exceptions.GetPendingError as error:
    print("pending")
"""
    assert ana(imports() + ask) == "pending\n"
    shown = ana(imports() + adapted(program, **{"8777": served.port, "syft-…": secrets[1]}))
    (promised,) = re.findall(r"print\(owner.requests\)\s+# (.*)", program)
    assert re.sub(r"object \S+,", "object 7,", shown.strip()) == promised
    assert ana(imports() + ask) == "2\n"


def three(start: Start, place: Path) -> str:
    """Start alice, bob and charlie; the lines that connect to them."""
    write_images(place / "data/MNIST")
    lines = []
    for name in ("alice", "bob", "charlie"):
        served = start(f'syft worker --id {name} --data "mnist=data/MNIST"')
        lines.append(f'{name} = sy.WebsocketClientWorker(hook, "localhost", {served.port})\n')
    return "".join(lines)


def test_training_in_rounds(start: Start, ana: Run, place: Path) -> None:
    (program,) = blocks("Training in rounds", "python")
    rounds = ana(imports() + three(start, place) + program).splitlines()
    assert [line.split()[0] for line in rounds] == ["1", "2"]
    assert all(line.endswith("['alice', 'bob', 'charlie'] {}") for line in rounds), rounds


def test_in_coroutines(start: Start, ana: Run, place: Path) -> None:
    (program,) = blocks("In coroutines", "python")
    aside = """
async def ask():
    question = bob.aside()
    print((await question.async_ask("training", "report"))["steps"])
    question.close()

asyncio.run(ask())
"""
    promised = re.findall(r"print\(.*\)\s+# (.*)", program)
    assert ana(imports() + three(start, place) + program + aside).splitlines() == [*promised, "0"]


def test_every_option_of_the_page_exists(syft: Run) -> None:
    known = set(
        re.findall(
            r"--[a-z][a-z-]+", "".join(syft(f"syft worker {c} --help") for c in ("", "token", "cert", "requests"))
        )
    )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= known


def test_control_a_page_that_lies_is_noticed(ana: Run) -> None:
    with pytest.raises(AssertionError, match="ConnectionLost"):
        ana(imports() + 'bob = sy.WebsocketClientWorker(hook, "localhost", 1)')
