"""Accounts, sessions and the audit: `<data_dir>/accounts.sqlite`, written by this module alone.

    account    name, role, hash of the password
    session    the SHA-256 of the token that a browser holds; who steals the file has no session
    grant      for which sightings a session may see people, and until when
    audit      who looked at exact places, at people, logged in or failed to; append-only

Promises that a line of the audit is on the disk before `audit` returns, so before what it speaks of
is shown. A session ends after 12 hours without use, after 7 days, on logout, and when its account
is removed or gets another password or role. Several processes may have the file open.
"""

import contextlib
import hashlib
import re
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

from firmware.base.dashboard.roles import ROLES, Role
from firmware.durable import sync_directory

FILE = "accounts.sqlite"
BUSY_TIMEOUT_S = 5.0
IDLE_S, LONGEST_S = 12 * 3600.0, 7 * 86400.0
TOUCH_S = 300.0
GRANT_S = 600.0
MOST_SHOWN = 200

_NAME = re.compile(r"[\w.@-]{1,64}")
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS account (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL, created_s REAL NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS session (
        token TEXT PRIMARY KEY, name TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
        csrf TEXT NOT NULL, began_s REAL NOT NULL, used_s REAL NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS people_grant (
        token TEXT NOT NULL REFERENCES session ON DELETE CASCADE, observation INTEGER NOT NULL,
        until_s REAL NOT NULL, PRIMARY KEY (token, observation)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS audit (
        seq INTEGER PRIMARY KEY, at_s REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
    *(
        f"CREATE TRIGGER IF NOT EXISTS audit_keep_{number} BEFORE {verb} ON audit"
        " BEGIN SELECT RAISE(ABORT, 'append-only'); END"
        for number, verb in ((1, "DELETE"), (2, "UPDATE"))
    ),
)


class AccountError(Exception):
    """What was asked cannot be, or the file cannot be used; nothing was changed."""


@dataclass(frozen=True)
class Account:
    """Somebody who may log in."""

    name: str
    role: Role
    created_s: float


@dataclass(frozen=True)
class Session:
    """A browser that is logged in. `key`: its row; `csrf`: what its forms must carry."""

    key: str
    name: str
    role: Role
    csrf: str


@dataclass(frozen=True)
class AuditLine:
    """Who did what, when."""

    seq: int
    at_s: float
    who: str
    what: str
    detail: str


class Accounts:
    """The file, open for writing; a context manager. One instance belongs to one thread. Methods
    raise AccountError."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        with self._errors():
            fresh = not self._path.exists()
            self._path.touch(mode=0o600)
            self._db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                    self._db.execute(f"PRAGMA {pragma}")
                for statement in _SCHEMA:
                    self._db.execute(statement)
            except BaseException:
                self._db.close()
                raise
            if fresh:
                sync_directory(data_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def add(self, name: str, role: str, password_hash: str, now_s: float) -> None:
        """A new account."""
        if _NAME.fullmatch(name) is None:
            raise AccountError("a name is 1 to 64 letters, digits or . _ @ -")
        if role not in ROLES:
            raise AccountError(f"role {role!r} is not one of {', '.join(ROLES)}")
        if self.hash_of(name) is not None:
            raise AccountError(f"there is an account {name} already")
        self._write("INSERT INTO account VALUES (?, ?, ?, ?)", name, role, password_hash, now_s)

    def remove(self, name: str) -> None:
        """The account and its sessions; the audit keeps what it did."""
        self._require(name)
        self._write("DELETE FROM account WHERE name = ?", name)

    def set_password(self, name: str, password_hash: str) -> None:
        """Another password; its sessions end."""
        self._require(name)
        self._write("UPDATE account SET hash = ? WHERE name = ?", password_hash, name)
        self._write("DELETE FROM session WHERE name = ?", name)

    def everyone(self) -> list[Account]:
        """All accounts by name."""
        rows = self._read("SELECT name, role, created_s FROM account ORDER BY name")
        return [Account(*row) for row in rows]

    def hash_of(self, name: str) -> str | None:
        """What the account's password is checked against."""
        rows = self._read("SELECT hash FROM account WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def begin(self, name: str, now_s: float) -> str:
        """A new session of this account; returns the token for the browser."""
        token = secrets.token_urlsafe(32)
        self._write(
            "DELETE FROM session WHERE used_s <= ? OR began_s <= ?",
            now_s - IDLE_S, now_s - LONGEST_S,
        )  # fmt: skip
        self._write(
            "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
            _key(token), name, secrets.token_urlsafe(32), now_s, now_s,
        )  # fmt: skip
        return token

    def session(self, token: str, now_s: float) -> Session | None:
        """Whose token this is, if it still counts."""
        key = _key(token)
        rows = self._read(
            "SELECT name, role, csrf, used_s FROM session JOIN account USING (name)"
            " WHERE token = ? AND used_s > ? AND began_s > ?",
            key, now_s - IDLE_S, now_s - LONGEST_S,
        )  # fmt: skip
        if not rows:
            return None
        name, role, csrf, used_s = rows[0]
        if now_s - used_s > TOUCH_S:
            self._write("UPDATE session SET used_s = ? WHERE token = ?", now_s, key)
        return Session(key, name, cast(Role, role), csrf)

    def is_open(self, session: Session, now_s: float) -> bool:
        """Whether it still counts; asking does not use it."""
        return bool(self._read(
            "SELECT 1 FROM session WHERE token = ? AND used_s > ? AND began_s > ?",
            session.key, now_s - IDLE_S, now_s - LONGEST_S,
        ))  # fmt: skip

    def end(self, session: Session) -> None:
        """Logged out."""
        self._write("DELETE FROM session WHERE token = ?", session.key)

    def grant_people(self, session: Session, observation: int, now_s: float) -> None:
        """For ten minutes this session sees the people of this sighting. Audit it first."""
        self._write(
            "INSERT OR REPLACE INTO people_grant VALUES (?, ?, ?)",
            session.key, observation, now_s + GRANT_S,
        )  # fmt: skip

    def sees_people(self, session: Session, observation: int, now_s: float) -> bool:
        """Whether it was granted, and is still."""
        return bool(self._read(
            "SELECT 1 FROM people_grant WHERE token = ? AND observation = ? AND until_s > ?",
            session.key, observation, now_s,
        ))  # fmt: skip

    def audit(self, who: str, what: str, detail: str, now_s: float) -> None:
        """One line, durable."""
        self._write(
            "INSERT INTO audit (at_s, who, what, detail) VALUES (?, ?, ?, ?)",
            now_s, who[:64], what, detail[:500],
        )  # fmt: skip

    def audit_lines(self, before: int | None = None) -> list[AuditLine]:
        """The newest first, at most MOST_SHOWN, from below this number on."""
        rows = self._read(
            "SELECT * FROM audit WHERE ?1 IS NULL OR seq < ?1 ORDER BY seq DESC LIMIT ?2",
            before, MOST_SHOWN,
        )  # fmt: skip
        return [AuditLine(*row) for row in rows]

    def _require(self, name: str) -> None:
        if self.hash_of(name) is None:
            raise AccountError(f"there is no account {name}")

    def _write(self, statement: str, *values: object) -> None:
        with self._errors():
            self._db.execute(statement, values)

    def _read(self, query: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        with self._errors():
            return self._db.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.DatabaseError) as error:
            raise AccountError(
                f"{self._path}: {error}; does the directory exist (has the base run?), is the disk "
                "writable and not full?"
            ) from error


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
