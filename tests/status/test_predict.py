"""Models over HTTP: the same numbers as the model itself, and a sentence for everything that is no tensor."""

from __future__ import annotations

import http.client
import io
import json
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from syft.exceptions import LimitExceededError
from syft.status import StatusServer
from tests.status.ask import ask, ask_json, ask_npz, npz
from tests.status.lab import CANARY, Lab

LIMIT = 100_000


@pytest.fixture
def small(lab: Lab) -> Iterator[StatusServer]:
    """A port that takes bodies of 100 kB."""
    with StatusServer(lab, body_limit=LIMIT) as server:
        yield server


def _npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode().ljust(118) + b"\n"
    head = b"\x93NUMPY" + version + struct.pack("<H" if version == b"\x01\x00" else "<I", len(text)) + text
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("data.npy", head + content)
    return target.getvalue()


def test_json_gives_what_the_model_gives(lab: Lab, server: StatusServer) -> None:
    x = torch.randn(5, 4)
    answer = ask_json(server.url + "models/iris/predict", {"data": x.tolist()})
    expected = lab.worker.run_remote_inference("iris", x)
    assert answer.status == 200 and answer.json["shape"] == [5, 2] and answer.json["dtype"] == "float32"
    assert torch.equal(torch.tensor(answer.json["output"]), expected)


def test_npz_gives_what_the_model_gives(lab: Lab, server: StatusServer) -> None:
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    answer = ask_npz(server.url + "models/iris/predict", npz(data=x, other=x))
    assert answer.status == 200 and answer.headers["content-type"] == "application/x-npz"
    with np.load(io.BytesIO(answer.body), allow_pickle=False) as arrays:
        assert arrays.files == ["output"]
        assert torch.equal(
            torch.from_numpy(arrays["output"]), lab.worker.run_remote_inference("iris", torch.from_numpy(x))
        )


def test_arrays_of_every_byte_order_and_layout(server: StatusServer) -> None:
    for dtype in ("<f8", ">f4", "<i2", ">i8", "u1", "<f2"):
        for layout in (np.ascontiguousarray, np.asfortranarray):
            x = layout(np.arange(12).reshape(3, 4).astype(dtype))
            answer = ask_npz(server.url + "models/clinic/relu/predict", npz(data=x))
            with np.load(io.BytesIO(answer.body), allow_pickle=False) as arrays:
                assert arrays["output"].dtype == np.dtype(dtype).newbyteorder("=")
                assert np.array_equal(arrays["output"], x)


def test_json_says_its_dtype(server: StatusServer) -> None:
    for dtype in ("float64", "float16", "bfloat16", "int32", "uint8", "int64"):
        answer = ask_json(server.url + "models/clinic/relu/predict", {"data": [3, 0, 100], "dtype": dtype})
        assert answer.json == {"output": [3, 0, 100], "shape": [3], "dtype": dtype}


def test_scalars_and_empty_batches(server: StatusServer) -> None:
    url = server.url + "models/clinic/relu/predict"
    assert ask_json(url, {"data": 1.5}).json == {"output": 1.5, "shape": [], "dtype": "float32"}
    assert ask_json(url, {"data": [[], []]}).json == {"output": [[], []], "shape": [2, 0], "dtype": "float32"}


def test_numbers_that_json_does_not_have_are_spelled(server: StatusServer) -> None:
    answer = ask_json(server.url + "models/clinic/relu/predict", b'{"data": [[NaN, Infinity, 0.5]]}')
    assert answer.json["output"] == [["NaN", "Infinity", 0.5]]


def test_a_name_may_be_escaped(server: StatusServer) -> None:
    answer = ask_json(server.url + "models/clinic%2Frelu/predict", {"data": [-1.0, 1.0]})
    assert answer.json["output"] == [0.0, 1.0]


def test_bfloat16_in_npz_is_float32(lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "predict", lambda name, data, user: data.bfloat16())
    answer = ask_npz(server.url + "models/iris/predict", npz(data=np.array([1.5, 2.0])))
    with np.load(io.BytesIO(answer.body), allow_pickle=False) as arrays:
        assert arrays["output"].dtype == np.float32 and arrays["output"].tolist() == [1.5, 2.0]


def test_complex_outputs_need_npz(lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "predict", lambda name, data, user: torch.complex(data, data))
    answer = ask_json(server.url + "models/iris/predict", {"data": [1.0]})
    assert answer.status == 400 and "npz" in answer.error
    reply = ask_npz(server.url + "models/iris/predict", npz(data=np.array([1.0])))
    with np.load(io.BytesIO(reply.body), allow_pickle=False) as arrays:
        assert arrays["output"].tolist() == [1 + 1j]


