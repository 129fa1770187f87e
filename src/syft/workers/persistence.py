"""Objects of a worker that outlive its process, in one SQLite file.

An object is on the disk when `PersistentStore.save` returns: each call is one transaction, written ahead to a log and
synced. A process that is killed, or a machine that loses power, leaves the file as it was after the last whole
transaction. One process at a time has the file; its threads share one connection.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from syft.core.messages import ObjectId
from syft.core.sqlite_file import Format, opened, transaction
from syft.exceptions import LimitExceededError, SyftError, UsageError
from syft.serde.codec import decode, encode
from syft.serde.limits import DEFAULT_LIMITS, Limits

APPLICATION = 0x53594654  # "SYFT"; stands in the header of the file
VERSION = 1

_LOG = logging.getLogger(__name__)
_SCHEME = "sqlite:///"

# An id is kept as a name and its type; `place` is the order in which ids came.
_FORMAT = Format(
    "objects",
    APPLICATION,
    VERSION,
    (
        """CREATE TABLE objects (
        place INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('int', 'str')),
        name TEXT NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (kind, name))""",
    ),
)
_SAVE = """INSERT INTO objects (kind, name, body) VALUES (?, ?, ?)
    ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body"""


class PersistentStore:
    """Objects by id in a file. Any thread may call any method.

    Args:
        url: ``sqlite:///`` and a path: ``sqlite:///bob.db`` in the current folder, ``sqlite:////data/bob.db`` anywhere.
            The file and its folder are made if they are missing; only the owner of the process may read the file.
        limits: what `load` accepts. `save` refuses what is longer, so that all that is kept can be loaded.

    Attributes:
        path: the file.

    Raises:
        UsageError: the URL is of another kind, or the file belongs to another application, to a newer version, or to
            a process that is running. It is left as it is.

    Example:
        >>> import tempfile
        >>> url = f"sqlite:///{tempfile.mkdtemp()}/bob.db"
        >>> with PersistentStore(url) as store:
        ...     store.save("greeting", ["hello"])
        >>> with PersistentStore(url) as store:
        ...     list(store.load(context=None))
        [('greeting', ['hello'])]
    """

    def __init__(self, url: str, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = _path_of(url)
        self._limits = limits
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = opened(self.path, _FORMAT, exclusive=True)

    def save(self, id: ObjectId, obj: Any) -> None:
        """Keep an object, in place of one of the same id. When this returns, it is on the disk.

        Args:
            id: an int or a str; ``1`` and ``"1"`` are two ids.
            obj: anything with a wire form. It keeps its tags and description.

        Raises:
            UnserializableError: it has no wire form.
            LimitExceededError: it is longer than `load` accepts.
            SyftError: the disk does not take it. What was kept under that id still is.
        """
        row = _row_of(id)
        body = encode(obj)
        with self._writing(f"object {id!r} cannot be kept") as connection:
            most = min(self._limits.max_bytes, connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH))
            if len(body) > most:
                raise LimitExceededError(
                    f"object {id!r} takes {len(body):,} bytes, and {self.path} keeps objects of at most {most:,}; "
                    "keep it in parts"
                )
            connection.execute(_SAVE, (*row, body))

    def delete(self, ids: Iterable[ObjectId]) -> None:
        """Forget objects, all of them or none. When this returns, they are gone from the disk.

        Args:
            ids: which ones; those that are not there are fine.

        Raises:
            SyftError: the disk does not take it.
        """
        rows = [_row_of(id) for id in ids]
        if rows:
            with self._writing(f"{len(rows)} objects cannot be deleted") as connection:
                connection.executemany("DELETE FROM objects WHERE kind = ? AND name = ?", rows)

    def load(self, context: Any) -> Iterator[tuple[ObjectId, Any]]:
        """The objects, one by one, in the order in which their ids came.

        An object that cannot be read or decoded is left out, and an error that names its id is logged; it stays in
        the file.

        Args:
            context: the worker that they belong to, for objects that need one.

        Yields:
            ``(id, object)``.

        Raises:
            UsageError: the store is closed.
        """
        for place, kind, name in self._fetch("SELECT place, kind, name FROM objects ORDER BY place"):
            id = int(name) if kind == "int" else name
            self._open()
            try:
                row = self._fetch("SELECT body FROM objects WHERE place = ?", place)
                if not row:  # deleted since
                    continue
                obj = decode(row[0][0], context, self._limits)
            except (SyftError, sqlite3.Error, MemoryError) as error:
                _LOG.error("object %r in %s is left out, as it cannot be loaded: %s", id, self.path, error)
                continue
            yield id, obj

    def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<PersistentStore {self.path}{'' if self._connection else ' (closed)'}>"

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise UsageError(f"the store {self.path} is closed; open it again with PersistentStore(url)")
        return self._connection

    def _fetch(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._open().execute(query, values).fetchall()

    @contextmanager
    def _writing(self, failure: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._open()
            try:
                with transaction(connection):
                    yield connection
            except sqlite3.Error as error:
                raise SyftError(f"{failure} in {self.path}: {error}; look after the disk and its space") from error


def _row_of(id: ObjectId) -> tuple[str, str]:
    if type(id) is int:
        return "int", str(id)
    if type(id) is str:
        return "str", id
    raise UsageError(f"an id is an int or a str, not {type(id).__name__}")


def _path_of(url: str) -> Path:
    name = url.removeprefix(_SCHEME) if isinstance(url, str) else ""
    if not name or name == url or name == ":memory:" or "?" in name or "\0" in name:
        raise UsageError(
            f"objects are kept in a file of SQLite, and {url!r} names none; write {_SCHEME}bob.db, "
            f"or {_SCHEME}/data/bob.db for a path from the root"
        )
    return Path(name)
