"""`SessionExecutor`: runs one client's messages, within its limits and within what the worker's owner permits."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from syft.core import messages as m
from syft.core.naming import names_of
from syft.core.ops import Op
from syft.exceptions import GetNotPermittedError
from syft.serde.codec import encode
from syft.tensors.private import METADATA
from syft.tensors.verbs import description_of
from syft.workers.access import ASK, permits
from syft.workers.accounting import check_names
from syft.workers.executor import Executor
from syft.workers.lending import opened, origins_of
from syft.workers.policy import RUN_LIMITS, RunLimits
from syft.workers.services import PREFIX
from syft.workers.session_store import SessionStore
from syft.workers.tensor_sizes import PLAIN

# Calls of services that answer with what was computed from data of the owner's.
_REVEALING = frozenset({"training.fit", "training.evaluate", "training.report", "models.run", "models.download"})
_REVEALING |= {"privacy.sum", "privacy.mean", "privacy.count", "privacy.histogram", "privacy.quantile"}
_VALUES = (bool, int, float, complex, str, bytes)


class SessionExecutor(Executor):
    """What an `Executor` does, for a client that the owner of the worker need not trust."""

    store: SessionStore

    # --- what leaves --------------------------------------------------------------------------------

    def _given(self, id: m.ObjectId, message: m.Take) -> Any:
        obj, guarded = self.store.open(id)
        if guarded:
            self._check_take(id, obj, message)
        return obj

    def _check_take(self, id: m.ObjectId, obj: Any, message: m.Take) -> None:
        session = self.worker
        take = session.home.access.take
        if permits(take, session.identity):
            return
        source = self._source(id)
        if take == ASK:
            user = session.identity.user or message.user
            session.home.requests.check(id, user, message.reason, fingerprint(obj), source)
            return
        raise GetNotPermittedError(
            f"the owner of worker {session.id!r} does not give object {id}{', ' if source else ''}{source} to "
            f"{session.identity.user or 'strangers'}; neither does what is computed from it leave the worker"
        )

    def _source(self, id: m.ObjectId) -> str:
        held = self.store.objects.get(id)
        if held is None:
            return ""
        op, origins = origins_of(held)
        return f"computed by {op!r} from {', '.join(f'object {origin!r}' for origin in origins)}"

    def _answered(self, op: Op, reply: Any, message: m.Command) -> Any:
        if op.key not in METADATA and _has_values(reply):
            self._audit(op.name, (message.args, message.kwargs))
        return reply

    def _audit(self, what: str, operands: Any) -> None:
        session = self.worker
        session.home.audit("revealed", session.identity.user, session.name, what=what, objects=_ids_in(operands))

    # --- calls --------------------------------------------------------------------------------------

    def _call(self, message: m.Call) -> Any:
        policy = self.policy
        limits = RunLimits(policy.result_bytes, self.worker.home.limits.stored_bytes)
        before = RUN_LIMITS.set(limits if policy.result_bytes is not None else None)
        try:
            reply = super()._call(message)
        finally:
            RUN_LIMITS.reset(before)
        target = message.target.id
        if type(target) is str and target.startswith(PREFIX):
            name = f"{target.removeprefix(PREFIX)}.{message.method}"
            if name in _REVEALING:
                self._audit(name, (message.args, message.kwargs))
        elif _has_values(reply):
            self._audit(message.method, (message.target, message.args, message.kwargs))
        self._grown(message)
        return reply

    def _grown(self, message: m.Command | m.Call) -> None:
        ids = _ids_in((message.args, message.kwargs))
        self.store.recount([message.target.id, *ids] if isinstance(message, m.Call) else ids)

    # --- objects ------------------------------------------------------------------------------------

    def _put(self, message: m.Put) -> None:
        for _, obj in message.objects:
            check_names(*names_of(obj))
        super()._put(message)

    def _tag(self, message: m.Tag) -> None:
        check_names(message.tags, message.description)
        super()._tag(message)

    def _describe(self, message: m.Describe) -> m.Description | None:
        if not message.ref.path:
            inner = opened(self.store.get(message.ref.id), self.store.key)
            if type(inner) in PLAIN:  # what the guard of the owner's hides are the values
                return description_of(inner)
        return super()._describe(message)


def fingerprint(obj: Any) -> bytes:
    """Stands for the values of an object: another object has another one."""
    if type(obj) not in PLAIN or obj.layout is not torch.strided:
        return hashlib.blake2b(encode(obj), digest_size=32).digest()
    found = hashlib.blake2b(repr((obj.dtype, tuple(obj.shape))).encode(), digest_size=32)
    values = obj.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
    found.update(memoryview(values.numpy()))
    return found.digest()


def _has_values(reply: Any) -> bool:
    """Whether an answer has plain values in it, and not only marks of what stayed."""
    if isinstance(reply, m.Named):
        reply = reply.results
    if isinstance(reply, dict):
        return any(map(_has_values, (*reply.keys(), *reply.values())))
    if isinstance(reply, torch.Size):
        return False
    return any(map(_has_values, reply)) if isinstance(reply, (list, tuple)) else isinstance(reply, _VALUES)


def _ids_in(value: Any) -> list[m.ObjectId]:
    if type(value) is m.Ref:
        return [value.id]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, slice):
        value = [value.start, value.stop, value.step]
    return [id for part in value for id in _ids_in(part)] if isinstance(value, (list, tuple)) else []
