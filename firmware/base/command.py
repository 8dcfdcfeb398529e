"""Commands to units: numbered, kept, and what became of them.

    <data_dir>/commands.sqlite     every command ever issued: who was told what, and when

Promises that a command is on the disk, under a number above all earlier ones of its unit, before
`issue` returns; numbers rise with the clock (`ids.rising`), so a base with a new disk does not
begin below what its units have obeyed. The receiver's process sends (dispatch.py), as the broker
takes one connection for each certificate; who issues needs none.

A command is open until its unit has answered or it has expired. Answers are the store's.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from firmware.base.store import DATABASE, transaction
from firmware.durable import sync_directory
from firmware.wire.commands import Action, Command, CommandResult, Reason
from firmware.wire.errors import WireError
from firmware.wire.ids import format_unit, rising
from firmware.wire.records import dump_record, load_record

BOOK = "commands.sqlite"
BUSY_TIMEOUT_S = 5.0
_SCHEMA = """CREATE TABLE IF NOT EXISTS command (
    unit TEXT NOT NULL, number INTEGER NOT NULL, expires_s INTEGER, record BLOB NOT NULL,
    taken_s REAL, -- by the broker, the first time
    answered INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (unit, number)
) STRICT, WITHOUT ROWID"""
T = TypeVar("T")

WHY: dict[Reason, str] = {
    "": "",
    "stale": "a later command was there first; give it again",
    "expired": "it came after its time; is the unit's clock right?",
    "no_broadband": "the unit has no link that carries full pictures",
    "not_in_archive": "the unit's card has no such sighting or picture, or no longer",
    "people": "people may be on it, and the unit's link is not encrypted",
    "no_such_label": "the unit's model has no threshold of that name",
    "out_of_range": "the unit does not do that with such a value",
    "no_room": "the unit's queue is full of what is more important",
    "switched_off": "the unit's config does not allow it",
    "failed": "the unit tried several times and died or had no disk each time",
}


class BookError(Exception):
    """The book of commands cannot be read or written."""


@dataclass(frozen=True)
class Issued:
    """One command, whether the broker has taken it, and its unit's answer."""

    command: Command
    taken: bool
    answer: CommandResult | None


class CommandBook:
    """The book, for writing; a context manager. Methods raise BookError; the file is opened by the
    first call, so that a bad one does not keep a base from receiving."""

    def __init__(self, data_dir: Path) -> None:
        self._path, self._store = data_dir / BOOK, data_dir / DATABASE
        self._seen = -1
        self._open: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._open is not None:
            self._open.close()

    def issue(
        self, unit: str, action: Action, arguments: dict[str, Any], now_s: float, valid_s: float
    ) -> Command:
        """A command under its unit's next number, kept; for so long a unit does it. Raises
        WireError for arguments that the action does not take, and nothing is kept."""

        def work() -> Command:
            with transaction(self._db):
                (last,) = self._db.execute(
                    "SELECT coalesce(max(number), 0) FROM command WHERE unit = ?", (unit,)
                ).fetchone()
                command = Command(
                    unit, rising(last, now_s), action, int(now_s), int(now_s + valid_s), **arguments
                )
                self._db.execute(
                    "INSERT INTO command (unit, number, expires_s, record) VALUES (?, ?, ?, ?)",
                    (command.unit, command.number, command.expires_s, dump_record(command)),
                )
                return command

        return self._do(work)

    def open_commands(self, now_s: float) -> list[Command]:
        """What is neither answered nor expired, in order. The store may know of answers that we
        have not been told of, if somebody died in between."""

        def work() -> list[Command]:
            rows = self._db.execute(
                "SELECT record FROM command WHERE answered = 0"
                " AND (expires_s IS NULL OR expires_s > ?) ORDER BY number", (now_s,),
            ).fetchall()  # fmt: skip
            commands = [load_record(record, Command) for (record,) in rows]
            if not self._store.exists():
                return commands
            with _reading(self._store) as db:
                return [command for command in commands if _answer(db, command) is None]

        return self._do(work)

    def taken(self, unit: int, number: int, now_s: float) -> None:
        """The broker has it."""
        self._mark("taken_s = coalesce(taken_s, ?)", now_s, unit, number)

    def answered(self, unit: int, number: int) -> None:
        """The store has its unit's answer."""
        self._mark("answered = ?", 1, unit, number)

    def changed(self) -> bool:
        """Whether another process has written since the last call; the first says True."""
        before = self._seen
        (self._seen,) = self._do(lambda: self._db.execute("PRAGMA data_version").fetchone())
        return before != self._seen

    def _mark(self, change: str, value: float, unit: int, number: int) -> None:
        key = (value, format_unit(unit), number)
        self._do(
            lambda: self._db.execute(
                f"UPDATE command SET {change} WHERE unit = ? AND number = ?", key
            )
        )

    @property
    def _db(self) -> sqlite3.Connection:
        if self._open is None:
            fresh = not self._path.exists()
            db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                db.execute(_SCHEMA)
            except BaseException:
                db.close()
                raise
            if fresh:
                sync_directory(self._path.parent)
            self._open = db
        return self._open

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (OSError, sqlite3.DatabaseError) as error:
            raise BookError(
                f"{self._path}: {error}; does the directory exist (has the base run?), is the disk "
                "writable and not full?"
            ) from error


def list_issued(data_dir: Path, unit: str | None = None) -> list[Issued]:
    """Every command, oldest first, with its unit's answer. Reads only. Raises BookError."""
    book, store = data_dir / BOOK, data_dir / DATABASE
    try:
        with _reading(book) as db:
            rows = db.execute(
                "SELECT record, taken_s IS NOT NULL FROM command WHERE unit = ?1 OR ?1 IS NULL"
                " ORDER BY number", (unit,),
            ).fetchall()  # fmt: skip
        with _reading(store) as db:
            commands = [(load_record(record, Command), bool(taken)) for record, taken in rows]
            return [Issued(command, taken, _answer(db, command)) for command, taken in commands]
    except (sqlite3.DatabaseError, WireError) as error:
        hint = "" if book.exists() else "; has a command been given yet?"
        raise BookError(f"cannot read {book} and {store}: {error}{hint}") from error


def _reading(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0))


def find_issued(data_dir: Path, command: Command) -> Issued:
    """How it stands with one command. Raises BookError."""
    found = [one for one in list_issued(data_dir, command.unit) if one.command == command]
    if not found:
        raise BookError(f"{data_dir / BOOK} has no command {command.number} to {command.unit}")
    return found[0]


def _answer(store: sqlite3.Connection, command: Command) -> CommandResult | None:
    row: tuple[Any, ...] | None = store.execute(
        "SELECT time_s, outcome, reason, expiry_ignored FROM answer"
        " WHERE unit = ? AND number = ? ORDER BY seq LIMIT 1", (command.unit, command.number),
    ).fetchone()  # fmt: skip
    if row is None:
        return None
    time_s, outcome, reason, ignored = row
    return CommandResult(command.unit, command.number, time_s, outcome, reason, bool(ignored))
