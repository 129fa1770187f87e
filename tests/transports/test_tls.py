"""TLS over real sockets: the right peer is let in, six wrong ones are not, and each for its own reason."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from syft.exceptions import CredentialsError
from syft.transports.certificates import Files, make_certificate, make_client_certificate
from syft.transports.tls import client_context, server_context, user_of

SECONDS = 5.0


@dataclass
class Meeting:
    """What came of one connection, at both of its ends."""

    answer: bytes = b""
    received: bytes = b""
    user: str | None = None
    version: str | None = None
    client_error: Exception | None = None
    server_error: Exception | None = None

    @property
    def refused(self) -> bool:
        """Whether neither end got anything from the other."""
        return not self.answer and not self.received and self.client_error is not None


def meet(server: ssl.SSLContext, client: ssl.SSLContext | None, host: str = "localhost") -> Meeting:
    """Connect once; without a client's context it speaks in the clear."""
    meeting = Meeting()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)
        thread = threading.Thread(target=_serve, args=(listening, server, meeting))
        thread.start()
        try:
            with socket.create_connection(listening.getsockname(), SECONDS) as plain:
                if client is None:
                    _ask(plain, meeting)
                else:
                    with client.wrap_socket(plain, server_hostname=host) as tls:
                        _ask(tls, meeting)
        except OSError as error:
            meeting.client_error = error
        thread.join(SECONDS)
        assert not thread.is_alive()
    return meeting


def _ask(sock: socket.socket, meeting: Meeting) -> None:
    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    answer = sock.recv(64)
    if not answer.startswith(b"echo "):
        raise ConnectionError(f"no answer but {answer!r}")
    meeting.answer = answer


def _serve(listening: socket.socket, context: ssl.SSLContext, meeting: Meeting) -> None:
    try:
        connection, _ = listening.accept()
        connection.settimeout(SECONDS)
        with connection, context.wrap_socket(connection, server_side=True) as tls:
            meeting.user, meeting.version = user_of(tls), tls.version()
            data = tls.recv(64)
            if data:
                meeting.received = data
                tls.sendall(b"echo " + data)
    except OSError as error:
        meeting.server_error = error


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certs")
    make_certificate(directory, ["localhost", "127.0.0.1", "::1"])
    make_client_certificate(directory, "ana")
    return directory


@pytest.fixture(scope="module")
def worker(certs: Path) -> Files:
    return Files(certs / "ca.pem", certs / "syft.pem", certs / "syft.key")


@pytest.fixture(scope="module")
def ana(certs: Path) -> Files:
    return Files(certs / "ca.pem", certs / "ana.pem", certs / "ana.key")


# --- who is let in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_right_ones_talk(worker: Files, host: str) -> None:
    meeting = meet(server_context(worker.certificate, worker.key), client_context(worker.ca), host)
    assert meeting.client_error is None and meeting.server_error is None
    assert meeting.answer == b"echo " + meeting.received
    assert meeting.version == "TLSv1.3" and meeting.user is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_right_ones_talk_under_the_strictest_verification(
    worker: Files, ana: Files, version: ssl.TLSVersion
) -> None:
    server = server_context(worker.certificate, worker.key, worker.ca)
    client = client_context(worker.ca, ana.certificate, ana.key)
    client.maximum_version = version
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    meeting = meet(server, client)
    assert meeting.client_error is None and meeting.answer and meeting.user == "ana"


def test_certificates_of_others_are_as_good(tmp_path: Path) -> None:
    ca = trustme.CA()
    meeting = meet(*_of(tmp_path, ca.issue_cert("localhost"), ca))
    assert meeting.client_error is None and meeting.answer


# --- who is not --------------------------------------------------------------------------------------


