"""Frames: what the library writes is read, what is written the library reads, and all else is handed to it untouched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from syft.transports.frames import FrameReader, head

MOST = 1 << 20
sizes = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70000])


def frame(size: int, *, opcode: Opcode = Opcode.BINARY, fin: bool = True, mask: bool = False) -> bytes:
    """A frame as the library writes it."""
    return Frame(opcode, b"ab" * (size // 2) + b"c" * (size % 2), fin).serialize(mask=mask)


def read(data: bytes, cuts: list[int], *, mask: bool) -> tuple[list[bytes], bytes]:
    """The messages found in bytes that arrive in pieces, and what was passed on."""
    passed: list[bytes] = []
    reader = FrameReader(passed.append, MOST, masked=mask)
    messages: list[bytes] = []
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    for start, end in zip(edges, edges[1:], strict=False):
        messages += map(bytes, reader.feed(data[start:end]))
    return messages, b"".join(passed)


@given(st.lists(sizes, max_size=4), st.lists(st.integers(0, 1 << 18), max_size=6), st.booleans())
def test_messages_come_whole_however_they_are_cut(lengths: list[int], cuts: list[int], mask: bool) -> None:
    data = b"".join([frame(length, mask=mask) for length in lengths])
    messages, passed = read(data, cuts, mask=mask)
    assert list(map(len, messages)) == lengths
    assert b"".join(messages) == b"".join([b"ab" * (n // 2) + b"c" * (n % 2) for n in lengths])
    assert passed == b""


@given(st.lists(st.integers(0, 1 << 12), max_size=6))
def test_control_frames_and_fragments_go_to_the_library_untouched(cuts: list[int]) -> None:
    others = [
        frame(5, opcode=Opcode.PING, mask=True),
        frame(300, fin=False, mask=True),
        frame(200, opcode=Opcode.CONT, mask=True),
        frame(20, opcode=Opcode.TEXT, mask=True),
        frame(2, opcode=Opcode.CLOSE, mask=True),
    ]
    data = b"".join([part for other in others for part in (other, frame(9, mask=True))])
    messages, passed = read(data, cuts, mask=True)
    assert messages == [b"ababababc"] * 5
    assert passed == b"".join(others)


@pytest.mark.parametrize(
    "wrong",
    [frame(5), frame(MOST + 1, mask=True), frame(5)[:1] + b"\x00"],
    ids=["not masked", "too long", "no mask on an empty one"],
)
def test_what_cannot_be_followed_is_left_to_the_library_for_good(wrong: bytes) -> None:
    rest = frame(7, mask=True)
    messages, passed = read(frame(3, mask=True) + wrong + rest, [], mask=True)
    assert messages == [b"abc"]
    assert passed == wrong + rest


@pytest.mark.parametrize("size", [0, 5, 125, 126, 65535, 65536])
def test_the_library_reads_what_is_written(size: int) -> None:
    library = ClientProtocol(parse_uri("ws://localhost"))
    library.state = State.OPEN
    library.parser = library.parse()  # as after the handshake
    next(library.parser)
    library.receive_data(head(size) + bytes(size))
    (event,) = library.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, len(event.data), event.fin) == (Opcode.BINARY, size, True)


@pytest.mark.parametrize("size", [5, 200, 70000])
def test_a_masked_head_is_that_of_the_library(size: int) -> None:
    theirs = frame(size, mask=True)
    length = len(theirs) - size
    assert head(size, theirs[length - 4 : length]) == theirs[:length]


def test_long_messages_can_be_read_into_their_place() -> None:
    data = frame(1000)
    reader = FrameReader(lambda _: None, MOST, masked=False)
    assert reader.room is None
    assert reader.feed(data[:100]) == []
    room = reader.room
    assert room is not None
    assert len(room) == len(data) - 100
    room[:] = data[100:]
    assert [bytes(message) for message in reader.filled(len(room))] == [data[4:]]
    assert reader.room is None
