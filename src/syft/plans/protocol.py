"""`Protocol`: plans that run one after the other, each on a worker of its own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from syft.core.ids import new_id
from syft.core.messages import Put, Ref, Relay, Take
from syft.core.ops import BY_NAME
from syft.core.session import SESSION
from syft.exceptions import PlanNotBuiltError, ProtocolError, SendNotPermittedError, UsageError
from syft.plans.plan import Plan
from syft.plans.pointer import PointerPlan
from syft.plans.protocol_pointer import run_at, tensors_in
from syft.tensors.base import is_wrapper, link_of, unwrap, wrap
from syft.tensors.multi_pointer import MultiPointerTensor
from syft.tensors.permission import may_see
from syft.tensors.pointer import PointerTensor

logger = logging.getLogger("syft.plans.protocol")

Entry = tuple[Any, Plan | PointerPlan]


class Protocol:
    """Plans in a row: what one returns is what the next one is called with, on the next worker.

    Args:
        plans: pairs of a worker, or a name that `deploy` gives a worker, and a plan. The same name stands for the
            same worker.
        id: its id here and on every worker; drawn when None.
        owner: the worker it belongs to; the local one when None.
        tags: words to find it by.
        description: a text about it.

    Attributes:
        plans: the pairs; once deployed, of workers and `PointerPlan`.
        location: the worker it was sent to, which then runs it; else None.

    Raises:
        UsageError: an entry is not a pair of a worker or name and a plan.

    Example:
        >>> import syft as sy, torch
        >>> hook = sy.TorchHook(torch)
        >>> ines, jan = sy.VirtualWorker(hook, id="ines"), sy.VirtualWorker(hook, id="jan")
        >>> @sy.func2plan(args_shape=[(1,)])
        ... def increment(x):
        ...     return x + 1
        >>> protocol = Protocol([("first", increment), ("second", increment)])
        >>> result = protocol.deploy(ines, jan).run(torch.tensor([1.0]))
        >>> result.location.id, result.get()
        ('jan', tensor([3.]))
    """

    remote_kind = "protocol"
    remote_methods = frozenset({"__call__"})

    def __init__(
        self,
        plans: Iterable[Entry] | None = None,
        id: Any = None,
        owner: Any = None,
        tags: Iterable[Any] | None = None,
        description: str | None = None,
    ) -> None:
        self.plans: list[Entry] = [_entry(number, pair) for number, pair in enumerate(plans or ())]
        self.id = new_id() if id is None else id
        self.owner = SESSION.local_worker if owner is None else owner
        self.tags = None if tags is None else set(tags)
        self.description = description
        self.location: Any = None

    def mentioned_workers(self) -> list[Any]:
        """The workers that it runs on: whoever receives it must be able to reach them."""
        return [worker for worker, _ in self.plans if not _is_name(worker)]

    @property
    def workers_resolved(self) -> bool:
        """Whether every plan has a worker and not just a name for one."""
        return bool(self.plans) and not any(_is_name(worker) for worker, _ in self.plans)

    @property
    def is_deployed(self) -> bool:
        """Whether every plan is on its worker."""
        return bool(self.plans) and all(isinstance(plan, PointerPlan) for _, plan in self.plans)

    # --- deploying ----------------------------------------------------------------------------------

    def deploy(self, *workers: Any) -> Protocol:
        """Give the names workers and send each plan to its worker; returns the protocol.

        If the workers have the very ids that the plans are given to, in whatever order, each plan goes to the worker
        of that id. Else, with as many workers as names to replace, they are taken in order. Else each distinct name
        gets one worker, in the order in which the names first appear.

        Args:
            *workers: workers or their ids; none if the protocol was made with workers.

        Raises:
            ProtocolError: there are too many or too few workers, or every plan has one already.
            PlanNotBuiltError: a plan is not built; none was sent then.
        """
        if self.workers_resolved and (workers or self.is_deployed):
            names = ", ".join(dict.fromkeys(str(worker.id) for worker, _ in self.plans))
            raise ProtocolError(f"This protocol is already deployed to {names}.")
        self._check_built()
        names_left = [worker for worker, _ in self.plans if _is_name(worker)]
        found = iter(_allocated(names_left, [SESSION.worker(worker) for worker in workers]))
        places = [next(found) if _is_name(worker) else worker for worker, _ in self.plans]
        self._send_plans(places)
        return self

    def _check_built(self) -> None:
        missing = [plan.name for _, plan in self.plans if isinstance(plan, Plan) and not plan.is_built]
        if missing:
            names = ", ".join(map(repr, missing))
            raise PlanNotBuiltError(
                f"A plan needs to be built before being sent to a worker. These of the protocol are not: {names}."
            )

    def _send_plans(self, places: list[Any]) -> None:
        self.plans = [
            (place, plan.send(place) if isinstance(plan, Plan) else plan)
            for place, (_, plan) in zip(places, self.plans, strict=True)
        ]

    # --- running ------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the plans one after the other, each on its worker; results go from worker to worker directly.

        Args:
            *args: for the first plan. Local tensors travel to its worker; of tensors that are on other workers
                copies go there. If the protocol was sent to a worker: pointers into that worker.
            **kwargs: likewise.

        Returns:
            A pointer to the result on the last worker; a list of pointers for several. If the protocol was sent to a
            worker: pointers into that worker, to be fetched twice.

        Raises:
            ProtocolError: a plan has no worker yet, or the arguments are not where they must be.
            PlanArgumentError: a plan does not take what it is called with.
        """
        if self.location is not None:
            out = run_at(self.location, self.id, self.owner, args, kwargs)
            for worker, _ in self.plans:
                if not _is_name(worker):
                    worker.gradients.clear()
            return out
        if not self.workers_resolved:
            raise ProtocolError("Plans have not been allocated to existing workers. Call deploy(*workers) to do so.")
        if not self.is_deployed:
            self.deploy()
        first, plan = self.plans[0]
        logger.info("send %s", first.id)
        result = plan(*[_brought(a, first) for a in args], **{k: _brought(v, first) for k, v in kwargs.items()})
        for (here, _), (there, plan) in pairwise(self.plans):
            values = result if type(result) is list else [] if result is None else [result]
            if here != there:
                logger.info("move %s  ->  %s", here.id, there.id)
                _hand_over(values, there)
            result = plan(*values)
        return result

    __call__ = run

    # --- elsewhere ----------------------------------------------------------------------------------

    def send(self, location: Any) -> None:
        """Send the protocol to a worker, which from now on runs it. Plans that are not on workers go along.

        Args:
            location: a worker or its id.

        Raises:
            PlanNotBuiltError: a plan is not built.
            WorkerNotFoundException: the worker does not know one of the workers of the protocol.
        """
        place = SESSION.worker(location)
        self._check_built()
        place.request(Put(((self.id, self),)))
        self.location = place

    def get(self) -> Protocol:
        """Run here again: the worker the protocol was sent to forgets it; returns the protocol."""
        if self.location is not None:
            (fetched,) = self.location.request(Take((Ref(self.id),)))
            if fetched.is_deployed:
                self.plans = fetched.plans
            self.location = None
        return self

    def tag(self, *tags: Any) -> Protocol:
        """Add tags; returns the protocol. They travel with the next ``send``."""
        self.tags = (self.tags or set()) | set(tags)
        return self

    def describe(self, description: str) -> Protocol:
        """Set the description; returns the protocol."""
        self.description = description
        return self

    def __repr__(self) -> str:
        owner = getattr(self.owner, "id", self.owner)
        resolved = " resolved" if self.workers_resolved else ""
        lines = "".join(f"\n - {getattr(worker, 'id', worker)}: {plan!r}" for worker, plan in self.plans)
        return f"<{type(self).__name__} id:{self.id} owner:{owner}{resolved}>{lines}"

    def __str__(self) -> str:
        return self.__repr__()


