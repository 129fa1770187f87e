"""``provider.prepare(...)`` and ``provider.crypto_store``: correlated randomness before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from syft.encoded.tensor import EncodedTensor, number_of, tensor_of
from syft.exceptions import UsageError
from syft.mpc.group import PREPARED, STORE, Group
from syft.mpc.prepared import Script
from syft.mpc.shared import AdditiveSharingTensor
from syft.mpc.sharing import share, shared_under


def prepare(self: Any, function: Callable[..., Any], *inputs: Any, n_instances: int = 1) -> int:
    """Have this crypto provider make what a computation needs, for later runs of it.

    The computation runs twice on the inputs, the first time for what happens once, such as opening weights under
    masks; what it asks for in the second run is dealt again for each run to come. A later run on inputs of the same
    shapes then takes no time of the provider. What was not prepared is made when it is needed.

    Args:
        function: a module or a function of shared tensors.
        *inputs: shared tensors like those to come, and other arguments.
        n_instances: for how many runs.

    Returns:
        How many runs there is material for now.

    Raises:
        UsageError: no input is shared with this provider.

    Example:
        >>> import syft as sy
        >>> hook = sy.TorchHook(torch)
        >>> alice, bob, james = (sy.VirtualWorker(hook, id=name) for name in ("alice", "bob", "james"))
        >>> x = torch.tensor([3]).share(alice, bob, crypto_provider=james)
        >>> james.prepare(lambda x: x * x, x, n_instances=2)
        2
        >>> (x * x).get()
        tensor([9])
    """
    group = _group_of(self, inputs)
    prepared = group.prepared
    with torch.no_grad():
        function(*[_fresh(value) for value in inputs])
        prepared.recording = script = Script()
        try:
            out = function(*[_fresh(value) for value in inputs])
            _finish(out)
        finally:
            prepared.recording = None
    prepared.extend(script, n_instances, group.dealt)
    if len(prepared):
        self.__dict__.setdefault(PREPARED, set()).add(group)
    return len(prepared)


def _group_of(provider: Any, inputs: Sequence[Any]) -> Group:
    for value in inputs:
        if isinstance(value, EncodedTensor):
            shared = shared_under(value)
            if shared.provider is not None and shared.provider.id == provider.id:
                return shared.group
    raise UsageError(
        f"prepare() needs a tensor that is shared with crypto_provider={provider.id!r} among the inputs: it says "
        "for which holders to prepare"
    )


def _fresh(value: Any) -> Any:
    """The same values, nothing of which was opened yet."""
    if not isinstance(value, EncodedTensor):
        return value
    number = number_of(value)
    raw = number.raw
    if not isinstance(raw, AdditiveSharingTensor):
        return value
    return tensor_of(number.with_raw(raw.each("Tensor.clone")))


def _finish(out: Any) -> None:
    """Have results rescaled, as fetching them would."""
    for one in out if isinstance(out, (list, tuple)) else (out,):
        if isinstance(one, EncodedTensor):
            shared_under(one)


class CryptoStore:
    """What a provider has prepared, under 0.2's name.

    Args:
        provider: whose.

    Attributes:
        force_preprocessing: whether a computation that finds nothing prepared fails.
    """

    def __init__(self, provider: Any) -> None:
        self.provider, self.force_preprocessing = provider, False

    def provide_primitives(
        self, op: str, workers: Sequence[Any], n_instances: int = 10, shapes: Any = None, **_ignored: Any
    ) -> None:
        """Prepare single operations on shared integers.

        Args:
            op: ``"mul"``, ``"matmul"``, ``"fss_comp"`` (a sign) or ``"fss_eq"``.
            workers: the holders.
            n_instances: how many.
            shapes: of the operands, or a list with them.
            **_ignored: accepted for 0.2 code.

        Raises:
            UsageError: there is no such operation.
        """
        if op not in _PRIMITIVES:
            raise UsageError(f"primitives are prepared for {', '.join(_PRIMITIVES)}, not for {op!r}")
        function, count = _PRIMITIVES[op]
        sizes = shapes[0] if shapes and isinstance(shapes[0], (list, tuple)) and not _is_shape(shapes[0]) else shapes
        sizes = [sizes] if count == 1 and _is_shape(sizes) else sizes
        zeros = [torch.zeros(tuple(size), dtype=torch.int64) for size in sizes or [(1,)] * count]
        protocol = "fss" if op.startswith("fss") and len(workers) == 2 else "tree"
        operands = [share(z, *workers, crypto_provider=self.provider, protocol=protocol) for z in zeros]
        prepare(self.provider, function, *operands, n_instances=n_instances)


def _is_shape(value: Any) -> bool:
    return isinstance(value, torch.Size) or (
        isinstance(value, (list, tuple)) and all(isinstance(v, int) for v in value)
    )


_PRIMITIVES: dict[str, tuple[Callable[..., Any], int]] = {
    "mul": (lambda x, y: x * y, 2),
    "matmul": (lambda x, y: x @ y, 2),
    "fss_comp": (lambda x: x < 0, 1),
    "fss_eq": (lambda x: x == 0, 1),
}


def crypto_store(self: Any) -> CryptoStore:
    """What this worker has prepared as a crypto provider."""
    store: CryptoStore = self.__dict__.setdefault(STORE, CryptoStore(self))
    return store
