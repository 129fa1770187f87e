"""`NetworkMonitor`. Capturing needs the program tshark and rights; what is done with a capture needs neither."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from syft.exceptions import DependencyError, SyftError, UsageError
from syft.metrics import NetworkMonitor


class Layer(dict[str, str]):
    """What a pyshark layer offers: fields by name."""

    @property
    def field_names(self) -> list[str]:
        return list(self)


class Packet(SimpleNamespace):
    """What a pyshark packet offers: layers by name."""

    def __getitem__(self, name: str) -> Layer:
        return {"TCP": self.tcp}[name]  # type: ignore[no-any-return]


def packet(**changes: Any) -> Packet:
    tcp = Layer(srcport="1234", dstport="80")
    http = Layer(request_method="GET", host="example")
    fields: dict[str, Any] = {
        "sniff_time": "12:00",
        "highest_layer": "HTTP",
        "length": "120",
        "ip": Layer(src="10.0.0.1", dst="10.0.0.2"),
        "tcp": tcp,
        "transport_layer": "TCP",
        "layers": [tcp, http],
    }
    return Packet(**{**fields, **changes})


class Capture(list[Packet]):
    """A capture that remembers how it was made, in the place of ``pyshark.LiveCapture``."""

    made: dict[str, Any]
    sniffed: float

    def __init__(self, **made: Any) -> None:
        super().__init__([packet()])
        self.made = made

    def sniff(self, timeout: float) -> None:
        self.sniffed = timeout


@pytest.fixture
def pyshark(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pyshark")
    module.LiveCapture = Capture  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyshark", module)


def test_importing_it_needs_no_pyshark(run_script: Any) -> None:
    script = (
        "import sys; sys.modules['pyshark'] = None; import syft.generic.metrics as m; print(m.NetworkMonitor.__name__)"
    )
    assert run_script(script) == "NetworkMonitor\n"


def test_without_pyshark_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyshark", None)
    with pytest.raises(DependencyError, match=r"resyft\[monitor\]"):
        NetworkMonitor.get_packets(interface="lo")


def test_an_interface_is_needed_and_asked_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyshark", None)
    with pytest.raises(UsageError, match="interface='lo'"):
        NetworkMonitor.get_packets()


def test_all_settings_reach_the_capture(pyshark: None) -> None:
    capture, length = NetworkMonitor.get_packets(
        timeout=3, interface="lo", bpf_filter="tcp", display_filter="http", tshark_path="/t", output_file="o"
    )
    assert length == 1
    assert capture.sniffed == 3
    assert capture.made == {
        "interface": "lo",
        "bpf_filter": "tcp",
        "display_filter": "http",
        "tshark_path": "/t",
        "output_file": "o",
    }


def test_the_defaults_are_those_of_0_2_4(pyshark: None) -> None:
    capture, _ = NetworkMonitor.get_packets(interface="lo")
    assert (capture.sniffed, capture.made["display_filter"]) == (50, "tcp.port == 80")


def test_a_packet_as_text() -> None:
    assert NetworkMonitor.read_packet(0, [packet()]).splitlines() == [
        "Time: 12:00",
        "Protocol: HTTP",
        "Length: 120",
        "From: 10.0.0.1:1234",
        "To: 10.0.0.2:80",
        "\trequest_method: GET",
        "\thost: example",
    ]


def test_packets_without_ports_or_addresses() -> None:
    v6 = packet(ip=None, ipv6=Layer(src="::1", dst="::2"), transport_layer=None)
    assert "From: ::1\nTo: ::2" in NetworkMonitor.read_packet(0, [v6])
    bare = packet(ip=None, transport_layer=None)
    assert "From: ?\nTo: ?" in NetworkMonitor.read_packet(0, [bare])


@pytest.mark.parametrize(
    ("index", "capture"), [(None, [packet()]), (1, [packet()]), (-1, [packet()]), (True, [packet()])]
)
def test_a_packet_that_is_not_there(index: Any, capture: Any) -> None:
    with pytest.raises(SyftError, match="no packet"):
        NetworkMonitor.read_packet(index, capture)


def test_no_capture() -> None:
    with pytest.raises(SyftError, match="get_packets"):
        NetworkMonitor.read_packet(0)
