"""The routes of the status port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import torch

from syft.core.optional import require
from syft.exceptions import AuthenticationError, SyftError
from syft.status import bodies, page
from syft.status.answers import RefusedRequestError, answer, error_answer, json_answer, status_of
from syft.status.metrics import Metrics
from syft.status.summary import summarize
from syft.status.view import WorkerView

BODY_LIMIT = 16 * 2**20
_BODY_SECONDS = 30.0
# Fewer than the threads of the event loop's pool, so that health and metrics are answered beside predictions.
_PREDICTIONS_AT_ONCE = 3
_LOG = logging.getLogger("syft.status")
_SENTENCES = {404: "there is nothing at this address.", 405: "this address does not take that method."}


class StatusApp:
    """An ASGI application that shows one worker and runs its models.

    ``/healthz`` is open. For everything else the worker is asked who the caller is, before anything is read.

    Args:
        view: the worker.
        body_limit: the longest body of a request, in bytes.

    Raises:
        DependencyError: starlette or prometheus-client is not installed.
    """

    def __init__(self, view: WorkerView, body_limit: int = BODY_LIMIT) -> None:
        self._view = view
        self._body_limit = body_limit
        self._metrics = Metrics(view)
        self._page, self._policy = page.load()
        self._predictions = asyncio.Semaphore(_PREDICTIONS_AT_ONCE)
        self._request: Any = require("starlette.requests", "status").Request
        self._router = self._make_router()

    def _make_router(self) -> Any:
        routing: Any = require("starlette.routing", "status")
        http_error: Any = require("starlette.exceptions", "status").HTTPException
        middleware: Any = require("starlette.middleware.exceptions", "status").ExceptionMiddleware
        routes = [
            routing.Route("/healthz", self._health),
            routing.Route("/metrics", self._scrape),
            routing.Route("/", self._show_page),
            routing.Route("/status.json", self._status),
            routing.Route("/models/{name:path}/predict", self._predict, methods=["POST"]),
        ]
        router = routing.Router(routes, redirect_slashes=False)
        return middleware(router, handlers={http_error: _http_error, SyftError: _syft_error})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, as ASGI wants it."""
        if scope["type"] != "http":
            return
        # Starlette's routes raise what `_http_error` answers only where an application is named.
        scope["app"] = self
        try:
            refusal = await self._gate(self._request(scope))
            await (refusal or self._router)(scope, receive, send)
        except Exception:
            # The text may quote data, so it goes to the worker's log and not to the caller.
            _LOG.exception("the status port failed to answer %s %s", scope["method"], scope["path"])
            await error_answer(500, "the worker failed to answer; its log says why.")(scope, receive, send)

    async def _gate(self, request: Any) -> Any:
        """What a stranger is told, or None; sets ``request.state.user`` otherwise."""
        path = request.scope["path"]  # what is routed by; the URL may be made of what the caller says of the host
        if path == "/healthz":
            return None
        try:
            request.state.user = await asyncio.to_thread(self._view.identify, request.headers.get("authorization"))
        except AuthenticationError as error:
            if path == "/" and "text/html" in request.headers.get("accept", ""):
                # The page holds no data; it asks for the token, because a browser cannot send one by itself.
                return self._page_answer(401, www_authenticate="Bearer")
            return error_answer(401, str(error))
        return None

    async def _health(self, request: Any) -> Any:
        if await asyncio.to_thread(self._view.healthy):
            return json_answer({"status": "ok", "worker": self._view.id})
        return json_answer({"status": "unavailable", "worker": self._view.id}, 503)

    async def _scrape(self, request: Any) -> Any:
        text, content_type = await asyncio.to_thread(self._metrics.scrape, request.headers.get("accept", ""))
        return answer(text, content_type)

    async def _show_page(self, request: Any) -> Any:
        return self._page_answer(200)

    def _page_answer(self, status: int, **headers: str) -> Any:
        return answer(self._page, "text/html", status, content_security_policy=self._policy, **headers)

    async def _status(self, request: Any) -> Any:
        return json_answer(await asyncio.to_thread(summarize, self._view))

    async def _predict(self, request: Any) -> Any:
        media_type = bodies.check_media_type(request.headers)
        body = await bodies.read_body(request, self._body_limit, _BODY_SECONDS)
        name, user = request.path_params["name"], request.state.user
        async with self._predictions:
            content = await asyncio.to_thread(self._predicted, name, user, body, media_type)
        return answer(content, media_type)

    def _predicted(self, name: str, user: str | None, body: bytes, media_type: str) -> bytes:
        data = bodies.to_tensor(body, media_type, self._body_limit)
        output = _run(lambda: self._view.predict(name, data, user), name, data)
        return bodies.to_body(output, media_type)


def _run(predict: Callable[[], torch.Tensor], name: str, data: torch.Tensor) -> torch.Tensor:
    try:
        return predict()
    except SyftError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        # Torch's own text may quote what the model holds.
        raise RefusedRequestError(
            400,
            f"model {name!r} cannot run on data of shape {tuple(data.shape)} and dtype "
            f"{str(data.dtype).removeprefix('torch.')} ({type(error).__name__}); send the shape and dtype it expects.",
        ) from None


async def _http_error(request: Any, error: Any) -> Any:
    response = error_answer(error.status_code, _SENTENCES.get(error.status_code, str(error.detail)))
    response.headers.update(error.headers or {})
    return response


async def _syft_error(request: Any, error: SyftError) -> Any:
    return error_answer(status_of(error), str(error))
