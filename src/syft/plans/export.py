"""Plans for stock torch, and programs of stock torch as plans."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from syft.exceptions import PlanBuildError
from syft.plans.plan import Plan
from syft.plans.program import Program
from syft.plans.recording import Optimize, Recording, Step
from syft.plans.tree import bind


class PlanModule(nn.Module):
    """A plan as an ordinary module of torch, with the state as its parameters and buffers.

    Args:
        plan: a built plan that computes forward only.

    Raises:
        PlanBuildError: the plan trains: gradients and optimizers are not part of a module.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> plan = sy.Plan("double", forward=lambda x: x + x)
        >>> plan.build(torch.ones(2))
        >>> PlanModule(plan)(torch.ones(3))
        tensor([2., 2., 2.])
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        recording = plan.recording
        _check_forward_only(recording)
        self._program = Program(recording)
        self._names: list[str] = []
        for name, tensor in zip(recording.state_names, plan.state.tensors(), strict=True):
            label = "".join(c if c.isalnum() else "_" for c in name) + f"_{len(self._names)}"
            self._names.append(label)
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(label, tensor)
            else:
                self.register_buffer(label, tensor)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the plan computes."""
        held = {**self._parameters, **self._buffers}
        inputs = bind(self._program.recording, args, kwargs)
        return self._program.run(inputs, [held[name] for name in self._names])


def _check_forward_only(recording: Recording) -> None:
    for number, instruction in enumerate(recording.instructions, 1):
        trains = type(instruction) is Optimize or (
            type(instruction) is Step and any(instruction.op.split(".")[-1] == word for word in ("backward", "grad"))
        )
        if trains or (type(instruction) is Step and ".grad." in instruction.op):
            raise PlanBuildError(
                f"plan {recording.name!r} trains (instruction {number}), and stock torch has no form for that. "
                "Record the forward computation as a plan of its own and export that."
            )


def to_torch_export(plan: Plan, *examples: torch.Tensor, dynamic_batch: bool = True) -> torch.export.ExportedProgram:
    """A plan as a program of ``torch.export``, which ``torch.export.save`` writes and stock torch loads and runs.

    Args:
        plan: a built plan that computes forward only.
        *examples: tensors like those of a call, of at least 2 rows; zeros of the shapes it was built with if left out.
        dynamic_batch: leave the first dimension of all inputs free.

    Returns:
        The program.

    Raises:
        PlanBuildError: the plan trains, or torch cannot export it; the message says why.
    """
    module = PlanModule(plan)
    args = examples or tuple(plan.create_dummy_args())
    shapes = None
    if dynamic_batch and all(a.dim() for a in args):
        batch = torch.export.Dim("batch", min=1)
        # PlanModule.forward takes *args, so there is one entry, for all of them.
        shapes = (tuple({0: batch} for _ in args),)
    try:
        return torch.export.export(module, args, dynamic_shapes=shapes)
    except Exception as error:
        raise PlanBuildError(
            f"torch cannot export plan {plan.name!r}: {str(error).splitlines()[0]} If its sizes must be fixed, "
            "export it with dynamic_batch=False."
        ) from error


def to_torchscript(plan: Plan, *examples: torch.Tensor) -> torch.jit.ScriptModule:
    """A plan as TorchScript, traced. torch calls all of TorchScript deprecated; `to_torch_export` is what stays.

    Args:
        plan: a built plan that computes forward only.
        *examples: tensors like those of a call; zeros of the shapes it was built with if left out.

    Returns:
        The script; sizes that the plan computes from shapes are traced as such.

    Raises:
        PlanBuildError: the plan trains.
    """
    module = PlanModule(plan).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of sizes; trace_module checks the result itself
        traced: torch.jit.ScriptModule = torch.jit.trace(module, examples or tuple(plan.create_dummy_args()))
    return traced


def from_torch_export(program: torch.export.ExportedProgram, *examples: torch.Tensor, name: str = "exported") -> Plan:
    """A plan of a program of ``torch.export``.

    Args:
        program: as ``torch.export.export`` or ``torch.export.load`` gives it.
        *examples: inputs to record it with; those it was exported with if left out.
        name: of the plan.

    Returns:
        A built plan with the program's parameters and buffers as its state.

    Raises:
        PlanBuildError: the program has an operator without a counterpart in torch's own interface.
    """
    args, kwargs = program.example_inputs or ((), {})
    if examples:
        args, kwargs = examples, {}
    module = program.module(check_guards=False) if _takes_guards() else program.module()
    # Not by calling the module: its check of sizes is torch's own, and a plan notes conditions by itself.
    plan = Plan(name, forward=module.forward, state=module)
    plan.build(*args, **kwargs)
    return plan.copy()


def _takes_guards() -> bool:
    return "check_guards" in torch.export.ExportedProgram.module.__code__.co_varnames
