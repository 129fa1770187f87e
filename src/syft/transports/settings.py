"""`Settings`: where a client connects, as whom, and how patiently."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from syft.transports.addresses import Address
from syft.transports.tokens import Token


@dataclass(frozen=True, slots=True)
class Settings:
    """How a client connects.

    Attributes:
        address: of the worker.
        tls: verifies the worker; None without TLS.
        token: says who the client is.
        invitation: lets into a session of someone else, instead of a token.
        connect_timeout: seconds for connecting.
        reconnect: seconds during which a broken connection is made anew before `ConnectionLost` is raised.
        max_parcel: the longest answer to accept, in bytes.
    """

    address: Address
    tls: ssl.SSLContext | None = None
    token: Token | None = None
    invitation: bytes | None = None
    connect_timeout: float = 10.0
    reconnect: float = 0.5
    max_parcel: int = 1 << 30
