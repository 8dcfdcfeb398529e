"""What goes on the air next. Pure: what there is, the ledger and the time come in.

    alert        first, always: only the law itself holds it back, and while it does, nothing else
                 goes either
    answer       to a command
    health       when it has waited `HEALTH_PATIENCE_S`
    stale        an alert that was not answered in its first tries, or is older than a day
    preview      the newest sighting's first; up to SF10
    refinement   the newest sighting's first; up to SF9
    health       otherwise

Everything but a fresh alert leaves `reserve_s` of the hour's airtime untouched, so that there is
always some for the next alert. A frame is never longer than the air's limit, and after each the
question is asked anew: an alert waits behind at most one frame of a picture and the answer to it.

Battery and hours: below `refine_mv` no refinements, below `pictures_mv` no pictures, and in quiet
hours no pictures either. A battery that nobody measures counts as full.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from firmware.trap.settings import Lora
from firmware.wire.ledger import Ledger

PREVIEW_SF = 10
REFINEMENT_SF = 9
HEALTH_PATIENCE_S = 3600.0

What = Literal["alert", "answer", "stale", "preview", "refinement", "health"]
_RANK: dict[What, int] = {
    "alert": 0, "answer": 1, "stale": 3, "preview": 4, "refinement": 5, "health": 6,
}  # fmt: skip
_OVERDUE_HEALTH = 2

T = TypeVar("T")


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """A frame that wants to go: not before `due_s`, `airtime_s` long. `sighting` orders what is of
    one rank, the newest first; `waits_since_s` counts for health alone."""

    what: What
    ref: T
    airtime_s: float
    sighting: int = 0
    due_s: float = 0.0
    waits_since_s: float = 0.0


@dataclass(frozen=True)
class Choice(Generic[T]):
    """`send`, or wait `wait_s` (infinite: for something to happen). `law`: it is the ledger that
    makes us wait."""

    send: Candidate[T] | None
    wait_s: float = 0.0
    law: bool = False


@dataclass(frozen=True)
class Room:
    """What the law leaves: `limit_s` of airtime in any hour, of it `reserve_s` for fresh alerts."""

    ledger: Ledger
    limit_s: float
    reserve_s: float

    def wait_s(self, what: What, now_s: float, airtime_s: float) -> float:
        """How long until such a frame may start; infinite when never. An old alert may in an hour
        with nothing else, however large the reserve: it must get there some day."""
        spare_s = 0.0 if what == "alert" else self.reserve_s
        if what == "stale" and airtime_s <= self.limit_s:
            spare_s = min(spare_s, self.limit_s - airtime_s)
        if math.isinf(self.limit_s):
            return 0.0
        return self.ledger.wait_s(now_s, airtime_s, self.limit_s - spare_s)


def choose(candidates: Iterable[Candidate[T]], room: Room, now_s: float) -> Choice[T]:
    """The first candidate in rank that is due and that the law lets go; `now_s` and `due_s` are in
    ledger time."""
    wait_s, law = math.inf, False
    for candidate in sorted(candidates, key=lambda c: (_rank(c, now_s), -c.sighting)):
        if candidate.due_s > now_s:
            if candidate.due_s - now_s < wait_s:
                wait_s, law = candidate.due_s - now_s, False
            continue
        held_s = room.wait_s(candidate.what, now_s, candidate.airtime_s)
        if held_s == 0.0:
            return Choice(candidate)
        if held_s < wait_s:
            wait_s, law = held_s, True
        if candidate.what == "alert" and not math.isinf(held_s):
            break  # nothing may use the airtime that an alert waits for
    return Choice(None, wait_s, law)


def _rank(candidate: Candidate[T], now_s: float) -> int:
    overdue = now_s - candidate.waits_since_s > HEALTH_PATIENCE_S
    return _OVERDUE_HEALTH if candidate.what == "health" and overdue else _RANK[candidate.what]


@dataclass(frozen=True)
class Moment:
    """What decides over pictures: data rate, battery (None: not known), hour of the day (UTC)."""

    spreading_factor: int
    battery_mv: int | None
    hour: float


def pictures_allowed(how: Lora, at: Moment) -> tuple[bool, bool]:
    """(previews, refinements) may go now."""
    preview, refinement = pictures_ever(how, at.spreading_factor)
    if quiet(how, at.hour):
        return False, False
    battery_mv = math.inf if at.battery_mv is None else at.battery_mv
    preview = preview and battery_mv >= how.pictures_mv
    return preview, refinement and preview and battery_mv >= how.refine_mv


def pictures_ever(how: Lora, spreading_factor: int) -> tuple[bool, bool]:
    """(previews, refinements) go at this data rate at all."""
    return spreading_factor <= PREVIEW_SF, (
        spreading_factor <= REFINEMENT_SF and how.refinement_bytes > 0
    )


def quiet(how: Lora, hour: float) -> bool:
    """Whether the hour is within the quiet ones, which may span midnight; none when both agree."""
    if how.quiet_from_h <= how.quiet_until_h:
        return how.quiet_from_h <= hour < how.quiet_until_h
    return hour >= how.quiet_from_h or hour < how.quiet_until_h


def symbol_size(length: int, most_bytes: int, most_symbols: int) -> int | None:
    """Bytes in a symbol, so that the symbols are as few as they can be and all alike; None when
    the object is too long for this data rate."""
    if length < 1 or most_bytes < 1:
        return None
    count = -(-length // most_bytes)
    return None if count > most_symbols else -(-length // count)


def least_wanted(jobs: Sequence[tuple[int, bool]]) -> int:
    """Which of the jobs, as (sighting, preview done), has to go when there is no room: the oldest
    refinement, and without one the oldest preview. Its place in the sequence."""
    return min(range(len(jobs)), key=lambda at: (not jobs[at][1], jobs[at][0]))
