"""A client may send any step with any operands: what comes back is an error, and the worker goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import syft.exceptions
from syft.core.ids import new_id
from syft.core.messages import Command, Failure, Ref, Shown, Take
from syft.encoded.bilinear import PRODUCTS, largest
from syft.encoded.moves import MOVES
from syft.exceptions import (
    GetNotPermittedError,
    LimitExceededError,
    ProtocolStepError,
    SyftError,
    UsageError,
)
from syft.mpc import service
from syft.mpc.protocols import multiply
from syft.serde import decode, encode
from tests.mpc.hostile_steps import Client
from tests.mpc.parties import Parties, new_parties
from tests.security.stranger import hide

PROGRAM = Path(__file__).with_name("hostile_steps.py")
ORDINARY = {
    "AttributeError", "IndexError", "KeyError", "NotImplementedError", "OverflowError", "RuntimeError", "TypeError",
    "UnicodeEncodeError", "ValueError", "ZeroDivisionError",
}  # fmt: skip
"""Not among them: MemoryError, SystemError, RecursionError."""


@pytest.fixture
def group(hook: Any) -> Parties:
    """Parties with a small limit for results, as a served worker has one."""
    fresh = new_parties(2)
    for party in fresh.everybody:
        party._executor.policy = replace(party._executor.policy, result_bytes=1 << 20)
    return fresh


def send(worker: Any, op: str, *args: Any, **kwargs: Any) -> Any:
    """Send a worker a command."""
    return worker.request(Command(op, args, kwargs or None, new_id(), False))


def attack(seed: int, times: int) -> None:
    """Run the program of senseless steps, and hold what it saw to the limits."""
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, str(PROGRAM), str(seed), str(times)], capture_output=True, text=True, timeout=50, cwd=root,
        env={"PYTHONPATH": f"{root / 'src'}:{root}", "OMP_NUM_THREADS": "1", "PATH": ""},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    seen = json.loads(finished.stdout)
    strange = {
        kind for kind in seen["answers"].keys() - ORDINARY - {"ok"}
        if not issubclass(vars(syft.exceptions).get(kind, object), SyftError)
    }  # fmt: skip
    assert not strange, "only our errors and ordinary ones"
    assert seen["longest"][0] < 3, seen["longest"][1]
    assert seen["hungriest"][0] < 64, seen["hungriest"][1]
    assert seen["right"], "and afterwards the workers compute as before"
    assert seen["untried"] == [], "a new kernel is attacked, too: compute with it in the program"
    assert sum(seen["answers"].values()) > 3 * times


def test_senseless_steps_are_answered_with_errors() -> None:
    """No crash, no hang, no memory beyond the limit of the worker."""
    attack(1, 100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_more_senseless_steps_are_answered_with_errors(seed: int) -> None:
    """Other ones."""
    attack(seed, 1000)


def test_a_correction_has_the_length_of_what_it_corrects(group: Parties) -> None:
    """A shorter one would be repeated, silently."""
    x = group.shared([1, 2, 3])
    multiply("mul", (), x, x)
    name, last = x.group.name, group.holders[-1]
    wrong = [
        None,
        5,
        torch.zeros(1, dtype=torch.uint8),
        torch.zeros(25, dtype=torch.uint8),
        torch.zeros(24),
        torch.zeros(3, dtype=torch.int64),
    ]
    for correction in wrong:
        with pytest.raises(ProtocolStepError, match="correction of 24 bytes"):
            send(last, "mpc.zeros", name, x.group.number(), (3,), correction)
    assert send(last, "mpc.zeros", name, x.group.number(), (3,), torch.zeros(24, dtype=torch.uint8)) is None


@pytest.mark.parametrize("number", [-1, 2**64, 1.0, True, None, "1", (1,)])
def test_strips_have_natural_numbers(group: Parties, number: Any) -> None:
    """Anything else would be told apart from a number that it is equal to."""
    x = group.shared([1])
    share = next(iter(x.shares.values())).ref
    for worker, op, last in ((group.holders[0], "mpc.mask", share), (group.provider, "mpc.deal_mask", (1,))):
        with pytest.raises(ProtocolStepError, match="no strip"):
            send(worker, op, x.group.name, number, last)


def test_groups_that_are_gone_are_refused(group: Parties) -> None:
    """With the advice to share again."""
    x = group.shared([1, 2])
    multiply("mul", (), x, x)
    share = next(iter(x.shares.values())).ref
    group.holders[0].ask("mpc", "leave", x.group.name)
    group.provider.ask("mpc", "leave", x.group.name)
    with pytest.raises(ProtocolStepError, match="no holder of this group any more.*Share the values again"):
        send(group.holders[0], "mpc.mask", x.group.name, 9, share)
    with pytest.raises(ProtocolStepError, match="no provider of this group any more"):
        send(group.provider, "mpc.deal_mask", x.group.name, 9, (2,))


def test_the_provider_deals_from_masks_of_the_group_only(group: Parties) -> None:
    """A client with a group of its own, all of whose holders it plays, would read what is dealt there."""
    x = group.shared([1, 2])
    multiply("mul", (), x, x)
    masks = x.wire.masks.ref  # type: ignore[union-attr]
    group.provider._objects["owned"] = torch.tensor([3, 4])
    mine = new_parties(2)
    mine.provider = group.provider
    own = mine.shared([1, 2])
    multiply("mul", (), own, own)
    known = own.wire.masks.ref  # type: ignore[union-attr]
    for theirs in (masks, Ref("owned"), torch.tensor([1, 2]), (torch.tensor([1, 2]),)):
        for op, args in (
            ("mpc.deal_product", ("mul", (), theirs, known)),
            ("mpc.deal_product", ("mul", (), known, theirs)),
            ("mpc.deal_truncate", (theirs, 8)),
            ("mpc.deal_compare", (theirs, "order", 64, False)),
            ("mpc.deal_compare_fss", (theirs, "order", 64, True)),
        ):
            with pytest.raises(ProtocolStepError, match="kept for the same group"):
                send(group.provider, op, own.group.name, own.group.number(), *args)
        with pytest.raises(ProtocolStepError, match="kept for the same group"):
            send(group.provider, "mpc.deal_arranged", own.group.name, theirs, "t", ())


@pytest.mark.parametrize("wire", [False, True])
def test_private_tensors_are_not_shown_under_masks_that_the_client_knows(group: Parties, wire: bool) -> None:
    """Whether they come by position or by name."""
    secret = torch.tensor([5, 6, 7]).private_tensor(allowed_users=("owner",))
    pointer = secret.send(group.holders[0], user="owner")
    group.holders[0].wire = wire
    x = group.shared([1, 2, 3])
    ref = Ref(pointer.id_at_location)
    with pytest.raises(GetNotPermittedError):
        send(group.holders[0], "mpc.mask", x.group.name, x.group.number(), ref)
    with pytest.raises(GetNotPermittedError):
        send(group.holders[0], "mpc.mask", x.group.name, x.group.number(), share=ref)


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("mpc.zeros", ((2**40,), None)),
        ("mpc.zeros", ((2**20, 2**20), None)),
        ("mpc.linear", ("mul", (), torch.ones(2**10, 1).long(), torch.ones(2**10).long())),
        ("mpc.linear", ("matmul", (), torch.ones(2**10, 1).long(), torch.ones(1, 2**10).long())),
        ("mpc.move", ("expand", torch.ones(1).long(), ([2**40],))),
        ("mpc.move", ("repeat", torch.ones(1).long(), ([2**40],))),
        ("mpc.move", ("constant_pad_nd", torch.ones(1).long(), ([2**40, 0],))),
        ("mpc.move", ("select_backward", torch.ones(1).long(), ([2**40], 0, 0))),
        ("mpc.move", ("slice_backward", torch.ones(1).long(), ([2**40], 0, 0, 1, 1))),
        ("mpc.move", ("diag_embed", torch.ones(1).long(), (2**20,))),
        ("mpc.move", ("unfold_backward", torch.ones(1, 1).long(), ([2**40], 0, 1, 2**40))),
        ("mpc.linear", ("conv", ((10**6,) * 2, (10**6,) * 2, (1, 1), 1), torch.ones(1, 1, 2, 2).long(), torch.ones(1, 1, 2, 2).long())),
        ("mpc.linear", ("conv_input", ((1, 1), (10**6,) * 2, (1, 1), 1, (3, 3)), torch.ones(1, 1, 2, 2).long(), torch.ones(1, 1, 2, 2).long())),
        ("mpc.linear", ("conv_input", ((1, 1), (0, 0), (1, 1), 1, (10**6,) * 2), torch.ones(1, 1, 2, 2).long(), torch.ones(1, 1, 2, 2).long())),
    ],
)  # fmt: skip
def test_steps_that_would_take_too_much_memory_are_refused_before_they_begin(
    group: Parties, op: str, args: Any
) -> None:
    """What is on the way to a small result counts, too."""
    x = group.shared([1])
    strip = (x.group.name, x.group.number()) if op == "mpc.zeros" else ()
    with pytest.raises(LimitExceededError, match="this step would take"):
        send(group.holders[0], op, *strip, *args)


def test_the_provider_refuses_sizes_as_well(group: Parties) -> None:
    """Before it makes anything of them."""
    x = group.shared([1])
    for op in ("mpc.deal_mask", "mpc.deal_zeros"):
        for shape in ((2**40,), (2**20, 2**20)):
            with pytest.raises(LimitExceededError, match="this step would take"):
                send(group.provider, op, x.group.name, x.group.number(), shape)


def test_the_largest_tensor_of_a_product_is_known_beforehand() -> None:
    """It bounds what torch allocates for the result and on the way to it."""
    assert largest("mul", (), torch.Size([3, 1]), torch.Size([4])) == 12
    spec = ((2, 2), (3, 3), (1, 1), 1)
    x, w = torch.Size([2, 3, 5, 5]), torch.Size([4, 3, 2, 2])
    assert largest("conv", spec, x, w) == 2 * 3 * 11 * 11  # padded
    assert largest("conv", ((1, 1), (0, 0), (1, 1), 1), x, w) == 2 * 4 * 4 * 3 * 2 * 2  # its patches
    assert largest("conv_weight", (*spec, (2, 2)), x, torch.Size([2, 4, 5, 5])) == 2 * 3 * 11 * 11
    assert largest("conv_input", (*spec, (5, 5)), torch.Size([2, 4, 5, 5]), w) == 2 * 3 * 11 * 11


def test_operands_of_other_kinds_are_refused_with_a_sentence(group: Parties) -> None:
    """Where nothing else would say what is wrong."""
    x = group.shared([1, 2])
    name, holder = x.group.name, group.holders[0]
    with pytest.raises(ProtocolStepError, match="int64"):
        send(holder, "mpc.mask", name, 0, torch.tensor([1.5]))
    with pytest.raises(ProtocolStepError, match="moves no elements"):
        send(holder, "mpc.move", "set_", torch.tensor([1]), ())
    with pytest.raises(ProtocolStepError, match="no product"):
        send(holder, "mpc.linear", "einsum", (), torch.tensor([1]), torch.tensor([1]))
    operand = (torch.tensor([1]), torch.tensor([1]), (None,) * 1000)
    with pytest.raises(ProtocolStepError, match="2 masks at most"):
        send(holder, "mpc.product", name, 1, "mul", (), operand, operand, None)
    parts = (torch.tensor([1]), torch.ones(1000, 1).long(), (None,))
    for left, right in (
        (parts, parts),
        (parts, (parts[0], parts[0], (None,))),
        ((parts[0], parts[0], (parts[1],)), parts),
    ):
        with pytest.raises(ProtocolStepError, match="one shape"):
            send(holder, "mpc.product", name, 1, "mul", (), left, right, None)
    with pytest.raises(ProtocolStepError, match="one shape"):
        send(holder, "mpc.truncate", name, 1, torch.ones(1000, 1).long(), torch.ones(1000).long(), None)
    with pytest.raises(UsageError, match="fewer fractional digits"):
        send(holder, "mpc.fix_precision", torch.ones(1), {"precision_fractional": 2**62})
    assert not {"set_", "as_strided"} & MOVES.keys() and "einsum" not in PRODUCTS


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("lead", ("x" * 65,)), ("lead", (5,)), ("join", ("g", 2, 2, bytes(32))), ("join", ("g", -1, 2, bytes(32))),
        ("join", ("g", 0, 10**9, bytes(32))), ("join", ("g", True, 2, bytes(32))), ("meet", ("g", [])),
        ("meet", ("g", [bytes(32)] * 1000)), ("meet", ("never led", [bytes(32)] * 2)),
    ],
)  # fmt: skip
def test_groups_that_make_no_sense_are_refused(group: Parties, method: str, args: Any) -> None:
    """By the service itself."""
    with pytest.raises(ProtocolStepError):
        group.provider.ask("mpc", method, *args)


def test_keys_that_anybody_could_know_are_refused(group: Parties) -> None:
    """A public key of small order would make the same secret with every other key."""
    with pytest.raises(ValueError, match="shared key"):
        group.holders[0].ask("mpc", "join", "g", 0, 2, bytes(32))
    assert group.groups() == 0


def test_a_worker_is_in_so_many_groups_at_most(group: Parties) -> None:
    """Keys take memory; those that nobody uses, too."""
    most = service._MOST_GROUPS
    for i in range(most):
        group.provider.ask("mpc", "lead", f"group {i}")
    with pytest.raises(LimitExceededError, match="groups of holders already"):
        group.provider.ask("mpc", "lead", "one more")
    for i in range(most):
        group.provider.ask("mpc", "leave", f"group {i}")
    x = group.shared([3])
    assert multiply("mul", (), x, x).get().item() == 9


def with_private(value: Any, worker: Any, found: list[Any]) -> list[Any]:
    """All that comes of an operand when one of the tensors in it, also behind a reference, is made private."""
    if type(value) in (tuple, list):
        return [
            type(value)((*value[:i], other, *value[i + 1 :]))
            for i, part in enumerate(value)
            for other in with_private(part, worker, found)
        ]
    tensor = worker._objects.get(value.id) if type(value) is Ref else value
    if type(tensor) is not torch.Tensor:
        return []
    name = f"private {new_id()}"
    hide(worker, name, tensor.clone())
    found.append(name)
    return [Ref(name)]


def test_no_step_gives_away_what_is_private(hook: Any) -> None:
    """Every tensor of every step in turn: an error comes back, or what is kept is private as well."""
    client, tried = Client(1), 0
    client.learn()
    for worker, command in client.valid:
        for args in with_private(command.args, worker, []):
            if args[0] == client.group.name and command.op != "mpc.deal_arranged":
                args = (args[0], client.group.number(), *args[2:])
            result = new_id()
            reply = decode(worker.recv_msg(encode(Command(command.op, args, None, result, False))), None)
            tried += 1
            assert not isinstance(reply, Shown), command.op
            if not isinstance(reply, Failure) and result in worker._objects:
                taken = decode(worker.recv_msg(encode(Take((Ref(result),), keep=True))), None)
                assert isinstance(taken, Failure), command.op
    assert tried > 100
