"""`Recorder`: a location that runs what it is sent on examples and writes it down. That is all that tracing is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from syft.core import messages as m
from syft.core.ids import new_id
from syft.core.ops import BY_FUNC, BY_NAME, op_named
from syft.core.session import SESSION
from syft.encoded.tensor import EncodedTensor
from syft.exceptions import PlanBuildError
from syft.plans.dimensions import CONTAINERS, Dimension, map_parts
from syft.plans.optimizers import options_of, stock_optimizer
from syft.plans.recording import PLAIN, Optimize, Pattern, Step
from syft.plans.watched import Watched
from syft.tensors.base import WrappedParameter, Wrapper, is_wrapper, link_of, unwrap, wrap
from syft.tensors.in_place import become_local, become_wrapper
from syft.tensors.pointer import PointerTensor, pointer_to
from syft.tensors.verbs import description_of
from syft.workers.executor import Executor
from syft.workers.policy import Policy
from syft.workers.store import ObjectStore

# What an op may tell without telling values: no op makes tensors of these kinds out of ordinary ones.
_METADATA = frozenset({"is_quantized", "is_mkldnn", "is_nested", "is_inference", "is_conj", "is_neg"})
_FACTORIES = frozenset(
    "zeros ones empty full rand randn randint randperm arange range linspace logspace eye normal complex polar "
    "tril_indices triu_indices bartlett_window blackman_window hamming_window hann_window kaiser_window "
    "empty_strided empty_permuted fftfreq rfftfreq fft_fftfreq fft_rfftfreq".split()
)
_FROM_DATA = (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy, torch.scalar_tensor)
_PlainTorch = torch._C.DisableTorchFunction
# Operators of exported programs that torch's interface spells otherwise.
_BY_OPERATOR: dict[str, Callable[..., Any]] = {
    "sym_size": lambda tensor, axis: tensor.shape[axis],
    "lift_fresh_copy": torch.clone,
    "_assert_tensor_metadata": lambda *args, **kwargs: None,
}
_NOT_IN_A_PLAN = {
    m.Take: "fetches a tensor (.get()); return it instead",
    m.Put: "sends a tensor (.send()); a protocol moves tensors between workers",
    m.Relay: "moves a tensor to another worker; a protocol does that",
    m.Fetch: "fetches a tensor to where a pointer is (.remote_get())",
    m.Call: "calls a remote object",
    m.Search: "searches a worker",
}


class Recorder:
    """Where the tensors of a function are while it is recorded.

    Args:
        name: of the function, for errors.

    Attributes:
        instructions: what was done, with object ids in the references.
        state: names of the adopted tensors by id.
        adopted: the tensors themselves, in that order.
        inputs: ids of the inputs.
        constants: tensors made of plain values, by id.
    """

    def __init__(self, name: str) -> None:
        self.id = f"plan {name}"
        self.name = name
        self.client = SESSION.local_worker
        self.gradients: dict[Any, Any] = {}
        self.instructions: list[Any] = []
        self.state: dict[m.ObjectId, str] = {}
        self.inputs: list[m.ObjectId] = []
        self.constants: dict[m.ObjectId, torch.Tensor] = {}
        self.adopted: list[torch.Tensor] = []
        self._store = ObjectStore(self)
        self._executor = Executor(self._store, Policy(torchscript=False), self._peer, self)
        self._restore: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._optimizers: dict[Any, tuple[int, torch.optim.Optimizer]] = {}
        self._options: list[tuple[torch.optim.Optimizer, list[dict[str, Any]]]] = []

    # --- what comes in ------------------------------------------------------------------------------

    def adopt(self, tensor: torch.Tensor, name: str) -> None:
        """Make a local tensor part of the state: until `release` this very object stands for it.

        Args:
            tensor: a parameter, a buffer or another local tensor; one that was adopted already is left alone.
            name: what it is called.

        Raises:
            PlanBuildError: it is on a worker.
        """
        if is_wrapper(tensor):
            if getattr(link_of(tensor), "location", None) is self:
                return
            raise PlanBuildError(
                f"plan {self.name!r} has state ({name}) that is not here but in {link_of(tensor)}; "
                "fetch or decode it first, build the plan, and send or share the plan."
            )
        value = tensor.detach()
        if tensor.is_leaf and tensor.requires_grad:
            value.requires_grad_()
            value.grad = tensor.grad
        example = value.detach().clone().requires_grad_(value.requires_grad)
        if value.requires_grad:
            # A later run may find gradients of the one before: a function that clears them must be recorded doing it.
            example.grad = torch.zeros_like(example)
        id = self._keep(example)
        self.state[id] = name
        pointer = self._pointer(id)
        pointer.gc = False
        become_wrapper(tensor, pointer)
        self._restore.append((tensor, value))
        self.adopted.append(tensor)

    def input(self, example: torch.Tensor) -> Wrapper:
        """The stand-in for a tensor that each run brings.

        Raises:
            PlanBuildError: the example is on a worker.
        """
        if isinstance(example, EncodedTensor):  # a recording is of ops on numbers, in whatever form these come
            example = torch.zeros(example.shape, dtype=example.dtype)
        if is_wrapper(example):
            raise PlanBuildError(
                f"plan {self.name!r} is built from examples that are here, and one is {link_of(example)}; "
                "give it a local tensor of the same shape, such as torch.zeros(...)."
            )
        copy = example.detach().clone()
        if example.is_leaf and example.requires_grad:
            copy.requires_grad_()
        id = self._keep(copy)
        self.inputs.append(id)
        pointer = self._pointer(id)
        pointer.gc = False
        return wrap(pointer)

    def constant(self, value: torch.Tensor) -> Wrapper:
        """The stand-in for a tensor that was made of plain values."""
        id = self._keep(value)
        self.constants[id] = value.detach().clone()
        return wrap(self._pointer(id))

    def check_options(self) -> None:
        """Refuse a function that changed the options of an optimizer, and set them back.

        Raises:
            PlanBuildError: it did, for example with a schedule of learning rates.
        """
        changed = []
        for optimizer, groups in self._options:
            for group, before in zip(optimizer.param_groups, groups, strict=True):
                changed += [name for name, value in before.items() if name != "params" and group[name] != value]
                group.update(before)
        if changed:
            raise PlanBuildError(
                f"plan {self.name!r} cannot be recorded: the function changes {', '.join(sorted(set(changed)))} of its "
                "optimizer, which a recording has as a number. Change it between runs, and build the plan again."
            )

    def release(self) -> None:
        """Give every adopted tensor its values back."""
        while self._restore:
            become_local(*self._restore.pop())

    def _keep(self, tensor: torch.Tensor) -> m.ObjectId:
        id = new_id()
        self._store.put(id, tensor)
        return id

    def _pointer(self, id: m.ObjectId) -> PointerTensor:
        return pointer_to(self, id, self.client)

    # --- a location ---------------------------------------------------------------------------------

    def request(self, message: Any) -> Any:
        """Run a message on the examples, write it down and answer.

        Raises:
            PlanBuildError: it cannot be part of a plan.
        """
        if type(message) is m.Command:
            return self._command(message)
        if type(message) is m.Describe:
            return self._describe(message.ref)
        if type(message) is m.IsNone:
            return self._executor.handle(message)
        if type(message) is m.Tag:
            return None
        what = _NOT_IN_A_PLAN.get(type(message), f"sends a message that cannot be repeated ({type(message).__name__})")
        raise PlanBuildError(f"plan {self.name!r} cannot be recorded: the function {what}.")

    post = request

    def forget(self, id: m.ObjectId) -> None:
        """The last pointer died: the example is not needed any more."""
        self._store.discard((id,))

    def _command(self, message: m.Command) -> Any:
        op = op_named(message.op)
        concrete = m.Command(
            message.op,
            tuple(_concrete(a) for a in message.args),
            {k: _concrete(v) for k, v in message.kwargs.items()},
            message.result,
            message.grad_enabled,
        )
        with _PlainTorch():
            reply = self._executor.handle(concrete)
        if op.key in _METADATA:
            return reply
        if message.result is not None and reply is None:
            pattern: Pattern = message.result
        else:
            pattern = self._pattern(reply, message.op)
        args = tuple(self._symbolic(a) for a in message.args)
        kwargs = {k: self._symbolic(v) for k, v in message.kwargs.items()}
        self.instructions.append(Step(message.op, args, kwargs, pattern, message.grad_enabled))
        return reply

    def _pattern(self, reply: Any, op: str) -> Pattern:
        if reply is None:
            return None
        if type(reply) is m.Stored:
            return reply.id
        if type(reply) is m.Named:
            reply = reply.results
        if type(reply) in (list, tuple):
            return tuple(self._pattern(r, op) for r in reply)
        raise PlanBuildError(
            f"plan {self.name!r} cannot be recorded: the function asks for a value of a tensor ({op}), and while it is "
            "recorded no tensor has its values. Python's if, while, bool(), float() and int() cannot decide by tensors "
            "in a plan: use torch.where, masks or clamp, or pass the decision in as an argument."
        )

    def _describe(self, ref: m.Ref) -> m.Description | None:
        obj = self._executor._value(ref)
        if obj is None:
            return None
        info = description_of(obj)
        if ref.id in self.state:  # what it is like never changes
            return info
        note: Callable[[Any], None] = self.instructions.append
        answer: Any = Watched(info, ref, note)
        return answer

    def _symbolic(self, value: Any) -> Any:
        if isinstance(value, Dimension):
            return value.expression
        if type(value) in CONTAINERS:  # a torch.Size cannot hold expressions
            return map_parts(tuple(value) if type(value) is torch.Size else value, self._symbolic)
        if isinstance(value, torch.Tensor):  # a number in all but name travels with the command
            id = self._keep(value)
            self.constants[id] = value.detach().clone()
            return m.Ref(id)
        if not isinstance(value, (*PLAIN, m.Ref)):
            raise PlanBuildError(
                f"plan {self.name!r} cannot be recorded: the function passes a {type(value).__name__} to an op, which "
                "cannot travel with the plan."
            )
        return value

    def _peer(self, id: m.ObjectId) -> Any:
        raise PlanBuildError(f"plan {self.name!r} cannot be recorded: it speaks of the worker {id!r}.")

    # --- optimizers ---------------------------------------------------------------------------------

    def optimize(self, optimizer: torch.optim.Optimizer) -> None:
        """Write down a step of a torch optimizer and keep it from stepping here.

        Args:
            optimizer: about to step; its parameters are state of this recording.

        Raises:
            PlanBuildError: a worker cannot make an optimizer like this one.
        """
        if id(optimizer) not in self._optimizers:
            self._options.append((optimizer, [dict(group) for group in optimizer.param_groups]))
        groups = []
        for group in optimizer.param_groups:
            ids = [link_of(p).id_at_location for p in group["params"] if is_wrapper(p)]
            if len(ids) != len(group["params"]) or not set(ids) <= self.state.keys():
                raise PlanBuildError(
                    f"plan {self.name!r} cannot be recorded: its optimizer also has parameters that are not its state."
                )
            groups.append((tuple(ids), options_of(optimizer, group)))
        self._optimize(id(optimizer), type(optimizer).__name__, groups)
        # torch's optimizers leave parameters without gradients alone.
        known = {(id, ()): None for ids, _ in groups for id in ids}
        self.gradients.update(known)

        def afterwards(*_: Any) -> None:
            handle.remove()
            self.gradients.clear()

        handle = optimizer.register_step_post_hook(afterwards)

    def replay(self, plan: m.ObjectId, step: Optimize, tensors: list[Any]) -> None:
        """Write down a step of an optimizer in the recording of another plan.

        Args:
            plan: the id of that plan.
            step: the instruction there.
            tensors: what is in the slots of that run.
        """
        groups = [(tuple(link_of(tensors[s]).id_at_location for s in slots), options) for slots, options in step.groups]
        self._optimize((plan, step.optimizer), step.kind, groups)
        self.gradients.clear()

    def _optimize(self, key: Any, kind: str, groups: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        with _PlainTorch():
            if key not in self._optimizers:
                tensors = [([self._store.get(id) for id in ids], options) for ids, options in groups]
                self._optimizers[key] = len(self._optimizers), stock_optimizer(kind, tensors)
            number, twin = self._optimizers[key]
            twin.step()
        self.instructions.append(Optimize(number, kind, tuple(groups)))


class RecordFactories(TorchFunctionMode):
    """Lets a recorder see what makes tensors out of nothing, such as ``torch.zeros`` and ``torch.randn``.

    Args:
        recorder: who writes it down.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        is_operator = isinstance(func, torch._ops.OpOverload)
        if any(kind in (Wrapper, WrappedParameter) for kind in types):
            return (_in_python(func) if is_operator else func)(*args, **kwargs)
        if func in _FROM_DATA:
            return self._from_data(func, args, kwargs)
        op = BY_NAME.get(f"torch.{func._schema.name.removeprefix('aten::')}") if is_operator else BY_FUNC.get(func)
        if op is None or op.key.rsplit(".", 1)[-1] not in _FACTORIES:
            return func(*args, **kwargs)
        result = new_id()
        self.recorder.post(m.Command(op.name, unwrap(args), unwrap(kwargs), result, torch.is_grad_enabled()))
        return wrap(pointer_to(self.recorder, result, self.recorder.client))

    def _from_data(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        data: Any = args[0] if args else None
        if isinstance(data, Dimension):
            return self.__torch_function__(torch.full, (), ((), data), {"dtype": torch.int64, **kwargs})
        if type(data) in (list, tuple) and any(isinstance(part, Dimension) for part in data):
            return torch.stack([self._from_data(func, (part, *args[1:]), kwargs) for part in data])
        return self.recorder.constant(func(*args, **kwargs))


def _in_python(overload: Any) -> Callable[..., Any]:
    """The function of torch's interface that takes the arguments of an operator, as exported programs call it."""
    name = overload._schema.name.removeprefix("aten::")
    if name in _BY_OPERATOR:
        return _BY_OPERATOR[name]
    for spelling in (f"torch.{name}", f"torch._C._nn.{name}", f"torch.nn.functional.{name}", f"Tensor.{name}"):
        if (op := BY_NAME.get(spelling)) is not None:
            return op.fn
    raise PlanBuildError(f"{overload} has no counterpart in torch's own interface, so no plan can hold it.")


def recorder_of(value: Any) -> Recorder | None:
    """The recorder that the tensors of a call are in, if they are being recorded.

    Args:
        value: arguments, however nested.
    """
    kind = type(value)
    if kind is list or kind is tuple:
        for part in value:
            if (found := recorder_of(part)) is not None:
                return found
    elif kind is dict:
        return recorder_of(list(value.values()))
    elif is_wrapper(value):
        location = getattr(value.__dict__.get("child"), "location", None)
        return location if isinstance(location, Recorder) else None
    return None


def _concrete(value: Any) -> Any:
    if isinstance(value, Dimension):
        return value.value
    return map_parts(value, _concrete)