def _of(directory: Path, leaf: trustme.LeafCert, trusted: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    ca, certificate, key = directory / "ca.pem", directory / "leaf.pem", directory / "leaf.key"
    trusted.cert_pem.write_to_path(str(ca))
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    leaf.private_key_pem.write_to_path(str(key))
    return server_context(certificate, key), client_context(ca)


def test_refused_1_signed_by_another_authority(worker: Files, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, ["localhost"])
    meeting = meet(server_context(worker.certificate, worker.key), client_context(other.ca))
    assert meeting.refused
    assert isinstance(meeting.client_error, ssl.SSLCertVerificationError)
    assert "unable to get local issuer certificate" in meeting.client_error.verify_message


def test_refused_1_also_where_only_the_systems_authorities_are_trusted(worker: Files) -> None:
    meeting = meet(server_context(worker.certificate, worker.key), client_context())
    assert meeting.refused and isinstance(meeting.client_error, ssl.SSLCertVerificationError)


def test_refused_2_expired(tmp_path: Path) -> None:
    ca, now = trustme.CA(), dt.datetime.now(dt.UTC)
    leaf = ca.issue_cert("localhost", not_before=now - dt.timedelta(days=9), not_after=now - dt.timedelta(days=1))
    meeting = meet(*_of(tmp_path, leaf, ca))
    assert meeting.refused
    assert isinstance(meeting.client_error, ssl.SSLCertVerificationError)
    assert meeting.client_error.verify_message == "certificate has expired"


@pytest.mark.parametrize("host", ["other.example.org", "127.0.0.2", "localhost.example.org"])
def test_refused_3_another_host(worker: Files, host: str) -> None:
    meeting = meet(server_context(worker.certificate, worker.key), client_context(worker.ca), host)
    assert meeting.refused
    assert isinstance(meeting.client_error, ssl.SSLCertVerificationError)
    assert "mismatch" in meeting.client_error.verify_message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_refused_4_no_client_certificate(worker: Files, version: ssl.TLSVersion) -> None:
    client = client_context(worker.ca)
    client.maximum_version = version
    meeting = meet(server_context(worker.certificate, worker.key, worker.ca), client)
    assert meeting.refused and meeting.user is None
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(meeting.server_error)


def test_refused_4_a_client_certificate_of_another_authority(worker: Files, tmp_path: Path) -> None:
    other = make_client_certificate(tmp_path, "ana")
    client = client_context(worker.ca, other.certificate, other.key)
    meeting = meet(server_context(worker.certificate, worker.key, worker.ca), client)
    assert meeting.refused and meeting.user is None
    assert isinstance(meeting.server_error, ssl.SSLCertVerificationError)


def test_refused_4_a_workers_certificate_is_no_users(worker: Files) -> None:
    client = client_context(worker.ca, worker.certificate, worker.key)
    meeting = meet(server_context(worker.certificate, worker.key, worker.ca), client)
    assert meeting.refused and "purpose" in str(meeting.server_error)


def test_a_users_certificate_is_no_workers(worker: Files, ana: Files) -> None:
    meeting = meet(server_context(ana.certificate, ana.key), client_context(worker.ca))
    assert meeting.refused and "purpose" in str(meeting.client_error)


def test_refused_5_in_the_clear(worker: Files) -> None:
    meeting = meet(server_context(worker.certificate, worker.key), None)
    assert meeting.refused
    assert isinstance(meeting.server_error, ssl.SSLError) and "HTTP_REQUEST" in str(meeting.server_error)


def _at_most_tls_1_1(context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old on purpose
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def test_refused_6_tls_1_1(worker: Files) -> None:
    old = _at_most_tls_1_1(client_context(worker.ca))
    meeting = meet(server_context(worker.certificate, worker.key), old)
    assert meeting.refused and "UNSUPPORTED_PROTOCOL" in str(meeting.server_error)

    willing = _at_most_tls_1_1(server_context(worker.certificate, worker.key))
    control = meet(willing, old)
    assert control.answer and control.version == "TLSv1.1", "the client can do it: the worker is what refuses"

    meeting = meet(willing, client_context(worker.ca))
    assert meeting.refused, "and a client refuses such a worker"


def test_insecure_is_the_only_way_around_verification(worker: Files) -> None:
    meeting = meet(server_context(worker.certificate, worker.key), client_context(insecure=True), "other.example.org")
    assert meeting.answer and meeting.version == "TLSv1.3"
    for context in (client_context(), client_context(worker.ca)):
        assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


@pytest.mark.parametrize("made", ["server", "client", "insecure client"])
def test_nothing_below_tls_1_2(worker: Files, made: str) -> None:
    context = {
        "server": lambda: server_context(worker.certificate, worker.key),
        "client": lambda: client_context(worker.ca),
        "insecure client": lambda: client_context(insecure=True),
    }[made]()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_shown_certificate_counts_only_where_it_was_demanded(worker: Files, ana: Files) -> None:
    client = client_context(worker.ca, ana.certificate, ana.key)
    meeting = meet(server_context(worker.certificate, worker.key), client)
    assert meeting.answer and meeting.user is None


# --- files that cannot be used -----------------------------------------------------------------------


def test_half_of_a_pair_is_refused(worker: Files) -> None:
    for certificate, key in ((worker.certificate, None), (None, worker.key)):
        with pytest.raises(CredentialsError, match="both"):
            client_context(worker.ca, certificate, key)
        with pytest.raises(CredentialsError, match="both"):
            server_context(certificate, key)


def test_a_missing_file_is_named(worker: Files, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(CredentialsError, match=r"the certificate '.*missing\.pem' cannot be read.*syft worker cert"):
        server_context(missing, worker.key)
    with pytest.raises(CredentialsError, match=r"the key '.*missing\.pem' cannot be read.*syft worker cert"):
        server_context(worker.certificate, missing)
    with pytest.raises(CredentialsError, match=r"the key '.*missing\.pem' cannot be read"):
        client_context(worker.ca, worker.certificate, missing)
    for make in (lambda: client_context(missing), lambda: server_context(worker.certificate, worker.key, missing)):
        with pytest.raises(CredentialsError, match=r"missing\.pem.*Name the ca\.pem"):
            make()


def test_files_that_do_not_belong_together_are_refused(worker: Files, ana: Files, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    pairs = [(worker.certificate, ana.key), (worker.key, worker.certificate), (nonsense, worker.key)]
    pairs += [(worker.certificate, nonsense)]
    for certificate, key in pairs:
        with pytest.raises(CredentialsError, match=r"cannot be used together.*syft worker cert") as caught:
            server_context(certificate, key)
        assert certificate.name in str(caught.value) and key.name in str(caught.value)
    for authority in (nonsense, worker.key):
        with pytest.raises(CredentialsError, match="no authority to trust"):
            client_context(authority)


def test_an_encrypted_key_is_refused_without_asking_for_its_password(worker: Files, tmp_path: Path) -> None:
    key = load_pem_private_key(worker.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")))
    with pytest.raises(CredentialsError, match="encrypted"):
        server_context(worker.certificate, locked)
