"""What a worker releases of private data: answers with noise, each charged to the asker's budget before it is made.

This is the only way in which anything computed from a private tensor leaves for somebody who may not see the tensor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch

from syft.core.messages import ObjectId
from syft.core.naming import names_of
from syft.dp.asking import SERVICE
from syft.dp.events import PrivacyEvent
from syft.dp.ledger import Budget, Ledger
from syft.dp.queries import Bounds, Count, Histogram, Mean, Noise, Quantile, Query, Sum, check_rows
from syft.exceptions import (
    CommandNotPermittedError,
    GetNotPermittedError,
    ObjectNotFoundError,
    PermissionDenied,
    SyftError,
    UsageError,
)
from syft.tensors.base import is_wrapper, link_of
from syft.tensors.private import PrivateTensor
from syft.workers.access import Identity, permits
from syft.workers.services import SERVICES


class PrivacyService:
    """The budgets of a worker's users, and the questions they may ask. Workers have one each: ``worker.privacy``.

    Questions may be asked about private tensors that the owner of the worker holds there, and about tensors that the
    owner has offered with `offer`. They are about these tensors as the owner put them there: not about anything that
    was computed from them, as that could have one person in many rows.

    Args:
        worker: whose; or the session of a client of a served worker, which answers from the data and the ledger of
            that worker.

    Example:
        >>> import syft as sy
        >>> hook = sy.TorchHook(torch)
        >>> erin = sy.VirtualWorker(hook, id="erin")
        >>> erin.privacy.allow("ana", sy.dp.Budget(epsilon=1.0))
        >>> erin.privacy.ledger.remaining("ana")
        1.0
    """

    remote_methods = frozenset({"sum", "mean", "count", "histogram", "quantile", "budget"})

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        home = getattr(worker, "home", None)
        self._home: Any = worker if home is None else home
        self._own_ledger = Ledger() if home is None else None
        self._offered: set[ObjectId] = set()

    # --- what the owner says ------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """Who has learnt how much. In memory until `keep` is called."""
        if self._own_ledger is not None:
            return self._own_ledger
        ledger: Ledger = self._home.service(SERVICE).ledger
        return ledger

    def keep(self, path: str | os.PathLike[str]) -> None:
        """Keep the ledger in a file, so that a worker that is started anew knows what it has released.

        Args:
            path: of the file; one that is there goes on being used.

        Raises:
            UsageError: the file belongs to something else, or budgets were spent already.
        """
        if self.ledger.history():
            raise UsageError(
                "something was released already, and that would be forgotten; keep the ledger from the start"
            )
        kept = Ledger(path)
        for user in self.ledger.users():
            budget = self.ledger.budget(user)
            if budget is not None:
                kept.allow(user, budget)
        shared = self.ledger.shared_budget()
        if shared is not None:
            kept.limit(shared)
        self.ledger.close()
        self._own_ledger = kept

    def allow(self, user: str | None, budget: Budget) -> None:
        """Let a user learn so much; see `Ledger.allow`."""
        self.ledger.allow(user, budget)

    def offer(self, *tensors: Any) -> None:
        """Let users with a budget ask private questions about tensors of this worker that are not private tensors.

        Take care that nobody may fetch them, with ``Access.of(take="owner")`` on a served worker.

        Args:
            *tensors: they, or their ids.

        Raises:
            ObjectNotFoundError: this worker has no such tensor.
        """
        for tensor in tensors:
            id = tensor if isinstance(tensor, (int, str)) else tensor.id
            if id not in self._home._store.objects:
                raise ObjectNotFoundError(id, self._home)
            self._offered.add(id)

    # --- what a message may ask ---------------------------------------------------------------------

    def sum(
        self,
        object: ObjectId,
        user: Any,
        lower: float,
        upper: float,
        epsilon: float,
        delta: float = 0.0,
        column: int | None = None,
    ) -> Any:
        """See `syft.dp.asking.sum`."""
        return self._release(object, user, Sum(Noise(epsilon, delta), Bounds(lower, upper)), column)

    def mean(
        self,
        object: ObjectId,
        user: Any,
        lower: float,
        upper: float,
        epsilon: float,
        delta: float = 0.0,
        column: int | None = None,
    ) -> Any:
        """See `syft.dp.asking.mean`."""
        return self._release(object, user, Mean(Noise(epsilon, delta), Bounds(lower, upper)), column)

    def count(
        self,
        object: ObjectId,
        user: Any,
        lower: float | None,
        upper: float | None,
        epsilon: float,
        delta: float = 0.0,
        column: int | None = None,
    ) -> Any:
        """See `syft.dp.asking.count`."""
        if (lower is None) is not (upper is None):
            raise UsageError(f"lower={lower} and upper={upper}: give both to count what lies between, or neither")
        bounds = None if lower is None or upper is None else Bounds(lower, upper)
        return self._release(object, user, Count(Noise(epsilon, delta), bounds), column)

    def histogram(
        self,
        object: ObjectId,
        user: Any,
        bins: int | Sequence[float],
        lower: float | None,
        upper: float | None,
        epsilon: float,
        delta: float = 0.0,
        column: int | None = None,
    ) -> Any:
        """See `syft.dp.asking.histogram`."""
        return self._release(object, user, Histogram(Noise(epsilon, delta), _edges(bins, lower, upper)), column)

    def quantile(
        self,
        object: ObjectId,
        user: Any,
        q: float,
        lower: float,
        upper: float,
        epsilon: float,
        resolution: int = 1000,
        column: int | None = None,
    ) -> Any:
        """See `syft.dp.asking.quantile`."""
        return self._release(object, user, Quantile(Noise(epsilon), Bounds(lower, upper), q, resolution), column)

    def budget(self, user: Any = None) -> dict[str, Any]:
        """See `syft.dp.asking.budget`."""
        asker = self._asker(user)
        held = self.ledger.budget(asker)
        return {
            "epsilon": None if held is None else held.epsilon,
            "delta": None if held is None else held.delta,
            "spent": self.ledger.spent(asker),
            "remaining": self.ledger.remaining(asker),
            "releases": self.ledger.releases(asker),
        }

    def charge(self, user: Any, event: PrivacyEvent, what: str) -> None:
        """Charge the client for something that another service of this worker is about to release.

        Args:
            user: whom a client of a virtual worker says it is; None for who it is.
            event: what it is to an accountant.
            what: in words.

        Raises:
            PrivacyBudgetError: there is not enough budget, and nothing may be released.
        """
        self.ledger.charge(self._asker(user), event, what)

    # --- releasing ----------------------------------------------------------------------------------

    def _release(self, id: ObjectId, user: Any, query: Query, column: int | None) -> Any:
        asker = self._asker(user)
        held, values = self._rows(id)
        check_rows(values)
        values = _column(values, column)
        query.check(values.shape)
        tags = " ".join(sorted(map(str, names_of(held)[0])))
        place = "" if column is None else f", column {column},"
        what = f"{type(query).__name__.lower()}{place} of object {id}{f' ({tags})' if tags else ''}"
        self.ledger.charge(asker, query.events(values.shape), what)
        try:
            return query.answer(values.cpu())
        except Exception:  # whatever it is, it may speak of the values
            raise GetNotPermittedError(
                f"the {type(query).__name__.lower()} of object {id} failed and was charged; what it said is kept here"
            ) from None

    def _asker(self, claimed: Any) -> str | None:
        identity = getattr(self._worker, "identity", None)
        if not (claimed is None or type(claimed) is str):
            raise UsageError(f"a user who asks is a name or None, not a {type(claimed).__name__}")
        if identity is None:  # a virtual worker believes
            return claimed
        user: str | None = identity.user
        if claimed is not None and claimed != user:
            known = f"you are {user!r} on this worker" if user else "this worker lets clients in without names"
            raise PermissionDenied(f"{known}, and you cannot ask as user {claimed!r}")
        return user

    def _rows(self, id: ObjectId) -> tuple[Any, torch.Tensor]:
        """The owner's object of that id and its values, if questions about it may be answered."""
        home, identity = self._home, getattr(self._worker, "identity", None) or Identity()
        if type(id) not in (int, str):
            raise UsageError(f"an object is named by its id, an int or a str, not by a {type(id).__name__}")
        found = home._store.objects.get(id)
        access = getattr(home, "access", None)
        if found is None or not (access is None or permits(access.search, identity)):
            raise ObjectNotFoundError(
                id,
                home,
                f"worker {home.id!r} has no object {id!r} of its owner's that you may ask about; private questions are "
                "not about what you sent there or computed there yourself",
            )
        if id in getattr(home, "published", ()):
            raise CommandNotPermittedError(f"object {id} is not the owner's of worker {home.id!r}, but a client's")
        link = link_of(found) if is_wrapper(found) else None
        if isinstance(link, PrivateTensor):
            if link.command is not None or link.failure is not None:
                raise GetNotPermittedError(
                    f"object {id} was computed from private tensors, so one person may be in many of its rows; ask "
                    "about the tensors that it was computed from"
                )
            values = link.child
        else:
            values = found if id in home.service(SERVICE)._offered else None
        if not isinstance(values, torch.Tensor) or is_wrapper(values):
            raise GetNotPermittedError(
                f"the owner of object {id} does not offer it for private questions; that is done with "
                "worker.privacy.offer(tensor), or by making it a private tensor"
            )
        return found, values


