"""Addresses of workers: what they look like, what is refused, and which never leave this machine."""

from __future__ import annotations

import pytest

from syft.exceptions import UsageError
from syft.transports.addresses import Address, is_loopback


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "127.255.0.9", "::1", "[::1]", "0:0:0:0:0:0:0:1"]
)
def test_loopback_is_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "128.0.0.1",
        "127.0.0.1.example.org",
        "localhost.example.org",
        "127.1",
        "fe80::1",
    ],
)
def test_everything_else_may_be_reached_from_outside(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://localhost:8777", Address("localhost", 8777)),
        ("wss://worker.example.org:443", Address("worker.example.org", 443, True)),
        ("wss://[2001:db8::1]:9", Address("2001:db8::1", 9, True)),
    ],
)
def test_a_url_and_its_address_turn_into_each_other(url: str, address: Address) -> None:
    assert Address.parse(url) == address
    assert address.url == url


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost", "localhost:8777", "http://localhost:8777", "ws://localhost", "ws://:8777", "ws://localhost:0",
        "ws://localhost:65536", "ws://localhost:-1", "ws://localhost:http", "ws://[::1:8777", "wss://[::1]",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_way_out(url: str) -> None:
    with pytest.raises(UsageError, match=r"write ws://host:port or wss://host:port"):
        Address.parse(url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="token=") as caught:
        Address.parse("wss://ana:hunter2@localhost:8777")
    assert "hunter2" not in str(caught.value)


def test_an_address_is_a_value() -> None:
    assert len({Address("a", 1), Address("a", 1), Address("a", 1, True)}) == 2
    with pytest.raises(AttributeError):
        Address("a", 1).port = 2  # type: ignore[misc]
