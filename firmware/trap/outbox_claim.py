"""Who goes next, and what a dead sender proves: the SQL behind the outbox's claims.

A claim is one `UPDATE` to `sending` that is committed before the item is sent. A row that is found
in that state when a sender starts was being sent when the last one died. It is a suspect then
(`lone_deaths` is not null) and goes alone, so that innocents are cleared by their first outcome and
only the guilty one collects lone deaths. Each function runs within its caller's transaction.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from firmware.trap.outbox_age import OLD_S, first_young, is_old
from firmware.wire.ids import ItemId

__all__ = ["LONGEST_WAIT_S", "OLD_S", "Item", "Want", "claim", "reject", "release"]

LONGEST_WAIT_S = 86400.0
"""A wait further ahead was set by a wrong clock; it is also the longest that settings allow."""
LONE_DEATHS = 5
AFTER_REBOOT_S = 60.0
KILLER = f"the sender died {LONE_DEATHS} times while sending it alone"
DAMAGED = "its bytes were damaged on the card"
DUE = "state = 'waiting' AND (not_before_s <= ? OR not_before_s > ?)"
LEAST_IMPORTANT = 2**31

Rejected = tuple[str, str]
"""Item id and reason."""


@dataclass(frozen=True)
class Item:
    """One thing to send. `attempts` counts all claims of it so far, this one included; `old`: see
    `outbox_age.py`."""

    id: ItemId
    body: bytes
    content_type: str
    sha256: str
    priority: int
    attempts: int
    created_s: float
    old: bool = False


@dataclass(frozen=True)
class Want:
    """Which items: at most `limit` and, after the first, within `limit_bytes`; of a priority within
    `priorities`; with `fresh`, only young ones that were never claimed before."""

    limit: int
    limit_bytes: int | None = None
    priorities: tuple[int, int] = (0, LEAST_IMPORTANT)
    fresh: bool = False


def claim(db: sqlite3.Connection, now_s: float, want: Want) -> tuple[list[Item], list[Rejected]]:
    """The items to send now, marked as being sent, and those whose bytes were found damaged."""
    items: list[Item] = []
    damaged: list[Rejected] = []
    for row in _choose(db, now_s, want):
        item = _take(db, row, now_s)
        if item is None:
            continue
        if hashlib.sha256(item.body).hexdigest() == item.sha256:
            items.append(item)
        else:
            reject(db, item.id, DAMAGED)
            damaged.append((str(item.id), DAMAGED))
    return items, damaged


def release(
    db: sqlite3.Connection, now_s: float, *, rebooted: bool
) -> tuple[list[str], list[Rejected]]:
    """What a dead sender left: the suspects, waiting again, and the one proved to be a killer. A
    power cut proves nothing, but what was being sent lets others go first."""
    left = db.execute("SELECT id, lone_deaths FROM item WHERE state = 'sending'").fetchall()
    alone = len(left) == 1 and not rebooted
    due_s = now_s + AFTER_REBOOT_S if rebooted else now_s
    suspects: list[str] = []
    killers: list[Rejected] = []
    for item, before in left:
        deaths = (before or 0) + alone
        db.execute(
            "UPDATE item SET lone_deaths = ? WHERE id = ? AND state = 'sending'", (deaths, item)
        )
        if deaths >= LONE_DEATHS:
            reject(db, ItemId.parse(item), KILLER)
            killers.append((item, KILLER))
        else:
            suspects.append(item)
    db.execute(
        "UPDATE item SET state = 'waiting', not_before_s = ? WHERE state = 'sending'", (due_s,)
    )
    return suspects, killers


def reject(db: sqlite3.Connection, item: ItemId, reason: str, sha256: str | None = None) -> bool:
    """End the item that is being sent, or the waiting one of this SHA-256, keeping its bytes. False
    when there is none."""
    changed = db.execute(
        "UPDATE item SET state = 'rejected', reason = ? WHERE id = ?"
        " AND (state = 'sending' OR (state = 'waiting' AND sha256 = ?))",
        (reason, str(item), sha256),
    )
    return changed.rowcount > 0


def _choose(db: sqlite3.Connection, now_s: float, want: Want) -> Iterator[int]:
    """The rows to send now, best first. What was never tried waits for no suspect: it goes on such
    terms once, and a suspect that dies beside it is not proved guilty by that."""
    out = "SELECT count(*), count(lone_deaths) FROM item WHERE state = 'sending'"
    sending, suspects = db.execute(out).fetchone()
    if suspects and not want.fresh:
        return
    due = list(islice(_in_order(db, now_s, want), want.limit))
    total_bytes = 0
    for place, (row, size_bytes, deaths) in enumerate(due):
        if deaths is not None:
            if place == 0 and sending == 0:
                yield row
            return
        total_bytes += size_bytes
        if place > 0 and want.limit_bytes is not None and total_bytes > want.limit_bytes:
            return
        yield row


def _in_order(
    db: sqlite3.Connection, now_s: float, want: Want
) -> Iterator[tuple[int, int, int | None]]:
    """What is due, as (row, bytes, lone deaths): by priority, of one priority the young before the
    old, each in the order in which they were put."""
    young = first_young(db, now_s)
    least, most = want.priorities
    due = f"{DUE} AND priority = ? AND row BETWEEN ? AND ?" + " AND attempts = 0" * want.fresh
    while (priority := _next_priority(db, least, most)) is not None:
        for first, last in ((young, 2**62), (0, young - 1))[: 1 if want.fresh else 2]:
            yield from db.execute(
                f"SELECT row, size_bytes, lone_deaths FROM item WHERE {due} ORDER BY row LIMIT ?",
                (now_s, now_s + LONGEST_WAIT_S, priority, first, last, want.limit),
            ).fetchall()
        least = priority + 1


def _next_priority(db: sqlite3.Connection, least: int, most: int) -> int | None:
    found: tuple[int | None] = db.execute(
        "SELECT min(priority) FROM item WHERE state = 'waiting' AND priority BETWEEN ? AND ?",
        (least, most),
    ).fetchone()
    return found[0]


def _take(db: sqlite3.Connection, row: int, now_s: float) -> Item | None:
    """Mark the row as being sent. None while other bytes of the same id are: an id names one."""
    taken = db.execute(
        "UPDATE OR IGNORE item SET state = 'sending', attempts = attempts + 1 WHERE row = ?", (row,)
    )
    if taken.rowcount == 0:
        return None
    id_, body, *rest, created_s = db.execute(
        "SELECT id, bytes, content_type, sha256, priority, attempts, created_s"
        " FROM item LEFT JOIN body USING (row) WHERE row = ?",
        (row,),
    ).fetchone()
    content_type, sha256, priority, attempts = rest
    old = is_old(created_s, now_s)
    return Item(
        ItemId.parse(id_), body or b"", content_type, sha256, priority, attempts, created_s, old
    )