def test_models_exist_for_their_users_only(guarded: StatusServer) -> None:
    data = {"data": [-2.0, 2.0]}
    url = guarded.url + "models/bens/predict"
    assert ask_json(url, data, token="ben-4567").json["output"] == [0.0, 2.0]
    answer = ask_json(url, data, token="ann-0123")
    assert answer.status == 404 and "no model 'bens'" in answer.json["error"]
    assert ask_json(url, data).status == 401


def test_who_may_not_run_a_model_is_told(server: StatusServer) -> None:
    answer = ask_json(server.url + "models/kept/predict", {"data": [1.0]})
    assert answer.status == 403 and "not run for others" in answer.error
    answer = ask_json(server.url + "models/nobody/predict", {"data": [1.0]})
    assert answer.status == 404 and "no model 'nobody'" in answer.json["error"]


NO_TENSORS_IN_JSON = [
    b"", b"{", b"[1, 2]", b"3", b"null", b'{"output": [1]}', b'{"data": [1], "name": "x"}', b"\xff\xfe\x00",
    b'{"data": [1, [2]]}', b'{"data": "abc"}', b'{"data": ["1"]}', b'{"data": {}}', b'{"data": [null]}',
    b'{"data": null}', b'{"data": [1], "dtype": "complex64"}', b'{"data": [1], "dtype": "__class__"}',
    b'{"data": [1], "dtype": 3}', b'{"data": [1], "dtype": ["int8"]}', b'{"data": [300], "dtype": "uint8"}',
    b'{"data": [%d]}' % 2**70, b'{"data": ' + b"[" * 90_000, b'{"data": ' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"data": ' + b"9" * 5000 + b"}",
]  # fmt: skip


def test_json_without_a_tensor_is_400(small: StatusServer) -> None:
    url = small.url + "models/clinic/relu/predict"
    answers = {body: ask_json(url, body) for body in NO_TENSORS_IN_JSON}
    assert {body: answer.status for body, answer in answers.items() if answer.status != 400} == {}
    assert all(len(answer.error) < 300 for answer in answers.values())
    assert ask_json(url, {"data": [1.0]}).status == 200


NO_TENSORS_IN_NPZ = [
    b"", b"PK\x03\x04", b"x" * 500, npz(other=np.ones(3)), npz(data=np.array(["text"])),
    npz(data=np.zeros(3, dtype=[("a", "f4")])), npz(data=np.array("2024", dtype="M8[Y]")),
    _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"),
    _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1), }", b"\0" * 4),
    _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", b"\0" * 7),
    _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", b"\0" * 9),
    _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x04K\x01."),
    _npy("{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os'), }"),
    _npy("{'descr': '<f4', 'shape': (0,), }"), _npy("{" * 60), _npy("{}", version=b"\x02\x00"),
    _npy("{}", version=b"\x09\x00"), npz(data=np.ones(3))[:-30],
]  # fmt: skip


def test_npz_without_a_tensor_is_400(small: StatusServer) -> None:
    url = small.url + "models/clinic/relu/predict"
    answers = {body: ask_npz(url, body) for body in NO_TENSORS_IN_NPZ}
    assert {body: answer.status for body, answer in answers.items() if answer.status != 400} == {}
    assert all(len(answer.error) < 300 for answer in answers.values())
    assert ask_npz(url, npz(data=np.ones(1))).status == 200


def test_no_pickle_is_loaded(small: StatusServer, tmp_path: Any) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return open, (str(tmp_path / "loaded"), "w")

    target = io.BytesIO()
    np.savez(target, data=np.array([Touch()], dtype=object))
    assert ask_npz(small.url + "models/clinic/relu/predict", target.getvalue()).status == 400
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_bomb_is_413(small: StatusServer) -> None:
    target = io.BytesIO()
    np.savez_compressed(target, data=np.zeros(10_000_000))
    body = target.getvalue()
    assert len(body) < LIMIT
    answer = ask_npz(small.url + "models/clinic/relu/predict", body)
    assert answer.status == 413 and str(LIMIT) in answer.error


def test_many_members_are_refused(small: StatusServer) -> None:
    arrays = {f"a{number}": np.ones(1) for number in range(20)}
    answer = ask_npz(small.url + "models/clinic/relu/predict", npz(data=np.ones(1), **arrays))
    assert answer.status == 400 and "too many arrays" in answer.error


