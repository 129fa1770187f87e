"""Files of SQLite that are the library's own: made for their owner alone, told from others, written in transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from syft.exceptions import UsageError

_MAGIC = b"SQLite format 3\0"
_APPLICATION_AT = 68  # in the header, 4 bytes, big-endian


@dataclass(frozen=True, slots=True)
class Format:
    """What a kind of file is like.

    Attributes:
        content: what is kept in it, in words.
        application: a number that stands in the header of the file, below 2^31.
        version: of the tables; files of other versions are refused.
        tables: the statements that make them.
        patience: seconds for which another process may have the file.
    """

    content: str
    application: int
    version: int
    tables: tuple[str, ...]
    patience: float = 5.0


def opened(path: Path | None, format: Format, *, exclusive: bool = False) -> sqlite3.Connection:
    """A connection to a file, which is new or of this format; each commit is synced to the disk.

    Args:
        path: the file, made if it is missing, with its folder; only the owner of the process may read it. None is a
            database in memory.
        format: of the file.
        exclusive: keep other processes out as long as the connection is open.

    Raises:
        UsageError: it is something else's file, in use, or cannot be read or written. It is left as it is.
    """
    if path is not None:
        _check(path, format)
    connection = sqlite3.connect(
        path or ":memory:", timeout=format.patience, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection, path, format, exclusive)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise UsageError(f"{path} is in use by another worker; stop that one, or choose another file") from error
        if isinstance(error, sqlite3.Error):
            raise UsageError(
                f"{path} cannot be used for {format.content}: {error}; restore it, or choose another file"
            ) from error
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done inside happens, or nothing. Begun for writing: what is read inside stays so until its end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _check(path: Path, format: Format) -> None:
    """Make the file, or see that it is one of ours before SQLite, which may change a file by opening it, does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with path.open("rb") as file:
            header = file.read(_APPLICATION_AT + 4)
    except OSError as error:
        raise UsageError(f"{format.content} cannot be kept in {path}: {error}; choose another file") from error
    if header and (not header.startswith(_MAGIC) or int.from_bytes(header[_APPLICATION_AT:]) != format.application):
        raise UsageError(f"{path} belongs to another application and is left as it is; choose another file")


def _prepare(connection: sqlite3.Connection, path: Path | None, format: Format, exclusive: bool) -> None:
    if exclusive:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA synchronous = FULL")  # the log is synced at every commit
    # The tables are made by the plain journal, so that the header says whose file it is from its first byte on.
    with transaction(connection):
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.execute(f"PRAGMA application_id = {int(format.application)}")
            connection.execute("CREATE TABLE format (version INTEGER NOT NULL)")
            connection.execute("INSERT INTO format VALUES (?)", (format.version,))
            for statement in format.tables:
                connection.execute(statement)
        (version,) = connection.execute("SELECT version FROM format").fetchone()
        if version != format.version:
            raise UsageError(
                f"{path} has version {version} and this release reads version {format.version}; "
                "use the release that wrote it, or choose another file"
            )
    connection.execute("PRAGMA journal_mode = WAL")
