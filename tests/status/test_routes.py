"""The addresses of the status port, and who may see them."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest
import torch

from syft.status import ObjectRow, StatusServer, TrainingRow
from syft.status.summary import MOST_ROWS
from tests.status.ask import ask, ask_json
from tests.status.lab import CANARY, Lab

EVERY_PAGE = ("", "status.json", "metrics", "healthz", "nowhere")


def test_health_is_the_workers(lab: Lab, server: StatusServer) -> None:
    answer = ask(server.url + "healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok", "worker": "lab"})
    lab.is_healthy = False
    answer = ask(server.url + "healthz")
    assert (answer.status, answer.json) == (503, {"status": "unavailable", "worker": "lab"})


def test_the_summary_is_what_the_worker_holds(lab: Lab, server: StatusServer) -> None:
    state = ask(server.url + "status.json").json
    assert state["worker"] == "lab" and state["healthy"] is True
    assert 0 <= state["now"] - state["started"] < 60 and abs(state["now"] - time.time()) < 60
    assert state["objects"]["count"] == len(lab.worker._objects) == len(state["objects"]["rows"])
    rows = {tuple(row["tags"]): row for row in state["objects"]["rows"]}
    flowers = rows["#iris", "#x", "train"]
    assert flowers["shape"] == [120, 4] and flowers["dtype"] == "float32" and flowers["kind"] == "Tensor"
    assert flowers["description"] == "Measurements of 120 flowers, standardized" and flowers["owner"] == "ann"
    assert lab.worker._objects[int(flowers["id"])].shape == (120, 4)
    assert rows["#flag",]["shape"] == []
    sessions = {row["user"]: row for row in state["sessions"]["rows"]}
    assert sessions["ann"]["nbytes"] == 4 * (120 * 4 + 120 + 3) and sessions["ann"]["objects"] == 3
    assert sessions["ben"]["connected"] is True and sessions["eve"]["connected"] is False
    assert state["stored_bytes"] == sum(row["nbytes"] for row in sessions.values())
    assert state["ops"] == lab.worker.commands > 100
    assert state["traffic"]["command"]["messages_in"] == lab.worker.commands
    assert state["traffic"]["put"]["bytes_in"] > 64 * 28 * 28 * 4
    assert state["training"]["dataset"] == "#iris" and state["training"]["step"] == 30
    steps, losses = zip(*state["training"]["losses"], strict=True)
    assert steps == tuple(range(1, 31)) and losses[0] == 0.25 and losses[-1] < 0.2
    assert [(row["id"], row["version"]) for row in state["models"]["rows"]] == [
        ("clinic/relu", 1), ("iris", 1), ("kept", 1),
    ]  # fmt: skip


def test_figures_move_with_the_worker(lab: Lab, server: StatusServer) -> None:
    before = ask(server.url + "status.json").json
    lab.train("#iris", 5)
    after = ask(server.url + "status.json").json
    assert after["ops"] > before["ops"] and after["training"]["step"] == 35
    assert after["traffic"]["take"]["bytes_out"] > before["traffic"]["take"]["bytes_out"]


def test_many_objects_and_long_texts_are_cut(lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ObjectRow(2**63 - 1, "Tensor", (1,), "int64", ("t" * 1000,) * 50, "d" * 5000)
    monkeypatch.setattr(lab, "objects", lambda: [row] * 10_000)
    answer = ask(server.url + "status.json")
    assert answer.json["objects"]["count"] == 10_000 and len(answer.json["objects"]["rows"]) == MOST_ROWS
    assert answer.json["objects"]["rows"][0]["id"] == "9223372036854775807"
    assert len(answer.body) < 2**20


def test_losses_that_json_cannot_say_are_gaps(lab: Lab, server: StatusServer) -> None:
    lab._training = TrainingRow("#iris", 3, (0.5, float("inf"), float("nan")))
    training = ask(server.url + "status.json").json["training"]
    assert training["losses"] == [[1, 0.5], [2, None], [3, None]]
    assert ask(server.url + "metrics").status == 200


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_no_value_is_on_any_page(lab: Lab, server: StatusServer, page: str) -> None:
    assert lab.worker._objects and any((t == CANARY).any() for t in lab.worker._objects.values())
    answer = ask(server.url + page)
    whole = answer.body + str(answer.headers).encode()
    for canary in (CANARY, torch.tensor(CANARY).half().item(), round(CANARY), 31337.02):
        assert str(canary).encode() not in whole
    assert torch.tensor(CANARY).numpy().tobytes() not in whole


def test_the_page_is_one_document_that_reaches_nothing_else(server: StatusServer) -> None:
    answer = ask(server.url)
    page = answer.body.decode()
    assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
    for foreign in ("src=", "@import", "url(", "//cdn", 'href="http'):
        assert foreign not in page
    # Whatever the worker sends becomes text: nothing here makes markup out of strings.
    for maker in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert maker not in page
    assert "lab" not in page.split("<body>")[1].split("<script>")[0].split() and "alert(1)" not in page


def test_without_a_token_nothing_but_health_is_told(guarded: StatusServer) -> None:
    for page in ("", "status.json", "metrics", "nowhere", "models/iris/predict", "healthz/", "docs"):
        for token in (None, "wrong", "", "ann-0123x", "ann-012"):
            answer = ask(guarded.url + page, token=token)
            assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
            assert "asks for a token" in answer.error
            assert ask(guarded.url + "healthz", token=token).status == 200


@pytest.mark.parametrize("host", ["x/healthz?", "x/healthz#"])
def test_a_host_that_looks_like_the_open_page_opens_no_other(guarded: StatusServer, host: str) -> None:
    for page in ("metrics", "status.json", ""):
        assert ask(guarded.url + page, host=host).status == 401


def test_another_scheme_is_no_token(guarded: StatusServer) -> None:
    assert ask(guarded.url + "metrics", authorization="Basic ann-0123").status == 401
    assert ask(guarded.url + "metrics?token=ann-0123").status == 401


def test_with_a_token_everything_is_there(guarded: StatusServer) -> None:
    for page in ("", "status.json", "metrics"):
        assert ask(guarded.url + page, token="ben-4567").status == 200


def test_a_browser_without_a_token_gets_the_empty_page(lab: Lab, guarded: StatusServer) -> None:
    answer = ask(guarded.url, accept="text/html,*/*;q=0.8")
    assert answer.status == 401 and b"This worker asks who you are" in answer.body
    assert answer.headers["content-security-policy"]
    assert not any(tag.encode() in answer.body for tag in ("#iris", "#secret", "hospital", "ann", "ben<"))
    assert ask(guarded.url + "status.json", accept="text/html").headers["content-type"] == "application/json"


def test_a_stranger_is_refused_before_the_body_is_read(guarded: StatusServer) -> None:
    connection = http.client.HTTPConnection(guarded.host, guarded.port, timeout=5)
    connection.putrequest("POST", "/models/iris/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    # Nothing of the body was sent, and the answer is there.
    with connection.getresponse() as answer:
        assert answer.status == 401
    connection.close()


def test_unknown_addresses_are_404(server: StatusServer) -> None:
    for path in ("nowhere", "models", "models/iris", "models/iris/predict/", "status.json/", "..%2f", "page.html"):
        answer = ask(server.url + path)
        assert answer.status == 404 and answer.error == "there is nothing at this address."


def test_other_methods_are_405(server: StatusServer) -> None:
    for method, path in (("POST", ""), ("DELETE", "status.json"), ("PUT", "metrics"), ("POST", "healthz")):
        answer = ask(server.url + path, b"", method=method)
        assert answer.status == 405 and "method" in answer.error and "GET" in answer.headers["allow"]
    answer = ask(server.url + "models/iris/predict")
    assert answer.status == 405 and answer.headers["allow"] == "POST"


def test_a_worker_that_fails_is_500_and_quotes_nothing(
    lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise KeyError(CANARY)

    monkeypatch.setattr(lab, "sessions", fail)
    for path in ("status.json", "metrics"):
        answer = ask(server.url + path)
        assert answer.status == 500 and "log" in answer.error and str(CANARY) not in answer.error
    assert len([record for record in caplog.records if record.name == "syft.status"]) == 2
    assert ask(server.url + "healthz").status == 200


def test_control_the_canary_is_found_where_a_model_returns_it(lab: Lab, server: StatusServer) -> None:
    answer = ask_json(server.url + "models/clinic/relu/predict", {"data": [CANARY]})
    assert str(CANARY).encode() in answer.body and json.loads(answer.body)["output"] == [CANARY]
