"""`PointerPlan`: a plan on a worker, or the same plan on several."""

from __future__ import annotations

from typing import Any

import torch

from syft.core.ids import new_id
from syft.core.messages import Call, Forget, Named, Ref, Stored, Take
from syft.exceptions import NotSupportedError, PlanError, TensorsNotCollocatedException
from syft.tensors.base import SyftTensor, is_wrapper, unwrap, wrap
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.object_pointer import ObjectPointer, pointer_text, reference
from syft.tensors.pointer import PointerTensor, pointer_to
from syft.tensors.wire import register_pointer
from syft.workers.mentions import places


class PointerPlan(ObjectPointer):
    """Stands for a plan on one worker or on several; calling it runs the plan there, with one message.

    It owns nothing: the plan stays on its workers when the pointer dies; `delete` takes it away.

    Args:
        location: a worker, or a list of workers.
        id_at_location: the plan's id there.
        owner: whom the pointer belongs to; the local worker when None.
        id: the pointer's own id; drawn on first use when None.
        garbage_collect_data: accepted like that of other pointers, no effect.
        tags: words the plan was tagged with.
        description: its description.
        point_to_attr: not for plans.
    """

    def __init__(
        self,
        location: Any,
        id_at_location: Any,
        owner: Any = None,
        id: Any = None,
        garbage_collect_data: bool = False,
        tags: Any = None,
        description: str | None = None,
        point_to_attr: Any = None,
    ) -> None:
        self.sent: dict[Any, Any] = {}  # where the plan here believes to be, by worker id
        self.gives_tensor = False  # whether its result is known to be a single tensor, so that a call need not wait
        self.places = list(location) if isinstance(location, list) else [location]
        first = self.places[0]
        super().__init__(first, id_at_location, owner, id, False, tags, description, point_to_attr)
        self._plan_id = id_at_location
        if len(self.places) > 1:
            self.location = self.places
            self.id_at_location = [id_at_location] * len(self.places)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the plan where it and the data are.

        Args:
            *args: pointers to where the plan is; plain values and local tensors travel with the call.
            **kwargs: likewise.

        Returns:
            A pointer to the result; a list of pointers for several. For multi-pointers as arguments, which run the plan
            on each of their workers, a multi-pointer.

        Raises:
            TensorsNotCollocatedException: the data is on another worker than the plan.
            PlanArgumentError: these are not the arguments of the plan.
        """
        links = unwrap(list(args)), unwrap(kwargs)
        multi = [link for link in (*links[0], *links[1].values()) if isinstance(link, MultiPointerTensor)]
        if multi:
            return self._on_each(multi, *links)
        pointers = _pointers(links)
        return self._run(self._place_for(pointers), "__call__", *links, pointers)

    def run_epochs(self, *data: Any, **options: Any) -> Any:
        """Run the plan on every batch of data that lie where it is, over and over, with one message.

        Args:
            *data: pointers to tensors with as many rows, or to a data set.
            **options: ``batch_size``, ``epochs``, ``shuffle``, ``drop_last``, ``max_batches``; see
                `syft.plans.epochs.run_epochs`.

        Returns:
            A pointer to what the plan returned for each batch, stacked.
        """
        links = unwrap(list(data))
        pointers = _pointers(links)
        return self._run(self._place_for(pointers), "run_epochs", links, options, pointers)

    def parameters(self) -> list[Any]:
        """Pointers to the tensors of the plan's state.

        Raises:
            NotSupportedError: the plan is on several workers.
        """
        if len(self.places) > 1:
            raise NotSupportedError(
                ".parameters() for a PointerPlan with more than one location has no single answer: "
                "take the pointer of one worker from plan.pointers"
            )
        out = self._run(self.places[0], "parameters", [], {}, [])
        return list(out)

    def get(self, user: Any = None, reason: str = "", deregister_ptr: bool = True) -> Any:
        """Fetch the plan with its state as it is there; it stays there, too.

        Args:
            user: credential, for private state.
            reason: transported for the worker's log.
            deregister_ptr: False gives the plan here a new id.

        Returns:
            A `Plan` without a Python function.
        """
        (plan,) = self.places[0].request(Take((Ref(self._plan_id),), user, reason, keep=True))
        plan.owner = self.owner
        return plan if deregister_ptr else plan.copy()

    def delete(self) -> None:
        """Take the plan away from its workers."""
        for place in self.places:
            place.request(Forget((self._plan_id,)))
            self.sent.pop(place.id, None)

    def tag(self, *tags: Any) -> PointerPlan:
        """Add tags to the pointer; returns it. Tag the plan and send it to have it found by them."""
        self.tags = (self.tags or set()) | set(tags)
        return self

    def _place_for(self, pointers: list[Any]) -> Any:
        first = None
        for link in pointers:
            if first is not None and link.location is not first.location and link.location != first.location:
                raise TensorsNotCollocatedException(first, link, attr="a plan")
            first = link
        if first is None:
            if len(self.places) > 1:
                names = ", ".join(repr(place.id) for place in self.places)
                raise PlanError(
                    f"this plan is on {names}, and without a remote argument nothing says where to run it; "
                    "take the pointer of one worker from plan.pointers"
                )
            return self.places[0]
        for place in self.places:
            if place == first.location:
                return place
        raise TensorsNotCollocatedException(
            PointerTensor(self.places[0], self._plan_id, self.owner, garbage_collect_data=False), first, attr="a plan"
        )

    def _run(self, place: Any, method: str, args: list[Any], kwargs: dict[str, Any], pointers: list[Any]) -> Any:
        result = new_id()
        call = Call(
            Ref(self._plan_id),
            tuple([reference(a, place) for a in args]),
            {k: reference(v, place) for k, v in kwargs.items()} if kwargs else {},
            result,
            method,
            torch.is_grad_enabled(),
        )
        reply: Any
        shares = next(places((call.args, call.kwargs)), None) is not None
        if self.gives_tensor and method == "__call__" and not shares:  # which may die here before they are used there
            place.post(call)
            reply = Stored(result)
        else:
            reply = place.request(call)
        # The plan may have computed gradients and changed its arguments.
        place.gradients.clear()
        for link in pointers:
            if isinstance(link, PointerTensor):
                link.forget_info()
        return self._pointed(reply, place)

    def _pointed(self, reply: Any, place: Any) -> Any:
        if type(reply) is Stored:
            return wrap(pointer_to(place, reply.id, self.owner))
        if type(reply) is Named:
            reply = reply.results
        if type(reply) in (list, tuple):
            return [self._pointed(part, place) for part in reply]
        if type(reply) is dict:
            return {key: self._pointed(part, place) for key, part in reply.items()}
        return reply

    def _on_each(self, multi: list[MultiPointerTensor], args: Any, kwargs: Any) -> Any:
        names = list(multi[0].child)
        if any(list(other.child) != names for other in multi):
            raise PlanError("the multi-pointers of one call must point to the same workers")
        results = []
        for name in names:
            one = [_child(a, name) for a in args], {k: _child(v, name) for k, v in kwargs.items()}
            pointers = _pointers(one)
            results.append(self._run(self._place_for(pointers), "__call__", *one, pointers))
        if not all(is_wrapper(result) for result in results):
            return dict(zip(names, results, strict=True))
        return MultiPointerTensor(children=[unwrap(result) for result in results]).wrap()

    def __repr__(self) -> str:
        if len(self.places) == 1:
            return pointer_text(self, type(self).__name__)
        owner = getattr(self.owner, "id", self.owner)
        lines = "".join(f"\n\t -> {place.id}:{self._plan_id}" for place in self.places)
        return f"[{type(self).__name__} | {owner}:{self.id}{lines}\n]"


def _child(link: Any, name: Any) -> Any:
    return link.child[name] if isinstance(link, MultiPointerTensor) else link


def _pointers(value: Any) -> list[Any]:
    found: list[Any] = []
    _add_pointers(value, found)
    return found


def _add_pointers(value: Any, found: list[Any]) -> None:
    kind = type(value)
    if kind is PointerTensor:
        if value.location is not None:
            found.append(value)
    elif kind is list or kind is tuple:
        for part in value:
            _add_pointers(part, found)
    elif kind is dict:
        for part in value.values():
            _add_pointers(part, found)
    elif isinstance(value, (SyftTensor, ObjectPointer)) and getattr(value, "location", None) is not None:
        found.append(value)


register_pointer(PointerPlan, "syft.pointer_plan")
