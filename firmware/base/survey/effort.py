"""When a unit worked, from the times at which it was heard. Pure.

A unit works from the moment it is put up until it is taken away, except where nothing was heard of
it for longer than the limit: then it is taken not to have worked from the last sign of life to the
next, so that effort is rather under- than overstated. A unit that has said until when it sleeps is
heard of until then. The person who puts it up or takes it away is no sign that it worked longer
than the limit before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

DAY_S = 86400.0


@dataclass(frozen=True)
class Span:
    """Unix seconds UTC, end excluded."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def working(
    start_s: float, end_s: float, beats: Iterable[tuple[float, float]], downtime_s: float
) -> list[Span]:
    """The spans within the deployment in which the unit worked. `beats`: (from, until), by time."""
    spans: list[Span] = []
    begun = heard = start_s
    for since, until in (*beats, (end_s, end_s)):
        at = min(max(since, start_s), end_s)
        if since < start_s and until <= start_s:
            continue
        if at - heard > downtime_s:
            spans.append(Span(begun, heard))
            begun = at
        heard = max(heard, at, min(until, end_s))
    spans.append(Span(begun, heard))
    return [span for span in spans if span.length_s > 0]


def nights(spans: Iterable[Span]) -> float:
    """Trap-nights: days of work."""
    return sum(span.length_s for span in spans) / DAY_S


def shares(spans: Sequence[Span], offset_s: float) -> dict[int, float]:
    """The share of each day in which the unit worked, by days since 1970 in the local time that
    is `offset_s` ahead of UTC. Days without work are absent."""
    worked: dict[int, float] = {}
    for span in spans:
        for day, part_s in _days(span.start_s + offset_s, span.end_s + offset_s):
            worked[day] = worked.get(day, 0.0) + part_s / DAY_S
    return worked


def _days(start_s: float, end_s: float) -> Iterator[tuple[int, float]]:
    day = int(start_s // DAY_S)
    while day * DAY_S < end_s:
        yield day, min(end_s, (day + 1) * DAY_S) - max(start_s, day * DAY_S)
        day += 1
