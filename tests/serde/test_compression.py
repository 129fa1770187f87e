"""Compression: four schemes, one default, and no bombs in either direction."""

from __future__ import annotations

import os
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from syft.exceptions import CompressionNotFoundException, DecodeError, DependencyError
from syft.serde import Limits, compression, decode, deserialize, encode, serialize
from syft.serde.codec import encode_in_parts
from syft.serde.compression import LZ4, NO_COMPRESSION, ZLIB, ZSTD, shrunk
from syft.serde.zstd import PIECE
from tests.serde.same import same

VALUE = {"text": "syft " * 200, "tensor": torch.arange(1000)}


def _has(scheme: compression.Scheme) -> bool:
    try:
        scheme(b"x")
    except DependencyError:
        return False
    return True


needs_lz4 = pytest.mark.skipif(not _has(compression.apply_lz4_compression), reason="needs the extra package lz4")
needs_zstd = pytest.mark.skipif(
    not _has(compression.apply_zstd_compression), reason="needs the extra package zstandard"
)
COMPRESSING = [ZLIB, pytest.param(LZ4, marks=needs_lz4), pytest.param(ZSTD, marks=needs_zstd)]
SCHEMES = [NO_COMPRESSION, *COMPRESSING]


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    yield
    compression.set_default(NO_COMPRESSION)


@pytest.mark.parametrize("code", SCHEMES)
def test_each_scheme_is_named_by_the_first_byte_and_survives(code: int) -> None:
    binary = encode(VALUE, code)
    assert binary[0] == code
    assert same(VALUE, decode(binary))
    assert (len(binary) < len(encode(VALUE))) == (code != NO_COMPRESSION)


def test_the_codes_are_those_of_0_2() -> None:
    assert (NO_COMPRESSION, LZ4, ZLIB) == (40, 41, 42)


@pytest.mark.parametrize("code", SCHEMES)
def test_the_default_is_a_setting(code: int) -> None:
    assert serialize(VALUE)[0] == NO_COMPRESSION
    compression.set_default(code)
    assert serialize(VALUE)[0] == code
    assert same(VALUE, deserialize(serialize(VALUE)))


def test_the_default_can_be_set_as_in_0_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_apply_compress_scheme", compression.apply_zlib_compression)
    assert serialize(VALUE)[0] == ZLIB


