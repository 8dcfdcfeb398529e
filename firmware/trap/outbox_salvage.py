"""Out of a corrupt outbox file, what is small and matters most: the records that still wait.

Promises that only bytes whose SHA-256 agrees are taken, and that no damage stops it. Does not take
over frames: copying gigabytes from a dying card would keep the camera blind for minutes, and the
archive has them. Rows between the first and the last damaged page of the table may be missed.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from firmware.wire.errors import WireError
from firmware.wire.ids import ItemId
from firmware.wire.records import MAX_RECORD_BYTES

_FIELDS = "id, sha256, content_type, priority, size_bytes, created_s, attempts, lone_deaths"


def salvage(corrupt: Path, fresh: sqlite3.Connection) -> int:
    """Put the waiting records of the corrupt file into the fresh one; returns how many. Running it
    again changes nothing."""
    fresh.execute("BEGIN IMMEDIATE")
    for fields, body in sorted(_readable(corrupt), key=lambda found: found[0][0]):
        row = fresh.execute(
            f"INSERT OR IGNORE INTO item ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", fields
        )
        if row.rowcount:
            fresh.execute("INSERT INTO body VALUES (?, ?)", (row.lastrowid, body))
    (count,) = fresh.execute("SELECT count(*) FROM item").fetchone()
    fresh.execute("COMMIT")
    return int(count)


def _readable(corrupt: Path) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """From both ends until the first damage; an item may come twice."""
    for order in ("ASC", "DESC"):
        try:
            with closing(sqlite3.connect(corrupt, isolation_level=None)) as db:
                waiting = db.execute(
                    f"SELECT row, {_FIELDS} FROM item NOT INDEXED WHERE size_bytes <= ?"
                    f" AND state IN ('waiting', 'sending') ORDER BY row {order}",
                    (MAX_RECORD_BYTES,),
                )
                for row, *fields in waiting:
                    if (body := _body(db, row)) is not None and _sound(fields, body):
                        yield tuple(fields), body
        except (sqlite3.Error, UnicodeDecodeError):
            continue


def _body(db: sqlite3.Connection, row: int) -> bytes | None:
    try:
        found = db.execute("SELECT bytes FROM body WHERE row = ?", (row,)).fetchone()
    except sqlite3.Error:
        return None
    return found[0] if found and isinstance(found[0], bytes) else None


def _sound(fields: list[Any], body: bytes) -> bool:
    id_, sha256, content_type, *numbers, deaths = fields
    try:
        ItemId.parse(id_)
    except (WireError, TypeError):
        return False
    typed = isinstance(content_type, str) and all(isinstance(n, int | float) for n in numbers)
    return typed and isinstance(deaths, int | None) and hashlib.sha256(body).hexdigest() == sha256
