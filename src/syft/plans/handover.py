"""A shared model computes on what another client has shared: the shares are handed over between sessions.

Each client has a session of its own at every holder, and a holder computes within one session. So the shares of the
data go from the client's session into that of whoever hosted the model, at each holder by itself, and those of the
result come back. No share leaves its holder.
"""

from __future__ import annotations

from typing import Any

from syft.encoded.tensor import EncodedTensor, number_of, tensor_of
from syft.exceptions import ConnectionLost, ModelNotFoundError, PlanArgumentError
from syft.mpc.sharing import duplicated, is_shared, shared_under
from syft.plans.dimensions import map_parts
from syft.plans.plan import Plan
from syft.tensors.pointer import pointer_to


def is_at_home(model: Plan, worker: Any) -> bool:
    """Whether the shares of a model, if it has any, are in the sessions of whoever speaks to this worker.

    Args:
        model: the plan.
        worker: as the client sees it.
    """
    return all(worker.get_worker(place.id) is place for place in model.mentioned_workers())


def run_for(worker: Any, model: Plan, data: tuple[Any, ...]) -> Any:
    """Run a model with shared state on data that are shared among the same workers, by the same client or another.

    Args:
        worker: as the client sees it.
        model: the plan.
        data: its arguments.

    Returns:
        What the plan returns; what is shared belongs to the client that shared the data.

    Raises:
        PlanArgumentError: the data are shared among other workers.
        ModelNotFoundError: whoever hosted the model has left.
    """
    if is_at_home(model, worker):
        return model(*data)
    here, clients = {place.id: place for place in model.mentioned_workers()}, _places(data)
    if here.keys() != clients.keys():
        raise PlanArgumentError(
            f"model {model.name!r} is shared among {_named(here)}, and the data among {_named(clients)}; share them "
            "with the same holders and the same crypto provider."
        )
    try:
        handed = _handed(data, here)
    except ConnectionLost as error:
        raise ModelNotFoundError(
            f"the shares of model {model.name!r} are gone: whoever hosted it has left, and what a client has at a "
            f"holder lives as long as its session there. Let it be hosted again. ({error})"
        ) from error
    return _handed(model(*handed), clients)


def _places(data: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}

    def look(part: Any) -> Any:
        if type(part) is EncodedTensor and is_shared(part):
            found.update({place.id: place for place in shared_under(part).mentioned_workers()})
        return map_parts(part, look)

    look(data)
    return found


def _handed(value: Any, places: dict[Any, Any]) -> Any:
    """Copies of shared tensors, however nested, at the same workers in other sessions."""
    if type(value) is not EncodedTensor or not is_shared(value):
        return map_parts(value, lambda part: _handed(part, places))
    twin = duplicated(value)
    shared, pointers = shared_under(twin), {}
    for id, pointer in shared.shares.items():
        place = places[id]
        pointer.location.ask("session", "give", [pointer.id_at_location], place.ask("session", "invite"))
        pointer.gc = False
        pointers[id] = pointer_to(place, pointer.id_at_location, pointer.owner)
    moved = shared.like(pointers, shared.shape)
    moved.provider = None if shared.provider is None else places[shared.provider.id]
    number = number_of(twin)
    return tensor_of(number.with_raw(moved, number.unit))


def _named(places: dict[Any, Any]) -> str:
    return ", ".join(map(str, sorted(places, key=str))) or "nobody"
