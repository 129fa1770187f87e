"""What a worker offers besides its objects: services, each made on first use, called like a stored object.

A service is called with a `Call` to ``Ref("service:<name>")``. Its class says with ``remote_methods`` what a message
may call. Rooms above this one put theirs into `SERVICES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from syft.core import messages as m
from syft.core.ids import new_id
from syft.exceptions import ObjectNotFoundError
from syft.tensors.verbs import own

PREFIX = "service:"

SERVICES: dict[str, Callable[[Any], Any]] = {}
"""What makes a service for a worker, by name."""


class Services:
    """The part of a worker that has services."""

    request: Callable[[Any], Any]

    def service(self, name: str) -> Any:
        """This worker's own service of that name, made on first use.

        Raises:
            ObjectNotFoundError: no such service exists.
        """
        made: dict[str, Any] = self.__dict__.setdefault("_services", {})
        if name not in made:
            if name not in SERVICES:
                raise ObjectNotFoundError(PREFIX + name, self)
            made[name] = SERVICES[name](self)
        return made[name]

    def made_service(self, name: str) -> Any:
        """The service of that name if somebody has used it, or None."""
        made: dict[str, Any] = self.__dict__.get("_services", {})
        return made.get(name)

    def ask(self, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a service of this worker with a message, as any peer would.

        Args:
            service: its name.
            method: one that the service offers.
            *args: plain values, tensors, plans, or `Ref` to objects of the worker.
            **kwargs: likewise.

        Returns:
            Plain values; a `Stored` mark for what stays on the worker.
        """
        return self.request(self.call_of(service, method, *args, **kwargs))

    def call_of(self, service: str, method: str, *args: Any, **kwargs: Any) -> m.Call:
        """The message with which `ask` calls a service."""
        return m.Call(m.Ref(PREFIX + service), args, kwargs, new_id(), method, torch.is_grad_enabled())

    def fetch_reply(self, reply: Any) -> Any:
        """The answer of `ask` with what stayed there in the place of its marks; the worker forgets it."""
        if type(reply) is m.Stored:
            (value,) = self.request(m.Take((m.Ref(reply.id),)))
            return own(value)
        if type(reply) is m.Named:
            reply = reply.results
        if type(reply) in (list, tuple):
            return type(reply)([self.fetch_reply(part) for part in reply])
        return {k: self.fetch_reply(v) for k, v in reply.items()} if type(reply) is dict else reply
