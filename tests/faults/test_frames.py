"""Changed bytes of a recorded session, for each layer that reads them: handshake, stream, decoder, session, client."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest
import torch

import syft as sy
from syft.exceptions import AuthenticationError, DecodeError, LimitExceededError, SyftError
from syft.serde import codec, decode, encode
from syft.serde.short_command import SHORT_COMMAND
from syft.transports import handshake, stream
from syft.transports.stream import MAX_FRAME, REQUEST, Buffer, Parcel, Stream
from syft.transports.wire import Wire
from syft.workers.websocket_client import WebsocketClientWorker
from tests.faults.conftest import Connect, Serve
from tests.faults.program import Program
from tests.serde.samples import samples

MANY = int(os.environ.get("SYFT_FUZZ", "1000000"))
SECONDS_A_MIB = 0.05
_LEAVES = (None, True, False, 0, 1, -1, 3, 2**31, 2**62, 2**63, 2**64 - 1, -(2**63), 0.5, float("nan"), "", "x", "Tensor.add", "é" * 40, b"", b"xy", [], [1], {}, {"a": 1})  # fmt: skip


@dataclass
class Recording:
    """What crossed between a client and a worker.

    Attributes:
        handshakes: challenge, answer and welcome.
        frames: the websocket messages that each end received, in order.
        messages: the encoded messages in them.
    """

    handshakes: list[bytes] = field(default_factory=list)
    frames: dict[int, list[bytes]] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)


def record(connect: Callable[[int], WebsocketClientWorker], port: int) -> Recording:
    """Run the program, and keep what each end received."""
    kept = Recording()
    with pytest.MonkeyPatch.context() as patch:
        received, one, send = Stream.receive, Wire.receive_one, Wire.send

        def receive(self: Stream, data: bytes) -> list[Parcel]:
            kept.frames.setdefault(id(self), []).append(bytes(data))
            parcels = received(self, data)
            kept.messages.extend(b"".join(parcel.parts) for parcel in parcels)
            return parcels

        def receive_one(self: Wire, deadline: float) -> bytes:
            kept.handshakes.append(one(self, deadline))
            return kept.handshakes[-1]

        def first_sent(self: Wire, data: bytes, *rest: Any) -> bool:
            if len(kept.handshakes) == 1:
                kept.handshakes.append(bytes(data))
            return send(self, data, *rest)

        patch.setattr(stream, "PIECE", 1 << 10)
        patch.setattr(Stream, "receive", receive)
        patch.setattr(Wire, "receive_one", receive_one)
        patch.setattr(Wire, "send", first_sent)
        worker = connect(port)
        Program(worker).run()
        worker.close(end=True)
    return kept


@pytest.fixture
def recording(served: Serve, connect: Connect) -> Recording:
    """A session with every kind of message, and the kinds that it has not."""
    kept = record(connect, served("recorded").port)
    assert len(kept.handshakes) == 3 and len(kept.frames) == 2
    kinds = {type(decode_or_none(data)).__name__ for data in kept.messages}
    assert {"Command", "Put", "Take", "Call", "Search", "list", "Gradients"} <= kinds, kinds
    assert any(data[0] == SHORT_COMMAND for data in kept.messages)
    kept.messages.extend(encode(sample) for sample in samples().values())
    return kept


def decode_or_none(data: bytes) -> Any:
    try:
        return decode(data)
    except SyftError:
        return None


# --- changes -----------------------------------------------------------------------------------------


def changed(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A few bytes changed, inserted, removed, repeated, cut off, or taken from other traffic."""
    out = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at, kind = chance.randrange(len(out) + 1), chance.randrange(8)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = chance.choice((0, 1, 0x7F, 0x80, 0x90, 0xC1, 0xDD, 0xFF))
        elif kind == 2:
            out[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 3:
            del out[at : at + chance.randrange(1, 9)]
        elif kind == 4:
            out[at:at] = out[at : at + chance.randrange(1, 40)]
        elif kind == 5:
            del out[at:]
        elif kind == 6:
            out[at : at + 8] = chance.choice((b"\xff" * 8, bytes(8), b"\1" + bytes(7), bytes(7) + b"\x80"))
        else:
            out[at:] = chance.choice(others)[at:]
    return bytes(out)


def changed_short(chance: random.Random, data: bytes) -> bytes:
    """A short command with other values in its places: sound msgpack of wrong meaning."""
    fields = msgpack.unpackb(data[1:])
    for _ in range(chance.randrange(1, 3)):
        kind, at = chance.randrange(4), chance.randrange(len(fields) + 1)
        if kind == 0:
            fields.insert(at, chance.choice(_LEAVES))
        elif kind == 1:
            del fields[at : at + 1]
        elif at < len(fields):
            fields[at] = chance.choice(_LEAVES)
    return data[:1] + msgpack.packb(fields)


def inputs(chance: random.Random, traffic: list[bytes]) -> Iterator[bytes]:
    """Half of it random, half of it changed traffic."""
    short = [data for data in traffic if data[:1] == bytes((SHORT_COMMAND,))]
    while True:
        yield chance.randbytes(chance.randrange(120))
        yield bytes((SHORT_COMMAND,)) + chance.randbytes(chance.randrange(1, 60))
        yield changed(chance, chance.choice(traffic), traffic)
        yield changed_short(chance, chance.choice(short))


# --- what each layer makes of them -------------------------------------------------------------------


def decoder(recording: Recording, count: int, seed: int) -> Counter[str]:
    """A message or a `DecodeError`, in time."""
    outcomes: Counter[str] = Counter()
    slowest, worst = 0.0, b""
    for _, data in zip(range(count), inputs(random.Random(seed), recording.messages), strict=False):
        began = time.perf_counter()
        outcomes[_outcome(lambda data=data: decode(data))] += 1
        took = time.perf_counter() - began
        if took > slowest:
            slowest, worst = took, data
    again = min(_seconds(lambda: decode(worst)) for _ in range(3))  # the machine may have been busy
    assert again <= SECONDS_A_MIB, worst.hex()
    assert outcomes["accepted"] > 0.01 * count
    return outcomes


def _outcome(action: Callable[[], Any], *refusals: type[Exception]) -> str:
    try:
        action()
    except (DecodeError, *refusals) as error:
        return type(error).__name__
    return "accepted"


def _seconds(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    _outcome(action)
    return time.perf_counter() - began


def handshakes(recording: Recording, count: int, seed: int) -> Counter[str]:
    """What its type says, or an error that says that it is none."""
    chance, outcomes = random.Random(seed), Counter[str]()
    readers = (handshake.Challenge.unpack, handshake.Answer.unpack, handshake.Welcome.unpack)
    texts = [*recording.handshakes, handshake.refusal("no")]
    for _ in range(count):
        data = changed(chance, chance.choice(texts), texts) if chance.random() < 0.7 else chance.randbytes(chance.randrange(300))  # fmt: skip
        for read in readers:
            outcomes[_outcome(lambda read=read, data=data: read(data), AuthenticationError)] += 1
    return outcomes


def streams(recording: Recording, count: int, seed: int) -> Counter[str]:
    """Parcels in order, each once, or an error; never more in memory than a parcel may have."""
    chance, outcomes = random.Random(seed), Counter[str]()
    sides = list(recording.frames.values())
    every = [frame for frames in sides for frame in frames]
    most = 1 << 14
    while sum(outcomes.values()) < count:
        frames = list(chance.choice(sides))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(frames))
            frames[at] = changed(chance, frames[at], every)
        chance.random() < 0.2 and frames.insert(chance.randrange(len(frames)), chance.choice(every))
        end = Stream(most, 1 << 20)
        for _ in range(200):
            end.put([b"x"])
        while end.take() is not None:
            pass
        numbers: list[int] = []

        def feed(end: Stream = end, frames: list[bytes] = frames, numbers: list[int] = numbers) -> None:
            for frame in frames:
                for parcel in end.receive(frame):
                    numbers.append(parcel.number)
                    assert parcel.size == sum(map(len, parcel.parts)) <= most
                    end.dealt(parcel.number)
                assert end._partial is None or end._partial.size <= most

        outcomes[_outcome(feed, LimitExceededError)] += 1
        assert numbers == list(range(1, len(numbers) + 1)), "each once, in order"
        assert 0 <= end._outstanding <= 200
    return outcomes


LAYERS = {"decoder": decoder, "handshakes": handshakes, "streams": streams}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_no_outcomes_but_its_own(layer: str, recording: Recording) -> None:
    outcomes = LAYERS[layer](recording, 4000, random.randrange(1 << 30))
    assert len(outcomes) > 1, outcomes


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_no_outcomes_but_its_own_in_a_million(layer: str, recording: Recording) -> None:
    began = time.monotonic()
    outcomes = LAYERS[layer](recording, MANY if layer == "decoder" else MANY // 5, random.randrange(1 << 30))
    print(f"\n{layer}: {sum(outcomes.values())} inputs, 0 other outcomes: {dict(outcomes)}, {time.monotonic() - began:.0f} s")  # fmt: skip


def test_a_large_message_is_refused_in_time() -> None:
    chance, large = random.Random(5), encode([torch.zeros(1 << 18), list(range(20_000)), "x" * 10_000])
    for _ in range(50):
        data = changed(chance, large, [large])
        assert min(_seconds(lambda data=data: decode(data)) for _ in range(3)) <= SECONDS_A_MIB * max(1.0, len(data) / 2**20)  # fmt: skip


def test_control_an_error_of_another_kind_is_an_outcome_too_many(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(codec._FROM_SHORT, SHORT_COMMAND, lambda data: msgpack.unpackb(data[1:])[4] + 1)
    with pytest.raises((TypeError, ValueError, IndexError, KeyError)):
        decoder(recording, 2000, 1)


# --- a worker and a client ---------------------------------------------------------------------------


def sessions(recording: Recording, worker: sy.WebsocketServerWorker, count: int, seed: int) -> Counter[str]:
    """Every parcel is dealt with: an answer, or none; nothing is raised."""
    chance, outcomes = random.Random(seed), Counter[str]()
    source = inputs(chance, recording.messages)
    session, _ = worker.sessions.rows()[0]
    for number in range(count):
        data = next(source) if chance.random() < 0.8 else chance.choice(recording.messages)
        flags = chance.choice((0, REQUEST, REQUEST))
        reply = session.handle(Parcel(number, 0, flags, (data,), len(data)))
        if reply is None:
            assert not flags & REQUEST, "whoever waits is answered"
            outcomes["nothing"] += 1
        else:
            outcomes[type(decode(b"".join(reply), session)).__name__] += 1
    return outcomes


def changed_sessions(recording: Recording, served: Serve, connect: Connect, count: int) -> Counter[str]:
    """Let a session deal with changed messages while another one works."""
    worker = served()
    connect(worker.port)
    other = connect(worker.port)
    x = torch.arange(3.0).tag("#other").send(other)
    other.sync()
    outcomes = sessions(recording, worker, count, random.randrange(1 << 30))
    assert x.get().tolist() == [0, 1, 2]
    return outcomes


def test_a_session_answers_whatever_comes(recording: Recording, served: Serve, connect: Connect) -> None:
    outcomes = changed_sessions(recording, served, connect, 3000)
    assert outcomes["Failure"] and outcomes["NoneType"], outcomes


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_session_answers_whatever_comes_in_a_million(recording: Recording, served: Serve, connect: Connect) -> None:
    outcomes = changed_sessions(recording, served, connect, MANY // 5)
    print(f"\nsession: {sum(outcomes.values())} messages, nothing raised: {dict(outcomes)}")


def lied_to(served: Serve, connect: Connect, rounds: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """A client whose worker changes what it sends: an answer or an error of ours, and no thread that dies."""
    worker = served()
    chance, outcomes = random.Random(), Counter[str]()
    taken = Stream.take
    lies = [False]

    def take(self: Stream, *, acknowledge: bool = False) -> list[Buffer] | None:
        parts = taken(self, acknowledge=acknowledge)
        if parts is None or not lies[0] or self not in {channel.stream for _, channel in worker.sessions.rows()}:
            return parts
        data = b"".join(parts)
        return [changed(chance, data, [data])[:MAX_FRAME]] if chance.random() < 0.5 else [data]

    monkeypatch.setattr(Stream, "take", take)
    for _ in range(rounds):
        lies[0] = False
        bob = connect(worker.port, timeout=0.25, reconnect=0.1)
        lies[0] = True
        try:
            Program(bob).run()
            outcomes["finished"] += 1
        except Exception as error:
            if isinstance(error, (AttributeError, NameError)):
                raise  # of ours, and no sentence
            outcomes[type(error).__name__] += 1
        finally:
            lies[0] = False
            bob.close(end=True)
    return outcomes


def test_a_client_survives_a_worker_that_sends_nonsense(
    served: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = lied_to(served, connect, 60, monkeypatch)
    assert outcomes["ConnectionLost"] + outcomes["DecodeError"] > 10, outcomes
