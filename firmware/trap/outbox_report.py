"""The outbox as a person sees it: what `rosette outbox list|stats` shows.

Reads only, from one consistent view that the caller opens; does not print.
"""

import sqlite3
from dataclasses import dataclass
from typing import Literal, get_args

from firmware.wire.ids import ItemId

State = Literal["waiting", "sending", "stored", "rejected"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Row:
    """One item. `lone_deaths`: None, or for a suspect how often the sender died while sending it
    alone; `reason`: why it was rejected. The bytes of a stored item are gone."""

    id: ItemId
    state: State
    priority: int
    size_bytes: int
    attempts: int
    created_s: float
    not_before_s: float
    content_type: str
    sha256: str
    lone_deaths: int | None
    reason: str


@dataclass(frozen=True)
class Stats:
    """`items` by state, and the `bytes` that they hold; `used_bytes` is what `max_bytes` bounds;
    `evicted` and `dropped` count items since the file was begun."""

    items: dict[State, int]
    bytes: dict[State, int]
    used_bytes: int
    max_bytes: int
    evicted: int
    dropped: int


def rows(db: sqlite3.Connection, state: State | None) -> list[Row]:
    """Every item in the order in which it goes; of one state, if given."""
    found = db.execute(
        "SELECT id, state, priority, size_bytes, attempts, created_s, not_before_s, content_type,"
        " sha256, lone_deaths, reason FROM item WHERE state = ?1 OR ?1 IS NULL"
        " ORDER BY priority, row",
        (state,),
    )
    return [Row(ItemId.parse(text), *rest) for text, *rest in found]


def ids(db: sqlite3.Connection, states: tuple[State, ...]) -> list[ItemId]:
    """Names alone: cheap at 100,000 rows."""
    marks = ", ".join("?" * len(states)) if states else "state"
    found = db.execute(f"SELECT id FROM item WHERE state IN ({marks})", states)
    return [ItemId.parse(text) for (text,) in found]


def stats(db: sqlite3.Connection, max_bytes: int) -> Stats:
    """Counts and bytes."""
    items, sizes = dict.fromkeys(STATES, 0), dict.fromkeys(STATES, 0)
    for state, count, size in db.execute(
        "SELECT state, count(*), sum(iif(state = 'stored', 0, size_bytes)) FROM item GROUP BY state"
    ):
        items[state], sizes[state] = count, size
    tally = dict(db.execute("SELECT name, count FROM tally").fetchall())
    evicted, dropped = tally.get("evicted", 0), tally.get("dropped", 0)
    return Stats(items, sizes, used_bytes(db), max_bytes, evicted, dropped)


def used_bytes(db: sqlite3.Connection) -> int:
    """Pages that hold something, in bytes."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
