"""TLS as syft uses it: version 1.2 or newer, and verified unless somebody says ``insecure=True``."""

from __future__ import annotations

import os
import ssl
from typing import Any

from syft.exceptions import CredentialsError

Path = str | os.PathLike[str]


def server_context(certificate: Path | None, key: Path | None, client_ca: Path | None = None) -> ssl.SSLContext:
    """What a worker needs.

    Args:
        certificate: its certificate with those between it and the authority, PEM.
        key: the key of the certificate, PEM, not encrypted.
        client_ca: file with the authority whose certificates clients must show.

    Raises:
        CredentialsError: a file is missing, damaged, or does not fit the other.
    """
    if certificate is None or key is None:
        raise CredentialsError(
            f"certificate={certificate!r} and key={key!r}: TLS needs both; 'syft worker cert' makes them"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_pair(context, certificate, key)
    if client_ca is not None:
        _load_authority(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None, *, insecure: bool = False
) -> ssl.SSLContext:
    """What a client needs.

    Args:
        ca: file with the authority that signed the worker's certificate; the system's when None.
        certificate: the client's own, for workers that want one, PEM.
        key: its key, PEM.
        insecure: talk to whoever answers.

    Raises:
        CredentialsError: a file is missing or damaged, or there is only half of a pair.
    """
    if (certificate is None) is not (key is None):
        raise CredentialsError(
            f"certificate={certificate!r} and key={key!r}: to show who you are both are needed, the certificate and "
            "its key"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authority(context, ca)
    if certificate is not None and key is not None:
        _load_pair(context, certificate, key)
    return context


def user_of(ssl_object: Any) -> str | None:
    """The user whose certificate a client has shown, which is its common name.

    Args:
        ssl_object: of the connection.

    Returns:
        The name; None if the worker did not ask for a certificate.
    """
    shown = ssl_object.getpeercert()
    for part in (shown or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return None


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for what, file in (("certificate", certificate), ("key", key)):
        _check_readable(what, file)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise CredentialsError(
            f"the certificate {os.fspath(certificate)!r} and the key {os.fspath(key)!r} cannot be used together: "
            f"{error}. Both are PEM files, and 'syft worker cert' makes them"
        ) from error


def _check_readable(what: str, file: Path) -> None:
    # The ssl module does not say which of its files it could not read.
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        raise CredentialsError(
            f"the {what} {os.fspath(file)!r} cannot be read: {error.strerror}. Give the path of a PEM file; 'syft "
            "worker cert' makes one"
        ) from error


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is here to type its password")


def _load_authority(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except OSError as error:
        raise CredentialsError(
            f"{os.fspath(file)!r} holds no authority to trust: {error}. Name the ca.pem that 'syft worker cert' made"
        ) from error
