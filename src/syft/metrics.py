"""`NetworkMonitor`: captures packets with pyshark and shows them; for looking at what workers send."""

from __future__ import annotations

from typing import Any

from syft.core.optional import require
from syft.exceptions import UsageError


class NetworkMonitor:
    """Captures network traffic and reads the packets.

    Needs the package ``pyshark``, which runs the program ``tshark`` with the rights to capture.
    """

    @staticmethod
    def get_packets(
        timeout: float = 50,
        interface: str | None = None,
        bpf_filter: str | None = None,
        display_filter: str | None = "tcp.port == 80",
        tshark_path: str | None = None,
        output_file: str | None = None,
    ) -> tuple[Any, int]:
        """Capture packets for a while.

        Args:
            timeout: for how many seconds.
            interface: the network interface, such as ``"lo"``.
            bpf_filter: a capture filter in tcpdump's language.
            display_filter: a filter in Wireshark's language.
            tshark_path: where the program ``tshark`` is, if not on the search path.
            output_file: also write the packets to this file.

        Returns:
            The capture and the number of packets in it.

        Raises:
            UsageError: no interface was given.
            DependencyError: pyshark is not installed.
        """
        if interface is None:
            raise UsageError("get_packets() needs the network interface to listen on, for example interface='lo'")
        pyshark = require("pyshark", "monitor")
        capture = pyshark.LiveCapture(
            interface=interface,
            bpf_filter=bpf_filter,
            display_filter=display_filter,
            tshark_path=tshark_path,
            output_file=output_file,
        )
        capture.sniff(timeout=timeout)
        return capture, len(capture)

    @staticmethod
    def read_packet(index: int | None = None, capture_input: Any = None) -> str:
        """One captured packet as text.

        Args:
            index: which, from 0.
            capture_input: what `get_packets` returned first.

        Returns:
            When it was seen, its highest protocol and length, from where to where it went, and what the
            highest layer holds.

        Raises:
            UsageError: no such packet, or no capture.
        """
        if capture_input is None:
            raise UsageError("read_packet() needs the capture that get_packets() returned")
        if type(index) is not int or not 0 <= index < len(capture_input):
            raise UsageError(f"there is no packet {index!r} in a capture of {len(capture_input)}")
        packet = capture_input[index]
        lines = [
            f"Time: {packet.sniff_time}",
            f"Protocol: {packet.highest_layer}",
            f"Length: {packet.length}",
            f"From: {_end(packet, 'src')}",
            f"To: {_end(packet, 'dst')}",
        ]
        top = packet.layers[-1]
        lines += [f"\t{field}: {top.get(field)}" for field in top.field_names]
        return "\n".join(lines)


def _end(packet: Any, side: str) -> str:
    network = getattr(packet, "ip", None) or getattr(packet, "ipv6", None)
    address = "?" if network is None else network.get(side)
    transport = packet.transport_layer
    ports = None if transport is None else packet[transport]
    return str(address) if ports is None else f"{address}:{ports.get(side + 'port')}"
