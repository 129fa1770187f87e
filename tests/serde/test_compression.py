"""Compression: three schemes, one default, and no bombs in either direction."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from syft.exceptions import CompressionNotFoundException, DecodeError, DependencyError
from syft.serde import Limits, compression, decode, deserialize, encode, serialize
from syft.serde.compression import LZ4, NO_COMPRESSION, ZLIB
from tests.serde.same import same

VALUE = {"text": "syft " * 200, "tensor": torch.arange(1000)}


def _has_lz4() -> bool:
    try:
        compression.apply_lz4_compression(b"")
    except DependencyError:
        return False
    return True


needs_lz4 = pytest.mark.skipif(not _has_lz4(), reason="needs the extra package lz4")
SCHEMES = [NO_COMPRESSION, ZLIB, pytest.param(LZ4, marks=needs_lz4)]


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


@pytest.mark.parametrize("scheme", [46, None, lambda data: (data, 43), lambda data: (data, None)])
def test_an_unknown_scheme_is_refused_when_sending(scheme: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_apply_compress_scheme", scheme)
    with pytest.raises(CompressionNotFoundException, match="no compression"):
        serialize(VALUE)


def test_an_unknown_scheme_cannot_become_the_default() -> None:
    with pytest.raises(CompressionNotFoundException, match="no compression 7"):
        compression.set_default(7)


@pytest.mark.parametrize("code", [0, 1, 39, 46, 255])
def test_an_unknown_code_is_refused_when_receiving(code: int) -> None:
    for error in (CompressionNotFoundException, DecodeError):
        with pytest.raises(error, match=f"no compression {code}"):
            decode(bytes((code,)) + encode(1)[1:])


def test_without_its_package_lz4_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    for use in (lambda: encode(1, LZ4), lambda: compression.set_default(LZ4)):
        with pytest.raises(DependencyError, match="compression"):
            use()
    with pytest.raises(DecodeError, match="LZ4.*install"):
        decode(b"\x29anything")


@pytest.mark.parametrize("code", [ZLIB, pytest.param(LZ4, marks=needs_lz4)])
def test_damaged_and_cut_and_lengthened_messages_are_refused(code: int) -> None:
    binary = encode(VALUE, code)
    for damaged in (binary[:1], binary[:2], binary[:-1], binary + b"\0", binary[:1] + b"\xff" + binary[2:]):
        with pytest.raises(DecodeError):
            decode(damaged)


@pytest.mark.parametrize("code", [ZLIB, pytest.param(LZ4, marks=needs_lz4)])
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
