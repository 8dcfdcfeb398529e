"""How exact an export may be.

    public     for the web and GBIF: the centre of a fixed 0.1 degree cell, months instead of
               times, nothing younger than the embargo, animals only, names that say nothing
    partner    for a named recipient: exact places and times, no people
    internal   for the survey's own analysts: everything but pictures of people

A public value depends on nothing finer than the cell and the month, so averaging many exports, or
many rows of one, gives no more. Pure.
"""

import datetime
import hashlib
import hmac
import math
from dataclasses import dataclass

CELLS_A_DEGREE = 10
CELL_DEGREES = 1 / CELLS_A_DEGREE
METRES_A_DEGREE = 111_320.0


@dataclass(frozen=True)
class Profile:
    """`people`: observations of people and vehicles are listed (their pictures never are);
    `unreviewed`: pictures may leave that only the machine has looked at; `recipient`: one must be
    named."""

    name: str
    exact: bool
    people: bool
    unreviewed: bool
    recipient: bool


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("public", exact=False, people=False, unreviewed=False, recipient=False),
        Profile("partner", exact=True, people=False, unreviewed=False, recipient=True),
        Profile("internal", exact=True, people=True, unreviewed=True, recipient=False),
    )
}


def cell_centre(degrees: float, most: int = 180) -> float:
    """The middle of the 0.1 degree cell; `most`: 90 for latitudes, 180 for longitudes."""
    cell = min(math.floor(degrees * CELLS_A_DEGREE), most * CELLS_A_DEGREE - 1)
    return (2 * cell + 1) / (2 * CELLS_A_DEGREE)


def cell_radius_m(latitude: float) -> int:
    """From the centre of the cell around this latitude to its farthest corner."""
    nearest = max(0.0, abs(cell_centre(latitude, 90)) - CELL_DEGREES / 2)
    half = CELL_DEGREES / 2 * METRES_A_DEGREE
    return math.ceil(math.hypot(half, half * math.cos(math.radians(nearest))))


def month_start(at_s: float) -> float:
    """The first second of the month, UTC."""
    time = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    return datetime.datetime(time.year, time.month, 1, tzinfo=datetime.UTC).timestamp()


def month_end(at_s: float) -> float:
    """The first second of the month after, UTC."""
    return month_start(month_start(at_s) + 32 * 86400.0)


def opaque(key: bytes, kind: str, name: str) -> str:
    """A name that stays the same from one export to the next and says nothing without the key."""
    return hmac.new(key, f"{kind}:{name}".encode(), hashlib.sha256).hexdigest()[:20]
