"""The seeds' programs for the hook, pointers, gradients and the four points, run as they are written."""

from __future__ import annotations

import re

import pytest
import torch
from torch import optim

from .conftest import ProgramRun, ProgramRunner
from .four_points import LABELS, POINTS, Training, seeded_model, squared_error, train_locally

pytestmark = pytest.mark.timeout(180)

POINTER = r"\(Wrapper\)>\[PointerTensor \| me:(\d+) -> {}:(\d+)\]"
BOB, KONG = POINTER.format("bob"), POINTER.format("kong")
TENSOR_LINE = re.compile(r"^tensor\(([-\d.e]+)\)$")
PARAMETER_LINE = re.compile(r"^(weight|bias) \t tensor\(([-\[\]\d., e]+)\)$")


def match_lines(run: ProgramRun, *patterns: str) -> list[re.Match[str]]:
    """Match the whole output against one pattern a line."""
    assert len(run.lines) == len(patterns), run.text
    matches = [re.fullmatch(pattern, line) for pattern, line in zip(patterns, run.lines, strict=True)]
    assert None not in matches, run.text
    return [match for match in matches if match is not None]


def mode(wire: bool) -> list[str]:
    """The launcher's option for workers that serialise."""
    return ["--wire"] if wire else []


def printed_losses(run: ProgramRun) -> list[float]:
    """The lines that are one number."""
    return [float(match[1]) for line in run.lines if (match := TENSOR_LINE.match(line))]


def printed_parameters(run: ProgramRun) -> list[float]:
    """The numbers of the state dict's lines, the weights first."""
    found = [match for line in run.lines if (match := PARAMETER_LINE.match(line))]
    assert [match[1] for match in found] == ["weight", "bias"]
    return [float(number) for match in found for number in re.findall(r"-?\d[\d.e-]*", match[2])]


def test_version(run_program: ProgramRunner) -> None:
    run = run_program("version", show=("sy.__version__",))
    assert run.lines == [run.shown["sy.__version__"]]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", run.lines[0])


def test_pointers(run_program: ProgramRunner, wire: bool) -> None:
    show = ("x", "z", "x.grad.clone().get()", "isinstance(bob._objects, dict)")
    run = run_program("pointers", *mode(wire), show=show)
    stored, added, _, fetched, total, backward, gradient = match_lines(
        run,
        r"bob\._objects =  \{(\d+): tensor\(\[1, 2, 3, 4, 5\]\), (\d+): tensor\(\[1, 1, 1, 1, 1\]\)\} after send",
        rf"z =  {BOB}",
        BOB,
        r"tensor\(\[2, 3, 4, 5, 6\]\)",
        BOB,
        BOB,
        rf"{BOB}::grad",
    )
    assert stored[1] != stored[2]
    assert added[2] not in stored.groups()
    assert run.shown["z"] == total[0]
    assert backward[0] != total[0]
    assert run.shown["x"] + "::grad" == gradient[0]
    assert run.shown["x.grad.clone().get()"] == "tensor([2., 2., 2., 2., 2.])"
    assert run.shown["isinstance(bob._objects, dict)"] == "True"
    assert fetched


def test_basics(run_program: ProgramRunner, wire: bool) -> None:
    run = run_program("basics", *mode(wire), show=("kong", "c.get()", "kong._objects", "data.requires_grad"))
    pointer, held, _, empty, _ = match_lines(
        run,
        KONG,
        r"\{(\d+): tensor\(\[0, 1, 2, 1, 2\]\)\}",
        r"tensor\(\[0, 1, 2, 1, 2\]\)",
        r"\{\}",
        KONG,
    )
    assert pointer[2] == held[1]
    assert empty
    assert run.shown["kong"] == "<VirtualWorker id:kong #objects:3>"
    assert run.shown["c.get()"] == "tensor([9.2800, 9.5600])"
    assert re.fullmatch(
        r"\{\d+: tensor\(\[3.1400, 6.2800\]\), \d+: tensor\(\[6.1400, 3.2800\]\)\}", run.shown["kong._objects"]
    )


def test_gradients(run_program: ProgramRunner, wire: bool) -> None:
    run = run_program("gradients", *mode(wire), show=("train.is_leaf", "type(train)"))
    assert run.lines == ["tensor([2.4000, 6.2000], requires_grad=True)", "tensor([1., 1.])"]
    assert run.shown == {"train.is_leaf": "True", "type(train)": "<class 'torch.Tensor'>"}


def central_training() -> Training:
    """The centralised loop of the seeds, from the weights of seed 0."""
    model = seeded_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = squared_error(model, POINTS, LABELS)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return Training(losses, model)


@pytest.mark.parametrize("hooked", [False, True], ids=["stock", "hooked"])
def test_four_points_central(run_program: ProgramRunner, hooked: bool) -> None:
    options = ["--seed", "0", "--precision", "8", *(["--hook"] if hooked else [])]
    run = run_program("four_points_central", *options, answers="c\nc\n")
    expected = central_training()
    assert printed_losses(run) == pytest.approx(expected.losses, abs=1e-6)
    assert len(expected.losses) == 20
    assert printed_parameters(run) == pytest.approx(expected.parameters(), abs=1e-6)


def test_four_points_federated(run_program: ProgramRunner, wire: bool) -> None:
    show = ("bob", "alice", "type(model.weight)", "model.weight.grad.shape")
    run = run_program("four_points_federated", *mode(wire), "--seed", "0", "--precision", "8", show=show)
    alice = POINTER.format("alice")
    assert re.fullmatch(rf"\[\({BOB}, {BOB}\), \({alice}, {alice}\)\]", run.lines[0])

    model = seeded_model()
    two_adams = [optim.Adam(model.parameters(), lr=0.1) for _ in range(2)]
    expected = train_locally(model, two_adams, passes=20)
    assert len(run.lines) == 1 + 40 + 2
    assert printed_losses(run) == pytest.approx(expected.losses, abs=1e-6)
    assert printed_parameters(run) == pytest.approx(expected.parameters(), abs=1e-6)

    # Two data tensors and the four moments of that worker's Adam stay behind.
    assert run.shown["bob"] == "<VirtualWorker id:bob #objects:6>"
    assert run.shown["alice"] == "<VirtualWorker id:alice #objects:6>"
    assert run.shown["type(model.weight)"] == str(torch.nn.Parameter)
    assert run.shown["model.weight.grad.shape"] == "torch.Size([1, 2])"
