"""Computing on secret-shared values, against CrypTen and SPU on the same values in the same minutes.

Ours: two holders of shares and a crypto provider, all virtual workers, through the public interface: autograd, modules
and optimizers of torch on shared tensors. CrypTen: two processes over loopback, the first makes the triples. SPU: two
threads of a process, SEMI2K on 64 bits, compiled beforehand. Everyone has one torch thread a party, 16 binary digits
after the point (SPU 18), inputs that are shared already and results that stay shared; making triples is within the time
of all. Of each the first results are compared with the right ones.

In every round each side computes in turn, and the ratio of medians is that of the peer that is faster over all rounds.
The peers' two parties have a core each where there are two; virtual workers take turns on one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import syft as sy
from benchmarks.measure import spread
from benchmarks.peer_environments import CRYPTEN, ENVIRONMENTS, INSTALL
from benchmarks.peer_process import PeerProcess, check_error
from benchmarks.peers.workloads import make_workload
from benchmarks.row import Row
from benchmarks.served_worker import ServedWorker
from benchmarks.shared_workloads import Parties, Ready, prepare, results


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the comparison.

    Attributes:
        workload: What is computed.
        target: How many times faster than the faster peer it should be.
        calls: How many calls a side makes in a round.
        width: Bits that our comparisons look at; `None` leaves it to the library.
        where: Where our workers are, if not in this process.
        against: The peers that it is measured against.
    """

    workload: str
    target: float
    calls: int
    width: int | None = None
    where: str = ""
    against: tuple[str, ...] = tuple(ENVIRONMENTS)

    @property
    def title(self) -> str:
        """What the table calls it."""
        width = "" if self.width is None else f" on {self.width} bits"
        peers = " or ".join(ENVIRONMENTS[name].title for name in self.against)
        return f"shared {self.workload}{width}{self.where}: time of {peers} / ours"


ENTRIES = (
    Entry("mul 1e5", target=2, calls=9),
    Entry("matmul 64×784 @ 784×128", target=2, calls=5),
    Entry("ReLU 1e4", target=10, calls=9),
    Entry("ReLU 1e5", target=5, calls=5),
    Entry("ReLU 1e5", target=8, calls=5, width=32),
    Entry("MLP 784-128-10, batch 1", target=5, calls=9),
    Entry("MLP 784-128-10, batch 128", target=4, calls=5),
    Entry("CNN, batch 64", target=5, calls=1),
    Entry("training step of the MLP, batch 128", target=3, calls=3),
)
SERVED = Entry(
    "MLP 784-128-10, batch 1", 1, calls=9, where=" over three `syft worker` processes", against=(CRYPTEN.name,)
)


def _timed(ready: Ready, calls: int) -> list[float]:
    """Seconds of each of so many calls on inputs of its own, after one that is not timed."""
    ready()()
    seconds = []
    for _ in range(calls):
        call = ready()
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def compare(entry: Entry, parties: Parties, peers: dict[str, PeerProcess], *, quick: bool) -> Row:
    """Check our result, then time all sides in rounds."""
    workload = make_workload(entry.workload)
    parties = replace(parties, width=entry.width)
    check_error("syft", entry.workload, workload.error(results(workload, parties)))
    ready = prepare(workload, parties)
    present = {peers[name].title: peers[name] for name in entry.against if name in peers}
    ours: list[float] = []
    theirs: dict[str, list[float]] = {title: [] for title in present}
    for _ in range(3 if quick else 9):
        ours.append(statistics.median(_timed(ready, entry.calls)))
        for title, peer in present.items():
            theirs[title].append(statistics.median(peer.measure(entry.workload, entry.calls)))
    return row(entry, ours, theirs)


def row(entry: Entry, ours: list[float], theirs: dict[str, list[float]]) -> Row:
    """Compare medians, round by round, with those of the peer that is faster over all; with none, show ours."""
    missing = [ENVIRONMENTS[name].title for name in entry.against if ENVIRONMENTS[name].title not in theirs]
    notes = [f"{who} {statistics.median(samples) * 1e3:.3g} ms" for who, samples in {"syft": ours, **theirs}.items()]
    if missing:
        notes.append(f"not installed: {', '.join(missing)} ({INSTALL})")
    samples: dict[str, object] = {"seconds": {"syft": ours, **theirs}}
    if not theirs:
        took = spread([1e3 * seconds for seconds in ours])
        return Row(entry.title, took.median, "ms", spread=str(took), note="; ".join(notes), samples=samples)
    faster = min(theirs.values(), key=statistics.median)
    ratio = spread([peer / mine for peer, mine in zip(faster, ours, strict=True)])
    return Row(
        name=entry.title,
        value=ratio.median,
        unit="x",
        target=None if missing else entry.target,
        at_least=True,
        spread=str(ratio),
        note="; ".join(notes),
        samples=samples,
    )


@contextmanager
def _served_parties(hook: sy.TorchHook) -> Iterator[Parties]:
    """Three processes, each of them a worker on loopback."""
    with ExitStack() as stack:
        workers = []
        for name in ("served_alice", "served_bob", "served_james"):
            served = stack.enter_context(ServedWorker(id=name))
            worker = sy.WebsocketClientWorker(hook, "127.0.0.1", served.port)
            stack.callback(worker.close, end=True)
            workers.append(worker)
        yield Parties(workers[:2], workers[2])


def run(hook: sy.TorchHook, *, quick: bool) -> list[Row]:
    """Measure all entries against the peers that are installed."""
    names = ("benchmark_alice", "benchmark_bob", "benchmark_james")
    alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in names)
    with ExitStack() as stack:
        peers = {
            name: stack.enter_context(PeerProcess(environment))
            for name, environment in ENVIRONMENTS.items()
            if environment.complete
        }
        rows = [compare(entry, Parties((alice, bob), james), peers, quick=quick) for entry in ENTRIES]
        parties = stack.enter_context(_served_parties(hook))
        return [*rows, compare(SERVED, parties, peers, quick=quick)]