@pytest.mark.parametrize("scheme", [47, None, lambda data: (data, 43), lambda data: (data, None)])
def test_an_unknown_scheme_is_refused_when_sending(scheme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_apply_compress_scheme", scheme)
    with pytest.raises(CompressionNotFoundException, match="no compression"):
        serialize(VALUE)


def test_an_unknown_scheme_cannot_become_the_default() -> None:
    with pytest.raises(CompressionNotFoundException, match="no compression 7"):
        compression.set_default(7)


@pytest.mark.parametrize("code", [0, 1, 39, 47, 255])
def test_an_unknown_code_is_refused_when_receiving(code: int) -> None:
    for error in (CompressionNotFoundException, DecodeError):
        with pytest.raises(error, match=f"no compression {code}"):
            decode(bytes((code,)) + encode(1)[1:])


def test_without_its_package_zstandard_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for use in (lambda: encode(1, ZSTD), lambda: compression.set_default(ZSTD)):
        with pytest.raises(DependencyError, match="compression"):
            use()
    with pytest.raises(DecodeError, match="Zstandard.*install"):
        decode(bytes((ZSTD,)) + b"anything")


def test_without_its_package_lz4_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    for use in (lambda: encode(1, LZ4), lambda: compression.set_default(LZ4)):
        with pytest.raises(DependencyError, match="compression"):
            use()
    with pytest.raises(DecodeError, match="LZ4.*install"):
        decode(b"\x29anything")


@pytest.mark.parametrize("code", COMPRESSING)
def test_damaged_and_cut_and_lengthened_messages_are_refused(code: int) -> None:
    binary = encode(VALUE, code)
    for damaged in (binary[:1], binary[:2], binary[:-1], binary + b"\0", binary[:1] + b"\xff" + binary[2:]):
        with pytest.raises(DecodeError):
            decode(damaged)


@pytest.mark.parametrize("code", COMPRESSING)
def test_what_shrinks_too_well_is_sent_as_it_is(code: int) -> None:
    zeros = torch.zeros(2_000_000)
    binary = encode(zeros, code)
    assert binary[0] == NO_COMPRESSION
    assert same(zeros, decode(binary))
    assert encode(zeros[:1000], code)[0] == code


def test_growth_is_limited_to_the_byte() -> None:
    packed = zlib.compress(b"\0" * 5000)
    limit = Limits(max_bytes=5000)
    assert len(compression.decompress(memoryview(packed), ZLIB, limit)) == 5000
    with pytest.raises(DecodeError, match="grow beyond 4999"):
        compression.decompress(memoryview(packed), ZLIB, Limits(max_bytes=4999))


@needs_lz4
def test_an_lz4_bomb_is_refused() -> None:
    packed, _ = compression.apply_lz4_compression(bytes(64 << 20))
    with pytest.raises(DecodeError, match="grow beyond"):
        decode(b"\x29" + packed)


def test_compressing_functions_return_bytes_and_code() -> None:
    assert compression.apply_no_compression(b"ab") == (b"ab", NO_COMPRESSION)
    data, code = compression.apply_zlib_compression(b"ab" * 100)
    assert (zlib.decompress(data), code) == (b"ab" * 100, ZLIB)


# --- Zstandard ---------------------------------------------------------------------------------------


def frame_of(data: bytes, **settings: Any) -> bytes:
    """A Zstandard frame, as others might write it."""
    import zstandard

    return bytes(zstandard.ZstdCompressor(**settings).compress(data))


def piece(frame: bytes, length: int | None = None) -> bytes:
    """A piece of a message, which may declare a wrong length."""
    return struct.pack("<I", len(frame) if length is None else length) + frame


@needs_zstd
@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
def test_zstd_survives_at_every_length(size: int) -> None:
    data = (os.urandom(64) * (size // 64 + 1))[:size]
    packed, code = compression.apply_zstd_compression(data)
    assert code == ZSTD and (size < 100 or len(packed) < size)
    assert bytes(compression.decompress(memoryview(packed), ZSTD, Limits(max_expansion=10**6))) == data


@needs_zstd
def test_what_a_connection_sends_is_compressed_where_that_pays() -> None:
    labels, noise, small = torch.arange(300_000) % 10, torch.randn(300_000), torch.arange(10)
    assert sum(map(len, shrunk(encode_in_parts(labels)))) < 0.1 * labels.numel() * 8
    assert same([labels, noise], decode(b"".join(shrunk(encode_in_parts([labels, noise])))))
    for as_it_is in (noise, small, torch.zeros(4_000_000)):
        parts = encode_in_parts(as_it_is)
        assert shrunk(parts) is parts


@needs_zstd
@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("a length that is not there", lambda: piece(b"x", 2**32 - 1), "cut off"),
        ("half a length", lambda: b"\x01\x00", "cut off"),
        ("no frame", lambda: piece(b"x" * 40), "damaged"),
        ("an empty piece", lambda: piece(b""), "damaged|says"),
        ("a frame of nothing", lambda: piece(frame_of(b"")), "says that it has 0"),
        ("a frame that does not say its size", lambda: piece(frame_of(b"ab" * 9, write_content_size=False)), "says"),
        ("a frame larger than a piece", lambda: piece(frame_of(bytes(PIECE + 1))), "says that it has 1048577"),
        ("two frames in a piece", lambda: piece(frame_of(b"ab") + frame_of(b"ab")), "damaged"),
        ("short pieces first", lambda: 2 * piece(frame_of(b"ab")), "short piece"),
        ("a frame cut short", lambda: piece(frame_of(b"abcdefgh")[:-1]), "damaged"),
        ("sixty times a mebibyte", lambda: 60 * piece(frame_of(bytes(PIECE))), "grow beyond"),
    ],
)  # fmt: skip
def test_zstd_bombs_are_refused_at_the_price_of_their_bytes(name: str, payload: Any, why: str) -> None:
    bomb = bytes((ZSTD,)) + payload()
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match=why):
            decode(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 70 * len(bomb) + 3 * PIECE, "no more than what may be decompressed, and a piece"


@needs_zstd
def test_a_declared_size_that_is_not_there_allocates_one_piece_at_most() -> None:
    frame = bytearray(frame_of(bytes(PIECE), write_checksum=True))
    with pytest.raises(DecodeError):
        decode(bytes((ZSTD,)) + piece(bytes(frame[:20])) * 1000)