def _is_name(worker: Any) -> bool:
    return isinstance(worker, (str, int))


def _entry(number: int, pair: Any) -> Entry:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise UsageError(
            f"entry {number} of a protocol is {pair!r:.80}; an entry is a pair (worker or name, plan), "
            'for example ("worker1", plan)'
        )
    worker, plan = pair
    if isinstance(worker, bool) or not (_is_name(worker) or callable(getattr(worker, "request", None))):
        raise UsageError(
            f"entry {number} of a protocol names {worker!r:.80}, which is neither a worker nor a name for one"
        )
    if isinstance(plan, Plan):
        return worker, plan
    if not isinstance(plan, PointerPlan):
        raise UsageError(f"entry {number} of a protocol holds a {type(plan).__name__}, not a plan")
    if _is_name(worker) or all(place != worker for place in plan.places):
        raise UsageError(
            f"entry {number} of a protocol gives {getattr(worker, 'id', worker)!r} a plan that is elsewhere: {plan!r}; "
            "name the worker where the plan is"
        )
    return worker, plan if len(plan.places) == 1 else PointerPlan(worker, plan.id_at_location[0], plan.owner)


def _allocated(names: list[Any], workers: list[Any]) -> list[Any]:
    """The worker of each name; see `Protocol.deploy`."""
    distinct = list(dict.fromkeys(names))
    by_id = {worker.id: worker for worker in workers}
    if by_id.keys() == set(distinct):
        return [by_id[name] for name in names]
    if len(workers) not in (len(names), len(distinct)):
        raise ProtocolError(f"This protocol is designed for {len(distinct)} workers, but {len(workers)} were provided.")
    if not by_id.keys().isdisjoint(distinct):
        warnings.warn(
            "You are deploying a protocol with workers for which only a subpart"
            "have ids that match an id chosen for the protocol.",
            stacklevel=3,
        )
    if len(workers) != len(names):
        found = dict(zip(distinct, workers, strict=True))
        return [found[name] for name in names]
    if len({(name, worker.id) for name, worker in zip(names, workers, strict=True)}) != len(distinct):
        logger.warning("a name of the protocol stands for several workers: there is one worker for each plan")
    return workers


