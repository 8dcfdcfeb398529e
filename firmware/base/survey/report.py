"""The report: the survey's numbers as CSV and SVG files, and as a table of text.

Promises the same bytes for the same book, period and time. It is for those who run the survey: it
names places. It holds no coordinates; those leave the base through exports alone.
"""

import csv
import datetime
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from firmware.base.survey.activity import GRID, TURN, bandwidth, density
from firmware.base.survey.drawings import accumulation, activity_clock, operation_calendar
from firmware.base.survey.numbers import (
    HOURS_A_DAY,
    Numbers,
    Period,
    SpeciesRate,
    Worked,
    numbers,
    solar_day,
    worked_in,
)
from firmware.base.survey.reading import Reader
from firmware.base.survey.settings import SurveySettings
from firmware.durable import write_file

Cell = str | int | float | None


def compute(reader: Reader, settings: SurveySettings, period: Period, now_s: float) -> Numbers:
    """The numbers of the book for the period."""
    beats: dict[str, list[tuple[float, float]]] = {}
    worked = []
    for deployment in reader.deployments():
        if deployment.unit not in beats:
            beats[deployment.unit] = reader.heartbeats(deployment.unit)
        worked.append(worked_in(deployment, beats[deployment.unit], period, settings.downtime_s,
                                now_s))  # fmt: skip
    return numbers(worked, reader.events(), period)


def write_report(found: Numbers, folder: Path) -> list[Path]:
    """All files, in a folder that is made where it is missing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _files(found):
        write_file(folder / name, content.encode())
        written.append(folder / name)
    return written


def table(found: Numbers) -> str:
    """What the report says, for the terminal."""
    nights = sum(w.nights for w in found.worked)
    lines = [
        f"{len(found.worked)} deployments, {nights:.1f} trap-nights, {len(found.events)} events"
        + (f"; {found.unplaced} more without a deployment" if found.unplaced else ""),
        "",
        f"{'species':16}{'events':>8}{'places':>9}{'per 100 trap-nights (95 %)':>32}  method",
    ]
    for one in (*found.rates, found.prey):
        interval = f"{one.rate.rate:.2f} ({one.rate.low:.2f} to {one.rate.high:.2f})"
        if one.rate.method == "none":
            interval = "less than a trap-night"
        places = f"{one.places}/{one.places_worked}"
        lines.append(f"{one.species:16}{one.rate.events:8}{places:>9}{interval:>32}  "
                     f"{one.rate.method}")  # fmt: skip
    if found.pairs:
        lines += ["", f"{'overlap of activity':36}{'(95 %)':>24}"]
    for pair in found.pairs:
        shared = pair.overlap
        interval = f"{shared.value:.2f} ({shared.low:.2f} to {shared.high:.2f})"
        lines.append(f"{pair.one + ' and ' + pair.other:36}{interval:>24}  {shared.estimator}")
    rich = found.richness
    lines += ["", f"{rich.seen} wild species; Chao2 estimate {rich.estimate:.1f} "
              f"({rich.low:.1f} to {rich.high:.1f})"]  # fmt: skip
    return "\n".join(lines)


def _files(found: Numbers) -> Iterator[tuple[str, str]]:
    yield "effort.csv", csv_text(
        ("deployment", "unit", "place", "nights", "days"),
        ((w.deployment.name, w.deployment.unit, w.deployment.place, round(w.nights, 3),
          len(w.days)) for w in found.worked),
    )  # fmt: skip
    yield "rates.csv", csv_text(
        ("species", "events", "trap_nights", "per_100_trap_nights", "low_95", "high_95", "method",
         "places", "places_worked"),
        (_rate_row(one) for one in (*found.rates, found.prey)),
    )  # fmt: skip
    yield "operation.csv", _operation(found.worked)
    yield "operation.svg", operation_calendar(
        [(f"{w.deployment.name} {w.deployment.place}", w.days, _daily(found, w))
         for w in found.worked]
    )  # fmt: skip
    yield "records.csv", _records(found)
    yield "overlap.csv", csv_text(
        ("one", "other", "overlap", "low_95", "high_95", "estimator"),
        ((p.one, p.other, round(p.overlap.value, 4), round(p.overlap.low, 4),
          round(p.overlap.high, 4), p.overlap.estimator) for p in found.pairs),
    )  # fmt: skip
    yield from _activity(found)
    yield (
        "accumulation.csv",
        csv_text(("camera_days", "species"), ((n, round(s, 4)) for n, s in found.points)),
    )
    yield "accumulation.svg", accumulation(found.points, found.richness)


def _activity(found: Numbers) -> Iterator[tuple[str, str]]:
    import numpy as np

    at = np.arange(GRID) * TURN / GRID
    curves = {name: density(t, at, bandwidth(t)) for name, t in found.times.items()}
    yield "activity.csv", csv_text(
        ("solar_hour", *curves),
        ((round(float(angle) / TURN * HOURS_A_DAY, 4),
          *(round(float(curve[n]) * TURN / HOURS_A_DAY, 6) for curve in curves.values()))
         for n, angle in enumerate(at)),
    )  # fmt: skip
    for name, curve in curves.items():
        hours = Counter(int(t / TURN * HOURS_A_DAY) % HOURS_A_DAY for t in found.times[name])
        hourly = [hours[hour] for hour in range(HOURS_A_DAY)]
        yield f"activity-{name}.svg", activity_clock(name.replace("_", " "), curve, hourly)


def _operation(worked: Sequence[Worked]) -> str:
    """The camera-operation matrix: a row a deployment, a column a day; empty: did not work."""
    days = sorted({day for w in worked for day in w.days})
    span = range(days[0], days[-1] + 1) if days else range(0)
    rows = []
    for w in worked:
        shares = w.days
        marks = [round(shares[day], 3) if day in shares else None for day in span]
        rows.append((w.deployment.name, w.deployment.unit, *marks))
    return csv_text(("deployment", "unit", *(str(_date(day)) for day in span)), rows)


def _records(found: Numbers) -> str:
    """The record table that camtrapR reads: one row an event, in mean solar time."""
    known = {w.deployment.id: w.deployment for w in found.worked}
    rows = []
    for event in found.events:
        assert event.deployment is not None
        deployment = known[event.deployment]
        time = datetime.datetime.fromtimestamp(
            event.start_s + deployment.solar_offset_s, datetime.UTC
        )
        rows.append((deployment.name, event.species, f"{time:%Y-%m-%d %H:%M:%S}", event.count,
                     event.sightings))  # fmt: skip
    return csv_text(("Station", "Species", "DateTimeOriginal", "n_individuals", "n_sightings"),
                    rows)  # fmt: skip


def _daily(found: Numbers, worked: Worked) -> Counter[int]:
    deployment = worked.deployment
    return Counter(solar_day(e, deployment) for e in found.events if e.deployment == deployment.id)


def _rate_row(one: SpeciesRate) -> tuple[Cell, ...]:
    rate = one.rate
    return (one.species, rate.events, round(rate.nights, 3), round(rate.rate, 4),
            round(rate.low, 4), round(rate.high, 4), rate.method, one.places,
            one.places_worked)  # fmt: skip


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table as CSV: UTF-8, `\\n`, None as nothing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _date(day: int) -> datetime.date:
    return datetime.date(1970, 1, 1) + datetime.timedelta(day)
