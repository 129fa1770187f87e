"""Tokens: who a client is, shown by a signature. A worker keeps public keys only.

A token is an Ed25519 key. Its user gets the secret half as one word; the worker's file has the public half, so that
nobody who reads the file can come as somebody else.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import logging
import os
import re
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from syft.exceptions import AuthenticationError, CredentialsError

logger = logging.getLogger("syft.transports")

_USER = re.compile(r"[A-Za-z0-9_.]{1,64}")
_TOKEN = re.compile(r"syft-([A-Za-z0-9_.]{1,64})-([A-Za-z0-9_-]{48})")
_ROLES = ("user", "owner")
_UNKNOWN = "this token is not one that the worker's owner gave out, or it was taken back"


class Token:
    """A client's secret.

    Args:
        user: whose.
        seed: the secret, 32 bytes.

    Raises:
        CredentialsError: this is no name for a user, or no such seed.

    Example:
        >>> token = Token.make("ana")
        >>> Token.parse(token.text).user, token
        ('ana', <token of 'ana'>)
    """

    __slots__ = ("_key", "_seed", "public", "user")

    def __init__(self, user: str, seed: bytes) -> None:
        if not _USER.fullmatch(user):
            raise CredentialsError(f"a user's name has 1 to 64 of the characters A-Z a-z 0-9 _ . and {user!r} has not")
        if len(seed) != 32:
            raise CredentialsError(f"the seed of a token has 32 bytes, not {len(seed)}; Token.make(user) draws one")
        self.user, self._seed = user, seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def make(cls, user: str) -> Token:
        """A new one.

        Raises:
            CredentialsError: this is no name for a user.
        """
        return cls(user, os.urandom(32))

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read the word that `text` gives.

        Raises:
            CredentialsError: it is none, or was damaged in copying.
        """
        match = _TOKEN.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is not None:
            data = base64.urlsafe_b64decode(match[2])
            if hmac.compare_digest(_checksum(match[1], data[:32]), data[32:]):
                return cls(match[1], data[:32])
        raise CredentialsError(
            "this is no token, or it was damaged in copying; a token is one word of the form syft-<user>-<48 "
            "characters>, as 'syft worker token' prints it"
        )

    @property
    def text(self) -> str:
        """The token as one word. Whoever has it is this user."""
        data = self._seed + _checksum(self.user, self._seed)
        return f"syft-{self.user}-{base64.urlsafe_b64encode(data).decode()}"

    def sign(self, data: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<token of {self.user!r}>"


def _checksum(user: str, seed: bytes) -> bytes:
    return hashlib.sha256(b"syft token" + user.encode() + seed).digest()[:4]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a worker knows of a token.

    Attributes:
        user: whose it is.
        role: ``"user"`` or ``"owner"``.
        key: its public half, 32 bytes.
        expires: when it stops being one; None for never.
        created: when it was made.
    """

    user: str
    role: str
    key: bytes
    expires: dt.datetime | None
    created: dt.datetime

    def line(self) -> str:
        """The entry as a line of the file."""
        fields = {
            "user": self.user,
            "role": self.role,
            "key": base64.b64encode(self.key).decode(),
            "expires": None if self.expires is None else self.expires.isoformat(),
            "created": self.created.isoformat(),
        }
        return json.dumps(fields) + "\n"


class TokenFile:
    """The tokens that let clients into a worker: a file with one JSON object a line.

    Args:
        path: of the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._read_at: tuple[int, int, int] | None = None
        self._by_key: dict[bytes, Entry] = {}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TokenFile:
        """Read a file.

        Raises:
            CredentialsError: there is none, or a line of it makes no sense.
        """
        file = cls(path)
        file._refresh()
        if os.name == "posix" and file.path.stat().st_mode & 0o077:
            logger.warning("others than its owner can read or change %s; say chmod 600 %s", file.path, file.path)
        return file

    @property
    def entries(self) -> list[Entry]:
        """The tokens that the file has now."""
        self._refresh()
        return list(self._by_key.values())

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
            seen = status.st_mtime_ns, status.st_size, status.st_ino
            with self._lock:
                if seen == self._read_at:
                    return
                lines = self.path.read_text(encoding="utf-8").splitlines()
                entries = [_entry(line, n, self.path) for n, line in enumerate(lines, 1) if line.strip()]
                self._by_key = {entry.key: entry for entry in entries}
                self._read_at = seen
        except OSError as error:
            raise CredentialsError(
                f"the token file {self.path} cannot be read: {error}. Make one with 'syft worker token USER --file "
                f"{self.path}'"
            ) from error
        except UnicodeDecodeError:
            raise CredentialsError(f"{self.path} is no token file: it is not text in UTF-8") from None

    def add(self, user: str, role: str = "user", expires_in: float | None = None) -> Token:
        """Make a token; the file is made if there is none.

        Args:
            user: for whom.
            role: ``"user"`` or ``"owner"``.
            expires_in: days; None for ever.

        Returns:
            The token. Its secret is nowhere else.

        Raises:
            CredentialsError: no such role, no name for a user, no such time, or the file cannot be written.
        """
        if role not in _ROLES:
            raise CredentialsError(f"a role is one of {', '.join(_ROLES)}, not {role!r}")
        token, now = Token.make(user), dt.datetime.now(dt.UTC)
        entry = Entry(user, role, token.public, _expiry(now, expires_in), now)
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # One write, so that a worker never reads half an entry.
                os.write(descriptor, _line_end(descriptor) + entry.line().encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CredentialsError(f"the token file {self.path} cannot be written: {error}") from error
        return token

    def revoke(self, user: str) -> int:
        """Take all tokens of a user back; running workers notice.

        Returns:
            How many there were.

        Raises:
            CredentialsError: the file cannot be read or written; the tokens are good as before.
        """
        entries = self.entries
        kept = [entry for entry in entries if entry.user != user]
        new = self.path.with_name(self.path.name + ".new")
        try:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(entry.line() for entry in kept)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
        except OSError as error:
            raise CredentialsError(f"the token file {self.path} cannot be written: {error}") from error
        return len(entries) - len(kept)

    def identify(self, public: bytes, signature: bytes, signed: bytes, now: dt.datetime | None = None) -> Entry:
        """Whose signature this is.

        Args:
            public: the key that is said to have signed.
            signature: 64 bytes.
            signed: what was signed.
            now: the time; the clock's when None.

        Raises:
            AuthenticationError: nobody's, or of a token that has expired.
        """
        entry = self._entry_of(public)
        try:
            # Also for a key that is not in the file, so that both take the same time.
            Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
        except (InvalidSignature, ValueError):
            entry = None
        return _valid(entry, now)

    def identify_bearer(self, text: str, now: dt.datetime | None = None) -> Entry:
        """Whose token this is, for transports that send the token itself.

        Raises:
            AuthenticationError: nobody's, or one that has expired.
        """
        try:
            token = Token.parse(text)
        except CredentialsError:
            raise AuthenticationError(_UNKNOWN) from None
        return _valid(self._entry_of(token.public), now)

    def _entry_of(self, public: bytes) -> Entry | None:
        try:
            self._refresh()
        except CredentialsError as error:
            # Nobody is let in by what the file said before, as the change may have been a revocation. The reason
            # names files of this machine and is for its owner alone.
            logger.error("nobody is let in: %s", error)
            raise AuthenticationError(
                "the worker cannot read its list of tokens; ask its owner to look at its log"
            ) from None
        found = self._by_key.get(public)
        return found if found is not None and hmac.compare_digest(found.key, public) else None


def _valid(entry: Entry | None, now: dt.datetime | None) -> Entry:
    if entry is None:
        raise AuthenticationError(_UNKNOWN)
    if entry.expires is not None and (now or dt.datetime.now(dt.UTC)) >= entry.expires:
        raise AuthenticationError(f"the token of {entry.user!r} has expired; ask the worker's owner for a new one")
    return replace(entry)


def _expiry(now: dt.datetime, days: float | None) -> dt.datetime | None:
    if days is None:
        return None
    try:
        if days > 0:
            return now + dt.timedelta(days=days)
    except (OverflowError, ValueError):
        pass
    raise CredentialsError(f"a token cannot expire in {days} days; give a number of days above 0, or None for ever")


def _line_end(descriptor: int) -> bytes:
    # An editor may have left the last line without its end.
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size == 0:
        return b""
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"


def _entry(line: str, number: int, path: Path) -> Entry:
    # The reasons never quote the line: somebody may have pasted a token into it.
    try:
        return _entry_from(json.loads(line))
    except (json.JSONDecodeError, RecursionError):
        reason = "it is no JSON"
    except (ValueError, TypeError) as error:
        reason = str(error)
    raise CredentialsError(
        f"line {number} of the token file {path} makes no sense: {reason}. Take it out, and make the token anew with "
        "'syft worker token'"
    )


def _entry_from(fields: object) -> Entry:
    if not isinstance(fields, dict):
        raise ValueError("it is no JSON object")
    missing = [name for name in ("user", "role", "key", "expires", "created") if name not in fields]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    user, role, key = fields["user"], fields["role"], fields["key"]
    if not isinstance(user, str) or not _USER.fullmatch(user):
        raise ValueError("its user is no name for a user")
    if role not in _ROLES:
        raise ValueError(f"its role is none of {', '.join(_ROLES)}")
    try:
        public = base64.b64decode(key, validate=True)
    except (ValueError, TypeError):
        public = b""
    if len(public) != 32:
        raise ValueError("its key is no public key, which is 32 bytes in base64")
    expires = None if fields["expires"] is None else _time(fields["expires"], "expires")
    return Entry(user, role, public, expires, _time(fields["created"], "created"))


def _time(text: object, name: str) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(f"{name!r} is no time with its zone, such as 2030-01-31T12:00:00+00:00")
    return time
