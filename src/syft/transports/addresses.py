"""Where a worker listens."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from syft.exceptions import UsageError


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
        (True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Address:
    """Host, port, and whether TLS is used.

    Example:
        >>> Address.parse("wss://[::1]:8777")
        Address(host='::1', port=8777, secure=True)
        >>> Address("localhost", 8777).url
        'ws://localhost:8777'
    """

    host: str
    port: int
    secure: bool = False

    @property
    def url(self) -> str:
        """As ``ws://host:port`` or ``wss://host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.secure else 'ws'}://{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL.

        Raises:
            UsageError: it is none.
        """
        if "@" in url:
            # Not shown: what stands before the @ may be a password.
            raise UsageError("an address of a worker has no user or password in it; pass token=... beside it")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or not port or parts.scheme not in ("ws", "wss"):
            raise UsageError(f"{url!r} is no address of a worker; write ws://host:port or wss://host:port")
        return cls(host, port, parts.scheme == "wss")
