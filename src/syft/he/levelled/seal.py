"""Ciphertexts as SEAL writes them: the trivial encryption of zero, made by hand.

Adding it to a ciphertext changes no value and no noise. What it changes is what TenSEAL keeps beside the values: in
which context they are, and with which scale the next plain factor is written. That is how products are rescaled once
for a whole sum (`syft.he.levelled.ckks`), which TenSEAL itself has no call for.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from syft.he.levelled import protobuf

_MAGIC, _UNCOMPRESSED = 0xA15E, 0
_HEADER = struct.Struct("<HB2sBHQ")  # magic number, its own size, version, compression, nothing, size of all


def version(written: bytes) -> bytes:
    """Which version of SEAL wrote something."""
    return bytes(_HEADER.unpack_from(written)[2])


def zero(parms_id: Sequence[int], degree: int, primes: int, scale: float, version: bytes) -> bytes:
    """A ciphertext of two polynomials that are zero.

    Args:
        parms_id: SEAL's name for the level.
        degree: of the polynomials.
        primes: how many primes the level has.
        scale: what 1 is written as.
        version: of SEAL.
    """
    count = 2 * degree * primes
    numbers = struct.pack("<Q", count) + bytes(8 * count)
    in_ntt_form, correction = b"\x01", 1
    about = struct.pack("<4Q", *parms_id) + in_ntt_form + struct.pack("<QQQdQ", 2, degree, primes, scale, correction)
    return _framed(about + _framed(numbers, version), version)


def _framed(content: bytes, version: bytes) -> bytes:
    size = _HEADER.size
    return _HEADER.pack(_MAGIC, size, version, _UNCOMPRESSED, 0, size + len(content)) + content


def vector(ciphertext: bytes, size: int, scale: float | None) -> bytes:
    """A ciphertext as TenSEAL writes a vector of one chunk.

    Args:
        ciphertext: as SEAL writes it.
        size: how many slots are in use.
        scale: CKKS: with which plain factors are to be written; None for BFV.
    """
    out = protobuf.message(1, protobuf.varint(size)) + protobuf.message(2, ciphertext)
    return out if scale is None else out + protobuf.double(3, scale)


def ciphertext_of(serialized: bytes) -> bytes:
    """The ciphertext in what TenSEAL wrote for a vector of one chunk."""
    (ciphertext,) = protobuf.fields(serialized)[2]
    return ciphertext
