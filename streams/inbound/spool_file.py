"""Deliveries on local disk, the oldest first: one SQLite file, this process's alone. It blocks; one thread may use it."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from models.units import Millis
from streams.errors import Fatal, Retry
from streams.inbound.deliveries import Kept
from streams.inbound.normalise import RecordHeaders

APPLICATION: Final = 0x6C62_7370
"""What SQLite keeps as the file's application: `lbsp`."""

LAYOUT: Final = 1
PAGE: Final = 4096

MOST_ROWS: Final = 1000
MOST_BYTES: Final = 4 * 2**20
"""How many deliveries are read at once, and of how many bytes; one is read whatever its size."""

TABLE: Final = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {LAYOUT};
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    headers BLOB NOT NULL,
    value BLOB NOT NULL
);
"""

_headers = msgspec.msgpack.Decoder(RecordHeaders)


class SpoolFull(Retry):
    """There is no room for a delivery: the spool has reached its limit, or the disk is full."""


class SpoolFile:
    """The file, opened. A number is never given twice. Each method raises Fatal if the file cannot be used any more."""

    def __init__(self, path: Path, limit: int) -> None:
        """Open it, or make it. `limit` is in bytes of the file. Raises Fatal if it is in use, damaged, or not ours."""
        self._path = path
        self._db = _connected(path)
        try:
            with self._faults():
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._see_that_it_is_ours()
                self._set_up(limit)
                self._see_that_it_is_whole()
            with suppress(SpoolFull), self._faults():
                self._squeeze()
        except BaseException:
            self._db.close()
            raise

    def _see_that_it_is_ours(self) -> None:
        if not self._ask("SELECT count(*) FROM sqlite_master"):
            return
        if (self._ask("PRAGMA application_id"), self._ask("PRAGMA user_version")) != (APPLICATION, LAYOUT):
            raise Fatal(str(self._path), "is not a spool of this release", "set gateway.spool to a path of its own")

    def _see_that_it_is_whole(self) -> None:
        if (found := self._ask("PRAGMA quick_check(1)")) != "ok":
            raise self._damaged(found)

    def _set_up(self, limit: int) -> None:
        """What is synced stays, what is deleted is overwritten; no part of its log is shared with another process."""
        self._path.chmod(0o600)
        self._db.execute(f"PRAGMA page_size = {PAGE}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("PRAGMA temp_store = MEMORY")
        self._db.execute(f"PRAGMA max_page_count = {limit // PAGE}")
        if not self._ask("SELECT count(*) FROM sqlite_master"):
            self._db.executescript(f"BEGIN IMMEDIATE; {TABLE} COMMIT;")

    def close(self) -> None:
        """Close it, so that another process can have it."""
        with self._faults():
            self._db.close()

    def add(self, deliveries: Iterable[tuple[RecordHeaders, bytes]]) -> None:
        """Keep deliveries, all or none; they are synced when this returns. Raises SpoolFull if there is no room for them."""
        rows = [(_receipt(headers), msgspec.msgpack.encode(headers), value) for headers, value in deliveries]
        with self._transaction():
            self._db.executemany("INSERT INTO deliveries (received_at, headers, value) VALUES (?, ?, ?)", rows)

    def oldest(self, after: int) -> Sequence[Kept]:
        """The deliveries that come next after a number."""
        found: list[Kept] = []
        size = 0
        select = "SELECT number, headers, value FROM deliveries WHERE number > ? ORDER BY number LIMIT ?"
        with self._faults(), closing(self._db.execute(select, (after, MOST_ROWS))) as rows:
            for number, headers, value in rows:
                found.append(Kept(number, _headers.decode(headers), value))
                size += len(value)
                if size >= MOST_BYTES:
                    break
        return found

    def remove(self, upto: int) -> None:
        """Forget deliveries up to a number: nothing of them is left in the file or its log. Raises SpoolFull if the disk is."""
        with self._transaction():
            self._db.execute("DELETE FROM deliveries WHERE number <= ?", (upto,))
        with self._faults():
            self._squeeze()

    def count(self) -> int:
        """How many deliveries there are."""
        with self._faults():
            return int(self._ask("SELECT count(*) FROM deliveries"))

    def first_receipt(self, after: int) -> Millis | None:
        """The receipt of the delivery that comes next after a number."""
        with self._faults():
            found = self._ask("SELECT received_at FROM deliveries WHERE number > ? ORDER BY number LIMIT 1", after)
        return None if found is None else Millis(found)

    def used(self) -> int:
        """Bytes of the file that are in use; its log beside it has a few MB more."""
        with self._faults():
            pages: int = self._ask("PRAGMA page_count") - self._ask("PRAGMA freelist_count")
        return pages * PAGE

    def _squeeze(self) -> None:
        """Write what the log has into the file, and empty it; an empty spool gives its room back to the disk."""
        if self._ask("SELECT 1 FROM deliveries LIMIT 1") is None and self._ask("PRAGMA freelist_count"):
            self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._faults():
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")

    def _ask(self, question: str, *values: int) -> Any:
        """The first value of the first row; None without any."""
        row = self._db.execute(question, values).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Tells what SQLite says in our words; a transaction that failed has not been."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise self._told(error) from error
        except msgspec.DecodeError as error:
            raise self._damaged(error) from error

    def _told(self, error: sqlite3.Error | OSError) -> Exception:
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_FULL:
                return SpoolFull(str(self._path), "is full, or its disk is", "bring Kafka back, or make room on the disk")
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Fatal(str(self._path), "another process uses it", "give each gateway a gateway.spool of its own")
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return self._damaged(str(error))
        return Fatal(str(self._path), f"cannot be used: {error}", "look after its disk, then start this again")

    def _damaged(self, found: object) -> Fatal:
        todo = "move it away and start this again; `sqlite3 FILE .recover` may find what was in it"
        return Fatal(str(self._path), f"is damaged: {' '.join(str(found).split())}", todo)


def _connected(path: Path) -> sqlite3.Connection:
    """The file, which is made if it is not there. Nobody else may read it; SQLite gives its log the same rights."""
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        return sqlite3.connect(path, timeout=0, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise Fatal(str(path), f"cannot be used: {what}", "make its folder one that the gateway may write to") from None


def _receipt(headers: RecordHeaders) -> int:
    return int(dict(headers)["received_at"])
