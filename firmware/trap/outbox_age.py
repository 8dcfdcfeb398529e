"""Which items of the outbox are old: they go after the others, and are marked.

An item is old when it was put more than `OLD_S` away from now, in either direction: a time ahead
of now was said by a wrong clock. `Item.old` is exact.

The order of claims is by *spans*, so that it costs nothing to find where the old rows end among a
hundred thousand: a span is the run of rows put within `SPAN_S` of its first, so its rows turn old
together. The spans that count as young are the last ones; going back, the first old one ends them.
So whatever clocks did: what was put last is young as long as the clock that said so is still
believed, and what a wrong clock made old only lets others go first. Each function runs within its
caller's transaction.
"""

import sqlite3

OLD_S = 24 * 3600.0
SPAN_S = 900.0
_KEPT = 300  # more than a day of spans, and some for clocks that jump
_AFTER_ALL = 2**62


def is_old(created_s: float, now_s: float) -> bool:
    """Whether an item put then is old now."""
    return abs(now_s - created_s) > OLD_S


def note(db: sqlite3.Connection, row: int, now_s: float) -> None:
    """A row was put now: it begins a span where it does not belong to the last one."""
    found = db.execute("SELECT since_s FROM span ORDER BY first_row DESC LIMIT 1").fetchone()
    if found is not None and 0 <= now_s - found[0] < SPAN_S:
        return
    db.execute("REPLACE INTO span VALUES (?, ?)", (row, now_s))
    db.execute(
        "DELETE FROM span WHERE first_row <= (SELECT first_row FROM span"
        " ORDER BY first_row DESC LIMIT 1 OFFSET ?)",
        (_KEPT,),
    )


def first_young(db: sqlite3.Connection, now_s: float) -> int:
    """From this row on, items are young."""
    first = _AFTER_ALL
    for row, since_s in db.execute("SELECT first_row, since_s FROM span ORDER BY first_row DESC"):
        if is_old(since_s, now_s):
            break
        first = row
    return first
