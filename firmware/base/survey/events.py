"""Sightings into independent events: one visit of an animal, however often it was photographed.

An event ends when its species has not been seen at its place for the independence interval (30
minutes by default), counted from the last sighting, so that an animal that stays is one event. The
count of an event is the most that one sighting of it showed. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """One sighting of one species at one place: its number in the log, when, and how many."""

    seq: int
    at_s: float
    count: int


@dataclass(frozen=True)
class Visit:
    """Sightings that belong together, the first one first."""

    seqs: tuple[int, ...]
    start_s: float
    end_s: float
    count: int


def visits(seen: Iterable[Seen], independence_s: float) -> list[Visit]:
    """The events in order of time; the order of what comes in does not matter."""
    runs: list[list[Seen]] = []
    for one in sorted(seen, key=lambda s: (s.at_s, s.seq)):
        if runs and one.at_s - runs[-1][-1].at_s <= independence_s:
            runs[-1].append(one)
        else:
            runs.append([one])
    return [
        Visit(tuple(s.seq for s in run), run[0].at_s, run[-1].at_s, max(s.count for s in run))
        for run in runs
    ]
