"""The first three frames of a connection. Fixed layouts, so that nothing of a stranger's is parsed before he is let in.

The worker sends a challenge, the client answers it with a proof, the worker welcomes or refuses it. A proof is made
over both ends' fresh random numbers: what was recorded once opens nothing later.

    challenge   SYFT1, whether anonymous clients are let in (1), random (32), the worker's id
    answer      SYFT1, kind (1), random (32), credential (32), proof (64), session (16), proof of the session (32),
                number of the last parcel received (8)
    welcome     SYFT1, 1, session (16), its secret (32), whether it goes on (1), last parcel received (8),
                keepalive and lease in seconds (4, 4), longest message (8), window (8), where others reach the worker
    refusal     SYFT1, 0, a sentence
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from syft.exceptions import AuthenticationError, DecodeError

MAGIC = b"SYFT1"
ANONYMOUS, TOKEN, INVITATION = 0, 1, 2
NO_SESSION = bytes(16)
FRESH = (1 << 64) - 1
"""In the place of the last parcel received: both ends start counting anew."""

_CHALLENGE = struct.Struct("<5sB32s")
_ANSWER = struct.Struct("<5sB32s32s64s16s32sQ")
_WELCOME = struct.Struct("<5sB16s32sBQffQQ")
_MAX_TEXT = 2048


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a worker opens with."""

    random: bytes
    worker: str
    anonymous: bool

    @classmethod
    def make(cls, worker: str, anonymous: bool) -> Challenge:
        """A fresh one."""
        return cls(os.urandom(32), worker, anonymous)

    def pack(self) -> bytes:
        """Its bytes."""
        return _CHALLENGE.pack(MAGIC, self.anonymous, self.random) + self.worker.encode()[:_MAX_TEXT]

    @classmethod
    def unpack(cls, data: bytes) -> Challenge:
        """Read one.

        Raises:
            DecodeError: this is none.
        """
        magic, anonymous, random = _unpacked(_CHALLENGE, data)
        return cls(random, _text(data[_CHALLENGE.size :]), bool(anonymous))


@dataclass(frozen=True, slots=True)
class Answer:
    """Who the client is, and which session it goes on with."""

    kind: int
    random: bytes
    credential: bytes
    proof: bytes
    session: bytes = NO_SESSION
    session_proof: bytes = bytes(32)
    received: int = 0

    def pack(self) -> bytes:
        """Its bytes."""
        fields = (self.kind, self.random, self.credential, self.proof, self.session, self.session_proof, self.received)
        return _ANSWER.pack(MAGIC, *fields)

    @classmethod
    def unpack(cls, data: bytes) -> Answer:
        """Read one.

        Raises:
            DecodeError: this is none.
        """
        if len(data) != _ANSWER.size:
            raise DecodeError(f"an answer has {_ANSWER.size} bytes, not {len(data)}")
        return cls(*_unpacked(_ANSWER, data)[1:])


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the worker grants."""

    session: bytes
    secret: bytes
    resumed: bool
    received: int
    keepalive: float
    lease: float
    max_parcel: int
    window: int
    reached_at: str = ""

    def pack(self) -> bytes:
        """Its bytes."""
        numbers = (self.resumed, self.received, self.keepalive, self.lease, self.max_parcel, self.window)
        return _WELCOME.pack(MAGIC, 1, self.session, self.secret, *numbers) + self.reached_at.encode()[:_MAX_TEXT]

    @classmethod
    def unpack(cls, data: bytes) -> Welcome:
        """Read one.

        Raises:
            AuthenticationError: it is a refusal.
            DecodeError: it is neither.
        """
        if data[: len(MAGIC) + 1] == MAGIC + b"\0":
            raise AuthenticationError(_text(data[len(MAGIC) + 1 :]))
        fields = _unpacked(_WELCOME, data)
        session, secret, resumed, received, keepalive, lease, max_parcel, window = fields[2:]
        where = _text(data[_WELCOME.size :])
        return cls(session, secret, bool(resumed), received, keepalive, lease, max_parcel, window, where)


def refusal(text: str) -> bytes:
    """The bytes that turn a client away, with the reason."""
    return MAGIC + b"\0" + text.encode()[:_MAX_TEXT]


def signed_by(kind: int, challenge: Challenge, random: bytes, session: bytes) -> bytes:
    """What a client proves: that it answers this challenge, now, for this session."""
    name = challenge.worker.encode()
    return b"".join((b"syft answer 1", bytes((kind,)), challenge.random, random, session, name))


def keyed(secret: bytes, signed: bytes) -> bytes:
    """The proof that someone knows a secret; 32 bytes."""
    return hmac.new(secret, signed, hashlib.sha256).digest()


def answer(
    challenge: Challenge,
    sign: Callable[[bytes], bytes] | None,
    public: bytes,
    invitation: bytes | None,
    session: bytes,
    secret: bytes,
    received: int,
) -> Answer:
    """Answer a challenge.

    Args:
        challenge: the worker's.
        sign: makes a signature of 64 bytes with the token's key.
        public: the token's public key.
        invitation: an id (16 bytes) and a secret (32) that the worker gave to someone who passed them on.
        session: the session to go on with, or `NO_SESSION`.
        secret: the secret of the session.
        received: the last parcel received in it.
    """
    random = os.urandom(32)
    kind = INVITATION if invitation is not None else ANONYMOUS if sign is None else TOKEN
    signed = signed_by(kind, challenge, random, session)
    credential, proof = bytes(32), bytes(64)
    if invitation is not None:
        credential = invitation[:16].ljust(32, b"\0")
        proof = keyed(invitation[16:], signed).ljust(64, b"\0")
    elif sign is not None:
        credential, proof = public, sign(signed)
    session_proof = bytes(32) if session == NO_SESSION else keyed(secret, signed)
    return Answer(kind, random, credential, proof, session, session_proof, received)


def _unpacked(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    if len(data) < layout.size or data[: len(MAGIC)] != MAGIC:
        raise DecodeError("the other end does not speak syft's protocol, version 1; is this the port of a syft worker?")
    return layout.unpack_from(data)


def _text(data: bytes) -> str:
    if len(data) > _MAX_TEXT:
        raise DecodeError(f"a text of {len(data)} bytes came where at most {_MAX_TEXT} are taken")
    return data.decode(errors="replace")
