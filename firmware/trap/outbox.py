"""What the base station has not yet said that it has: the only thing both daemons share.

Guarantee
- An item is on the card when `put` returns, and stays until the base's receipt (`stored`), an
  explicit rejection, a person (`drop`), or eviction at the byte limit; each end is logged, and an
  end that loses something is an ERROR. So delivery is at-least-once to the base; the base keeps
  one of each (id, SHA-256), which makes it exactly-once in its store.
- Two processes use one file at once (capture puts, the uplink does the rest), and either may be
  killed at any instruction.
- An item that kills the sender each time ends up `rejected`, its bytes kept, and no other item
  suffers. A claim is committed before the item is sent; what a dead sender left is suspect and goes
  alone until something, be it only a failed try, shows that the sender outlives it.
- Order is by priority, of one priority the young before what is older than a day (`outbox_age.py`),
  then by insertion: after weeks without a link, what is new does not queue behind them. Order and
  waiting survive a wrong clock; a wait further ahead than `LONGEST_WAIT_S` is over.

Loss window: none after `put` for killed processes, and none for power cuts on a card that keeps
what it has acknowledged. Before `put` returns, the item is not there.

What a dying card can still break: a card that acknowledges writes and forgets them, or damages
what it holds. Damage that SQLite meets moves the whole file aside (`outbox_file.py`); the records
in it that can be read come along (`outbox_salvage.py`); of the frames, the archive has a copy.
Damaged bytes of one item are caught by their SHA-256 and rejected.

Limits: `max_bytes` bounds the pages in use, not the file on the disk (which does not shrink) nor
the WAL (a few megabytes beyond it). Of what the base has stored, a row without bytes remains for
the next `STORED_ROWS_KEPT` items, so that repeated puts and late receipts are recognised.
"""

import hashlib
import logging
import sqlite3
from pathlib import Path
from types import TracebackType

from firmware.trap import outbox_age, outbox_claim, outbox_report
from firmware.trap.bell import ring
from firmware.trap.outbox_claim import (
    DUE,
    LEAST_IMPORTANT,
    LONGEST_WAIT_S,
    Item,
    Rejected,
    Want,
)
from firmware.trap.outbox_file import OutboxCorrupt, OutboxError, OutboxFile, OutboxFull
from firmware.trap.outbox_report import Row, State, Stats, used_bytes
from firmware.wire.ids import ItemId

__all__ = ["Item", "Outbox", "OutboxCorrupt", "OutboxError", "OutboxFull", "Row", "State", "Stats"]

log = logging.getLogger(__name__)

STORED_ROWS_KEPT = 10_000


