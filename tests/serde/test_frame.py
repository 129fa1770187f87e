"""The frame: every byte of it is accounted for."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import torch

from syft.exceptions import DecodeError
from syft.serde import decode, encode
from syft.serde.frame import ALIGNMENT
from tests.serde.craft import frame, raw_frame, tensor


def test_a_frame_begins_as_documented() -> None:
    assert encode(None) == b"\x28SY\x01" + struct.pack("<IQ", 0, 1) + b"\xc0"


@pytest.mark.parametrize("words", [0, 1, 5, 30])
def test_buffers_begin_at_multiples_of_sixteen_and_come_back_whole(words: int) -> None:
    tensors = [torch.arange(n, dtype=torch.uint8) + 200 for n in (1, 16, 0, 17, 3)]
    data = encode(["x" * words, *tensors])
    assert [t.tolist() for t in decode(data)[1:]] == [t.tolist() for t in tensors]
    for t in tensors:
        if len(t) > 1:
            assert data.find(bytes(t.tolist())) % ALIGNMENT == 0
    assert data == frame(
        ["x" * words, *[tensor("uint8", [len(t)], n) for n, t in enumerate(tensors)]],
        *map(bytes, map(torch.Tensor.tolist, tensors)),
    )


U = tensor("uint8", [3], 0)

WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "compression code alone": (b"\x28", "cut off"),
    "half a head": (encode(1)[:10], "cut off"),
    "other magic": (raw_frame(b"\xc0", magic=b"PK"), "begin with"),
    "version 0": (raw_frame(b"\xc0", version=0), "format 0"),
    "version 2": (raw_frame(b"\xc0", version=2), "format 2"),
    "body longer than the message": (raw_frame(b"\xc0", size=2), "declares"),
    "body shorter than the message": (raw_frame(b"\xc0\xc0", size=1), "declares"),
    "byte at the end": (encode(1) + b"\0", "declares"),
    "table longer than the message": (raw_frame(b"\xc0", count=9), "declares"),
    "buffer longer than the message": (frame(U, b"abc")[:-1], "declares"),
    "buffer longer than said": (frame(U, b"abc") + b"d", "declares"),
    "buffer of wrong length": (raw_frame(b"\xc0", b"abc", lengths=[4]), "declares"),
    "buffer that is not announced": (raw_frame(b"\xc0", b"abc", lengths=[]), "declares"),
    "letters in the padding": (raw_frame(b"\xc0", b"abc", pad=b"x"), "other than zero"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_frame_is_refused(name: str) -> None:
    data, reason = WRONG[name]
    with pytest.raises(DecodeError, match=reason):
        decode(data)


def test_control_the_hand_made_frame_is_right() -> None:
    assert decode(raw_frame(b"\xc0")) is None
    assert bytes(decode(frame(U, b"abc")).tolist()) == b"abc"


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview, lambda b: memoryview(bytearray(b))])
def test_any_kind_of_bytes_is_read(convert: Any) -> None:
    assert decode(convert(encode((1, torch.ones(1)))))[1].item() == 1
