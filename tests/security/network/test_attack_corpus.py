"""The attacks that PySyft 0.2.4 fell to, against a worker served over a network.

| attack | here |
|---|---|
| 1 code in data | `test_a_pickle_in_a_message_runs_no_code` |
| 2 methods of the worker as commands | `test_methods_of_the_worker_are_no_commands` |
| 3 methods that reveal | `test_methods_that_reveal_are_no_commands` |
| 4 names of plan steps | `test_the_steps_of_a_plan_are_no_expressions` |
| 5 answers to others | `test_each_client_gets_its_own_answers` |
| 6 certificates | `test_secure_means_verified`; contexts in `tests/transports/test_tls.py` |
| 7 limits and authentication | `test_a_message_that_is_too_long…`, `test_a_silent_client…`, `test_without_a_token…` |
| 8 a failing op | `test_a_failing_op_is_an_answer`, `test_every_op_that_fails_leaves_the_connection_alive` |
| 9 seeds | `test_nothing_of_a_session_depends_on_a_seed`; the shares of secret sharing: with them |
| 10, 11 shares and their products | with secret sharing |
| 12 ids | `test_nothing_of_a_session_depends_on_a_seed`; ids of objects in `tests/security/test_attack_corpus.py` |
| 13 text instead of bytes | `test_a_tensor_takes_its_bytes_on_the_wire` |
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from websockets.exceptions import ConnectionClosed

import syft as sy
from syft.core.messages import Call, Command, Put, Ref, Take
from syft.core.ops import BY_NAME
from syft.exceptions import AuthenticationError, ConnectionLost, DecodeError
from syft.serde import encode
from syft.tensors.object_wrapper import ObjectWrapper
from syft.transports.certificates import make_certificate
from syft.transports.stream import MAX_FRAME
from syft.transports.tokens import TokenFile
from syft.workers.limits import WorkerLimits
from tests.security.network.far import Bare, Far, kinds, parcel
from tests.security.stranger import OWNER, SECRET, Stranger, refused
from tests.security.test_attack_corpus import METHODS, REVEALING, carriers, payloads
from tests.serde.craft import frame, tagged

Serve = Callable[..., sy.WebsocketServerWorker]
Connect = Callable[..., Far]


@pytest.fixture
def stranger(serve: Callable[[str], int], far: Connect) -> Stranger:
    """A client of a worker in another process, which holds one tensor of his."""
    found = Stranger(far(serve("bob"), host="127.0.0.1"))
    found.put("x", torch.tensor([1.0, 2.0]))
    return found


def is_unharmed(stranger: Stranger) -> bool:
    """His session still holds what it held and still computes."""
    assert stranger.run("torch.add", Ref("x"), 1, result="alive") is None
    fine = torch.equal(stranger.take("alive"), torch.tensor([2.0, 3.0]))
    stranger.forget("alive")
    return fine and torch.equal(stranger.take("x"), torch.tensor([1.0, 2.0]))


# --- 1: code in data -----------------------------------------------------------------------------------


def test_a_pickle_in_a_message_runs_no_code(stranger: Stranger, tmp_path: Path) -> None:
    target = tmp_path / "code ran"
    for payload in payloads(target):
        for carrier in carriers(payload):
            stranger.put("bomb", carrier)
            stranger.take("bomb")
            stranger.run("torch.add", Ref("bomb"), Ref("bomb"), result="sum")
        for data in (payload, frame(payload), frame(tagged("tensor", "strided", "uint8", [1], 0, None), payload)):
            reply = stranger.send(data)
            assert refused(reply, "DecodeError", "CompressionNotFoundException", "CommandNotPermittedError")
    assert not target.exists()
    assert is_unharmed(stranger)


def script() -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))


def test_a_worker_takes_no_torchscript_unless_its_owner_says_so(served: Serve, far: Connect) -> None:
    client = far(served().port)
    for carrier in (script(), ObjectWrapper(script()), [script()], {"code": script()}):
        reply = client.ask(Put((("s", carrier),)))
        assert refused(reply, "DecodeError") and "--torchscript" in reply.message
    trusting = far(served("carl", torchscript=True).port)
    assert trusting.ask(Put((("s", ObjectWrapper(script())),))) is None


def test_a_client_takes_no_torchscript_unless_it_says_so(hook: sy.TorchHook, served: Serve) -> None:
    port = served("dora", torchscript=True).port
    for takes in (False, True):
        with sy.WebsocketClientWorker(hook, "127.0.0.1", port, torchscript=takes, auto_add=False) as bob:
            pointer = hook.local_worker.send(ObjectWrapper(script()), bob)
            hook.local_worker._known_workers.pop("dora")
            if takes:
                assert isinstance(pointer.get().obj, torch.jit.ScriptModule)
            else:
                with pytest.raises(DecodeError, match="TorchScript, which is code"):
                    pointer.get()


# --- 2, 3, 4: names --------------------------------------------------------------------------------------


def test_methods_of_the_worker_are_no_commands(stranger: Stranger) -> None:
    for name in METHODS:
        for target in ("self", "bob", "_store", "x"):
            for spelled in (name, f"self.{name}", f"Tensor.{name}"):
                assert refused(stranger.run(spelled, Ref(target)), "UnsupportedOp")
            reply = stranger.ask(Call(Ref(target), (), {}, None, name))
            assert refused(reply, "ObjectNotFoundError", "CommandNotPermittedError")
    assert is_unharmed(stranger)


def test_methods_that_reveal_are_no_commands(stranger: Stranger) -> None:
    hidden = sy.PrivateTensor(allowed_users=(OWNER,)).on(torch.tensor([float(SECRET)]))
    stranger.put("s", hidden, OWNER)
    for name in REVEALING:
        for id in ("x", "s"):
            for spelled in (name, f"Tensor.{name}", f"torch.{name}", f"Tensor.{name}.__get__"):
                assert refused(stranger.run(spelled, Ref(id), result="out"), "UnsupportedOp")
            assert refused(stranger.ask(Call(Ref(id), (), {}, "out", name)), "CommandNotPermittedError")
    assert refused(stranger.take("s"), "GetNotPermittedError")
    assert not stranger.knows_the_secret()


@pytest.mark.parametrize("name", ["os.system", "eval('1')", "torch.hub", "os._exit()", "torch.os.", "__class__"])
def test_the_steps_of_a_plan_are_no_expressions(stranger: Stranger, name: str) -> None:
    plan = sy.func2plan(args_shape=[(2,)])(lambda x: torch.add(x, x))
    good = encode(Put((("plan", plan),)))
    assert good.count(b"\xa9torch.add") == 1
    stranger.send(good.replace(b"\xa9torch.add", bytes((0xA0 + len(name),)) + name.encode().ljust(9)[:9]))
    reply = stranger.ask(Call(Ref("plan"), (Ref("x"),), {}, "out"))
    assert refused(reply, "ObjectNotFoundError", "DecodeError", "UnsupportedOp")
    stranger.send(good)
    assert not refused(stranger.ask(Call(Ref("plan"), (Ref("x"),), {}, "out"))), "the plan that is spoilt here is right"
    assert is_unharmed(stranger)


# --- 5: answers to others --------------------------------------------------------------------------------

CLIENTS, ROUNDS = 8, 500


def chatter(client: Far, name: int) -> list[float]:
    """Requests of one client that all name the same objects; the values that came back."""
    messages: list[Any] = []
    for number in range(ROUNDS):
        messages += [Put((("x", torch.tensor(float(name * ROUNDS + number))),)), Take((Ref("x"),))]
    return [reply[0].item() for reply in client.ask_many(messages)[1::2]]


def test_each_client_gets_its_own_answers(serve: Callable[[str], int], far: Connect) -> None:
    port = serve("bob")
    clients = [far(port, host="127.0.0.1") for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        heard = list(threads.map(chatter, clients, range(CLIENTS)))
    assert heard == [[float(name * ROUNDS + number) for number in range(ROUNDS)] for name in range(CLIENTS)]


def test_control_two_clients_in_one_session_do_cross(served: Serve, far: Connect) -> None:
    first = far(served().port)
    second = far(first.link.settings.address.port, invitation=bytes(first.call("session", "invite")))
    with ThreadPoolExecutor(2) as threads:
        heard = list(threads.map(lambda c, n: kinds(c.ask_many([Put((("x", n),)), Take((Ref("x"),), keep=True)] * 500)), (first, second), (0, 1)))  # fmt: skip
    values = [first.take("x")]
    assert len(heard) == 2 and values[0] in (0, 1)
    first.ask(Put((("mine", 7),)))
    assert second.take("mine") == 7, "a client in the same session sees it: the test above can fail"


# --- 6, 7: identity and limits ---------------------------------------------------------------------------


def test_secure_means_verified(hook: sy.TorchHook, served: Serve, tmp_path: Path) -> None:
    files = make_certificate(tmp_path, ["localhost"])
    other = make_certificate(tmp_path / "other", ["localhost"])
    port = served(cert_path=files.certificate, key_path=files.key).port
    for wrong in ({"secure": True}, {"ca": other.ca}):
        with pytest.raises(AuthenticationError, match="not to be trusted"):
            sy.WebsocketClientWorker(hook, "localhost", port, auto_add=False, **wrong)
    with pytest.raises((AuthenticationError, ConnectionLost)):
        sy.WebsocketClientWorker(hook, "127.0.0.1", port, auto_add=False, ca=files.ca)
    with pytest.raises(ConnectionLost):
        sy.WebsocketClientWorker(hook, "localhost", port, auto_add=False)
    with sy.WebsocketClientWorker(hook, "localhost", port, auto_add=False, ca=files.ca) as bob:
        assert torch.tensor([1]).send(bob).get().tolist() == [1]


def closed_with(client: Bare, timeout: float = 10.0) -> int | None:
    """The code with which the worker closes a connection; None if it is cut."""
    try:
        while True:
            client.receive(timeout)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None


def test_a_message_that_is_too_long_closes_with_1009(bare: Callable[..., Bare], served: Serve, far: Connect) -> None:
    worker = served(limits=WorkerLimits(message_bytes=1 << 16))
    other = far(worker.port)
    client = bare(worker.port)
    client.welcome()
    client.socket.send(parcel(1, bytes((1 << 16) + 1)))
    assert closed_with(client) == 1009
    stranger = bare(worker.port)
    stranger.socket.send(bytes(MAX_FRAME + 1))
    assert closed_with(stranger) == 1009, "before he is let in, too"
    assert other.call("session", "objects_count") == 0


def test_a_silent_client_is_given_up(bare: Callable[..., Bare], served: Serve) -> None:
    client = bare(served(limits=WorkerLimits(keepalive=0.5)).port)
    client.welcome()
    began = time.monotonic()
    assert closed_with(client) is None
    assert time.monotonic() - began < 2 * 0.5 + 2


def test_without_a_token_nobody_is_let_in(bare: Callable[..., Bare], served: Serve, tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens")
    token = tokens.add("ana")
    worker = served(tokens=tokens)
    client = bare(worker.port)
    assert client.answer()[:6] == b"SYFT1\0"
    assert closed_with(client) == 1008
    assert bare(worker.port).answer(token)[:6] == b"SYFT1\1"


# --- 8: a failure is an answer ------------------------------------------------------------------------------


def test_a_failing_op_is_an_answer(stranger: Stranger) -> None:
    with pytest.raises(RuntimeError) as local:
        torch.zeros(2).view(7, 7)
    reply = stranger.run("Tensor.view", Ref("x"), 7, 7, result="out")
    assert (reply.kind, reply.message, reply.op) == ("RuntimeError", str(local.value), "Tensor.view")
    assert stranger.worker.link.connected and is_unharmed(stranger)


def test_every_op_that_fails_leaves_the_connection_alive(stranger: Stranger) -> None:
    client: Far = stranger.worker
    replies = client.ask_many(Command(name, ("text", None, Ref("missing")), {}, "out") for name in sorted(BY_NAME))
    assert all(refused(reply) for reply in replies) and len(replies) > 1000
    assert client.link.connected and is_unharmed(stranger)


# --- 9, 12: what must not be guessed -----------------------------------------------------------------------


def drawn(bare: Callable[..., Bare], port: int) -> list[bytes]:
    """What a worker drew for one client, with every seedable generator set to the same state before."""
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    client = bare(port)
    welcome = client.welcome()
    client.close()
    return [client.challenge.random, welcome.session, welcome.secret]


def test_nothing_of_a_session_depends_on_a_seed(served: Serve, bare: Callable[..., Bare]) -> None:
    port = served().port
    seen = [part for _ in range(20) for part in drawn(bare, port)]
    assert len(set(seen)) == 60 and {len(part) for part in seen} == {16, 32}


def test_control_a_seeded_source_repeats(
    served: Serve, bare: Callable[..., Bare], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = served().port
    monkeypatch.setattr(os, "urandom", lambda count: random.Random(1).randbytes(count))
    assert drawn(bare, port)[0] == drawn(bare, port)[0]


# --- 13: bytes ------------------------------------------------------------------------------------------------


class Meter:
    """Passes one connection on to a port and counts the bytes."""

    def __init__(self, port: int) -> None:
        self.count = {"up": 0, "down": 0}
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._target = port
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with self._listening:
            client, _ = self._listening.accept()
        worker = socket.create_connection(("127.0.0.1", self._target))
        threading.Thread(target=self._pass, args=(worker, client, "down"), daemon=True).start()
        self._pass(client, worker, "up")

    def _pass(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with source:
            try:
                while data := source.recv(1 << 16):
                    self.count[way] += len(data)
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_tensor_takes_its_bytes_on_the_wire(serve: Callable[[str], int], far: Connect, size: int) -> None:
    meter = Meter(serve("bob"))
    client = far(meter.port, host="127.0.0.1")
    before = dict(meter.count)
    client.ask(Put((("x", torch.randn(size)),)))
    assert client.take("x").shape == (size,)
    payload = 4 * size
    for way in ("up", "down"):
        assert payload < meter.count[way] - before[way] < 1.3 * payload
    client.close()
