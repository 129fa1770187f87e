"""What a worker keeps is there after a restart, a crash and a kill; and nobody else's file is touched."""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import syft as sy
from syft.exceptions import LimitExceededError, SyftError, UnserializableError, UsageError
from syft.serde.limits import Limits
from syft.workers import persistence
from syft.workers.persistence import APPLICATION, PersistentStore

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bob.db"


def opened(path: Path, **settings: Any) -> PersistentStore:
    return PersistentStore(f"sqlite:///{path}", **settings)


def kept(path: Path) -> dict[Any, Any]:
    with opened(path) as store:
        return dict(store.load(None))


def test_objects_are_there_after_a_restart_with_their_names_and_order(path: Path, hook: sy.TorchHook) -> None:
    data = torch.arange(6.0).reshape(2, 3).tag("#mnist", "#bob").describe("six numbers")
    with opened(path) as store:
        store.save("z", data)
        store.save(2**64 - 1, {"a": [1, 2.5, None]})
        store.save(-3, torch.nn.Parameter(torch.ones(2, dtype=torch.float64)))
        store.save("a", "text")
    with opened(path) as store:
        found = list(store.load(None))
    assert [id for id, _ in found] == ["z", 2**64 - 1, -3, "a"]
    loaded = dict(found)
    assert torch.equal(loaded["z"], data) and loaded["z"].tags == {"#mnist", "#bob"}
    assert loaded["z"].description == "six numbers"
    assert loaded[2**64 - 1] == {"a": [1, 2.5, None]} and loaded["a"] == "text"
    assert isinstance(loaded[-3], torch.nn.Parameter) and loaded[-3].dtype == torch.float64


def test_ids_keep_their_type(path: Path) -> None:
    with opened(path) as store:
        for id in (1, "1", 0, "", "a\0b", "ü"):
            store.save(id, repr(id))
        store.delete(["1"])
        for wrong in (True, 1.0, None, (1,)):
            with pytest.raises(UsageError, match="an id is an int or a str"):
                store.save(wrong, "x")  # type: ignore[arg-type]
    found = kept(path)
    assert found == {1: "1", 0: "0", "": "''", "a\0b": repr("a\0b"), "ü": "'ü'"}
    assert {type(id) for id in found} == {int, str}


def test_saving_again_replaces_in_place_and_deleting_forgets(path: Path) -> None:
    with opened(path) as store:
        for id in (1, 2, 3, 4):
            store.save(id, id)
        store.save(1, "new")
        store.delete([2, 3, "not there"])
        store.delete([])
    assert list(kept(path).items()) == [(1, "new"), (4, 4)]


def test_what_needs_a_worker_gets_it(path: Path, hook: sy.TorchHook, bob: sy.VirtualWorker) -> None:
    data = sy.BaseDataset(torch.zeros(3, 2), torch.tensor([1, 2, 3]), tags=["#set"])
    pointer = torch.ones(2).send(bob)
    with opened(path) as store:
        store.save(data.id, data)
        store.save("pointer", pointer)
    with opened(path) as store:
        loaded = dict(store.load(hook.local_worker))
    assert loaded[data.id].targets.tolist() == [1, 2, 3] and loaded[data.id].tags == {"#set"}
    assert loaded["pointer"].location is bob and torch.equal(loaded.pop("pointer").get(), torch.ones(2))


def test_an_object_that_cannot_be_decoded_is_named_and_the_rest_loads(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as store:
        for id in ("first", "bad", 7, "last"):
            store.save(id, torch.ones(3))
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE objects SET body = x'00112233' WHERE name = 'bad'")
        raw.execute("UPDATE objects SET body = substr(body, 1, length(body) - 1) WHERE name = '7'")
    raw.close()
    with caplog.at_level(logging.ERROR):
        assert list(kept(path)) == ["first", "last"]
    assert ["'bad'" in r.message or "object 7 " in r.message for r in caplog.records] == [True, True]
    assert all(str(path) in record.message for record in caplog.records)


def test_what_could_not_be_loaded_is_not_saved(path: Path) -> None:
    with opened(path, limits=Limits(max_bytes=1000)) as store:
        store.save("x", torch.zeros(100))
        with pytest.raises(LimitExceededError, match=r"object 'x' takes 4,\d+ bytes, .* at most 1,000"):
            store.save("x", torch.zeros(1000))
        with pytest.raises(UnserializableError):
            store.save("x", lambda: None)
        assert [(id, obj.shape) for id, obj in store.load(None)] == [("x", (100,))]


def test_a_full_disk_is_an_error_and_loses_nothing(path: Path) -> None:
    with opened(path) as store:
        store.save("x", "old")
        store._open().execute("PRAGMA max_page_count = 10")
        with pytest.raises(SyftError, match="object 'x' cannot be kept in .* full"):
            store.save("x", torch.zeros(100_000))
        store.save("y", "still works")
        assert dict(store.load(None)) == {"x": "old", "y": "still works"}
    assert kept(path) == {"x": "old", "y": "still works"}


def test_every_commit_is_synced_to_a_log(path: Path) -> None:
    with opened(path) as store:
        connection = store._open()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)


