"""The sessions of a served worker: who is let in, who comes back, and when what they left is freed."""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from syft.exceptions import AuthenticationError, LimitExceededError
from syft.transports import handshake
from syft.transports.channel import Channel
from syft.transports.handshake import Answer, Challenge, Welcome
from syft.transports.listener import Admission
from syft.transports.tokens import TokenFile
from syft.workers.access import Identity
from syft.workers.guest import GuestSession
from syft.workers.session import Session
from syft.workers.timed import Timed

logger = logging.getLogger("syft.workers")

_INVITATION_SECONDS = 300.0
_MOST_INVITATIONS = 100  # of one session
_LAST_SECONDS = 2.0


@dataclass(slots=True)
class _Seat:
    """A channel with the session it belongs to; a session has one for its client and one for each worker invited."""

    channel: Channel
    session: Session
    identity: Identity
    guest: bool
    timed: Timed
    invitation: bytes = b""  # the one it came with


class Sessions:
    """Admits clients to a worker.

    Args:
        home: the served worker.
        tokens: who may come; None leaves that to certificates, or lets everybody in.
        certified: clients were made to show certificates, whose names are their users.
    """

    def __init__(self, home: Any, tokens: TokenFile | None, certified: bool) -> None:
        self.home, self.tokens, self.certified = home, tokens, certified
        self.name = str(home.id)
        self.anonymous = tokens is None and not certified
        self._lock = threading.Lock()
        self._seats: dict[bytes, _Seat] = {}
        self._finishing: dict[bytes, _Seat] = {}  # whose clients have left, with messages that are yet to be dealt with
        self._invitations: dict[bytes, tuple[bytes, Session, float]] = {}
        self.pool = ThreadPoolExecutor(home.limits.threads, thread_name_prefix=f"syft-{home.id}")

    # --- admission ----------------------------------------------------------------------------------

    def admit(self, challenge: Challenge, answer: Answer, certified: str | None, peer: str) -> Admission:
        """Let a client in, or turn it away.

        Raises:
            AuthenticationError: who it is could not be shown.
            LimitExceededError: there are as many sessions as there may be.
        """
        signed = handshake.signed_by(answer.kind, challenge, answer.random, answer.session)
        session: Session | None = None
        invited = answer.kind == handshake.INVITATION
        invitation = answer.credential[:16] if invited else b""
        try:
            if invited:
                seat = self._returned(answer, signed, invitation)
                if seat is None:
                    session = self._invited(answer, signed, invitation)
                    identity = session.identity
            else:
                identity = self._identify(answer, signed, certified)
                seat = self._resumed(answer, signed, identity)
        except AuthenticationError as error:
            self.home.audit("turned away", certified, "", peer=peer, why=str(error))
            raise
        if seat is not None:
            return Admission(seat.channel, self._welcome(seat.channel, True, answer.received))
        seat = self._seat(identity, session, invitation)
        self.home.audit("let in", identity.user, seat.session.name, peer=peer, guest=seat.guest)
        return Admission(seat.channel, self._welcome(seat.channel, False, handshake.FRESH))

    def _identify(self, answer: Answer, signed: bytes, certified: str | None) -> Identity:
        if answer.kind == handshake.TOKEN and self.tokens is not None:
            found = self.tokens.identify(answer.credential, answer.proof, signed)
            return Identity(found.user, found.role)
        if self.certified and certified is not None:
            return Identity(certified, "user")
        if self.anonymous:
            return Identity(None, "user")
        raise AuthenticationError(
            f"worker {self.name!r} lets in only clients with a token: pass token=..., or set SYFT_TOKEN"
        )

    def _invited(self, answer: Answer, signed: bytes, invitation: bytes) -> Session:
        """Whom an invitation leads to. It is good once."""
        with self._lock:
            held = self._invitations.get(invitation)
            if held is not None:
                secret, session, until = held
                shown = hmac.compare_digest(handshake.keyed(secret, signed), answer.proof[:32])
                if time.monotonic() < until and shown:
                    del self._invitations[invitation]
                    return session
        raise AuthenticationError(f"this invitation to worker {self.name!r} is unknown, was used, or has expired")

    def _returned(self, answer: Answer, signed: bytes, invitation: bytes) -> _Seat | None:
        """The seat of a guest that comes back: it shows the secret of its seat, as its invitation was used up."""
        with self._lock:
            seat = self._seats.get(answer.session)
        if seat is None or seat.invitation != invitation:
            return None
        return self._shown(seat, answer, signed)

    def _resumed(self, answer: Answer, signed: bytes, identity: Identity) -> _Seat | None:
        with self._lock:
            seat = self._seats.get(answer.session)
        if seat is None:
            return None
        if seat.identity != identity or seat.guest:
            raise AuthenticationError("this session belongs to someone else")
        return self._shown(seat, answer, signed)

    def _shown(self, seat: _Seat, answer: Answer, signed: bytes) -> _Seat:
        if not hmac.compare_digest(handshake.keyed(seat.channel.secret, signed), answer.session_proof):
            raise AuthenticationError("this session belongs to someone else")
        return seat

    def _seat(self, identity: Identity, session: Session | None, invitation: bytes) -> _Seat:
        limits = self.home.limits
        with self._lock:
            if len(self._seats) + len(self._finishing) >= limits.sessions:
                raise LimitExceededError(f"worker {self.name!r} has {len(self._seats)} clients, as many as it takes")
            id, secret = os.urandom(16), os.urandom(32)
            guest = session is not None
            if session is None:
                session = Session(self.home, identity, id[:4].hex())
            served = GuestSession(session) if guest else session
            timed = Timed(served.handle, limits)
            channel = Channel(id, secret, timed, self.pool, limits.message_bytes, limits.window, served.at_once)
            seat = self._seats[id] = _Seat(channel, session, identity, guest, timed, invitation)
        return seat

    def _welcome(self, channel: Channel, resumed: bool, received: int) -> Welcome:
        limits = self.home.limits
        return Welcome(
            channel.id,
            channel.secret,
            resumed,
            received,
            limits.keepalive,
            limits.lease,
            limits.message_bytes,
            limits.window,
            self.home.advertise or "",
        )

    def invite(self, session: Session) -> bytes:
        """What lets another worker into a session, once, within the next minutes: 48 bytes.

        Raises:
            LimitExceededError: the session has as many open invitations as it may.
        """
        id, secret = os.urandom(16), os.urandom(32)
        now = time.monotonic()
        with self._lock:
            open_ones = [k for k, held in self._invitations.items() if held[1] is session]
            for late in [k for k in open_ones if self._invitations[k][2] <= now]:
                del self._invitations[late]
                open_ones.remove(late)
            if len(open_ones) >= _MOST_INVITATIONS:
                raise LimitExceededError(
                    f"{len(open_ones)} invitations into your session on worker {self.name!r} are open; use them, or "
                    "wait until they expire"
                )
            self._invitations[id] = secret, session, now + _INVITATION_SECONDS
        return id + secret

    def invited_to(self, invitation: bytes) -> Session:
        """The session that an invitation leads into. It is used up.

        Raises:
            AuthenticationError: it is none, or not any more.
        """
        with self._lock:
            held = self._invitations.get(invitation[:16])
            if held is not None:
                secret, session, until = held
                if time.monotonic() < until and hmac.compare_digest(secret, invitation[16:]):
                    del self._invitations[invitation[:16]]
                    return session
        raise AuthenticationError(f"this invitation to worker {self.name!r} is unknown, was used, or has expired")

    # --- leaving ------------------------------------------------------------------------------------

    def left(self, channel: Channel, for_good: bool) -> None:
        """A connection is gone; the session goes with it if its client said so, when all it sent was dealt with."""
        if for_good:
            self._end(channel.id, "the client has left", finish=True)

    def tick(self) -> None:
        """End the sessions whose lease has run out, and those with a message that takes far too long."""
        self._give_up_overdue()
        now = time.monotonic()
        lease = self.home.limits.lease
        with self._lock:
            late = [
                id
                for id, seat in self._seats.items()
                if not seat.channel.attached
                and not seat.channel.busy
                and seat.channel.left_at is not None
                and now - seat.channel.left_at > lease
            ]
        for id in late:
            self._end(id, "the lease has run out")

    def _give_up_overdue(self) -> None:
        """A kernel cannot be interrupted: its thread is lost until it returns. Its client and the others go on."""
        with self._lock:
            overdue = [(id, seat, s) for id, seat in self._seats.items() if (s := seat.timed.limit.overdue())]
        for id, seat, seconds in overdue:
            logger.warning(
                "worker %r gives up session %s: a command has run for %.1f s, and cannot be interrupted. Its thread is "
                "lost until it ends",
                self.name,
                seat.session.name,
                seconds,
            )
            self.home.audit("timed out", seat.identity.user, seat.session.name, seconds=round(seconds, 1))
            limit = self.home.limits.command_seconds
            self._end(id, f"a command ran on for {seconds:.1f} s and the worker gives it {limit:g} s: session ended")

    def _end(self, id: bytes, reason: str, *, finish: bool = False) -> None:
        with self._lock:
            seat = self._seats.pop(id, None)
            if seat is None:
                return
            if not seat.guest:
                self._invitations = {k: v for k, v in self._invitations.items() if v[1] is not seat.session}
            if finish:
                self._finishing[id] = seat
        if finish:
            seat.timed.limit.leave(reason)
            seat.channel.finish(reason, lambda: self._finish(seat, reason))
        else:
            seat.timed.limit.give_up(reason)
            seat.channel.end(reason)
            self._clear(seat, reason)

    def _finish(self, seat: _Seat, reason: str) -> None:
        with self._lock:
            waits = self._finishing.pop(seat.channel.id, None) is not None
        if waits:
            self._clear(seat, reason)

    def _clear(self, seat: _Seat, reason: str) -> None:
        with self._lock:
            guests = [k for k, other in self._seats.items() if other.session is seat.session]
        if seat.guest:
            return
        for guest in guests:
            self._end(guest, reason)
        seat.session.clear_objects()
        seat.session.leave_peers()
        self.home.audit("left", seat.identity.user, seat.session.name, why=reason)

    def close(self) -> bool:
        """End all sessions, and wait a little for what is being dealt with.

        Returns:
            Whether it has ended; a kernel that runs on cannot be interrupted.
        """
        reason = "the worker stops"
        with self._lock:
            left = list(self._finishing.values())
        channels = [seat.channel for seat in self._seats.values()]
        for id in list(self._seats):
            self._end(id, reason)
        for seat in left:
            seat.timed.limit.give_up(reason)
        self.pool.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + _LAST_SECONDS
        while any(channel.busy for channel in channels) and time.monotonic() < until:
            time.sleep(0.01)
        for seat in left:  # what waited for a thread will not get one any more
            self._finish(seat, reason)
        return not any(channel.busy for channel in channels)

    def rows(self) -> list[tuple[Session, Channel]]:
        """The sessions of clients, with their channels."""
        with self._lock:
            return [(seat.session, seat.channel) for seat in self._seats.values() if not seat.guest]
