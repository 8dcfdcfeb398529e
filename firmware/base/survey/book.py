"""The survey's book, in the store's base.sqlite: the only module that writes its tables.

    statement    what people said: deployments, reviews, exports; append-only (see tables.py)
    the others   derived from `statement` and from the store's `raw`, and made anew by `rebuild`

Promises: when `state` returns, the statements are durable, all or none, and the derived tables say
what they and all messages stored so far mean; a rebuild makes the same tables again. What cannot
be (a unit in two places at once, a review of nothing) is refused with SurveyError before anything
is written. The receiver may write to the same file meanwhile: messages are read in batches, each
its own short commit.

Messages that come later are read by the next `catch_up`; every command and page calls it first.
"""

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from firmware.base.store import (
    BUSY_TIMEOUT_S,
    DATABASE,
    Store,
    StoreError,
    store_errors,
    transaction,
)
from firmware.base.survey.derive import (
    Touch,
    everything,
    regroup,
    take_message,
    take_statement,
)
from firmware.base.survey.statements import (
    NAMES,
    Ended,
    PeopleSeen,
    Placed,
    Review,
    Statement,
    Undone,
    Voided,
    deployment_name,
    load_statement,
)
from firmware.base.survey.tables import DERIVED, DERIVED_TABLES, LOG, SCHEMA
from firmware.wire.errors import WireError
from firmware.wire.records import MAX_RECORD_BYTES, dump_record

BATCH = 2000  # messages in one commit, so that the receiver waits at most a second or two
INDEPENDENCE_S = 1800.0

log = logging.getLogger(__name__)


class SurveyError(StoreError):
    """A statement that cannot be true, or a book that cannot be opened; nothing was changed."""