@pytest.mark.skipif(os.name != "posix", reason="the permission bits are those of POSIX")
def test_only_the_owner_may_read_it(path: Path) -> None:
    with opened(path) as store:
        store.save("x", "secret")
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_store_is_closed_once_and_says_so(path: Path) -> None:
    store = opened(path)
    store.save(1, 1)
    loading = store.load(None)
    store.close()
    store.close()
    assert "(closed)" in repr(store)
    for use in (lambda: store.save(1, 1), lambda: store.delete([1]), lambda: next(loading)):
        with pytest.raises(UsageError, match="is closed"):
            use()


def test_loading_goes_on_while_others_write(path: Path) -> None:
    with opened(path) as store:
        for id in range(4):
            store.save(id, id)
        loading = store.load(None)
        assert next(loading) == (0, 0)
        store.delete([1])
        store.save(2, "new")
        store.save(9, "later")
        assert list(loading) == [(2, "new"), (3, 3)]


def test_threads_share_a_store(path: Path) -> None:
    errors: list[BaseException] = []

    def work(store: PersistentStore, thread: int) -> None:
        try:
            for step in range(30):
                store.save(thread * 1000 + step, torch.full((20,), step))
                if step % 3 == 2:
                    store.delete([thread * 1000 + step - 1])
                if step % 10 == 0:
                    assert len(list(store.load(None))) > 0
        except BaseException as error:
            errors.append(error)

    with opened(path) as store:
        threads = [threading.Thread(target=work, args=(store, number)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    found = kept(path)
    assert set(found) == {t * 1000 + s for t in range(6) for s in range(30) if s % 3 != 1}
    assert all(int(value[0]) == id % 1000 for id, value in found.items())


# --- whose file it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "bob.db",
        "sqlite://bob.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgresql://localhost/x",
        "sqlite:///a?b",
        "",
        None,
    ],
)
def test_other_urls_are_refused(url: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="sqlite:///bob.db"):
        PersistentStore(url)
    assert list(tmp_path.iterdir()) == []


def test_paths_are_relative_or_absolute_and_folders_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with PersistentStore("sqlite:///new/folder/bob.db") as store:
        store.save(1, 1)
    assert kept(tmp_path / "new" / "folder" / "bob.db") == {1: 1}
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be kept"):
        opened(tmp_path / "file" / "bob.db")


def foreign(path: Path, *statements: str) -> bytes:
    with sqlite3.connect(path) as raw:
        for statement in statements:
            raw.execute(statement)
    raw.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"some notes"), "another application"),
        (lambda path: path.write_bytes(os.urandom(9000)), "another application"),
        (lambda path: foreign(path, "CREATE TABLE objects (x)"), "another application"),
        (lambda path: foreign(path, "PRAGMA application_id = 1", "CREATE TABLE x (y)"), "another application"),
        (lambda path: foreign(path, "PRAGMA journal_mode = WAL", "CREATE TABLE x (y)"), "another application"),
        (lambda path: (kept(path), foreign(path, "UPDATE format SET version = 2")), "has version 2 .* reads version 1"),
        (lambda path: foreign(path, f"PRAGMA application_id = {APPLICATION}", "CREATE TABLE x (y)"), "no such table"),
    ],
)
def test_a_file_of_others_is_refused_and_untouched(path: Path, make: Any, words: str) -> None:
    make(path)
    before, names = path.read_bytes(), set(path.parent.iterdir())
    with pytest.raises(UsageError, match=words):
        opened(path)
    assert path.read_bytes() == before
    assert set(path.parent.iterdir()) == names


def test_a_damaged_file_of_ours_is_refused(path: Path) -> None:
    kept(path)
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)
    with pytest.raises(UsageError, match="cannot be used"):
        opened(path)


def test_one_worker_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "_FORMAT", replace(persistence._FORMAT, patience=0.1))
    with opened(path) as store:
        store.save(1, 1)
        with pytest.raises(UsageError, match="in use by another worker"):
            opened(path)
        store.save(2, 2)
    assert kept(path) == {1: 1, 2: 2}


# --- kill -9 ------------------------------------------------------------------------------------------

