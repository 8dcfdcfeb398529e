"""The outbox's file: opening, transactions, and what to do when the card misbehaves.

Promises, for `Outbox` alone:
- A unit of work is one transaction, on the disk when it returns (WAL, synchronous=FULL) or not
  there at all; whatever goes wrong comes out as an `OutboxError` that says what, which file and
  what to do.
- A file that SQLite finds corrupt, when opening it or in any call, is moved aside with its WAL and
  kept; a fresh one is begun with the records that can be salvaged, and the call is run again there.
  What a power cut or a full disk interrupts of that is finished by a later call.
- Another process may move the file aside at any time. We notice, follow to the fresh file and run
  the call again there, so nothing is committed into a file that nobody reads.

Does not look for damage that SQLite does not meet: reading gigabytes at each start would keep the
camera blind for minutes. It keeps every file moved aside; removing them is up to people.
"""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from firmware.durable import sync_directory
from firmware.trap.outbox_salvage import salvage
from firmware.wire.errors import WireError

log = logging.getLogger(__name__)

FORMAT = 2
BUSY_S = 10.0
"""How long one process waits for the other's commit; on a slow card that is most of a second."""
WAL_LEFT_BYTES = 8 * 2**20
_SUFFIXES = ("", "-wal", "-shm")

# The bytes have a table of their own: SQLite rewrites a whole row for each change in it, and a
# state change must not cost a megabyte of card wear. Each index covers only the rows in one state.
# `span` says from which row on items were put at about which time: see `outbox_age.py`.
_SCHEMA = """
CREATE TABLE item (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    content_type TEXT NOT NULL,
    priority INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_s REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'sending', 'stored', 'rejected')),
    not_before_s REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    lone_deaths INTEGER,
    reason TEXT NOT NULL DEFAULT '',
    UNIQUE (id, sha256)
);
CREATE TABLE body (row INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE tally (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE span (first_row INTEGER PRIMARY KEY, since_s REAL NOT NULL);
CREATE INDEX item_waiting ON item (priority, row, not_before_s) WHERE state = 'waiting';
CREATE UNIQUE INDEX item_sending ON item (id) WHERE state = 'sending';
CREATE INDEX item_stored ON item (row) WHERE state = 'stored';
CREATE INDEX item_rejected ON item (row) WHERE state = 'rejected';
"""
_FROM_FORMAT_1 = "CREATE TABLE span (first_row INTEGER PRIMARY KEY, since_s REAL NOT NULL);"

T = TypeVar("T")


class OutboxError(Exception):
    """The outbox could not do it, and nothing has changed.

    OutboxError            disk full, read-only or failing; file of a newer firmware; locked
      OutboxFull           the byte limit is reached and nothing less important may go
      OutboxCorrupt        the file is corrupt and could not be replaced by a fresh one
    """


class OutboxFull(OutboxError):
    """The byte limit is reached and nothing less important than the new item may go."""


class OutboxCorrupt(OutboxError):
    """The file is corrupt and could not be moved aside."""


