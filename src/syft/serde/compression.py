"""How a frame is compressed: one byte in front of it says.

``serialize`` compresses with the default scheme, which is none until `set_default` names another; LZ4 and
Zstandard need the packages of the extra ``compression``. What is more compressible than a receiver lets it be
(`Limits.max_expansion`) travels uncompressed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from syft.core.optional import require
from syft.exceptions import CompressionNotFoundException, DecodeError, DependencyError
from syft.serde import zstd
from syft.serde.limits import DEFAULT_LIMITS, Limits

NO_COMPRESSION = 40
LZ4 = 41
ZLIB = 42
ZSTD = 44  # 43 begins short commands, see `syft.serde.short_command`

Part = bytes | bytearray | memoryview
Scheme = Callable[[bytes], tuple[bytes, int]]

_ZLIB_LEVEL = 1  # tensors barely shrink more at higher levels, which are several times slower
_WORTH_IT = 1 << 12  # shorter messages are sent as they are


class UnknownCompressionError(CompressionNotFoundException, DecodeError):
    """Received bytes name a compression that does not exist."""


def _lz4() -> Any:
    return require("lz4.frame", "compression")


def apply_no_compression(data: bytes) -> tuple[bytes, int]:
    """Leave the bytes as they are.

    Args:
        data: the bytes.

    Returns:
        The same bytes and ``NO_COMPRESSION``.
    """
    return data, NO_COMPRESSION


def apply_lz4_compression(data: bytes) -> tuple[bytes, int]:
    """Compress with LZ4: fast, modest.

    Args:
        data: the bytes.

    Returns:
        The compressed bytes and ``LZ4``.

    Raises:
        DependencyError: the package ``lz4`` is missing.
    """
    return _lz4().compress(data), LZ4


def apply_zlib_compression(data: bytes) -> tuple[bytes, int]:
    """Compress with zlib: slower, smaller, always available.

    Args:
        data: the bytes.

    Returns:
        The compressed bytes and ``ZLIB``.

    Example:
        >>> packed, code = apply_zlib_compression(b"a" * 100)
        >>> code, len(packed) < 100
        (42, True)
    """
    return zlib.compress(data, _ZLIB_LEVEL), ZLIB


def apply_zstd_compression(data: bytes) -> tuple[bytes, int]:
    """Compress with Zstandard: faster than zlib and as small.

    Args:
        data: the bytes.

    Returns:
        The compressed bytes and ``ZSTD``.

    Raises:
        DependencyError: the package ``zstandard`` is missing.
    """
    return b"".join(zstd.compress([data]) or ()), ZSTD


_SCHEMES: dict[int, Scheme] = {
    NO_COMPRESSION: apply_no_compression,
    LZ4: apply_lz4_compression,
    ZLIB: apply_zlib_compression,
    ZSTD: apply_zstd_compression,
}

# Code written for 0.2 assigns this name; `set_default` does the same with a check.
_apply_compress_scheme: Scheme = apply_no_compression


def scheme_of(code: int) -> Scheme:
    """The compressing function of a code.

    Args:
        code: ``NO_COMPRESSION``, ``LZ4``, ``ZLIB`` or ``ZSTD``.

    Returns:
        The function.

    Raises:
        CompressionNotFoundException: there is no such code.
    """
    scheme = _SCHEMES.get(code) if type(code) is int else None
    if scheme is None:
        raise CompressionNotFoundException(_unknown(code))
    return scheme


def default_scheme() -> Scheme:
    """The compressing function that ``serialize`` uses now.

    Returns:
        The function.
    """
    return _apply_compress_scheme


def set_default(code: int) -> None:
    """Choose how ``serialize`` compresses from now on.

    Args:
        code: ``NO_COMPRESSION``, ``LZ4``, ``ZLIB`` or ``ZSTD``.

    Raises:
        CompressionNotFoundException: there is no such code.
        DependencyError: LZ4 or Zstandard was asked for and its package is missing.
    """
    global _apply_compress_scheme
    scheme = scheme_of(code)
    if code == LZ4:
        _lz4()
    if code == ZSTD:
        zstd.zstandard()
    _apply_compress_scheme = scheme


def compress(payload: bytes, scheme: Scheme) -> tuple[bytes, int]:
    """Compress a payload, unless that would make it look like a decompression bomb.

    Args:
        payload: the bytes to compress.
        scheme: one of the ``apply_..._compression`` functions.

    Returns:
        The bytes to send and the code to put in front of them.

    Raises:
        CompressionNotFoundException: the scheme is not a function, or answers with an unknown code.
    """
    if not callable(scheme):
        raise CompressionNotFoundException(_unknown(scheme))
    packed, code = scheme(payload)
    scheme_of(code)
    if code != NO_COMPRESSION and len(payload) > DEFAULT_LIMITS.decompressed(len(packed)):
        return payload, NO_COMPRESSION
    return packed, code


def shrunk(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts of an uncompressed frame, compressed with Zstandard where that pays.

    Args:
        parts: what `syft.serde.codec.encode_in_parts` gives.

    Returns:
        Other parts, or these if they are short, hardly shrink, or shrink so well that a receiver would refuse them.

    Raises:
        DependencyError: the package ``zstandard`` is missing.
    """
    size = sum([len(part) for part in parts])
    if size < _WORTH_IT or parts[0][0] != NO_COMPRESSION:
        return parts
    pieces = zstd.compress([parts[0][1:], *parts[1:]], only_if_it_pays=True)
    if pieces is None or size > DEFAULT_LIMITS.decompressed(sum([len(piece) for piece in pieces])):
        return parts
    return [bytes((ZSTD,)), *pieces]


def decompress(payload: memoryview, code: int, limits: Limits) -> memoryview:
    """Undo the compression of a received payload, growing no further than the limits allow.

    Args:
        payload: the frame without its first byte.
        code: the first byte.
        limits: how far it may grow.

    Returns:
        The decompressed payload; uncompressed ones are returned as they are.

    Raises:
        UnknownCompressionError: there is no such code.
        DecodeError: the payload is damaged, grows too far, or needs a package that is missing.
    """
    if code == NO_COMPRESSION:
        return payload
    most = limits.decompressed(len(payload))
    if code == ZSTD:
        try:
            return memoryview(zstd.decompress(payload, most))
        except DependencyError as error:
            raise DecodeError(f"the message is compressed with Zstandard. {error}") from error
    if code == ZLIB:
        machine: Any = zlib.decompressobj()
    elif code == LZ4:
        try:
            machine = _lz4().LZ4FrameDecompressor()
        except DependencyError as error:
            raise DecodeError(f"the message is compressed with LZ4. {error}") from error
    else:
        raise UnknownCompressionError(_unknown(code))
    try:
        data = machine.decompress(payload, most + 1)
    except MemoryError:
        raise
    except Exception as error:  # zlib.error, and RuntimeError from lz4
        raise DecodeError(f"the compressed message is damaged: {error}. Have it sent again.") from error
    if len(data) > most:
        raise DecodeError(
            f"{len(payload)} compressed bytes grow beyond {most}; have them sent uncompressed, "
            "or raise Limits.max_expansion or Limits.max_bytes"
        )
    if not machine.eof or machine.unused_data:
        raise DecodeError("the compressed message is cut off or has bytes behind it; have it sent again")
    return memoryview(data)


def _unknown(code: object) -> str:
    return f"there is no compression {code!r}: use NO_COMPRESSION (40), LZ4 (41), ZLIB (42) or ZSTD (44)"
