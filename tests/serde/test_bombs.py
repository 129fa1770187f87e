"""Small messages that claim to be big: refused at once, at the price of their own bytes."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from syft.exceptions import DecodeError
from syft.serde import Limits, codec, decode, encode
from syft.serde.compression import ZLIB
from syft.serde.limits import DEFAULT_LIMITS
from tests.serde.craft import frame, raw_frame, tagged, tensor

MIB = 1 << 20


def _nested(header: bytes, times: int) -> bytes:
    return header * times + b"\xc0"


def _zlib(payload: bytes) -> bytes:
    return bytes((ZLIB,)) + zlib.compress(payload, 9)


def _zeros_in_disguise() -> bytes:
    body = msgpack.packb(bytes(32 * MIB))
    return _zlib(raw_frame(body)[1:])


def _array_lengths_within_reach() -> bytes:
    # Each array declares no more elements than there are bytes, so that msgpack believes it.
    return b"".join(b"\xdd" + struct.pack(">I", 4000) for _ in range(1000)) + b"\xc0" * 4000


BOMBS: dict[str, Callable[[], bytes]] = {
    "array of 2**32 - 1": lambda: raw_frame(b"\xdd\xff\xff\xff\xff"),
    "map of 2**32 - 1": lambda: raw_frame(b"\xdf\xff\xff\xff\xff"),
    "bytes of 2**32 - 1": lambda: raw_frame(b"\xc6\xff\xff\xff\xff"),
    "str of 2**32 - 1": lambda: raw_frame(b"\xdb\xff\xff\xff\xff"),
    "extension of 2**32 - 1": lambda: raw_frame(b"\xc9\xff\xff\xff\xff\x01"),
    "array of 65535": lambda: raw_frame(b"\xdc\xff\xff"),
    "arrays in arrays, 100 000 deep": lambda: raw_frame(_nested(b"\x91", 100_000)),
    "maps in maps, 100 000 deep": lambda: raw_frame(_nested(b"\x81\xc0", 100_000)),
    "tagged tuples, 100 000 deep": lambda: raw_frame(_nested(b"\x92\xc7\x05\x01tuple", 100_000)),
    "arrays of 2**32 - 1 in arrays": lambda: raw_frame(_nested(b"\xdd\xff\xff\xff\xff", 1000)),
    "arrays in arrays, each of a length that could be": lambda: raw_frame(_array_lengths_within_reach()),
    "a mebibyte of empty lists": lambda: raw_frame(b"\xdd" + struct.pack(">I", MIB) + b"\x90" * MIB),
    "a mebibyte of None": lambda: raw_frame(b"\xdd" + struct.pack(">I", MIB) + b"\xc0" * MIB),
    "a tensor of 2**62 elements": lambda: frame(tensor("float32", [2**31, 2**31]), b"1234"),
    "a tensor of 2**62 elements and no memory": lambda: frame(tensor("float32", [2**31, 2**31]), b""),
    "a gradient of 2**62 elements": lambda: frame(
        tensor("float32", [1], 0, [True, False, None, tensor("float32", [2**31, 2**31], 1), None]), b"1234", b"1234"
    ),
    "an array of 2**62 elements": lambda: frame(tagged("numpy.array", "<f4", [2**31, 2**31], 0), b"1234"),
    "a sparse tensor of 2**60 columns": lambda: frame(
        tagged(
            "tensor",
            "sparse_csc",
            [2, 2**60],
            tensor("int64", [2], 0),
            tensor("int64", [1], 1),
            tensor("uint8", [1], 2),
            None,
        ),
        bytes(16),
        bytes(8),
        b"a",
    ),
    "2**32 - 1 buffers": lambda: raw_frame(b"\xc0", lengths=[], count=2**32 - 1),
    "a body of 2**64 - 1": lambda: raw_frame(b"\xc0", size=2**64 - 1),
    "a buffer of 2**63": lambda: raw_frame(b"\xc0", b"a", lengths=[2**63]),
    "buffers whose lengths add up to less than nothing": lambda: raw_frame(b"\xc0", b"a", lengths=[2**64 - 16, 17]),
    "32 MiB of zeros, compressed": _zeros_in_disguise,
    "a string of 32 MiB, compressed": lambda: _zlib(raw_frame(msgpack.packb("a" * (32 * MIB)))[1:]),
    "zlib that never ends": lambda: _zlib(bytes(100))[:-5],
    "a dict of one key, 1000 times": lambda: raw_frame(b"\xde\x03\xe8" + b"\x01\xc0" * 1000),
}


@pytest.fixture(autouse=True)
def _warm() -> None:
    # What a first use builds once is no part of a bomb.
    decode(encode([1, "a", {"b": (2.5,)}]))
    with pytest.raises(DecodeError):
        decode(frame(tensor("float32", [7]), b"1234"))


def _peak_and_seconds(data: bytes, **options: Any) -> tuple[int, float]:
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(data, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    seconds = []
    for _ in range(3):  # on a busy machine, the quickest of three says what the work is
        start = time.perf_counter()
        with pytest.raises(DecodeError):
            decode(data, **options)
        seconds.append(time.perf_counter() - start)
    return peak, min(seconds)


def _input_size(data: bytes) -> int:
    # A compressed message counts as what the limits let it become.
    return len(data) if data[0] != ZLIB else DEFAULT_LIMITS.decompressed(len(data) - 1)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_cheaply(name: str) -> None:
    data = BOMBS[name]()
    peak, seconds = _peak_and_seconds(data)
    assert peak <= 4 * _input_size(data) + MIB
    assert seconds <= 0.05


@pytest.mark.parametrize("name", ["arrays in arrays, each of a length that could be", "a mebibyte of empty lists"])
def test_control_without_the_walk_a_bomb_costs_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = BOMBS[name]()
    monkeypatch.setattr(codec, "scan", lambda body, limits: 0)
    tracemalloc.start()
    try:
        decode(data)
    except DecodeError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak > 4 * len(data) + MIB


def test_control_without_the_limit_a_compressed_bomb_grows() -> None:
    data = BOMBS["32 MiB of zeros, compressed"]()
    assert len(data) < MIB // 16
    assert decode(data, limits=Limits(max_expansion=10_000)) == bytes(32 * MIB)


# --- the limits --------------------------------------------------------------------------------------

LIMITS: dict[str, tuple[Any, Limits, Limits]] = {
    "bytes": (b"a" * 100, Limits(max_bytes=118), Limits(max_bytes=117)),
    "depth": ([[[1]]], Limits(max_depth=3), Limits(max_depth=2)),
    "depth of tagged": ((((1,),),), Limits(max_depth=3), Limits(max_depth=2)),
    "depth of dicts": ({"a": {"b": 1}}, Limits(max_depth=2), Limits(max_depth=1)),
    "items": ([1] * 10, Limits(max_items=10), Limits(max_items=9)),
    "items of dicts": ({"a": 1, "b": 2}, Limits(max_items=4), Limits(max_items=3)),
    "items of many lists": ([[1]] * 5, Limits(max_items=10), Limits(max_items=9)),
    "str": ("a" * 40, Limits(max_str=40), Limits(max_str=39)),
    "str of two bytes a letter": ("é" * 20, Limits(max_str=40), Limits(max_str=39)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_holds_to_the_last_one(name: str) -> None:
    value, enough, too_few = LIMITS[name]
    assert decode(encode(value), limits=enough) == value
    with pytest.raises(DecodeError, match="Limits.max_"):
        decode(encode(value), limits=too_few)


def test_the_number_of_buffers_is_a_limit() -> None:
    data = frame([tensor("uint8", [1], 0), tensor("uint8", [1], 1)], b"a", b"b")
    assert len(decode(data, limits=Limits(max_buffers=2))) == 2
    with pytest.raises(DecodeError, match="Limits.max_buffers"):
        decode(data, limits=Limits(max_buffers=1))


def test_bytes_in_the_structure_are_no_strings() -> None:
    assert decode(encode(b"a" * 100), limits=Limits(max_str=1)) == b"a" * 100


def test_the_default_limits_are_those_that_are_documented() -> None:
    assert Limits() == Limits(
        max_bytes=2**30,
        max_expansion=64,
        max_depth=64,
        max_items=2**18,
        max_buffers=2**16,
        max_ndim=32,
        max_str=2**24,
    )
    assert Limits().decompressed(1000) == 64_000 + 2**20
    assert Limits(max_bytes=5000).decompressed(1000) == 5000


def test_default_limits_let_64_levels_pass_and_no_more() -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(DecodeError, match="64 deep"):
        decode(encode([value]))
