"""Deployments from a table that people keep: CSV with a header, one deployment a row.

    unit,place,latitude,longitude,start,end,notes
    T0007,Ridge 3,43.0512,131.1487,2026-03-01,,faces north

`end` and `notes` may be empty or absent, and so may columns that we do not know. Times are UTC, ISO
8601, with or without the time of day. Every problem of the file is told at once, by line.
"""

import csv
import datetime
import math
from collections.abc import Iterable, Mapping

from firmware.base.survey.reading import Deployment
from firmware.base.survey.statements import Ended, Placed
from firmware.wire.errors import WireError

REQUIRED = ("unit", "place", "latitude", "longitude", "start")


class TableError(ValueError):
    """A table with problems; `problems` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_deployments(lines: Iterable[str]) -> list[Placed]:
    """The table's rows. Raises TableError."""
    reader = csv.DictReader(lines, skipinitialspace=True)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in REQUIRED if name not in names]:
        raise TableError([f"line 1: the header has no column {', '.join(missing)}"])
    reader.fieldnames = names
    found: list[Placed] = []
    problems: list[str] = []
    try:
        for row in reader:
            try:
                found.append(_placed(row))
            except ValueError as error:  # a WireError is one
                problems.append(f"line {reader.line_num}: {error}")
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}")
    if problems:
        raise TableError(problems)
    return found


def changes(rows: Iterable[Placed], known: Iterable[Deployment]) -> list[Placed | Ended]:
    """What the rows say that is not known yet: new deployments, and the ends of known ones. A row
    is one with the deployment of the same unit, place, coordinates and start; its notes stay as
    they were first stated."""
    stand = {_where(one): one for one in known}
    new: list[Placed | Ended] = []
    ends: list[Placed | Ended] = []
    for row in rows:
        one = stand.get(_where(row))
        if one is None:
            new.append(row)
        elif row.end_s is not None and row.end_s != one.end_s:
            ends.append(Ended(one.id, row.end_s))
    return ends + new  # a unit must leave one place before it can stand at the next


def parse_time(text: str) -> float:
    """Unix seconds of a date or a time in ISO 8601; UTC where it names no zone. Raises
    WireError."""
    try:
        time = datetime.datetime.fromisoformat(text.strip())
        if time.tzinfo is None:
            time = time.replace(tzinfo=datetime.UTC)
        return time.timestamp()
    except (ValueError, OverflowError) as error:
        raise WireError(
            f"time {text[:40]!r} is not like 2026-03-01 or 2026-03-01T09:30 (UTC)"
        ) from error


def _where(one: Placed | Deployment) -> tuple[str, str, float, float, float]:
    return (one.unit, one.place, one.latitude, one.longitude, one.start_s)


def _placed(row: Mapping[str, str | None]) -> Placed:
    def text(name: str) -> str:
        return (row.get(name) or "").strip()

    end = text("end")
    return Placed(
        unit=text("unit").upper(), place=text("place"),
        latitude=_degrees("latitude", text("latitude")),
        longitude=_degrees("longitude", text("longitude")),
        start_s=parse_time(text("start")), end_s=parse_time(end) if end else None,
        notes=text("notes"),
    )  # fmt: skip


def _degrees(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise WireError(f"{name} {text[:20]!r} is not decimal degrees like 43.0512") from error
    if not math.isfinite(value):
        raise WireError(f"{name} {text[:20]!r} is not a finite number")
    return value
