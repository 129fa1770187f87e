"""Certificates: what is in them, that strict verifiers take them, and that no key is lost or shown."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from syft.exceptions import CredentialsError
from syft.transports.certificates import make_certificate, make_client_certificate

HOSTS = ["worker.example.org", "localhost", "127.0.0.1", "::1"]


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def verify(ca: Path, certificate: Path, subject: x509.GeneralName) -> None:
    assert isinstance(subject, (x509.DNSName, x509.IPAddress))
    PolicyBuilder().store(Store([read(ca)])).build_server_verifier(subject).verify(read(certificate), [])


def common_name(name: x509.Name) -> str:
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_a_servers_certificate_holds_what_it_should(tmp_path: Path) -> None:
    files = make_certificate(tmp_path / "certs", HOSTS, days=30)
    assert [path.name for path in (files.ca, files.certificate, files.key)] == ["ca.pem", "syft.pem", "syft.key"]
    made, ca = read(files.certificate), read(files.ca)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == HOSTS[:2]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(host) for host in HOSTS[2:]]
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_cert_sign
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    limits = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical and limits.value.ca and limits.value.path_length == 0
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    for certificate in (made, ca):
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    left = made.not_valid_after_utc - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=29.9) < left <= dt.timedelta(days=30)
    made.verify_directly_issued_by(ca)


@pytest.mark.parametrize(
    "subject",
    [x509.DNSName("worker.example.org"), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("::1"))],
)
def test_a_second_verifier_takes_it_for_its_hosts_and_no_others(tmp_path: Path, subject: x509.GeneralName) -> None:
    files = make_certificate(tmp_path, HOSTS, days=90)
    verify(files.ca, files.certificate, subject)
    with pytest.raises(VerificationError):
        verify(files.ca, files.certificate, x509.DNSName("other.example.org"))
    other = make_certificate(tmp_path / "other", HOSTS, days=90)
    with pytest.raises(VerificationError):
        verify(other.ca, files.certificate, subject)


def test_a_users_certificate_names_the_user_and_serves_nothing_else(tmp_path: Path) -> None:
    server = make_certificate(tmp_path, HOSTS)
    files = make_client_certificate(tmp_path, "ana")
    made = read(files.certificate)
    assert common_name(made.subject) == "ana"
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    made.verify_directly_issued_by(read(server.ca))


def test_all_certificates_of_a_directory_have_one_authority_and_different_keys(tmp_path: Path) -> None:
    first = make_certificate(tmp_path, ["a.example.org"], name="a")
    ca = (first.ca.read_bytes(), (tmp_path / "ca.key").read_bytes())
    second = make_certificate(tmp_path, ["b.example.org"], name="b")
    third = make_client_certificate(tmp_path, "ana")
    assert ((tmp_path / "ca.pem").read_bytes(), (tmp_path / "ca.key").read_bytes()) == ca
    assert len({files.key.read_bytes() for files in (first, second, third)} | {ca[1]}) == 4
    assert len({read(files.certificate).serial_number for files in (first, second, third)}) == 3


def test_each_key_is_that_of_its_certificate(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, HOSTS)
    for certificate, key in ((files.certificate, files.key), (files.ca, tmp_path / "ca.key")):
        loaded = load_pem_private_key(key.read_bytes(), None)
        assert loaded.public_key() == read(certificate).public_key()


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
@pytest.mark.usefixtures("open_umask")
def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    make_certificate(tmp_path, HOSTS)
    make_client_certificate(tmp_path, "ana")
    (tmp_path / "syft.key").chmod(0o666)
    make_certificate(tmp_path, HOSTS, force=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.key")}
    assert modes == {"ca.key": 0o600, "syft.key": 0o600, "ana.key": 0o600}


@pytest.mark.parametrize("left", [("syft.pem", "syft.key"), ("syft.pem",), ("syft.key",)])
def test_what_is_there_is_kept_unless_forced(tmp_path: Path, left: tuple[str, ...]) -> None:
    make_certificate(tmp_path, HOSTS)
    for name in {"syft.pem", "syft.key"} - set(left):
        (tmp_path / name).unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CredentialsError, match="is there already"):
        make_certificate(tmp_path, HOSTS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    make_certificate(tmp_path, HOSTS, force=True)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert all(after[name] != before[name] for name in left)
    assert all(after[name] == before[name] for name in ("ca.pem", "ca.key"))


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_in_the_place_of_a_key_is_not_followed(tmp_path: Path) -> None:
    certs, elsewhere = tmp_path / "certs", tmp_path / "elsewhere"
    certs.mkdir()
    (certs / "syft.key").symlink_to(elsewhere)
    with pytest.raises(CredentialsError, match="cannot be written"):
        make_certificate(certs, HOSTS)
    assert (certs / "syft.key").is_symlink() and not elsewhere.exists()
    make_certificate(certs, HOSTS, force=True)
    assert not (certs / "syft.key").is_symlink() and not elsewhere.exists()


@pytest.mark.parametrize("name", ["ca", "CA", "", ".", "..", "../up", "a/b", "a\\b", "a\0", "x" * 65])
@pytest.mark.parametrize("force", [False, True])
def test_no_name_reaches_the_authority_or_another_directory(tmp_path: Path, name: str, force: bool) -> None:
    directory = tmp_path / "certs"
    make_certificate(directory, HOSTS)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(CredentialsError, match="is no name for a certificate"):
        make_certificate(directory, HOSTS, name=name, force=force)
    with pytest.raises(CredentialsError, match="is no name for a certificate"):
        make_client_certificate(directory, name, force=force)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(
    "host", ["", "a b", "http://a.example.org", "a.example.org:8777", "a..b", "-a.org", "é.org", "a/b", "x" * 64]
)
def test_what_is_no_host_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(CredentialsError, match="is no host name and no address"):
        make_certificate(tmp_path, ["localhost", host])
    assert list(tmp_path.iterdir()) == []


def test_hosts_are_a_list_of_at_least_one(tmp_path: Path) -> None:
    for hosts in ([], "localhost"):
        with pytest.raises(CredentialsError, match="as a list"):
            make_certificate(tmp_path, hosts)


def test_a_host_longer_than_a_subject_may_be_is_served(tmp_path: Path) -> None:
    host = ".".join(["a" * 40, "b" * 40, "example", "org"])
    files = make_certificate(tmp_path, [host], days=90)
    verify(files.ca, files.certificate, x509.DNSName(host))


@pytest.mark.parametrize("days", [0, -1, 3651, 10**9])
def test_a_certificate_lives_at_least_a_day_and_not_longer_than_its_authority(tmp_path: Path, days: int) -> None:
    with pytest.raises(CredentialsError, match="cannot be valid for"):
        make_certificate(tmp_path, HOSTS, days)
    assert not (tmp_path / "syft.key").exists()


@pytest.mark.parametrize("damage", ["no key", "no certificate", "key of another", "nonsense"])
def test_an_authority_that_cannot_sign_is_refused_and_kept(tmp_path: Path, damage: str) -> None:
    make_certificate(tmp_path, HOSTS)
    key, certificate = tmp_path / "ca.key", tmp_path / "ca.pem"
    if damage == "no key":
        key.unlink()
    elif damage == "no certificate":
        certificate.unlink()
    elif damage == "key of another":
        key.write_bytes((tmp_path / "syft.key").read_bytes())
    else:
        key.write_text("nonsense")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CredentialsError, match=r"ca\.key") as caught:
        make_certificate(tmp_path, HOSTS, name="next", force=True)
    assert "PRIVATE" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_directory_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialsError, match="cannot be written"):
        make_certificate(tmp_path / "file", HOSTS)
