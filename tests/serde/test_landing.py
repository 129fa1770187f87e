"""Messages that arrive in pieces: tensors stay where they landed, each in memory of its own, and nothing else passes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syft.exceptions import DecodeError
from syft.serde.codec import decode, decode_parts, encode
from syft.serde.compression import ZLIB
from syft.serde.landing import Landing
from tests.serde.same import same

LONG = 1 << 14  # elements; 64 KiB of float32


def arrived(data: bytes, piece: int, beginning: int | None = None) -> list[memoryview]:
    """The parts in which a message lies after it came in pieces."""
    view = memoryview(data)
    landing = Landing(len(data), view[: piece if beginning is None else beginning])
    for at in range(0, len(data), piece):
        landing.write(view[at : at + piece])
    assert landing.filled == len(data)
    return landing.parts


def in_parts(data: bytes, piece: int = 1 << 16) -> object:
    """What a message decodes to that came in pieces."""
    return decode_parts(arrived(data, piece))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 7, LONG - 1, LONG, LONG + 3, 3 * LONG]), max_size=5),
    st.sampled_from([1000, 4096, 1 << 16, 1 << 20]),
)
def test_what_arrives_in_pieces_is_what_was_sent(lengths: list[int], piece: int) -> None:
    sent = [torch.arange(length, dtype=torch.float32) for length in lengths]
    assert same(in_parts(encode(["text", *sent]), piece), ["text", *sent])


def test_long_tensors_have_memory_of_their_own_that_can_grow() -> None:
    sent = [torch.rand(LONG), torch.rand(5), torch.nn.Parameter(torch.rand(2, LONG)), torch.rand(LONG)]
    parts = arrived(encode(sent), 1 << 16)
    got = decode_parts(parts)
    assert [t.untyped_storage().nbytes() for t in got] == [t.numel() * 4 for t in sent]
    places = [t.data_ptr() for t in got]
    assert len(set(places)) == 4
    assert all(place % 16 == 0 for place in places)
    assert places[0] in [torch.frombuffer(part, dtype=torch.uint8).data_ptr() for part in parts if len(part)]
    got[0].resize_(3 * LONG)
    assert torch.equal(got[3], sent[3])
    assert torch.equal(got[0][:LONG], sent[0])


def test_what_else_is_in_the_message_does_not_stay() -> None:
    (got,) = decode([*arrived(encode([torch.rand(8)]), 1 << 16)][0])
    assert got.untyped_storage().nbytes() == 32


def test_a_compressed_message_is_put_together() -> None:
    sent = torch.zeros(10 * LONG)
    assert same(in_parts(encode(sent, ZLIB), 100), sent)


@pytest.mark.parametrize("beginning", [0, 1, 5, 16, 24])
def test_a_beginning_that_says_too_little_costs_a_copy_only(beginning: int) -> None:
    sent = [torch.rand(LONG), torch.rand(LONG)]
    data = encode(sent)
    parts = arrived(data, 1 << 16, beginning)
    assert len(parts) == 1
    assert same(decode_parts(parts), sent)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_message_is_refused_as_if_it_had_come_in_one_piece(data: st.DataObject) -> None:
    whole = bytearray(encode([torch.rand(LONG), 5, torch.rand(LONG + 1)]))
    at = data.draw(st.integers(0, 80) | st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))

    def outcome(decoded: object) -> str:
        return "refused" if isinstance(decoded, DecodeError) else "accepted"

    def attempt(parts: list[memoryview] | None) -> object:
        try:
            return decode(bytes(whole)) if parts is None else decode_parts(parts)
        except DecodeError as error:
            return error

    one, other = attempt(None), attempt(arrived(bytes(whole), 1 << 16))
    assert outcome(one) == outcome(other)
    if not isinstance(one, DecodeError):
        assert same(one, other)


def test_more_than_was_said_is_refused() -> None:
    data = encode(torch.rand(LONG))
    landing = Landing(len(data), memoryview(data))
    landing.write(memoryview(data))
    with pytest.raises(DecodeError, match="longer together"):
        landing.write(memoryview(b"x"))


def test_parts_of_another_message_are_put_together_or_refused() -> None:
    data = memoryview(encode([torch.rand(LONG), torch.rand(LONG)]))
    for cut in (1, 10, 100, 70_000):
        assert same(decode_parts([data[:cut], data[cut:]]), decode(data))
    with pytest.raises(DecodeError, match="declares"):
        decode_parts([data[:20], data[20:]])
