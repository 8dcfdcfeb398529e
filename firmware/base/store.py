"""What the base has: one SQLite file and a folder of pictures. The only module that writes them.

    <data_dir>/base.sqlite     `raw`: every accepted message, append-only; `item`, `sighting`,
                               `health`, `answer`, `unit`: derived from it, and rebuilt from it by
                               `rebuild`, which also brings an older file's up to date
    <data_dir>/media/          the pictures, by content (see media.py)

Promises: when `put` returns, all that it was given is durable (pictures first, then one commit),
or it raised `StoreError` and may be called again with the same. An item is known by its id and its
SHA-256: the same again changes nothing. Other bytes under a known id are kept beside the first and
marked as a conflict, never written over: a unit that lost its counter must not cost us a leopard.
Several processes may have the store open.

Does not judge what it is given (receiver.py does), and deletes nothing.
"""

import contextlib
import dataclasses
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from firmware.base.media import SUFFIXES, Media
from firmware.durable import sync_directory
from firmware.wire.commands import CommandResult
from firmware.wire.errors import WireError
from firmware.wire.health import Health
from firmware.wire.ids import ItemId, Kind, format_unit
from firmware.wire.records import Sighting, Status, load_record
from firmware.wire.topics import parse_status_topic, parse_up_topic

DATABASE = "base.sqlite"
SCHEMA = 2
BUSY_TIMEOUT_S = 5.0

Kept = Literal["stored", "duplicate", "conflict"]

