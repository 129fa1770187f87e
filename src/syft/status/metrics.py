"""The worker's figures in Prometheus' format, read from the worker whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syft.core.optional import require
from syft.status.view import WorkerView


class WorkerCollector:
    """Reads a worker at each scrape; nothing is counted twice and nothing is kept between scrapes.

    Args:
        view: the worker.

    Raises:
        DependencyError: prometheus-client is not installed.
    """

    def __init__(self, view: WorkerView) -> None:
        self._view = view
        self._core: Any = require("prometheus_client.core", "status", "prometheus-client")

    def collect(self) -> Iterator[Any]:
        """The metric families of this moment."""
        view, gauge, counter = self._view, self._core.GaugeMetricFamily, self._core.CounterMetricFamily
        sessions = view.sessions()
        info = self._core.InfoMetricFamily("syft_worker", "Which worker this is.")
        info.add_metric([], {"worker": view.id})
        yield info
        yield gauge("process_start_time_seconds", "When the worker started, in seconds since 1970.", view.started)
        yield gauge("syft_objects", "Objects that the worker holds.", len(view.objects()))
        yield gauge("syft_stored_bytes", "Bytes of the objects of all sessions.", sum(row.nbytes for row in sessions))
        yield gauge("syft_sessions", "Sessions that are open or leased.", len(sessions))
        yield counter("syft_ops", "Operations that ran since the worker started.", view.ops())
        yield from self._traffic()
        training = view.training()
        if training is not None:
            yield gauge("syft_training_step", "Steps of the training that runs or ran last.", training.step)
            if training.losses:
                yield gauge("syft_training_loss", "The newest loss of that training.", training.losses[-1])

    def _traffic(self) -> Iterator[Any]:
        labels = ("direction", "kind")
        messages = self._core.CounterMetricFamily("syft_messages", "Messages since the worker started.", labels=labels)
        nbytes = self._core.CounterMetricFamily("syft_bytes", "Bytes since the worker started.", labels=labels)
        for kind, row in sorted(self._view.traffic().items()):
            messages.add_metric(("in", kind), row.messages_in)
            messages.add_metric(("out", kind), row.messages_out)
            nbytes.add_metric(("in", kind), row.bytes_in)
            nbytes.add_metric(("out", kind), row.bytes_out)
        yield messages
        yield nbytes


class Metrics:
    """The exposition of one worker, with a registry of its own: several workers may live in one process.

    Args:
        view: the worker.

    Raises:
        DependencyError: prometheus-client is not installed.
    """

    def __init__(self, view: WorkerView) -> None:
        self._exposition: Any = require("prometheus_client.exposition", "status", "prometheus-client")
        registry: Any = require("prometheus_client.registry", "status", "prometheus-client")
        self._registry = registry.CollectorRegistry(auto_describe=False)
        self._registry.register(WorkerCollector(view))

    def scrape(self, accept: str) -> tuple[bytes, str]:
        """The figures now.

        Args:
            accept: the request's Accept header; a scraper that asks for OpenMetrics gets it.

        Returns:
            The text, encoded, and its content type.
        """
        encode, content_type = self._exposition.choose_encoder(accept)
        return encode(self._registry), content_type
