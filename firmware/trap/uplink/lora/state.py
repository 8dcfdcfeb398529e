"""What a reboot must not make the LoRa uplink forget: the ledger, and pictures half sent.

Promises of `StateFile` (SQLite, WAL, synchronous=FULL, one process):
- `enter` returns once the frame about to be sent is on the card: its airtime in the ledger, and
  with it how far its object has come. A crash can make us count a frame that never went, and skip
  a symbol that was never sent; never the other way.
- The ledger's clock goes on where the last call left it: time in which the unit was off counts as
  no time at all.
- A file that is found corrupt at the start is moved aside and begun anew. Then nobody knows what
  was sent in the last hour, and it is taken for full: `full_s` of airtime (`doubtful`). Damage that
  is met later is StateCorrupt, which ends the process; the next start sees to it.

Does not hold alerts, nor pictures that are not begun: the outbox does.
"""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from firmware.durable import sync_directory
from firmware.trap.uplink.lora.job import Job, Sending
from firmware.trap.uplink.lora.transfer import Transfer
from firmware.wire.errors import WireError
from firmware.wire.ids import ItemId
from firmware.wire.ledger import Ledger
from firmware.wire.objects import pack_manifest, unpack_manifest
from firmware.wire.replay import ReplayWindow

log = logging.getLogger(__name__)

FORMAT = 1
_SUFFIXES = ("", "-wal", "-shm")
# Bytes and progress lie apart: progress changes with each frame, the bytes never.
_SCHEMA = """
CREATE TABLE object (
    item TEXT NOT NULL, place INTEGER NOT NULL, sha256 TEXT NOT NULL, manifest BLOB NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (item, place)
);
CREATE TABLE progress (
    item TEXT NOT NULL, place INTEGER NOT NULL, fate TEXT NOT NULL, count INTEGER NOT NULL,
    next_index INTEGER NOT NULL, until INTEGER NOT NULL, manifest_due INTEGER NOT NULL,
    poll_due INTEGER NOT NULL, PRIMARY KEY (item, place)
) WITHOUT ROWID;
CREATE TABLE ledger (number INTEGER PRIMARY KEY, start_s REAL NOT NULL, airtime_s REAL NOT NULL);
CREATE TABLE clock (only INTEGER PRIMARY KEY CHECK (only = 0), ledger_s REAL NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE heard (epoch INTEGER PRIMARY KEY, highest INTEGER NOT NULL, seen TEXT NOT NULL);
"""
T = TypeVar("T")


class StateError(Exception):
    """The card did not take it and nothing has changed: nothing may be sent now."""


class StateCorrupt(Exception):
    """The file is damaged; a fresh start of the process moves it aside."""


@dataclass(frozen=True)
class Saved:
    """What the last process left. `clock_s`: ledger time."""

    ledger: Ledger
    clock_s: float
    jobs: tuple[Job, ...]


class State(Protocol):
    """What the uplink needs kept. Every method may raise StateError, and has then done nothing."""

    def load(self) -> Saved:
        """What was kept."""

    def next_object(self) -> int:
        """A number for an object, u16; comes again only after 65535 others."""

    def begin(self, job: Job) -> None:
        """Keep a job with all its bytes, in place of what is kept of the same item."""

    def enter(self, ledger: Ledger, clock_s: float, sent: tuple[Job, int] | None) -> None:
        """A frame is about to be sent: the ledger's last entry, and the job that it is of (with
        the place of the object) as it will be afterwards."""

    def tick(self, ledger: Ledger, clock_s: float) -> None:
        """The ledger's clock, and its last entry as it turned out."""

    def progress(self, job: Job) -> None:
        """How far the job's objects have come."""

    def end(self, item: ItemId) -> None:
        """Forget the job."""