def test_a_body_just_within_the_limit_is_taken_and_one_beyond_is_413(small: StatusServer) -> None:
    url = small.url + "models/clinic/relu/predict"
    body = json.dumps({"data": [1.5, 2.5]}).encode()
    assert ask_json(url, body.ljust(LIMIT)).json["output"] == [1.5, 2.5]
    for length in (LIMIT + 1, 2 * LIMIT):
        answer = ask_json(url, body.ljust(length))
        assert answer.status == 413 and str(LIMIT) in answer.error


def _connect(server: StatusServer, **headers: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.putrequest("POST", "/models/clinic/relu/predict")
    connection.putheader("Content-Type", "application/json")
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    return connection


def test_an_announced_giant_is_refused_before_it_comes(small: StatusServer) -> None:
    connection = _connect(small, Content_Length=str(10**12))
    with connection.getresponse() as answer:
        assert answer.status == 413
    connection.close()


def test_a_body_that_announces_no_length_is_counted_while_it_comes(small: StatusServer) -> None:
    connection = _connect(small, Transfer_Encoding="chunked")
    sent, chunk = 0, b" " * 10_000
    try:
        while sent < 200 * LIMIT:
            connection.send(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
            sent += len(chunk)
    except OSError:
        pass  # the server hung up, as it should
    connection.close()
    # What socket buffers hold goes beyond what the server took.
    assert sent < 150 * LIMIT


def test_a_slow_body_is_given_up(small: StatusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syft.status.app._BODY_SECONDS", 0.2)
    connection = _connect(small, Content_Length="100")
    connection.send(b'{"data"')
    with connection.getresponse() as answer:
        assert answer.status == 408 and b"did not arrive" in answer.read()
    connection.close()


def test_other_media_types_are_415(server: StatusServer) -> None:
    for kind in ("text/plain", "application/octet-stream", "multipart/form-data", "", "text/json"):
        answer = ask(server.url + "models/iris/predict", b"{}", content_type=kind)
        assert answer.status == 415 and "application/json" in answer.error


def test_a_media_type_may_have_parameters_and_capitals(server: StatusServer) -> None:
    body = b'{"data": [1.0]}'
    url = server.url + "models/clinic/relu/predict"
    assert ask(url, body, content_type="Application/JSON; charset=utf-8").status == 200
    assert ask(url, body, content_type="application/json", content_encoding="gzip").status == 415


def test_data_of_another_shape_is_400_without_the_models_own_words(
    lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask_json(server.url + "models/iris/predict", {"data": [[1.0, 2.0, 3.0]]})
    assert answer.status == 400 and "(1, 3)" in answer.error and "float32" in answer.error

    def fail(name: str, data: torch.Tensor, user: str | None) -> torch.Tensor:
        raise RuntimeError(f"the weight is {CANARY}")

    monkeypatch.setattr(lab, "predict", fail)
    answer = ask_json(server.url + "models/iris/predict", {"data": [1.0]})
    assert answer.status == 400 and str(CANARY) not in answer.error


def test_a_result_beyond_the_workers_limits_is_413(
    lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, data: torch.Tensor, user: str | None) -> torch.Tensor:
        raise LimitExceededError("the result would be larger than this worker allows.")

    monkeypatch.setattr(lab, "predict", refuse)
    answer = ask_json(server.url + "models/iris/predict", {"data": [1.0]})
    assert answer.status == 413 and answer.error == "the result would be larger than this worker allows."


def test_health_and_status_are_told_beside_slow_predictions(
    lab: Lab, server: StatusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, running, at_once = threading.Event(), [], []

    def wait(name: str, data: torch.Tensor, user: str | None) -> torch.Tensor:
        running.append(name)
        at_once.append(len(running))
        assert release.wait(20)
        running.remove(name)
        return data

    monkeypatch.setattr(lab, "predict", wait)
    answers: list[int] = []
    callers = [
        threading.Thread(
            target=lambda: answers.append(ask_json(server.url + "models/iris/predict", {"data": [1.0]}).status)
        )
        for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + 10
    while len(running) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    begun = time.monotonic()
    assert ask(server.url + "healthz").status == ask(server.url + "status.json").status == 200
    assert time.monotonic() - begun < 5
    release.set()
    for caller in callers:
        caller.join()
    assert answers == [200] * 8 and max(at_once) == 3