def _column(values: torch.Tensor, column: int | None) -> torch.Tensor:
    if column is None:
        return values
    if values.dim() != 2 or type(column) is not int or not -values.shape[1] <= column < values.shape[1]:
        raise UsageError(f"column={column!r} is no column of a tensor of shape {tuple(values.shape)}")
    return values[:, column]


def _edges(bins: int | Sequence[float], lower: float | None, upper: float | None) -> tuple[float, ...]:
    if not isinstance(bins, int):
        return tuple(map(float, bins))
    if lower is None or upper is None or not 1 <= bins <= 10_000:
        raise UsageError(f"bins={bins}, lower={lower}, upper={upper}: say from where to where so many bins go")
    bounds = Bounds(lower, upper)
    width = (bounds.upper - bounds.lower) / bins
    return tuple(bounds.lower + width * at for at in range(bins)) + (float(bounds.upper),)


def privacy(self: Any) -> PrivacyService:
    """The budgets of this worker's users, for its owner; called where the worker runs.

    Raises:
        SyftError: the worker runs in another process.
    """
    if self.is_far:
        raise SyftError(
            f"worker {self.id!r} runs elsewhere, and its owner decides there about budgets; what is left of yours says "
            "sy.dp.budget(worker)"
        )
    service: PrivacyService = self.service(SERVICE)
    return service


SERVICES[SERVICE] = PrivacyService
