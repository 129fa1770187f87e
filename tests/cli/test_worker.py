"""`syft worker` as a process: start, serve, stop; and what it refuses to start with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import syft as sy
from syft.cli.approvals import _plain
from syft.core.messages import Ref, Search, Take
from syft.exceptions import AuthenticationError, ConnectionLost, GetPendingError

Start = Callable[..., "Process"]
RUN = "from syft.cli.main import main; main()"


class Process:
    """A running ``syft worker``."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-c", RUN, "worker", *options],
            cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.output = ""
        self.port = 0
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.output += line
            if (found := re.search(r"serves at wss?://[^:]+:(\d+); Ctrl-C", line)) is not None:
                self.port = int(found[1])
                return

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code."""
        self._popen.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Its exit code."""
        out, _ = self._popen.communicate(timeout=30)
        self.output += out
        return self._popen.returncode


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start workers; what is left of them is killed afterwards."""
    started: list[Process] = []

    def run(*options: str) -> Process:
        started.append(Process(tmp_path, *options))
        return started[-1]

    yield run
    for process in started:
        if process._popen.poll() is None:
            process._popen.kill()
            process.wait()
        assert process._popen.stdout is not None
        process._popen.stdout.close()


@pytest.fixture
def connect(hook: sy.TorchHook, me: Any) -> Iterator[Callable[..., sy.WebsocketClientWorker]]:
    """Connect as a new client each time."""
    clients: list[sy.WebsocketClientWorker] = []

    def client(port: int, **settings: Any) -> sy.WebsocketClientWorker:
        clients.append(sy.WebsocketClientWorker(hook, "localhost", port, auto_add=False, **settings))
        return clients[-1]

    yield client
    for worker in clients:
        worker.close(end=True)


def syft(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=directory, capture_output=True, text=True, timeout=60
    )


def test_it_serves_until_it_is_terminated(start: Start, connect: Any) -> None:
    process = start("--id", "bob", "--port", "0")
    bob = connect(process.port)
    assert bob.id == "bob"
    x = torch.tensor([1.0, 2.0]).send(bob)
    assert (x + x).get().tolist() == [2, 4]
    assert process.stop() == 0
    assert "without TLS and tokens" in process.output and "bob has stopped" in process.output
    with pytest.raises(ConnectionLost):
        bob.sync()


def test_it_tells_how_it_is_on_a_second_port(start: Start, connect: Any) -> None:
    process = start("--id", "bob", "--port", "0", "--status-port", "0")
    found = re.search(r"status at (http://\S+)", process.output)
    assert found is not None
    bob = connect(process.port)
    x = torch.tensor([13131313.0, 1.0]).tag("#mine").send(bob)
    bob.sync()

    def read(path: str) -> str:
        with urllib.request.urlopen(found[1].rstrip("/") + path, timeout=10) as answer:
            return str(answer.read().decode())

    assert json.loads(read("/healthz")) == {"status": "ok", "worker": "bob"}
    status = json.loads(read("/status.json"))
    assert "#mine" in json.dumps(status) and "13131313" not in json.dumps(status)
    assert "syft_sessions 1.0" in read("/metrics") and 'kind="Put"' in read("/metrics")
    assert process.stop() == 0
    del x


def test_it_stops_in_the_middle_of_a_training(start: Start, connect: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "points.npz", x=np.ones((100_000, 2), np.float32), y=np.ones((100_000, 1), np.float32))
    process = start("--id", "bob", "--port", "0", "--data", "points=points.npz")
    bob = connect(process.port)
    example = (torch.zeros(2, 2), torch.zeros(2, 1))
    loss_fn = torch.nn.functional.mse_loss
    model = torch.nn.Linear(2, 1)
    config = sy.TrainConfig(
        model, lambda pred, target: loss_fn(pred, target), batch_size=1, epochs=100, example=example
    )
    config.send(bob)
    failed: list[Exception] = []
    thread = threading.Thread(target=lambda: failed.append(_error_of(bob.fit, "points")), daemon=True)
    aside = bob.aside()
    thread.start()
    while not aside.ask("training", "report")["steps"]:
        time.sleep(0.05)
    began = time.monotonic()
    assert process.stop() == 0 and time.monotonic() - began < 15
    thread.join(15)
    assert isinstance(failed[0], ConnectionLost) and "has stopped" in process.output
    aside.close()


def _error_of(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        return error


def test_ctrl_c_stops_it_too(start: Start) -> None:
    assert start("--port", "0").stop(signal.SIGINT) == 0


def test_with_certificate_and_tokens(start: Start, connect: Any, tmp_path: Path) -> None:
    assert syft(tmp_path, "worker", "cert", "localhost").returncode == 0
    ana = syft(tmp_path, "worker", "token", "ana").stdout.strip()
    owner = syft(tmp_path, "worker", "token", "olga", "--role", "owner").stdout.strip()
    torch.save(torch.tensor([13131313.0]), tmp_path / "x.pt")
    process = start(
        "--id", "bob", "--port", "0", "--cert", "certs/syft.pem", "--key", "certs/syft.key", "--tokens", "tokens.jsonl",
        "--data", "x=x.pt#secret", "--take", "ask",
    )  # fmt: skip
    ca = tmp_path / "certs/ca.pem"
    for wrong in ({"secure": True, "token": ana}, {"token": ana}, {"ca": ca}):
        with pytest.raises((AuthenticationError, ConnectionLost)):
            connect(process.port, **wrong)
    bob, its_owner = connect(process.port, ca=ca, token=ana), connect(process.port, ca=ca, token=owner)
    (found,) = bob.request(Search(("#secret",)))
    with pytest.raises(GetPendingError):
        bob.request(Take((Ref(found.id),)))
    (request,) = its_owner.requests
    assert request.user == "ana"
    (tmp_path / "owner.token").write_text(owner)
    asked = ("worker", "requests", f"wss://localhost:{process.port}", "--ca", str(ca), "--token-file", "owner.token")
    assert "ana" in syft(tmp_path, *asked).stdout and "pending" in syft(tmp_path, *asked).stdout
    assert "accepted" in syft(tmp_path, *asked, "--accept", "0").stdout
    assert syft(tmp_path, *asked).stdout == "no requests wait\n"
    (tmp_path / "owner.token").write_text(ana)
    refused = syft(tmp_path, *asked, "--all")
    assert refused.returncode == 2 and "only the owner" in refused.stderr
    assert bob.request(Take((Ref(found.id),)))[0].tolist() == [13131313]
    assert syft(tmp_path, "worker", "token", "ana", "--revoke").returncode == 0
    with pytest.raises(AuthenticationError, match="taken back"):
        connect(process.port, ca=ca, token=ana)
    assert process.stop() == 0
    assert "13131313" not in process.output and ana not in process.output


def test_what_an_asker_says_cannot_steer_a_terminal() -> None:
    assert str(_plain("\x1b[2J\x07ok")) == "�[2J�ok" and str(_plain(None)) == "–"


def test_what_is_published_survives_a_restart(start: Start, connect: Any, hook: sy.TorchHook) -> None:
    options = ("--id", "bob", "--port", "0", "--store", "sqlite:///bob.db")
    process = start(*options)
    bob = connect(process.port)
    kept = torch.tensor([1.0, 2.0]).tag("#keep").send(bob, garbage_collect_data=False)
    gone = torch.tensor([3.0]).tag("#gone").send(bob)
    bob.sync()
    process.stop(signal.SIGKILL)
    bob = connect(start(*options).port)
    assert [hit.id for hit in bob.request(Search(()))] == [kept.id_at_location]
    assert bob.request(Take((Ref(kept.id_at_location),)))[0].tolist() == [1, 2]
    del gone


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--host", "0.0.0.0"), "TLS and tokens"),
        (("--cert", "nowhere.pem"), "both"),
        (("--cert", "nowhere.pem", "--key", "nowhere.key"), "nowhere.pem"),
        (("--tokens", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--data", "nonsense"), "nonsense"),
        (("--data", "x=nowhere.pt"), "nowhere.pt"),
        (("--take", ""), "take"),
        (("--port", "70000"), "65535"),
        (("--lease", "-1"), "lease"),
        (("--max-seconds", "-1"), "max-seconds"),
    ],
)
def test_what_it_does_not_start_with_is_said_in_a_line(options: tuple[str, ...], what: str, tmp_path: Path) -> None:
    done = syft(tmp_path, "worker", "--port", "0", *options)
    assert done.returncode == 2, done.stderr
    assert what in done.stderr and "Traceback" not in done.stderr


def test_a_taken_port_is_said(start: Start, tmp_path: Path) -> None:
    process = start("--port", "0")
    done = syft(tmp_path, "worker", "--port", str(process.port))
    assert done.returncode == 2 and str(process.port) in done.stderr


def test_the_log_may_be_json(start: Start) -> None:
    process = start("--port", "0", "--log-format", "json")
    time.sleep(0.1)
    process.stop()
    assert re.search(r'\{"time": [\d.]+, "level": "warning", "logger": "syft.workers", "message": ', process.output)
    assert os.linesep in process.output
