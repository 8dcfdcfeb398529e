"""How the units are: last heard of, battery, disk, queue; the silent ones first."""

import dataclasses
import sqlite3
from dataclasses import dataclass

from starlette.responses import Response

from firmware.base.dashboard.books import Books
from firmware.base.dashboard.site import Site
from firmware.base.dashboard.visit import Visit, html

LOW_BATTERY_MV = 3400
_QUERY = """
    SELECT u.unit, u.heard_s, u.state, u.until_s, h.received_s, h.battery_mv, h.disk_free_mb,
           h.waiting, h.waiting_kb, h.cpu_c, h.uptime_min, h.quiet_min, h.clock, h.firmware,
           (SELECT battery_mv FROM sighting s WHERE s.unit = u.unit
            ORDER BY s.sighting DESC LIMIT 1),
           (SELECT place FROM deployment d WHERE d.unit = u.unit AND d.start_s <= ?1
            AND (d.end_s IS NULL OR d.end_s > ?1) LIMIT 1)
    FROM unit u LEFT JOIN health h ON h.seq = (
        SELECT seq FROM health WHERE unit = u.unit ORDER BY received_s DESC, seq DESC LIMIT 1)
    ORDER BY u.unit
"""


@dataclass(frozen=True)
class Unit:
    """One unit; what nobody has told is None. `silent`: it should have been heard of by now."""

    name: str
    heard_s: float
    state: str | None
    until_s: float | None
    reported_s: float | None
    battery_mv: int | None
    disk_free_mb: int | None
    waiting: int | None
    waiting_kb: int | None
    cpu_c: int | None
    uptime_min: int | None
    quiet_min: int | None
    clock: str | None
    firmware: str | None
    sighting_battery_mv: int | None
    place: str | None
    silent: bool = False

    @property
    def volts(self) -> float | None:
        """By its report, else by its last sighting."""
        value = self.battery_mv or self.sighting_battery_mv
        return None if value is None else value / 1000

    @property
    def low(self) -> bool:
        return self.volts is not None and self.volts * 1000 < LOW_BATTERY_MV


def read_units(db: sqlite3.Connection, now_s: float, silence_s: float) -> list[Unit]:
    """All units, the silent ones first. A unit that said until when it sleeps is silent only some
    time after."""
    units = []
    for row in db.execute(_QUERY, (now_s,)):
        awake_s = max(row[1], row[3] or 0.0) if row[2] == "sleeping" else row[1]
        units.append(dataclasses.replace(Unit(*row), silent=now_s - awake_s > silence_s))
    return sorted(units, key=lambda unit: (not unit.silent, not unit.low, unit.name))


async def units(site: Site, visit: Visit) -> Response:
    """The table."""
    silence_s = site.settings.survey.downtime_s

    def work(books: Books) -> tuple[str, list[Unit]]:
        books.fresh()
        return books.mark(), read_units(books.db, visit.now_s, silence_s)

    mark, rows = await site.ask(work)
    silent = sum(unit.silent for unit in rows)
    values = {"rows": rows, "mark": mark, "silent": silent, "hours": silence_s / 3600}
    return html(site, visit, "units.html", values)
