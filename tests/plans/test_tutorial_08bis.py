"""Tutorial "Part 08 bis": the steps of the notebook, in its order, with the numbers it ends on."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
import torch as th

import syft as sy
from syft.plans.protocol import Protocol
from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "docs" / name for name in ("protocols-draft.md", "protocols.md")]


def test_the_steps_of_the_notebook(
    make_worker: Any, hook: sy.TorchHook, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    hook.local_worker.is_client_worker = False

    @sy.func2plan(args_shape=[(1,)])
    def inc1(x: Any) -> Any:
        return x + 1

    @sy.func2plan(args_shape=[(1,)])
    def inc2(x: Any) -> Any:
        return x + 1

    @sy.func2plan(args_shape=[(1,)])
    def inc3(x: Any) -> Any:
        return x + 1

    # 1. Create and deploy
    protocol = Protocol([("worker1", inc1), ("worker2", inc2), ("worker3", inc3)])
    alice, bob, charlie = (make_worker(name) for name in ("alice", "bob", "charlie"))
    workers = alice, bob, charlie
    protocol.deploy(*workers)

    # 2. Run
    x = th.tensor([1.0])
    with caplog.at_level(logging.INFO, "syft.plans.protocol"):
        ptr = protocol.run(x)
    assert caplog.messages == ["send alice", "move alice  ->  bob", "move bob  ->  charlie"]
    assert re.fullmatch(r"\(Wrapper\)>\[PointerTensor \| me:\d+ -> charlie:\d+\]", str(ptr))
    assert str(ptr.get()) == "tensor([4.])"

    # 3. Dispatch: another worker runs it
    james = make_worker("james")
    protocol.send(james)
    x = th.tensor([1.0]).send(james)
    ptr = protocol.run(x)
    assert re.fullmatch(r"\(Wrapper\)>\[PointerTensor \| me:\d+ -> james:\d+\]", str(ptr))
    ptr = ptr.get()
    assert re.fullmatch(r"\(Wrapper\)>\[PointerTensor \| me:\d+ -> charlie:\d+\]", str(ptr))
    assert str(ptr.get()) == "tensor([4.])"

    # 4. Search
    protocol = Protocol([("worker1", inc1), ("worker2", inc2), ("worker3", inc3)])
    protocol.tag("my_protocol")
    protocol.send(james)
    me = hook.local_worker
    responses = me.request_search(["my_protocol"], location=james)
    assert re.fullmatch(r"\[\[PointerProtocol \| me:\d+ -> james:\d+\]\]", str(responses))
    protocol_back = responses[0].get()
    assert [name for name, _ in protocol_back.plans] == ["worker1", "worker2", "worker3"]
    protocol_back.deploy(alice, bob, charlie)
    assert str(protocol_back.run(th.tensor([1.0])).get()) == "tensor([4.])"