class Survey:
    """The book, open for writing; a context manager. One instance belongs to one thread."""

    def __init__(self, data_dir: Path, independence_s: float = INDEPENDENCE_S) -> None:
        """Opens the book and reads what has come since. `independence_s` is remembered: another
        one makes the events anew. Raises StoreError."""
        Store(data_dir).close()  # makes the store where there is none, and refuses a newer one
        self.data_dir = data_dir
        self._independence_s = independence_s
        with store_errors("open the survey", data_dir):
            self._db = sqlite3.connect(
                data_dir / DATABASE, timeout=BUSY_TIMEOUT_S, isolation_level=None
            )
            try:
                self._prepare()
                self.catch_up()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._db.close()

    def state(self, statements: Sequence[Statement], who: str, now_s: float) -> list[int]:
        """Keep what `who` says; returns the statements' numbers. Raises SurveyError, and then none
        of them is kept."""
        if not who.strip():
            raise SurveyError("a statement needs the name of who says it")
        self.catch_up()
        numbers = []
        with store_errors("keep statements", self.data_dir), transaction(self._db):
            changed: set[Touch] = set()
            for statement in statements:
                self._check(statement)
                numbers.append(self._append(statement, who.strip(), now_s))
                changed |= take_statement(self._db, numbers[-1], now_s, who.strip(), statement)
            regroup(self._db, changed, self._independence_s)
            if numbers:
                self._db.execute("UPDATE survey_state SET statement_seq = ?", (numbers[-1],))
        return numbers

    def undo(self, observation: int, who: str, now_s: float) -> int:
        """Take back the last review of this observation that still counts."""
        row = self._db.execute(
            "SELECT max(statement) FROM review WHERE observation = ? AND undone = 0", (observation,)
        ).fetchone()
        if row[0] is None:
            raise SurveyError("there is no review of it that could be undone")
        return self.state([Undone(row[0])], who, now_s)[0]

    def catch_up(self) -> int:
        """Read the messages stored since; returns their number."""
        total = 0
        with store_errors("read new messages", self.data_dir):
            while True:
                with transaction(self._db):
                    count = self._take_batch()
                total += count
                if count < BATCH:
                    return total

    def rebuild(self) -> int:
        """Make the derived tables anew from both logs; returns the number of messages read."""
        with store_errors("rebuild the survey", self.data_dir), transaction(self._db):
            self._drop_tables()
            return self._make_tables()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA synchronous=FULL")
        with transaction(self._db):
            for statement in LOG:
                self._db.execute(statement)
            self._db.execute(
                "INSERT INTO survey_key SELECT randomblob(16)"
                " WHERE NOT EXISTS (SELECT 1 FROM survey_key)"
            )
            exists = self._db.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'survey_state'"
            ).fetchone()
            if not exists:
                if self._db.execute("SELECT 1 FROM statement").fetchone():
                    self._make_tables()
                else:  # `catch_up` fills them in batches, and the receiver goes on meanwhile
                    self._create_tables()
                return
            schema, independence_s = self._db.execute(
                "SELECT schema, independence_s FROM survey_state"
            ).fetchone()
            if schema > SCHEMA:
                raise SurveyError(
                    f"{self.data_dir / DATABASE} has a survey of a newer version (schema {schema}, "
                    f"this one knows {SCHEMA}): update this base station"
                )
            if schema < SCHEMA:  # tables of an older version say less: make them anew
                self._drop_tables()
                self._make_tables()
            elif independence_s != self._independence_s:
                self._db.execute("UPDATE survey_state SET independence_s = ?",
                                 (self._independence_s,))  # fmt: skip
                self._db.execute("DELETE FROM event")
                regroup(self._db, everything(self._db), self._independence_s)

    def _drop_tables(self) -> None:
        for table in DERIVED_TABLES:
            self._db.execute(f"DROP TABLE IF EXISTS {table}")

    def _make_tables(self) -> int:
        """The derived tables from nothing, in the transaction that is open."""
        self._create_tables()
        count = total = self._take_batch()
        while count == BATCH:
            count = self._take_batch()
            total += count
        self._retell()
        return total

    def _create_tables(self) -> None:
        for table in DERIVED:
            self._db.execute(table)
        self._db.execute(
            "INSERT INTO survey_state VALUES (?, ?, 0, 0)", (SCHEMA, self._independence_s)
        )

    def _retell(self) -> None:
        """Take every statement there is, in order."""
        changed: set[Touch] = set()
        rows = self._db.execute("SELECT seq, said_s, who, kind, body FROM statement ORDER BY seq")
        for seq, said_s, who, kind, body in rows.fetchall():
            try:
                statement = load_statement(kind, body)
                changed |= take_statement(self._db, seq, said_s, who, statement)
            except WireError as error:  # said to another version; the log keeps it
                log.error("not_retold statement=%d reason=%s", seq, error)  # noqa: TRY400
            self._db.execute("UPDATE survey_state SET statement_seq = ?", (seq,))
        regroup(self._db, changed, self._independence_s)

    def _take_batch(self) -> int:
        rows = self._db.execute(
            "SELECT seq, received_s, topic, content_type, record FROM raw"
            " WHERE seq > (SELECT raw_seq FROM survey_state) ORDER BY seq LIMIT ?", (BATCH,),
        ).fetchall()  # fmt: skip
        changed: set[Touch] = set()
        for seq, received_s, topic, content_type, record in rows:
            if record is None:  # a picture
                continue
            try:
                changed |= take_message(self._db, seq, received_s, topic, content_type, record)
            except WireError as error:  # taken by an older, laxer version; `raw` keeps it
                log.error("not_surveyed seq=%d reason=%s", seq, error)  # noqa: TRY400
        regroup(self._db, changed, self._independence_s)
        if rows:
            self._db.execute("UPDATE survey_state SET raw_seq = ?", (rows[-1][0],))
        return len(rows)

    def _append(self, statement: Statement, who: str, now_s: float) -> int:
        cursor = self._db.execute(
            "INSERT INTO statement (said_s, who, kind, body) VALUES (?, ?, ?, ?)",
            (now_s, who, NAMES[type(statement)], dump_record(statement)),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _check(self, statement: Statement) -> None:
        """Raises SurveyError for what cannot be."""
        if len(dump_record(statement)) > MAX_RECORD_BYTES:
            raise SurveyError(f"a statement is at most {MAX_RECORD_BYTES} bytes: say it shorter")
        match statement:
            case Placed():
                self._check_alone(statement.unit, statement.start_s, statement.end_s)
            case Ended():
                start_s, end_s = self._deployment(statement.deployment)
                name = deployment_name(statement.deployment)
                if end_s is not None:
                    raise SurveyError(f"{name} has ended already; void it and state it anew")
                if statement.end_s <= start_s:
                    raise SurveyError(f"{name} would end before it began")
            case Voided():
                self._deployment(statement.deployment)
            case Review() | PeopleSeen():
                self._require("observation", "seq", statement.observation, "sighting")
            case Undone():
                self._require("review", "undone = 0 AND statement", statement.review, "review")

    def _check_alone(self, unit: str, start_s: float, end_s: float | None) -> None:
        row = self._db.execute(
            "SELECT id, place FROM deployment WHERE unit = ?"
            " AND (end_s IS NULL OR end_s > ?) AND (? IS NULL OR start_s < ?)",
            (unit, start_s, end_s, end_s),
        ).fetchone()
        if row:
            raise SurveyError(
                f"{unit} stands at {row[1]} ({deployment_name(row[0])}) in that time: end that "
                f"deployment first, or void it if it was a mistake"
            )

    def _deployment(self, number: int) -> tuple[float, float | None]:
        row = self._db.execute(
            "SELECT start_s, end_s FROM deployment WHERE id = ?", (number,)
        ).fetchone()
        if row is None:
            raise SurveyError(f"there is no deployment {deployment_name(number)}")
        return row[0], row[1]

    def _require(self, table: str, column: str, number: int, what: str) -> None:
        if self._db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (number,)).fetchone():
            return
        raise SurveyError(f"there is no {what} with the number {number}")