class Outbox:
    """One per process. Every method but `close` may raise OutboxError, and has then done nothing.

    The file is opened by the first call, so that a capture daemon can start on a full disk; a
    corrupt one is moved aside and is no error.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._file = OutboxFile(path)
        self._seen: tuple[int, ...] = ()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. What is being sent stays `sending` until the next `release`."""
        self._file.close()

    def put(
        self, item: ItemId, body: bytes, content_type: str, priority: int, now_s: float
    ) -> None:
        """Keep it; committed on return. The same id and bytes again change nothing; the same id
        with other bytes is another item. Raises OutboxFull when only more important items remain.
        """
        digest = hashlib.sha256(body).hexdigest()

        def work(db: sqlite3.Connection) -> list[tuple[str, int, int]]:
            done = db.execute(
                "INSERT INTO item (id, sha256, content_type, priority, size_bytes, created_s)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id, sha256) DO NOTHING",
                (str(item), digest, content_type, priority, len(body), now_s),
            )
            if done.rowcount == 0:
                return []
            row = done.lastrowid or 0
            db.execute("INSERT INTO body VALUES (?, ?)", (row, body))
            outbox_age.note(db, row, now_s)
            old = (row - STORED_ROWS_KEPT,)
            db.execute("DELETE FROM item WHERE state = 'stored' AND row < ?", old)
            return self._make_room(db, row, priority)

        for lost, lost_priority, size_bytes in self._file.write(work):
            log.error(
                "outbox_evicted item=%s priority=%d bytes=%d", lost, lost_priority, size_bytes
            )
        ring(self._file.path)

    def replace(
        self, old: ItemId, item: ItemId, body: bytes, content_type: str, now_s: float
    ) -> bool:
        """Put the item in the place and with the priority of an old one that waits or was
        rejected: for reports, of which only the newest matters. False, and nothing is done, where
        the old one is neither."""
        digest = hashlib.sha256(body).hexdigest()

        def work(db: sqlite3.Connection) -> bool:
            found = db.execute(_REPLACEABLE, (str(old),)).fetchone()
            if found is None:
                return False
            row = found[0]
            db.execute(_REPLACE, (str(item), digest, content_type, len(body), now_s, row))
            db.execute("UPDATE body SET bytes = ? WHERE row = ?", (body, row))
            return True

        replaced = self._file.write(work)
        ring(self._file.path)
        return replaced

    def tries(self, item: ItemId) -> int | None:
        """How often an item that `replace` would replace has been sent; None for any other."""
        found: tuple[int, int] | None = self._file.read(
            lambda db: db.execute(_REPLACEABLE, (str(item),)).fetchone()
        )
        return None if found is None else found[1]

    def claim(
        self,
        now_s: float,
        limit: int,
        limit_bytes: int | None = None,
        priorities: tuple[int, int] = (0, LEAST_IMPORTANT),
        *,
        fresh: bool = False,
    ) -> list[Item]:
        """The due items that come first, now `sending`; see `Want` for which. A suspect comes
        alone, and nothing else while it is out but what is `fresh`."""
        want = Want(limit, limit_bytes, priorities, fresh)
        items, damaged = self._file.write(lambda db: outbox_claim.claim(db, now_s, want))
        _log_rejected(damaged)
        return items

    def stored(self, item: ItemId, sha256: str) -> bool:
        """The base has it: drop the bytes. False for an unknown item or another SHA-256."""

        def work(db: sqlite3.Connection) -> tuple[State, int] | None:
            found: tuple[int, State, int] | None = db.execute(
                "SELECT row, state, attempts FROM item WHERE id = ? AND sha256 = ?",
                (str(item), sha256),
            ).fetchone()
            if found is None:
                return None
            db.execute("UPDATE item SET state = 'stored' WHERE row = ?", found[:1])
            db.execute("DELETE FROM body WHERE row = ?", found[:1])
            return found[1:]

        was = self._file.write(work)
        if was is not None and was[0] != "stored":
            log.info("item_stored item=%s attempts=%d", item, was[1])
        return was is not None

    def rejected(self, item: ItemId, reason: str, sha256: str | None = None) -> bool:
        """The base will never take the item being sent, or the waiting one of this SHA-256: keep
        its bytes for a person, do not send again. False when there is none."""
        done = self._file.write(lambda db: outbox_claim.reject(db, item, reason, sha256))
        if done:
            _log_rejected([(str(item), reason)])
        return done

    def later(self, item: ItemId, not_before_s: float, *, untried: bool = False) -> bool:
        """The item being sent did not get through: due again at `not_before_s`. `untried`: it was
        not even sent, and the claim does not count. False when it is not being sent."""
        return self._file.write(
            lambda db: (
                db.execute(
                    "UPDATE item SET state = 'waiting', not_before_s = ?, lone_deaths = NULL,"
                    " attempts = attempts - ? WHERE id = ? AND state = 'sending'",
                    (not_before_s, untried, str(item)),
                ).rowcount
                > 0
            )
        )

    def outlived(self, item: ItemId) -> None:
        """The item is still being sent, and the worst is over: if the sender dies now, it is not
        this item that killed it."""
        self._file.write(
            lambda db: db.execute(
                "UPDATE item SET lone_deaths = NULL WHERE id = ? AND state = 'sending'"
                " AND lone_deaths IS NOT NULL",
                (str(item),),
            )
        )

    def release(self, now_s: float, *, rebooted: bool = False) -> int:
        """Take back what a dead sender left, as suspects that are due at once; returns how many.
        The one that killed it for the fifth time alone is rejected. After a reboot none is blamed:
        they wait a while, so that others go first. Call when the sender starts."""
        suspects, killers = self._file.write(
            lambda db: outbox_claim.release(db, now_s, rebooted=rebooted)
        )
        for suspect in suspects:
            log.warning("item_suspect item=%s", suspect)
        _log_rejected(killers)
        return len(suspects) + len(killers)

    def next_due_s(self, now_s: float) -> float | None:
        """Seconds until something is due: 0.0 for now, None when nothing waits."""

        def work(db: sqlite3.Connection) -> float | None:
            due = f"SELECT 1 FROM item WHERE {DUE} LIMIT 1"
            if db.execute(due, (now_s, now_s + LONGEST_WAIT_S)).fetchone():
                return 0.0
            (first,) = db.execute(
                "SELECT min(not_before_s) FROM item WHERE state = 'waiting'"
            ).fetchone()
            return None if first is None else max(0.0, first - now_s)

        return self._file.read(work)

    def changed(self) -> bool:
        """Whether the other process has committed since the last call; the first says True. Costs
        microseconds and no reading from the card."""
        before, self._seen = self._seen, self._file.version()
        return before != self._seen

    def rows(self, state: State | None = None) -> list[Row]:
        """Every item in the order in which it goes, but that old ones let others go first; of one
        state, if given."""
        return self._file.read(lambda db: outbox_report.rows(db, state))

    def ids(self, *states: State) -> list[ItemId]:
        """The names of the items in these states, of all without any; no bytes are read."""
        return self._file.read(lambda db: outbox_report.ids(db, states))

    def stats(self) -> Stats:
        """Counts and bytes."""
        return self._file.read(lambda db: outbox_report.stats(db, self._max_bytes))

    def retry(self, item: ItemId | None = None) -> int:
        """What is rejected or put off, due now and unsuspected: one item or all; returns how many.
        What is being sent is left alone."""
        text = None if item is None else str(item)
        count = self._file.write(lambda db: db.execute(_RETRY, {"id": text}).rowcount)
        ring(self._file.path)
        return count

    def drop(self, item: ItemId) -> bool:
        """Give it up for good, whatever its state. False when it is unknown."""

        def work(db: sqlite3.Connection) -> list[tuple[str, int]]:
            found = db.execute("SELECT state, row FROM item WHERE id = ?", (str(item),)).fetchall()
            for _, row in found:
                _delete(db, row, "dropped")
            return found

        found = self._file.write(work)
        for state, _ in found:
            log.error("outbox_dropped item=%s state=%s", item, state)
        return bool(found)

    def _make_room(
        self, db: sqlite3.Connection, new_row: int, priority: int
    ) -> list[tuple[str, int, int]]:
        """What has to go for a row that is in already, as (id, priority, bytes)."""
        evicted: list[tuple[str, int, int]] = []
        while used_bytes(db) > self._max_bytes:
            found = db.execute(
                _LEAST_IMPORTANT, {"least": max(1, priority), "new": new_row}
            ).fetchone()
            if found is None:
                raise OutboxFull(
                    f"{self._file.path} holds its limit of {self._max_bytes} bytes and nothing in"
                    f" it may go for an item of priority {priority}: restore the link to the base,"
                    " or raise outbox.max_mb"
                )
            row, *lost = found
            _delete(db, row, "evicted")
            evicted.append((lost[0], lost[1], lost[2]))
        return evicted


