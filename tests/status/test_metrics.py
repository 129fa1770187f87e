"""The figures for Prometheus, read with its own parser."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from syft.status import StatusServer
from syft.status.metrics import Metrics
from tests.status.ask import ask
from tests.status.lab import CountingWorker, Lab

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _samples(text: str, parse: Any = parser.text_string_to_metric_families) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def test_every_figure_is_the_workers(lab: Lab, server: StatusServer) -> None:
    answer = ask(server.url + "metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = _samples(answer.body.decode())
    assert found["syft_worker_info", (("worker", "lab"),)] == 1
    assert found["syft_objects", ()] == len(lab.worker._objects)
    assert found["syft_stored_bytes", ()] == sum(row.nbytes for row in lab.sessions()) > 64 * 28 * 28 * 4
    assert found["syft_sessions", ()] == 3
    assert found["syft_ops_total", ()] == lab.worker.commands
    training = lab.training()
    assert training is not None
    assert found["syft_training_loss", ()] == training.losses[-1] and found["syft_training_step", ()] == 30
    assert abs(found["process_start_time_seconds", ()] - lab.started) < 1e-3 and lab.started <= time.time()
    for kind, row in lab.traffic().items():
        for direction, messages, nbytes in (
            ("in", row.messages_in, row.bytes_in),
            ("out", row.messages_out, row.bytes_out),
        ):
            labels = (("direction", direction), ("kind", kind))
            assert found["syft_messages_total", labels] == messages > 0
            assert found["syft_bytes_total", labels] == nbytes > 0
    assert {"command", "put", "take"} <= {dict(labels).get("kind") for _, labels in found}


def test_types_are_right(server: StatusServer) -> None:
    families = {
        family.name: family.type
        for family in parser.text_string_to_metric_families(ask(server.url + "metrics").body.decode())
    }
    assert families["syft_objects"] == "gauge" and families["syft_ops"] == "counter"
    assert families["syft_bytes"] == families["syft_messages"] == "counter"
    # Nothing of this process that is not the worker's.
    assert all(name.startswith("syft_") or name == "process_start_time_seconds" for name in families)


def test_a_scraper_may_ask_for_openmetrics(lab: Lab, server: StatusServer) -> None:
    answer = ask(server.url + "metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    found = _samples(answer.body.decode(), openmetrics.text_string_to_metric_families)
    assert found["syft_ops_total", ()] == lab.worker.commands


def test_each_scrape_reads_anew(lab: Lab, server: StatusServer) -> None:
    before = _samples(ask(server.url + "metrics").body.decode())
    lab.train("#iris", 3)
    after = _samples(ask(server.url + "metrics").body.decode())
    assert after["syft_ops_total", ()] > before["syft_ops_total", ()]
    assert after["syft_training_step", ()] == before["syft_training_step", ()] + 3


def test_several_workers_in_one_process_have_their_own(hook: Any, lab: Lab) -> None:
    other = Lab(CountingWorker(hook, id="empty"))
    texts = [Metrics(view).scrape("")[0].decode() for view in (lab, other, lab)]
    first, empty, again = map(_samples, texts)
    assert empty["syft_objects", ()] == empty["syft_ops_total", ()] == 0 < first["syft_objects", ()]
    assert first == again
    assert not any(name.startswith("syft_training") for name, _ in empty)


@pytest.mark.parametrize("kind", ['quo"te', "new\nline", "back\\slash", "ü"])
def test_labels_are_escaped(lab: Lab, server: StatusServer, kind: str) -> None:
    lab.worker.counted[kind] = lab.worker.counted["put"]
    found = _samples(ask(server.url + "metrics").body.decode())
    assert found["syft_messages_total", (("direction", "in"), ("kind", kind))] > 0