class StateFile:
    """A `State` in a file. Raises StateError when it cannot be opened.

    `doubtful`: something was sent before, of which a file that is new here would not know."""

    def __init__(self, path: Path, full_s: float, *, doubtful: bool) -> None:
        self._path = path
        self._db, fresh, damaged = self._opened()
        if fresh and (doubtful or damaged) and full_s > 0:
            log.error("ledger_unknown file=%s taken_s=%.0f", path, full_s)
            self._write(lambda db: db.execute("INSERT INTO ledger VALUES (0, 0.0, ?)", (full_s,)))
        (self._last,) = self._db.execute("SELECT ifnull(max(number), 0) FROM ledger").fetchone()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def load(self) -> Saved:
        """See `State`."""
        rows = self._db.execute("SELECT start_s, airtime_s FROM ledger ORDER BY number").fetchall()
        found = self._db.execute("SELECT ledger_s FROM clock").fetchone()
        ledger = Ledger(tuple((float(start), float(air)) for start, air in rows))
        return Saved(ledger, max(found[0] if found else 0.0, ledger.end_s), tuple(self._jobs()))

    def next_object(self) -> int:
        """See `State`."""
        (number,) = self._write(
            lambda db: db.execute(
                "INSERT INTO counter VALUES ('object', abs(random() % 65536)) ON CONFLICT (name)"
                " DO UPDATE SET next = (next + 1) % 65536 RETURNING next"
            ).fetchone()
        )
        return int(number)

    def begin(self, job: Job) -> None:
        """See `State`."""
        self._write(lambda db: _begin(db, job))

    def enter(self, ledger: Ledger, clock_s: float, sent: tuple[Job, int] | None) -> None:
        """See `State`."""

        def work(db: sqlite3.Connection) -> None:
            self._keep_last(db, ledger.entries[-2:], self._last + 1)
            oldest = self._last + 1 - len(ledger.entries)
            db.execute("DELETE FROM ledger WHERE number <= ?", (oldest,))
            db.execute("REPLACE INTO clock VALUES (0, ?)", (clock_s,))
            if sent is not None:
                _keep_progress(db, *sent)

        self._write(work)
        self._last += 1

    def tick(self, ledger: Ledger, clock_s: float) -> None:
        """See `State`."""

        def work(db: sqlite3.Connection) -> None:
            self._keep_last(db, ledger.entries[-1:], self._last)
            db.execute("REPLACE INTO clock VALUES (0, ?)", (clock_s,))

        self._write(work)

    def progress(self, job: Job) -> None:
        """See `State`."""

        def work(db: sqlite3.Connection) -> None:
            for place in range(len(job.objects)):
                _keep_progress(db, job, place)

        self._write(work)

    def end(self, item: ItemId) -> None:
        """See `State`."""

        def work(db: sqlite3.Connection) -> None:
            for table in ("object", "progress"):
                db.execute(f"DELETE FROM {table} WHERE item = ?", (str(item),))

        self._write(work)

    def window(self, epoch: int) -> ReplayWindow:
        """Which of the base's counters were taken in this epoch."""
        found = self._db.execute("SELECT highest, seen FROM heard WHERE epoch = ?", (epoch,))
        row = found.fetchone()
        return ReplayWindow() if row is None else ReplayWindow(row[0], int(row[1], 16))

    def keep_window(self, epoch: int, window: ReplayWindow) -> None:
        """On the card when it returns."""
        row = (epoch, window.highest, f"{window.seen:x}")
        self._write(lambda db: db.execute("REPLACE INTO heard VALUES (?, ?, ?)", row))

    def _keep_last(
        self, db: sqlite3.Connection, entries: tuple[tuple[float, float], ...], number: int
    ) -> None:
        """The ledger's last entries, the last of them under this number."""
        for back, (start_s, airtime_s) in enumerate(reversed(entries)):
            db.execute("REPLACE INTO ledger VALUES (?, ?, ?)", (number - back, start_s, airtime_s))

    def _jobs(self) -> list[Job]:
        jobs: dict[str, Job] = {}
        for (
            item,
            sha256,
            manifest,
            data,
            fate,
            count,
            at,
            until,
            manifest_due,
            poll_due,
        ) in self._db.execute(
            "SELECT item, sha256, manifest, data, fate, count, next_index, until, manifest_due,"
            " poll_due FROM object JOIN progress USING (item, place) ORDER BY item, place"
        ):
            transfer = Transfer(count, at, until, bool(manifest_due), bool(poll_due))
            try:
                name, packed = ItemId.parse(item), unpack_manifest(manifest)
            except WireError as error:
                raise StateCorrupt(f"{self._path}: {error}") from error
            before = jobs[item].objects if item in jobs else ()
            jobs[item] = Job(name, sha256, (*before, Sending(packed, data, transfer, fate)))
        return list(jobs.values())

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._db)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            kind = StateCorrupt if _is_corrupt(error) else StateError
            raise kind(
                f"{self._path}: {error}; see the disk's space and the kernel's log"
            ) from error
        return result

    def _opened(self) -> tuple[sqlite3.Connection, bool, bool]:
        """The file, whether it is new, and whether that is because the old one was damaged."""
        try:
            return *_open(self._path), False
        except (sqlite3.Error, StateCorrupt) as error:
            if isinstance(error, sqlite3.Error) and not _is_corrupt(error):
                raise StateError(
                    f"cannot open {self._path}: {error}; check that the data directory exists, is"
                    " writable and has space"
                ) from error
            self._move_aside(str(error))
        try:
            return *_open(self._path), True
        except (sqlite3.Error, StateCorrupt) as error:
            raise StateError(f"{self._path}: again corrupt: replace the card ({error})") from error

    def _move_aside(self, reason: str) -> None:
        number = 1
        while (aside := Path(f"{self._path}.corrupt-{number}")).exists():
            number += 1
        try:
            for suffix in _SUFFIXES:  # the WAL must never meet the fresh file
                source = Path(f"{self._path}{suffix}")
                if source.exists():
                    source.rename(f"{aside}{suffix}")
            sync_directory(self._path.parent)
        except OSError as error:
            raise StateError(f"{self._path}: cannot be moved aside: {error.strerror}") from error
        log.error("lora_state_corrupt file=%s moved_to=%s reason=%r", self._path, aside, reason)


def _open(path: Path) -> tuple[sqlite3.Connection, bool]:
    db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        fresh = found == 0 and tables == 0
        if fresh:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
        elif found != FORMAT:
            raise StateError(
                f"{path} has format {found}, this firmware reads {FORMAT}: run the firmware that "
                "wrote it, or move the file aside"
            )
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != ("ok",):
            raise StateCorrupt(f"{path}: {verdict[0]}")
    except BaseException:
        with closing(db):
            raise
    return db, fresh


def _begin(db: sqlite3.Connection, job: Job) -> None:
    for table in ("object", "progress"):
        db.execute(f"DELETE FROM {table} WHERE item = ?", (str(job.item),))
    for place, sending in enumerate(job.objects):
        db.execute(
            "INSERT INTO object VALUES (?, ?, ?, ?, ?)",
            (str(job.item), place, job.sha256, pack_manifest(sending.manifest), sending.data),
        )
        _keep_progress(db, job, place)


def _keep_progress(db: sqlite3.Connection, job: Job, place: int) -> None:
    sending = job.objects[place]
    way = sending.transfer
    db.execute(
        "REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (str(job.item), place, sending.fate, way.count, way.next_index, way.until,
         way.manifest_due, way.poll_due),
    )  # fmt: skip


def _is_corrupt(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