_RETRY = """
UPDATE item SET state = 'waiting', not_before_s = 0, lone_deaths = NULL, reason = ''
WHERE (id = :id OR :id IS NULL) AND (state = 'rejected'
    OR (state = 'waiting' AND (not_before_s > 0 OR lone_deaths IS NOT NULL)))
"""

_REPLACEABLE = "SELECT row, attempts FROM item WHERE id = ? AND state IN ('waiting', 'rejected')"
_REPLACE = """
UPDATE item SET id = ?, sha256 = ?, content_type = ?, size_bytes = ?, created_s = ?,
    state = 'waiting', not_before_s = 0, attempts = 0, lone_deaths = NULL, reason = ''
WHERE row = ?
"""

# Rejected items go first: the base will never take them. Priority 0 never goes.
_LEAST_IMPORTANT = """
SELECT row, id, priority, size_bytes FROM item WHERE row = coalesce(
    (SELECT row FROM item WHERE state = 'rejected' AND priority >= 1 ORDER BY row LIMIT 1),
    (SELECT row FROM item WHERE state = 'waiting' AND priority >= :least AND priority =
        (SELECT max(priority) FROM item WHERE state = 'waiting') AND row <> :new
        ORDER BY row LIMIT 1))
"""


def _log_rejected(items: list[Rejected]) -> None:
    for item, reason in items:
        log.error("item_rejected item=%s reason=%r", item, reason)


def _delete(db: sqlite3.Connection, row: int, why: str) -> None:
    db.execute("DELETE FROM item WHERE row = ?", (row,))
    db.execute("DELETE FROM body WHERE row = ?", (row,))
    db.execute(
        "INSERT INTO tally VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1", (why,)
    )
