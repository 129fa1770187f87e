"""The life of the port: its thread, its address, its certificate, and what it leaves alone."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import sys
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from syft.exceptions import CredentialsError, DependencyError, UsageError
from syft.status import StatusServer
from tests.status.ask import ask
from tests.status.lab import Lab


@pytest.fixture
def credentials(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "worker.crt", tmp_path / "worker.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_it_starts_stops_and_starts_again_without_leaving_a_thread(lab: Lab) -> None:
    before = threading.enumerate()
    server = StatusServer(lab)
    for _ in range(3):
        server.start()
        assert server.port > 0 and server.url == f"http://127.0.0.1:{server.port}/"
        assert ask(server.url + "status.json").status == 200
        server.stop()
        assert threading.enumerate() == before
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), timeout=2)
    server.stop()


def test_an_open_connection_does_not_keep_it(lab: Lab) -> None:
    before = threading.enumerate()
    with StatusServer(lab) as server, socket.create_connection((server.host, server.port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        server.stop()
        assert threading.enumerate() == before


def test_a_prediction_that_runs_is_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release = threading.Event(), threading.Event()
    original = lab.objects

    def slow() -> list[object]:
        begun.set()
        assert release.wait(20)
        return list(original())

    monkeypatch.setattr(lab, "objects", slow)
    before = threading.enumerate()
    server = StatusServer(lab)
    server.start()
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(ask(server.url + "status.json").status))
    caller.start()
    assert begun.wait(10)
    threading.Timer(0.3, release.set).start()
    server.stop()
    caller.join()
    assert answers == [200]
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_two_ports_show_one_worker(lab: Lab, server: StatusServer) -> None:
    with StatusServer(lab) as other:
        assert other.port != server.port
        assert ask(other.url + "healthz").json == ask(server.url + "healthz").json


def test_starting_twice_is_refused(server: StatusServer) -> None:
    with pytest.raises(UsageError, match=r"already listens.*stop\(\)"):
        server.start()


def test_a_taken_port_is_an_error_at_start(lab: Lab, server: StatusServer) -> None:
    other = StatusServer(lab, port=server.port)
    with pytest.raises(OSError, match="in use"):
        other.start()
    other.stop()
    assert ask(server.url + "healthz").status == 200


def test_https(lab: Lab, credentials: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(credentials[0]))
    with StatusServer(lab, ssl_certificate=credentials[0], ssl_key=credentials[1]) as server:
        assert server.url.startswith("https://")
        assert ask(server.url + "healthz", context=context).json["worker"] == "lab"
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(server.url + "healthz", context=ssl.create_default_context())
        with socket.create_connection((server.host, server.port), timeout=10) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP" not in plain.recv(1000)


def test_credentials_that_cannot_be_used_are_an_error_at_start(
    lab: Lab, credentials: tuple[Path, Path], tmp_path: Path
) -> None:
    before = threading.enumerate()
    nonsense = tmp_path / "nonsense.crt"
    nonsense.write_text("no certificate")
    for certificate, key in ((tmp_path / "missing.crt", credentials[1]), (nonsense, credentials[1])):
        with pytest.raises(CredentialsError, match="cannot be used"):
            StatusServer(lab, ssl_certificate=certificate, ssl_key=key).start()
    with pytest.raises(UsageError, match="ssl_certificate"):
        StatusServer(lab, ssl_key=credentials[1])
    assert threading.enumerate() == before


def test_signals_logging_and_output_stay_as_they_were(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    root = list(logging.getLogger().handlers)
    with StatusServer(lab) as server:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        assert ask(server.url).status == 200 and ask(server.url + "nowhere").status == 404
        with socket.create_connection((server.host, server.port)) as garbage:
            garbage.sendall(b"\x00\x01 garbage\r\n\r\n")
            assert b"400" in garbage.recv(100)
        assert "server" not in ask(server.url).headers
    assert logging.getLogger().handlers == root
    assert capfd.readouterr() == ("", "")


def test_ipv6(lab: Lab) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with StatusServer(lab, "::1") as server:
        assert server.url == f"http://[::1]:{server.port}/"
        assert ask(server.url + "healthz").status == 200


def test_without_the_extra_the_error_names_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    with pytest.raises(DependencyError, match=r"prometheus-client.*resyft\[status\]"):
        StatusServer(lab)
