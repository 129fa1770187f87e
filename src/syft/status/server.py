"""The status port itself: an HTTP server in a thread of its own."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from typing import Any

from syft.core.optional import require
from syft.exceptions import CredentialsError, UsageError
from syft.status.app import BODY_LIMIT, StatusApp
from syft.status.view import WorkerView

_START_SECONDS = 10.0
_GRACE_SECONDS = 2
_MOST_CONNECTIONS = 64


class StatusServer:
    """Serves one worker's status over HTTP. The worker's process keeps its signals and its logging settings.

    Args:
        view: the worker.
        host: the address to listen on. Others than this machine reach ``"0.0.0.0"``; give the worker tokens then.
        port: the port; 0 for one that is free.
        ssl_certificate: a file with a certificate chain, for HTTPS.
        ssl_key: a file with its key; not needed if the key is in the same file.
        body_limit: the longest body of a request, in bytes.

    Attributes:
        host: where it listens.
        port: the port; after `start` the real one.

    Raises:
        DependencyError: the extra ``status`` is not installed.
        UsageError: there is a key without a certificate.

    Example:
        ``server = StatusServer(view, "127.0.0.1", 0); server.start(); server.url; server.stop()``, or ``with server:``.
    """

    def __init__(
        self,
        view: WorkerView,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_certificate: str | os.PathLike[str] | None = None,
        ssl_key: str | os.PathLike[str] | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        if ssl_key is not None and ssl_certificate is None:
            raise UsageError("a key alone makes no HTTPS; give ssl_certificate=... as well")
        self.host, self.port = host, port
        self._wanted_port = port
        self._files = (ssl_certificate, ssl_key)
        self._app = StatusApp(view, body_limit)
        self._uvicorn: Any = require("uvicorn", "status")
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self._files[0] is None else 'https'}://{host}:{self.port}/"

    def start(self) -> None:
        """Listen, and return once requests are answered.

        Raises:
            UsageError: it runs already.
            CredentialsError: the certificate or the key cannot be used.
            OSError: the address cannot be had, for instance because the port is taken.
        """
        if self._thread is not None:
            raise UsageError(f"the status port already listens at {self.url}; call stop() first")
        config = self._config()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listening = socket.create_server((self.host, self._wanted_port), family=family)
        self.port = listening.getsockname()[1]
        server = self._uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name=f"syft-status-{self.port}", daemon=True
        )
        thread.start()
        self._server, self._thread = server, thread
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                listening.close()
                raise OSError(f"the status port could not listen at {self.url}; the log says why")
            time.sleep(0.002)

    def _config(self) -> Any:
        certificate, key = self._files
        config = self._uvicorn.Config(
            self._app,
            # One implementation on every machine, whatever faster ones are installed.
            loop="asyncio", http="h11", ws="none", lifespan="off",
            log_config=None, log_level="error", access_log=False, server_header=False, proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS, timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=certificate, ssl_keyfile=key,
        )  # fmt: skip
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise CredentialsError(f"certificate {certificate!s} or its key {key!s} cannot be used: {error}") from error
        return config

    def stop(self) -> None:
        """Close the port and wait until its threads are gone; a prediction that runs is waited for."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> StatusServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
