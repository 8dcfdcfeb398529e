"""The survey's three drawings, as SVG that prints. Pure: the same numbers give the same bytes."""

import datetime
import math
from collections.abc import Mapping, Sequence

from firmware.base.survey.accumulation import Richness
from firmware.base.survey.activity import Floats
from firmware.base.survey.svg import (
    GREY,
    INK,
    PALE,
    RULE,
    document,
    element,
    label,
    line,
    path,
)

HOURS = 24


def activity_clock(title: str, curve: Floats, hourly: Sequence[int]) -> str:
    """A day as a clock with midnight on top: the curve over bars of the events in each hour.
    `curve`: the density at evenly spaced times, the first of them midnight."""
    size, middle, inner, outer = 340.0, 180.0, 34.0, 128.0

    def at(share: float, radius: float) -> tuple[float, float]:
        angle = share * 2 * math.pi
        return middle - 10 + radius * math.sin(angle), middle - radius * math.cos(angle)

    most, peak = max(1, *hourly), max(float(curve.max()), 1e-9)
    parts = [
        element("circle", cx=middle - 10, cy=middle, r=radius, fill="none", stroke=RULE)
        for radius in (inner, outer)
    ]
    for hour, count in enumerate(hourly):
        if not count:
            continue
        far = inner + (outer - inner) * count / most
        share, width = hour / HOURS, 1 / HOURS
        wedge = [at(share, inner), *(at(share + width * n / 6, far) for n in range(7)),
                 at(share + width, inner)]  # fmt: skip
        steps = "L".join(f"{x:.2f} {y:.2f}" for x, y in wedge)
        parts.append(element("path", d=f"M{steps}Z", fill=PALE, stroke=GREY, stroke_width=0.6))
    around = [
        at(n / len(curve), inner + (outer - inner) * float(value) / peak)
        for n, value in enumerate(curve)
    ]
    parts.append(path(around, closed=True))
    for hour in range(0, HOURS, 3):
        x, y = at(hour / HOURS, outer + 14)
        parts.append(label(x, y + 4, f"{hour:02d}", anchor="middle", size=11))
    total = sum(hourly)
    parts.append(label(12, 20, title, size=13))
    parts.append(label(12, size - 2, f"{total} events; mean solar time; bars: most in an hour "
                       f"{max(hourly, default=0)}", size=9, fill=GREY))  # fmt: skip
    return document(size, size + 8, f"{title}: activity over the day, {total} events", *parts)


def operation_calendar(
    rows: Sequence[tuple[str, Mapping[int, float], Mapping[int, int]]],
) -> str:
    """Which place worked on which day. A row: its name, the share of each day (days since 1970)
    that it worked, and the events of each day."""
    days = sorted({day for _, worked, _ in rows for day in worked})
    first, last = (days[0], days[-1]) if days else (0, 0)
    wide = max(1.0, min(9.0, 900 / (last - first + 1)))
    left, top, tall = 150.0, 46.0, 15.0
    width = left + wide * (last - first + 1) + 16
    height = top + tall * len(rows) + 34
    parts = [label(12, 20, "Days on which each unit worked", size=13)]
    for month in _months(first, last):
        x = left + wide * (_day(month) - first)
        parts += [
            line(x, top - 12, x, top + tall * len(rows)),
            label(x + 2, top - 4, f"{month:%Y-%m}" if month.month == 1 else f"{month:%m}", size=9),
        ]
    for at, (name, worked, events) in enumerate(rows):
        y = top + tall * at
        parts.append(label(left - 6, y + 11, name[:24], anchor="end", size=10))
        for day, share in sorted(worked.items()):
            x = left + wide * (day - first)
            parts.append(
                element("rect", x=x, y=y + 2 + (tall - 4) * (1 - share), width=wide * 0.92,
                        height=(tall - 4) * share, fill=PALE if share < 0.999 else RULE)
            )  # fmt: skip
        for day in sorted(events):
            x = left + wide * (day - first + 0.46)
            parts.append(element("circle", cx=x, cy=y + tall / 2, r=min(2.4, wide / 2), fill=INK))
    parts.append(label(12, height - 8, "bar: share of the day in which the unit worked; dot: a day "
                       "with events; days in mean solar time", size=9, fill=GREY))  # fmt: skip
    return document(max(width, 520.0), height, "Camera operation calendar", *parts)


def accumulation(points: Sequence[tuple[int, float]], richness: Richness) -> str:
    """Expected species against camera-days, with the estimated richness."""
    width, height, left, bottom, top = 460.0, 300.0, 44.0, 250.0, 40.0
    most_x = max(1, points[-1][0] if points else 1)
    most_y = max(1.0, richness.estimate, *(y for _, y in points), 1.0) * 1.08

    def at(x: float, y: float) -> tuple[float, float]:
        return (left + (width - left - 20) * x / most_x,
                bottom - (bottom - top) * y / most_y)  # fmt: skip

    parts = [label(12, 20, "Species seen with effort", size=13)]
    step = max(1, math.ceil(most_y / 6))
    for count in range(0, int(most_y) + 1, step):
        x, y = at(0, count)
        parts += [line(x, y, width - 20, y), label(x - 6, y + 4, str(count), anchor="end", size=10)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = at(most_x * share, 0)
        parts.append(label(x, y + 16, str(round(most_x * share)), anchor="middle", size=10))
    (_, y) = at(0, richness.estimate)
    parts.append(element("line", x1=left, y1=y, x2=width - 20, y2=y, stroke=GREY,
                         stroke_dasharray="4 3"))  # fmt: skip
    if points:
        parts.append(path([at(x, y) for x, y in points]))
    words = (
        f"camera-days; seen {richness.seen}, Chao2 estimate {richness.estimate:.1f} "
        f"({richness.low:.1f} to {richness.high:.1f}), dashed"
    )
    parts.append(label(left, height - 12, words, size=10, fill=GREY))
    return document(width, height, f"Species accumulation: {richness.seen} seen", *parts)


def _months(first: int, last: int) -> list[datetime.date]:
    """The first days of the months that begin within the days."""
    start = datetime.date(1970, 1, 1) + datetime.timedelta(first)
    found, month = [], datetime.date(start.year, start.month, 1)
    while _day(month) <= last:
        if _day(month) >= first:
            found.append(month)
        month = (month + datetime.timedelta(32)).replace(day=1)
    return found


def _day(date: datetime.date) -> int:
    return (date - datetime.date(1970, 1, 1)).days
