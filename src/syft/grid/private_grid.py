"""`PrivateGridNetwork`: workers that are known by heart and searched as one."""

from __future__ import annotations

from typing import Any, NoReturn

from syft.core.session import SESSION
from syft.exceptions import NotSupportedError
from syft.workers import object_kinds

_KINDS = object_kinds  # importing it teaches the search about text and callables


class PrivateGridNetwork:
    """A fixed list of workers, searched as one.

    Args:
        *workers: the workers.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> ann, ben = sy.VirtualWorker(hook, id="ann"), sy.VirtualWorker(hook, id="ben")
        >>> x = torch.tensor([1, 2]).tag("#age").send(ben)
        >>> PrivateGridNetwork(ann, ben).search("#age")["ben"][0].shape
        torch.Size([2])
    """

    def __init__(self, *workers: Any) -> None:
        self.workers: list[Any] = list(workers)

    def search(self, *query: Any) -> dict[Any, list[Any]]:
        """Pointers to all objects that match every term.

        Args:
            *query: tags or ids; none finds every tagged object.

        Returns:
            Pointers by worker id; workers without a match are left out. The pointers never delete what they
            point to.
        """
        me = SESSION.me()
        found = {worker.id: me.request_search(list(query), location=worker) for worker in self.workers}
        return {id: pointers for id, pointers in found.items() if pointers}

    def serve_model(self, model: Any, id: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Host a model on the grid.

        Raises:
            NotSupportedError: none of the workers can host models.
        """
        self._cannot_host(id)

    def query_model_hosts(self, id: Any, mpc: bool = False) -> NoReturn:
        """The worker that hosts a model.

        Raises:
            NotSupportedError: none of the workers can host models.
        """
        self._cannot_host(id)

    def run_remote_inference(self, id: Any, data: Any, mpc: bool = False) -> NoReturn:
        """What a hosted model answers to data.

        Raises:
            NotSupportedError: none of the workers can host models.
        """
        self._cannot_host(id)

    def _cannot_host(self, id: Any) -> NoReturn:
        kinds = ", ".join(sorted({type(worker).__name__ for worker in self.workers})) or "nobody"
        raise NotSupportedError(
            f"model {id!r} cannot be hosted here: the grid consists of {kinds}, and none of these hosts models. "
            "Send the model with model.send(worker) and call it there."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(str(worker.id) for worker in self.workers)}>"


VirtualGrid = PrivateGridNetwork
"""An older name of `PrivateGridNetwork`."""
