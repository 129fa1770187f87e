"""Certificates for a first secure set-up: a small authority of one's own, and what it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from syft.exceptions import CredentialsError

_CA_DAYS = 3650
_LONGEST_CN = 64
_NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}")
_SLACK = dt.timedelta(hours=1)  # clocks of two machines differ


@dataclass(frozen=True, slots=True)
class Files:
    """Where a certificate was written.

    Attributes:
        ca: the authority's certificate: what the other end trusts.
        certificate: the certificate.
        key: its key; nobody else gets it.
    """

    ca: Path
    certificate: Path
    key: Path


def make_certificate(
    directory: str | os.PathLike[str], hosts: Sequence[str], days: int = 825, name: str = "syft", *, force: bool = False
) -> Files:
    """Make a worker's certificate, and the authority that signs it if there is none in the directory.

    Args:
        directory: where the files are and go.
        hosts: names and addresses under which clients reach the worker.
        days: how long it is valid.
        name: of the files.
        force: replace a certificate that is there.

    Returns:
        The paths of what was made.

    Raises:
        CredentialsError: no host, no such name or time, a file is in the way, or the authority cannot be used.
    """
    if isinstance(hosts, str) or not hosts:
        raise CredentialsError(
            "a certificate needs the names or addresses under which clients reach the worker, as a list"
        )
    _check_name(name)
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    subject = hosts[0] if len(hosts[0]) <= _LONGEST_CN else name  # clients look at the names, not at the subject
    return _issue(Path(directory), name, subject, days, ExtendedKeyUsageOID.SERVER_AUTH, names, force)


def make_client_certificate(
    directory: str | os.PathLike[str], user: str, days: int = 825, *, force: bool = False
) -> Files:
    """Make a certificate with which a client shows that it is a user.

    Args:
        directory: where the authority is; the files ``<user>.pem`` and ``<user>.key`` go there.
        user: the common name.
        days: how long it is valid.
        force: replace a certificate that is there.

    Returns:
        The paths of what was made.

    Raises:
        CredentialsError: as `make_certificate`.
    """
    _check_name(user)
    return _issue(Path(directory), user, user, days, ExtendedKeyUsageOID.CLIENT_AUTH, None, force)


def _issue(
    directory: Path,
    name: str,
    subject: str,
    days: int,
    usage: x509.ObjectIdentifier,
    names: x509.SubjectAlternativeName | None,
    force: bool,
) -> Files:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files = Files(directory / "ca.pem", directory / f"{name}.pem", directory / f"{name}.key")
        for file in (files.certificate, files.key):
            if file.exists() and not force:
                raise CredentialsError(f"{file} is there already; choose another name or directory, or say force")
        authority, authority_key = _authority(directory)
        _check_days(days, authority)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, authority.subject, key, authority_key, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(authority_key, hashes.SHA256())
        _write_key(files.key, key, force)
        files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    except OSError as error:
        raise CredentialsError(f"the certificate cannot be written: {error}") from error
    return files


def _authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_file, key_file = directory / "ca.pem", directory / "ca.key"
    if certificate_file.exists() or key_file.exists():
        try:
            held = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            held_key = load_pem_private_key(key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise CredentialsError(
                f"the authority in {directory} cannot be used: {error}. It needs both ca.pem and ca.key"
            ) from error
        if not isinstance(held_key, ec.EllipticCurvePrivateKey) or held_key.public_key() != held.public_key():
            raise CredentialsError(f"{key_file} is not the key of {certificate_file}; use another directory")
        return held, held_key
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"syft authority {os.urandom(4).hex()}")
    builder = _builder(name, name, key, key, _CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.add_extension(_usage(signs=True), critical=True).sign(key, hashes.SHA256())
    _write_key(key_file, key, force=False)
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    return certificate, key


def _builder(
    subject: str | x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    own, signer = key.public_key(), issuer_key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject) if isinstance(subject, str) else subject)
        .issuer_name(issuer)
        .public_key(own)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _check_name(name: str) -> None:
    # It becomes the name of files: it may neither leave the directory nor be the authority's.
    if not _NAME.fullmatch(name) or name.strip(".") == "" or name.lower() == "ca":
        raise CredentialsError(
            f"{name!r} is no name for a certificate: it has 1 to 64 of the characters A-Z a-z 0-9 _ . @ + - and is not "
            "'ca', which is the authority's"
        )


def _check_days(days: int, authority: x509.Certificate) -> None:
    left = (authority.not_valid_after_utc - dt.datetime.now(dt.UTC)).days
    if not 1 <= days <= left:
        raise CredentialsError(
            f"a certificate cannot be valid for {days} days: it takes at least 1, and the authority that signs it ends "
            f"in {left}. Choose a number between, or make a new authority in another directory"
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    if not _HOST.fullmatch(host):
        raise CredentialsError(
            f"{host!r} is no host name and no address; write worker.example.org or 192.0.2.7, without scheme and port"
        )
    return x509.DNSName(host)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey, force: bool) -> None:
    if force:
        file.unlink(missing_ok=True)  # so that the mode is that of a new file
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