_RAW = (
    """CREATE TABLE raw (
        seq INTEGER PRIMARY KEY, received_s REAL NOT NULL, topic TEXT NOT NULL,
        content_type TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL,
        record BLOB -- NULL: the bytes are a picture in media
    ) STRICT""",
    "CREATE TRIGGER raw_keep_1 BEFORE DELETE ON raw BEGIN SELECT RAISE(ABORT, 'append-only'); END",
    "CREATE TRIGGER raw_keep_2 BEFORE UPDATE ON raw BEGIN SELECT RAISE(ABORT, 'append-only'); END",
)
_DERIVED = (
    """CREATE TABLE item (
        unit TEXT NOT NULL, sighting INTEGER NOT NULL, kind TEXT NOT NULL, idx INTEGER NOT NULL,
        sha256 TEXT NOT NULL, seq INTEGER NOT NULL UNIQUE REFERENCES raw, received_s REAL NOT NULL,
        content_type TEXT NOT NULL, bytes INTEGER NOT NULL,
        conflict INTEGER NOT NULL, -- 1: other bytes came first under the same id
        PRIMARY KEY (unit, sighting, kind, idx, sha256)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE sighting (
        seq INTEGER PRIMARY KEY REFERENCES raw, received_s REAL NOT NULL,
        unit TEXT NOT NULL, sighting INTEGER NOT NULL, time_s REAL NOT NULL, clock TEXT NOT NULL,
        species TEXT NOT NULL, confidence REAL NOT NULL, individuals INTEGER NOT NULL,
        burst_frames INTEGER NOT NULL, frames INTEGER NOT NULL, night INTEGER NOT NULL,
        model TEXT NOT NULL, battery_mv INTEGER, temperature_c REAL,
        low_battery INTEGER NOT NULL, tamper INTEGER NOT NULL, people INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX sighting_by_name ON sighting (unit, sighting)",
    "CREATE INDEX sighting_by_time ON sighting (time_s)",
    """CREATE TABLE health ( -- as wire/health.py; what the unit does not know is NULL or empty
        seq INTEGER PRIMARY KEY REFERENCES raw, received_s REAL NOT NULL,
        unit TEXT NOT NULL, number INTEGER NOT NULL, time_s INTEGER, clock TEXT NOT NULL,
        uptime_min INTEGER NOT NULL, disk_free_mb INTEGER NOT NULL, waiting INTEGER NOT NULL,
        waiting_kb INTEGER NOT NULL, bursts INTEGER NOT NULL, empty INTEGER NOT NULL,
        quiet_min INTEGER, battery_mv INTEGER, cpu_c INTEGER,
        firmware TEXT NOT NULL, model TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX health_by_unit ON health (unit, received_s)",
    """CREATE TABLE answer ( -- to commands, as wire/commands.py
        seq INTEGER PRIMARY KEY REFERENCES raw, received_s REAL NOT NULL,
        unit TEXT NOT NULL, number INTEGER NOT NULL, time_s INTEGER NOT NULL,
        outcome TEXT NOT NULL, reason TEXT NOT NULL, expiry_ignored INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX answer_by_number ON answer (unit, number)",
    """CREATE TABLE unit (
        unit TEXT PRIMARY KEY, heard_s REAL NOT NULL,
        state TEXT, state_s REAL, until_s REAL, status_sha256 TEXT
    ) STRICT, WITHOUT ROWID""",
)
_DERIVED_TABLES = ("item", "sighting", "health", "answer", "unit")
_RECORDS: dict[Kind, type[Sighting] | type[Health] | type[CommandResult]] = {
    "sighting": Sighting, "health": Health, "answer": CommandResult,
}  # fmt: skip

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The store cannot be opened or did not take something; nothing was half done."""


@dataclass(frozen=True)
class Arrival:
    """One accepted message. `received_s`: unix seconds UTC by the base; `body`: the JSON record,
    or the picture's file without the wire's head; `sha256`: of `body`, hex."""

    topic: str
    received_s: float
    content_type: str
    sha256: str
    body: bytes

    @property
    def is_picture(self) -> bool:
        return self.content_type in SUFFIXES


class Store:
    """The store, open for writing; a context manager. One instance belongs to one thread."""

    def __init__(self, data_dir: Path) -> None:
        """Opens or makes the store. Raises StoreError."""
        self.data_dir = data_dir
        with store_errors("open the store", self.data_dir):
            if not data_dir.exists():
                data_dir.mkdir()  # not its parents: a missing one is a disk that is not mounted
                sync_directory(data_dir.parent)
            self.media = Media(data_dir / "media")
            self._db = sqlite3.connect(
                data_dir / DATABASE, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise
            if cleaned := self.media.clean():
                log.info("cleaned temporary_files=%d", cleaned)
            sync_directory(data_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the files go. What `put` returned for needs no closing."""
        self._db.close()
        self.media.close()

    def put(self, arrivals: Sequence[Arrival]) -> list[Kept]:
        """Make all of them durable in one commit, and say of each what it was. Raises StoreError,
        and then none of them is stored."""
        with store_errors("store messages", self.data_dir):
            self.media.keep((a.sha256, a.content_type, a.body) for a in arrivals if a.is_picture)
            with transaction(self._db):
                return [self._append(arrival) for arrival in arrivals]

    def rebuild(self) -> int:
        """Make the derived tables anew from `raw`; returns the number of messages read."""
        with store_errors("rebuild the tables", self.data_dir), transaction(self._db):
            return self._derive_all()

    def _derive_all(self) -> int:
        count = 0
        for table in _DERIVED_TABLES:
            self._db.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _DERIVED:
            self._db.execute(statement)
        rows = self._db.execute(
            "SELECT seq, received_s, topic, content_type, sha256, bytes, record"
            " FROM raw ORDER BY seq"
        )
        for count, row in enumerate(rows, 1):  # noqa: B007 - the last one is the answer
            try:
                self._derive(*row)
            except WireError as error:  # taken by an older, laxer version; `raw` keeps it
                log.error("not_derived seq=%d reason=%s", row[0], error)  # noqa: TRY400
        return count

    def _prepare(self) -> None:
        mode = self._db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"{self.data_dir} cannot hold a WAL database (journal mode is {mode})")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        with transaction(self._db):
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA:
                raise StoreError(
                    f"{self.data_dir / DATABASE} was written by a newer version (schema {version}, "
                    f"this one knows {SCHEMA}): update this base station, or give another data_dir"
                )
            if version == 0:
                for statement in _RAW:
                    self._db.execute(statement)
            if version < SCHEMA:
                count = self._derive_all()
                self._db.execute(f"PRAGMA user_version={SCHEMA}")
                log.info("tables_made from_schema=%d messages=%d", version, count)

    def _append(self, arrival: Arrival) -> Kept:
        outcome = self._outcome(arrival)
        if outcome == "duplicate":
            return outcome
        record = None if arrival.is_picture else arrival.body
        row = (
            arrival.received_s, arrival.topic, arrival.content_type, arrival.sha256,
            len(arrival.body), record,
        )  # fmt: skip
        seq = self._db.execute(
            "INSERT INTO raw (received_s, topic, content_type, sha256, bytes, record)"
            " VALUES (?, ?, ?, ?, ?, ?)", row,
        ).lastrowid  # fmt: skip
        assert seq is not None
        self._derive(seq, *row)
        return outcome

    def _outcome(self, arrival: Arrival) -> Kept:
        item = _item(arrival.topic)
        if item is None:  # a status: news only if it differs from the last one
            unit = format_unit(parse_status_topic(arrival.topic))
            last = self._db.execute("SELECT status_sha256 FROM unit WHERE unit = ?", (unit,))
            return "duplicate" if last.fetchone() == (arrival.sha256,) else "stored"
        known = self._hashes(item)
        if arrival.sha256 in known:
            return "duplicate"
        return "conflict" if known else "stored"

    def _hashes(self, item: ItemId) -> set[str]:
        rows = self._db.execute(
            "SELECT sha256 FROM item WHERE unit = ? AND sighting = ? AND kind = ? AND idx = ?",
            (format_unit(item.unit), item.sighting, item.kind, item.index),
        )
        return {sha256 for (sha256,) in rows}

    def _derive(
        self, seq: int, received_s: float, topic: str, content_type: str, sha256: str,
        size_bytes: int, record: bytes | None,
    ) -> None:  # fmt: skip
        """All that the derived tables say of one row of `raw`."""
        item = _item(topic)
        unit = format_unit(parse_status_topic(topic) if item is None else item.unit)
        self._db.execute(
            "INSERT INTO unit (unit, heard_s) VALUES (?, ?)"
            " ON CONFLICT (unit) DO UPDATE SET heard_s = excluded.heard_s",
            (unit, received_s),
        )
        if item is None:
            self._derive_status(unit, sha256, load_record(record or b"", Status))
            return
        conflict = bool(self._hashes(item))
        self._db.execute(
            "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (unit, item.sighting, item.kind, item.index, sha256, seq, received_s, content_type,
             size_bytes, conflict),
        )  # fmt: skip
        if item.kind in _RECORDS:
            values = dataclasses.asdict(load_record(record or b"", _RECORDS[item.kind]))
            self._insert(item.kind, {"seq": seq, "received_s": received_s} | values)

    def _derive_status(self, unit: str, sha256: str, status: Status) -> None:
        self._db.execute(
            "UPDATE unit SET state = ?, state_s = ?, until_s = ?, status_sha256 = ? WHERE unit = ?",
            (status.state, status.time_s, status.until_s, sha256, unit),
        )

    def _insert(self, table: str, values: dict[str, object]) -> None:
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has rolled back by itself after some errors
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def store_errors(doing: str, data_dir: Path) -> Iterator[None]:
    """What the disk or SQLite raises, as a StoreError that says what was being done, and where."""
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise StoreError(
            f"cannot {doing} in {data_dir}: {error}; see that the disk is mounted, writable, whole "
            f"and not full"
        ) from error


def _item(topic: str) -> ItemId | None:
    try:
        return parse_up_topic(topic)
    except WireError:
        return None
