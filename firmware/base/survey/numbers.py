"""The survey's numbers for a period: effort, rates, activity, overlap, richness. Pure.

All days and times of day are mean solar time at the place. What was seen at no deployment counts in
`unplaced` and nowhere else: without a place there is no effort to set it against.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from firmware.base.survey.accumulation import Richness, chao2, curve, steps
from firmware.base.survey.activity import DAY_S, LEAST_TIMES, Floats, Overlap, angles, overlap
from firmware.base.survey.effort import Span, nights, shares, working
from firmware.base.survey.rates import Rate, detection_rate
from firmware.base.survey.reading import Deployment, Event
from firmware.base.survey.statements import PEOPLE, UNCERTAIN

PREY = ("wild_boar", "deer", "roe_deer", "sika_deer", "musk_deer", "goral")
PREDATORS = ("leopard", "tiger")
TAME = ("dog", "livestock", "horse", "cattle", "domestic_cat")
NO_WILDLIFE = (*PEOPLE, *TAME, UNCERTAIN)
HOURS_A_DAY = 24
VAGUE = ("other_animal",)  # no one species: left out of the richness


@dataclass(frozen=True)
class Period:
    """From and until, unix seconds UTC; `end_s` excluded."""

    start_s: float = 0.0
    end_s: float = math.inf


@dataclass(frozen=True)
class Worked:
    """A deployment, and when in the period it worked."""

    deployment: Deployment
    spans: tuple[Span, ...]

    @property
    def nights(self) -> float:
        return nights(self.spans)

    @property
    def days(self) -> dict[int, float]:
        """Share of each solar day in which it worked."""
        return shares(self.spans, self.deployment.solar_offset_s)


@dataclass(frozen=True)
class SpeciesRate:
    """How often a species (or a group of them) was met with, and at how many places."""

    species: str
    rate: Rate
    places: int
    places_worked: int


@dataclass(frozen=True)
class Pair:
    """How much two species' days overlap."""

    one: str
    other: str
    overlap: Overlap


@dataclass(frozen=True)
class Numbers:
    """All of it."""

    worked: tuple[Worked, ...]
    events: tuple[Event, ...]
    unplaced: int
    rates: tuple[SpeciesRate, ...]
    prey: SpeciesRate
    times: Mapping[str, Floats]  # angles of the events, of species with enough of them
    pairs: tuple[Pair, ...]
    points: tuple[tuple[int, float], ...]
    richness: Richness


def worked_in(
    deployment: Deployment, beats: Iterable[tuple[float, float]], period: Period,
    downtime_s: float, now_s: float,
) -> Worked:  # fmt: skip
    """When the deployment worked within the period, by the unit's signs of life."""
    end_s = min(now_s, math.inf if deployment.end_s is None else deployment.end_s)
    spans = working(deployment.start_s, max(end_s, deployment.start_s), beats, downtime_s)
    inside = (Span(max(s.start_s, period.start_s), min(s.end_s, period.end_s)) for s in spans)
    return Worked(deployment, tuple(span for span in inside if span.length_s > 0))


def numbers(worked: Sequence[Worked], events: Iterable[Event], period: Period) -> Numbers:
    """The numbers of all events in the period."""
    inside = [e for e in events if period.start_s <= e.start_s < period.end_s]
    known = {w.deployment.id: w.deployment for w in worked}
    placed = [e for e in inside if e.deployment in known]
    species = sorted({e.species for e in placed} - {UNCERTAIN})
    times = {
        name: found for name in species
        if len(found := _times(name, placed, known)) >= LEAST_TIMES
    }  # fmt: skip
    units, incidence = _incidence(worked, placed, known)
    sizes = steps(units)
    return Numbers(
        tuple(worked), tuple(placed), len(inside) - len(placed),
        tuple(_rate(name, (name,), worked, placed) for name in species),
        _rate("prey", PREY, worked, placed), times, _pairs(times),
        tuple(zip(sizes, curve(units, incidence, sizes), strict=True)), chao2(units, incidence),
    )  # fmt: skip


def solar_day(event: Event, deployment: Deployment) -> int:
    """The event's day, in days since 1970."""
    return int((event.start_s + deployment.solar_offset_s) // DAY_S)


def _rate(
    name: str, species: tuple[str, ...], worked: Sequence[Worked], events: Iterable[Event]
) -> SpeciesRate:
    counts = Counter(e.deployment for e in events if e.species in species)
    rate = detection_rate([counts[w.deployment.id] for w in worked], [w.nights for w in worked])
    places = {w.deployment.place for w in worked if counts[w.deployment.id]}
    return SpeciesRate(name, rate, len(places),
                       len({w.deployment.place for w in worked if w.nights or
                            counts[w.deployment.id]}))  # fmt: skip


def _times(name: str, events: Iterable[Event], known: Mapping[int, Deployment]) -> Floats:
    return angles([
        e.start_s + known[e.deployment].solar_offset_s
        for e in events if e.species == name and e.deployment is not None
    ])  # fmt: skip


def _pairs(times: Mapping[str, Floats]) -> tuple[Pair, ...]:
    """Predators with each other, with their prey, and with people."""
    found = []
    for at, one in enumerate(PREDATORS):
        for other in (*PREDATORS[at + 1 :], *PREY, "human"):
            if one in times and other in times:
                found.append(Pair(one, other, overlap(times[one], times[other])))
    return tuple(found)


def _incidence(
    worked: Sequence[Worked], events: Iterable[Event], known: Mapping[int, Deployment]
) -> tuple[int, dict[str, int]]:
    """Camera-days, and on how many of them each wild species was seen."""
    days = {(w.deployment.id, day) for w in worked for day in w.days}
    seen = {
        (e.species, e.deployment, solar_day(e, known[e.deployment]))
        for e in events
        if e.deployment is not None and e.species not in (*NO_WILDLIFE, *VAGUE)
    }
    days |= {(deployment, day) for _, deployment, day in seen}
    return len(days), dict(Counter(species for species, _, _ in seen))
