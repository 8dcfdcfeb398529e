"""What people say, as it is kept: each statement is one of these, as JSON, with who and when.

A statement is never changed. A wrong deployment is voided and stated anew; a wrong review is undone
or followed by another. `load_statement` is the inverse of `dump_record` and raises WireError.
"""

import math
from dataclasses import dataclass

from firmware.wire.alert import SPECIES
from firmware.wire.errors import WireError
from firmware.wire.ids import parse_unit
from firmware.wire.records import load_record, within

EMPTY, UNCERTAIN = "empty", "uncertain"
PEOPLE = ("human", "vehicle")
SEXES = ("", "female", "male")
AGES = ("", "adult", "subadult", "juvenile")
ACTIONS = ("confirm", "correct", "not_animal")
MAX_TEXT = 500
MAX_SECONDS = 2**33


@dataclass(frozen=True)
class Placed:
    """A unit stands at a place. `place`: its name or camera code; degrees are WGS 84; times are
    unix seconds UTC, and without `end_s` it still stands there."""

    unit: str
    place: str
    latitude: float
    longitude: float
    start_s: float
    end_s: float | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        parse_unit(self.unit)
        _text("place", self.place, least=1)
        _text("notes", self.notes)
        within("latitude", self.latitude, -90, 90)
        within("longitude", self.longitude, -180, 180)
        within("start_s", self.start_s, 0, MAX_SECONDS)
        if self.end_s is not None:
            within("end_s", self.end_s, math.nextafter(self.start_s, math.inf), MAX_SECONDS)


@dataclass(frozen=True)
class Ended:
    """The unit was taken away."""

    deployment: int
    end_s: float

    def __post_init__(self) -> None:
        within("end_s", self.end_s, 0, MAX_SECONDS)


@dataclass(frozen=True)
class Voided:
    """The deployment was stated wrongly and counts no more."""

    deployment: int
    reason: str

    def __post_init__(self) -> None:
        _text("reason", self.reason, least=1)


@dataclass(frozen=True)
class Review:
    """What a person says of an observation. `confirm`: it is as shown; `not_animal`: nothing is
    there; `correct`: the fields given replace what is shown. `people`: somebody, or a vehicle, is
    on the pictures whatever else is, so that none of them leaves the base."""

    observation: int
    action: str
    species: str = ""
    count: int | None = None
    sex: str = ""
    age: str = ""
    people: bool | None = None

    def __post_init__(self) -> None:
        _one_of("action", self.action, ACTIONS)
        _one_of("species", self.species, ("", *SPECIES))
        _one_of("sex", self.sex, SEXES)
        _one_of("age", self.age, AGES)
        within("count", 1 if self.count is None else self.count, 1, 1000)
        said = self.species or self.sex or self.age or self.people is not None or self.count
        if self.action == "correct" and not said:
            raise WireError("a correction must say what is to be corrected")
        if self.action != "correct" and (said or self.people is not None):
            raise WireError(f"action {self.action!r} takes no further fields")


@dataclass(frozen=True)
class Undone:
    """A review that no longer counts, by the number of its statement."""

    review: int


@dataclass(frozen=True)
class PeopleSeen:
    """The unit's own verdict, as its card has it, saw somebody beside what it names. No review: a
    person has not looked yet, and may say otherwise."""

    observation: int


@dataclass(frozen=True)
class Exported:
    """What left the base: a line of the audit."""

    form: str
    profile: str
    recipient: str
    folder: str
    rows: int
    pictures: int
    sha256: str


@dataclass(frozen=True)
class CardRead:
    """What an SD card's archive brought: a line of the audit."""

    folder: str
    sightings: int
    missed: int
    pictures: int
    bad: int


Statement = Placed | Ended | Voided | Review | Undone | PeopleSeen | Exported | CardRead
KINDS: dict[str, type[Statement]] = {
    "placed": Placed, "ended": Ended, "voided": Voided, "review": Review, "undone": Undone,
    "people_seen": PeopleSeen, "exported": Exported, "card": CardRead,
}  # fmt: skip
NAMES = {kind: name for name, kind in KINDS.items()}


def load_statement(kind: str, body: bytes) -> Statement:
    """One statement as it was kept. Raises WireError."""
    if kind not in KINDS:
        raise WireError(f"statement of the unknown kind {kind[:40]!r}")
    return load_record(body, KINDS[kind])


def deployment_name(number: int) -> str:
    """7 -> `D0007`."""
    return f"D{number:04d}"


def parse_deployment(text: str) -> int:
    """`D0007` -> 7. Raises WireError."""
    if text[:1] == "D" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 12:
        return int(text[1:])
    raise WireError(f"deployment {text[:40]!r} is not like D0007")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        known = ", ".join(v for v in allowed if v)
        raise WireError(f"{name} {value[:40]!r} is not one of {known}")


def _text(name: str, value: str, least: int = 0) -> None:
    within(f"length of {name}", len(value), least, MAX_TEXT)
    if not value.isprintable():
        raise WireError(f"{name} has characters that cannot be printed")