class OutboxFile:
    """One open connection to the file; see the module for what it promises."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fresh = Path(f"{path}.fresh")
        self._open: sqlite3.Connection | None = None
        self._inode = (0, 0)

    def close(self) -> None:
        """Let go of the file; the next call would open it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, from one consistent view."""
        return self._run("BEGIN", work)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, once all it did is committed. It may be run twice."""
        return self._run("BEGIN IMMEDIATE", work)

    def version(self) -> tuple[int, ...]:
        """Differs from an earlier one when another connection has committed, or moved the file."""
        found = self.read(lambda db: db.execute("PRAGMA data_version").fetchone()[0])
        return (found, *self._inode)

    def _run(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        for final in (False, False, True):
            try:
                result = self._transaction(begin, work)
                if self._in_place():
                    return result
            except (sqlite3.Error, UnicodeDecodeError, WireError) as error:
                if not _is_corrupt(error):
                    raise self._explain(error) from error
                if final:
                    raise self._corrupt(f"again corrupt after a fresh start ({error})") from error
                self._set_aside(str(error))
        raise OutboxError(f"{self.path} is being moved or deleted all the time: find out by whom")

    def _transaction(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._connection()
        try:
            db.execute(begin)
            result = work(db)
            db.execute("COMMIT")
            return result
        finally:
            _roll_back(db)

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and not self._in_place():
            self.close()
        if self._open is None:
            with self._alone():
                if self._fresh.exists() and not self.path.exists():
                    self._begin_afresh("replacing it was cut short")
                self._inode = _inode(self.path)  # what to set aside, should opening it fail
                self._open = _open(self.path)
                self._inode = _inode(self.path)
        return self._open

    def _in_place(self) -> bool:
        return _inode(self.path) == self._inode

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps the other process from opening or moving the file at the same moment."""
        try:
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OutboxError(
                f"cannot open {self.path}.lock: {error.strerror}; "
                "check that the data directory exists, is writable and has space"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _set_aside(self, reason: str) -> None:
        """Move the corrupt file away, unless the other process has just done so."""
        self.close()
        with self._alone():
            if not self._in_place():
                return
            self._begin_afresh(reason)

    def _begin_afresh(self, reason: str) -> None:
        """Move the corrupt file away and put a fresh one in its place. A power cut or an error on
        the way leaves `.fresh` and no file under the name, and the next opening goes on there."""
        try:
            with closing(_open(self._fresh)) as fresh:  # first: it shows whether there is room
                aside = self._move_aside()
                saved = salvage(aside, fresh)
            self._fresh.rename(self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._corrupt(f"cannot be moved aside ({error.strerror})") from error
        except sqlite3.Error as error:
            if _is_corrupt(error):
                for suffix in _SUFFIXES:
                    Path(f"{self._fresh}{suffix}").unlink(missing_ok=True)
            raise self._explain(error) from error
        log.error(
            "outbox_corrupt file=%s moved_to=%s salvaged=%d reason=%r",
            self.path, aside, saved, reason,
        )  # fmt: skip

    def _move_aside(self) -> Path:
        number = 1
        while (aside := Path(f"{self.path}.corrupt-{number}")).exists():
            number += 1
        if not self.path.exists():  # moved already, by whom a power cut has stopped
            aside = Path(f"{self.path}.corrupt-{max(number - 1, 1)}")
        for suffix in _SUFFIXES:  # a WAL must never meet the fresh file
            _move(Path(f"{self.path}{suffix}"), Path(f"{aside}{suffix}"))
        return aside

    def _corrupt(self, what: str) -> OutboxCorrupt:
        return OutboxCorrupt(f"{self.path} is {what}; the card is probably dying: replace it")

    def _explain(self, error: Exception) -> OutboxError:
        advice = _ADVICE.get(_primary(error), "see the kernel's log for the card's state")
        return OutboxError(f"{self.path}: {error}; {advice}")


_ADVICE = {
    sqlite3.SQLITE_FULL: "free space on the data partition",
    sqlite3.SQLITE_READONLY: "the file or its disk is read-only: remount it, or replace the card",
    sqlite3.SQLITE_CANTOPEN: "check that the data directory exists and is writable",
    sqlite3.SQLITE_IOERR: "the disk is full or failing: check its space and the kernel's log",
    sqlite3.SQLITE_BUSY: "another process holds it: stop whatever has it open",
}


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    db.text_factory = _text
    try:
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OutboxError(f"{path}: this disk cannot hold a WAL; use ext4 for the data")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_LEFT_BYTES}")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if found == 0 and tables == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
        elif found == 1:
            db.executescript(
                f"BEGIN IMMEDIATE; {_FROM_FORMAT_1} PRAGMA user_version = {FORMAT}; COMMIT;"
            )
        elif found != FORMAT:
            raise OutboxError(
                f"{path} has format {found}, this firmware reads {FORMAT}: "
                "run the firmware that wrote it, or move the file aside"
            )
    except BaseException:
        _roll_back(db)
        db.close()
        raise
    return db


def _roll_back(db: sqlite3.Connection) -> None:
    # After some errors SQLite has rolled back by itself, and on a broken disk even this fails;
    # either way the transaction is gone and the first error is the one to tell.
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        log.debug("rollback_failed reason=%r", str(error))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")  # damaged text fails where it is used, like other damage


def _primary(error: Exception) -> int:
    """SQLite's primary result code; 0 for an error of the Python module's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


# Our statements are fixed and what we write is ASCII, so beside what SQLite itself calls corrupt,
# a table that is not there, a row number given twice and text that cannot be read are damage too.
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_TWICE = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)


def _is_corrupt(error: Exception) -> bool:
    if isinstance(error, sqlite3.Error):
        return _primary(error) in _CORRUPT or getattr(error, "sqlite_errorcode", 0) in _TWICE
    return True


def _inode(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.rename(target)