def _brought(value: Any, place: Any) -> Any:
    """An argument as the first plan can take it: pointers to other workers become pointers to copies at ``place``."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)([_brought(part, place) for part in value])
    if isinstance(value, dict):
        return {key: _brought(part, place) for key, part in value.items()}
    link = link_of(value) if is_wrapper(value) else value
    if isinstance(link, MultiPointerTensor):
        raise ProtocolError(
            f"the first plan of this protocol runs on {place.id}, and an argument is on "
            f"{', '.join(map(str, link.child))} at once; pass the pointer to one of them, such as x.child[worker_id]"
        )
    if isinstance(link, PointerTensor):
        if link.location == place:
            return value
        copy = PointerTensor.default(BY_NAME["Tensor.clone"], (link,), {})
        logger.info("move %s  ->  %s", copy.location.id, place.id)
        return wrap(copy.move(place))
    if not may_see(value, None):
        raise SendNotPermittedError(
            f"an argument of the protocol is private and would leave for {place.id}; send it yourself as an allowed "
            "user, with x.send(worker, user=...), and pass the pointer"
        )
    return value


def _hand_over(values: Any, place: Any) -> None:
    """Have the results of a plan, which are on one worker, sent to another with one message; their pointers follow."""
    links = [link for link in tensors_in(unwrap(values)) if isinstance(link, PointerTensor) and link.location != place]
    if links:
        ids = tuple(link.id_at_location for link in links)
        links[0].location.request(Relay(ids, place.id, ids))
        for link in links:
            link.point(place, link.id_at_location)