# What a killed writer does: any number of steps, the same for everybody who knows the seed.
STEPS = """
import random
import torch

def steps(seed):
    chance = random.Random(seed)
    while True:
        id = chance.choice([str, int])(chance.randrange(12))
        if chance.random() < 0.25:
            yield "delete", id, None
        else:
            number, size = chance.random(), int(10 ** chance.uniform(0, 5))
            yield "save", id, torch.full((size,), number, dtype=torch.float64)
"""
steps_of = {}  # type: ignore[var-annotated]
exec(STEPS, steps_of)

# One process that forks a writer for every line it reads: starting Python with torch takes longer than a round. The
# writer says on stdout when a step has returned.
WRITERS = (
    STEPS
    + """
import os
import sys
from syft.workers.persistence import PersistentStore

torch.set_num_threads(1)
for line in sys.stdin:
    url, seed = line.split()
    pid = os.fork()
    if pid == 0:
        store = PersistentStore(url)
        for action, id, value in steps(int(seed)):
            store.save(id, value) if action == "save" else store.delete([id])
            os.write(1, b".")
    os.write(1, f"{pid}\\n".encode())
    os.waitpid(pid, 0)
    os.write(1, b"\\n")
"""
)


@contextmanager
def writers() -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_a_writer(process: subprocess.Popen[bytes], path: Path, seed: int, after: float) -> int:
    """Start a writer, kill it some time after its first step, and tell how many steps it said were done."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"sqlite:///{path} {seed}\n".encode())
    process.stdin.flush()
    seen = b""
    # The pid and the steps come from two processes, in any order.
    while b"\n" not in seen or b"." not in seen:
        seen += process.stdout.read1(1)
    pid = int(seen.replace(b".", b""))
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    return seen.count(b".") + process.stdout.readline().count(b".")


def states(start: dict[Any, Any], seed: int, done: int) -> list[dict[Any, Any]]:
    """What may be in the file after so many steps: the one under way happened or did not."""
    state = dict(start)
    for number, (action, id, value) in enumerate(steps_of["steps"](seed)):
        before = dict(state)
        if action == "save":
            state[id] = value
        else:
            state.pop(id, None)
        if number == done:
            return [before, state]
    raise AssertionError


def same(found: dict[Any, Any], wanted: dict[Any, Any]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[id], wanted[id]) for id in found)


def integrity(path: Path) -> str:
    raw = sqlite3.connect(path)
    try:
        return str(raw.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        raw.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_loses_nothing_that_was_acknowledged(path: Path, kills: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random()
    seeds, waits = [chance.randrange(1 << 30) for _ in range(kills)], [chance.uniform(0, 0.15) for _ in range(kills)]
    state: dict[Any, Any] = {}
    total = 0
    with writers() as process:
        for seed, wait in zip(seeds, waits, strict=True):
            done = kill_a_writer(process, path, seed, wait)
            total += done
            found = kept(path)
            assert any(same(found, allowed) for allowed in states(state, seed, done)), (seed, wait, done)
            assert integrity(path) == "ok"
            state = found
    assert total >= kills and caplog.records == []


def test_control_a_lost_or_changed_object_is_noticed(path: Path) -> None:
    seed, done = 5, 20
    with opened(path) as store:
        for _, (action, id, value) in zip(range(done), steps_of["steps"](seed), strict=False):
            store.save(id, value) if action == "save" else store.delete([id])
    found = kept(path)
    before, after = states({}, seed, done)
    assert same(found, before) and not same(before, after)
    lost = dict(list(found.items())[:-2])
    stale = {id: value + 1 for id, value in found.items()}
    assert not any(same(wrong, allowed) for wrong in (lost, stale) for allowed in (before, after))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
def test_a_kill_while_the_file_is_made_leaves_one_that_can_be_used(path: Path) -> None:
    creation = f"""
import os, sqlite3
import syft.core.sqlite_file as sqlite_file
from syft.workers.persistence import PersistentStore
for step in range(1, 9):
    pid = os.fork()
    if pid == 0:
        seen = []
        def trace(statement):
            seen.append(statement)
            if len(seen) == step:
                os.kill(os.getpid(), 9)
        prepare = sqlite_file._prepare
        def traced(connection, *settings):
            connection.set_trace_callback(trace)
            prepare(connection, *settings)
        sqlite_file._prepare = traced
        PersistentStore("sqlite:///{path}" + str(step))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    finished = subprocess.run(
        [sys.executable, "-c", creation],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert finished.stdout.split() == ["-9"] * 8
    for step in range(1, 9):
        with PersistentStore(f"sqlite:///{path}{step}") as store:
            store.save(1, "works")
        assert kept(Path(f"{path}{step}")) == {1: "works"}
