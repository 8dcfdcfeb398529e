"""What came of a simulated fleet: one row an event, and what the air was used for.

Blocks of days are simulated apart and added up here. Percentiles are of what arrived; what did not
is in the ratios, so that a loss cannot make the latency look better unseen.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from firmware.fleet.scenario import Site

NEVER = math.inf


class Event(NamedTuple):
    """One leopard before one camera. Times are seconds from the unit's commit to the base's,
    `NEVER` for what did not arrive; a picture that is not sent at this data rate is not `due`."""

    unit: int
    alert_s: float
    preview_due: bool
    preview_s: float
    refinement_due: bool
    refinement_s: float


@dataclass
class Outcome:
    """One block, or several. `airtime_s` by unit."""

    sites: Sequence[Site] = ()
    days: float = 0.0
    events: list[Event] = field(default_factory=list)
    airtime_s: Counter[int] = field(default_factory=Counter)
    gateway_airtime_s: float = 0.0
    frames: int = 0
    violations: list[str] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0

    def add(self, other: "Outcome") -> None:
        """With another block of the same fleet."""
        self.sites = self.sites or other.sites
        self.days += other.days
        self.events += other.events
        self.airtime_s.update(other.airtime_s)
        self.gateway_airtime_s += other.gateway_airtime_s
        self.frames += other.frames
        self.violations += other.violations
        self.losses.update(other.losses)
        self.conflicts += other.conflicts

    def of_factor(self, factor: int) -> "Outcome":
        """The units with this spreading factor alone: their events and airtime."""
        sites = [s for s in self.sites if s.tuning.modulation.spreading_factor == factor]
        units = {site.unit for site in sites}
        airtime = Counter({u: air_s for u, air_s in self.airtime_s.items() if u in units})
        return Outcome(sites, self.days, [e for e in self.events if e.unit in units], airtime)

    @property
    def factors(self) -> list[int]:
        """The spreading factors in use."""
        return sorted({site.tuning.modulation.spreading_factor for site in self.sites})

    @property
    def alerts_s(self) -> list[float]:
        """Latencies of the alerts that arrived, in order of size."""
        return sorted(e.alert_s for e in self.events if e.alert_s < NEVER)

    @property
    def delivery(self) -> float:
        """Share of the alerts that arrived."""
        return share(len(self.alerts_s), len(self.events))

    @property
    def previews(self) -> float:
        """Share of the previews due that arrived."""
        due = [e for e in self.events if e.preview_due]
        return share(sum(e.preview_s < NEVER for e in due), len(due))

    @property
    def refinements(self) -> float:
        """Share of the refinements due that arrived."""
        due = [e for e in self.events if e.refinement_due]
        return share(sum(e.refinement_s < NEVER for e in due), len(due))

    @property
    def airtime_per_day_s(self) -> float:
        """Of one unit, on average."""
        return self.airtime_s.total() / max(1, len(self.sites)) / self.days


def share(part: int, whole: int) -> float:
    """Not a number where there is no whole."""
    return part / whole if whole else math.nan


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; not a number without values."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
