"""What a gateway must not forget: `<data_dir>/gateway.sqlite`.

    peer      unit, epoch, replay window     what of each unit was heard, so that nothing is twice
    airtime   start, length of what was sent within the last hour of ledger time (wire/ledger.py)

Promises that what `heard` and `enter` return from is on the disk. Made only by `create`, which is
somebody's deliberate act: a gateway that starts without its memory would take old packets for new
ones, and seal with counters that it has used. Raises StateError and nothing else.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from firmware.durable import sync_directory
from firmware.wire.ledger import Ledger
from firmware.wire.replay import ReplayWindow

DATABASE = "gateway.sqlite"
SCHEMA = 1
_TABLES = (
    """CREATE TABLE peer (
        unit INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, highest INTEGER NOT NULL,
        seen BLOB NOT NULL
    ) STRICT""",
    "CREATE TABLE airtime (start_s REAL NOT NULL, airtime_s REAL NOT NULL) STRICT",
    f"PRAGMA user_version={SCHEMA}",
)
_WENT = "UPDATE airtime SET start_s = ? WHERE rowid = (SELECT max(rowid) FROM airtime)"


class StateError(Exception):
    """The state cannot be read or written, or is not there; says what to do."""


@dataclass(frozen=True)
class Peer:
    """What was heard of a unit: in which epoch, and which of its packets."""

    epoch: int
    window: ReplayWindow


def create(data_dir: Path) -> None:
    """Make the state of a gateway that was never in use with its keys. Raises StateError."""
    path = data_dir / DATABASE
    with _errors(path, "make"):
        if path.exists():
            raise StateError(f"{path} is there already: this gateway has been in use")
        if not data_dir.exists():
            data_dir.mkdir()  # not its parents: a missing one is a disk that is not mounted
            sync_directory(data_dir.parent)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN")
            for statement in _TABLES:
                db.execute(statement)
            db.execute("COMMIT")
        sync_directory(data_dir)


class State:
    """The state, open for writing; a context manager. One process at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / DATABASE
        if not self.path.exists():
            raise StateError(
                f"{self.path} is not there. If this gateway is new: run `rosette base gateway "
                f"--new` once. If it was lost: give every unit a new epoch first, or old packets "
                f"could be taken for new ones"
            )
        with _errors(self.path, "open"):
            self._db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None)
            try:
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("COMMIT")
                version = self._db.execute("PRAGMA user_version").fetchone()[0]
                if version != SCHEMA:
                    raise StateError(f"{self.path} has schema {version}, this version {SCHEMA}")
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._db.close()

    def peers(self) -> dict[int, Peer]:
        """Every unit that was ever heard."""
        with _errors(self.path, "read"):
            rows = self._db.execute("SELECT unit, epoch, highest, seen FROM peer").fetchall()
        return {
            unit: Peer(epoch, ReplayWindow(highest, int.from_bytes(seen, "big")))
            for unit, epoch, highest, seen in rows
        }

    def heard(self, unit: int, peer: Peer) -> None:
        """Remember what was heard of a unit."""
        window = peer.window
        row = (unit, peer.epoch, window.highest, window.seen.to_bytes(8, "big"))
        with _errors(self.path, "write"):
            self._db.execute("INSERT OR REPLACE INTO peer VALUES (?, ?, ?, ?)", row)

    def ledger(self) -> Ledger:
        """What was sent."""
        with _errors(self.path, "read"):
            rows = self._db.execute("SELECT start_s, airtime_s FROM airtime ORDER BY start_s")
            return Ledger(tuple((start_s, airtime_s) for start_s, airtime_s in rows))

    def enter(self, ledger: Ledger) -> None:
        """Remember the ledger's newest frame, when the one before it went, and only what is in the
        ledger."""
        with _errors(self.path, "write"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for start_s, _ in ledger.entries[-2:-1]:
                    self._db.execute(_WENT, (start_s,))
                oldest_s = ledger.entries[0][0]
                self._db.execute("DELETE FROM airtime WHERE start_s < ?", (oldest_s,))
                self._db.execute("INSERT INTO airtime VALUES (?, ?)", ledger.entries[-1])
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def _errors(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        raise StateError(
            f"cannot {doing} {path}: {error}; see that the disk is mounted, writable, whole and "
            f"not full, and that no other gateway runs on it"
        ) from error
