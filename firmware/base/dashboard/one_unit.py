"""One unit: a picture of each of its last days, and how its battery, disk and queue went.

A strip of days shows what numbers do not: a branch before the lens, frost, a camera turned.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from firmware.base.dashboard import sightings
from firmware.base.dashboard.books import Books
from firmware.base.dashboard.sightings import Sighting
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.units import Unit, read_units
from firmware.base.dashboard.visit import Refused, Visit, html
from firmware.wire.errors import WireError
from firmware.wire.ids import parse_unit

DAYS, DAY_S = 21, 86400
WIDTH, HEIGHT = 600.0, 90.0
MOST_REPORTS = 2000
_CURVES = {"battery": "battery_mv / 1000.0", "disk": "disk_free_mb / 1000.0", "queue": "waiting"}


@dataclass(frozen=True)
class Curve:
    """A value over the last days: the line's points, and its least, most and last value."""

    name: str
    points: str
    least: float
    most: float
    last: float


async def unit(site: Site, visit: Visit) -> Response:
    """The page."""
    name = visit.request.path_params["unit"]
    try:
        parse_unit(name)
    except WireError as problem:
        raise Refused(404, "error.missing") from problem

    def work(books: Books) -> dict[str, object]:
        books.fresh()
        every = read_units(books.db, visit.now_s, site.settings.survey.downtime_s)
        this: Unit | None = next((one for one in every if one.name == name), None)
        if this is None:
            raise Refused(404, "error.missing")
        since_s = visit.now_s - DAYS * DAY_S
        return {
            "unit": this, "mark": books.mark(), "days": days(books.db, name, since_s),
            "curves": curves(books.db, name, since_s, visit.now_s),
        }  # fmt: skip

    values = await site.ask(work)
    return html(site, visit, "unit.html", values | {"width": WIDTH, "height": HEIGHT})


def days(db: sqlite3.Connection, unit: str, since_s: float) -> list[Sighting]:
    """Of each day since, the last sighting that has a picture; the newest day first."""
    rows = db.execute(
        "SELECT o.seq, max(o.at_s) FROM observation o WHERE o.unit = ? AND o.at_s >= ?"
        " AND EXISTS (SELECT 1 FROM item i WHERE i.unit = o.unit AND i.sighting = o.sighting"
        " AND i.kind IN ('frame', 'preview'))"
        " GROUP BY cast(o.at_s / 86400 AS INTEGER) ORDER BY 2 DESC", (unit, since_s),
    ).fetchall()  # fmt: skip
    found = (sightings.one(db, seq) for seq, _ in rows)
    return [one for one in found if one is not None]


def curves(db: sqlite3.Connection, unit: str, since_s: float, now_s: float) -> list[Curve]:
    """What the health reports since say; a curve needs two of them."""
    made = []
    for name, value in _CURVES.items():
        rows = db.execute(
            f"SELECT received_s, {value} FROM health WHERE unit = ? AND received_s >= ?"
            f" AND {value} IS NOT NULL ORDER BY received_s DESC LIMIT ?",
            (unit, since_s, MOST_REPORTS),
        ).fetchall()
        if len(rows) > 1:
            made.append(_curve(name, rows[::-1], since_s, now_s))
    return made


def _curve(
    name: str, rows: Sequence[tuple[float, float]], since_s: float, now_s: float
) -> Curve:  # fmt: skip
    values = [value for _, value in rows]
    least, most = min(values), max(values)
    span = most - least or 1.0
    points = " ".join(
        f"{(at_s - since_s) / (now_s - since_s) * WIDTH:.1f},"
        f"{HEIGHT - 4 - (value - least) / span * (HEIGHT - 8):.1f}"
        for at_s, value in rows
    )
    return Curve(name, points, least, most, values[-1])
