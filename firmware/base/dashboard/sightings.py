"""Sightings as pages need them, out of a read-only connection: a page at a time, by keyset, so that
the hundredth page costs what the first does.

`hidden`: people are, or may be, on the pictures: a person or vehicle is the verdict, was seen
beside the animal, or another record of the same name says so and nobody has looked yet.
"""

import dataclasses
import sqlite3
from dataclasses import dataclass

PER_PAGE = 24
MOST_IN_EVENT = 200

_HIDDEN = (
    "(EXISTS (SELECT 1 FROM observation x WHERE x.unit = o.unit AND x.sighting = o.sighting"
    " AND x.people = 1) OR (o.reviewed = 0 AND EXISTS (SELECT 1 FROM sighting x"
    " WHERE x.unit = o.unit AND x.sighting = o.sighting"
    " AND (x.people = 1 OR x.species IN ('human', 'vehicle')))))"
)
_SELECT = (
    "SELECT o.seq, o.unit, o.sighting, o.at_s, o.received_s, o.doubt, o.night, o.model,"
    " o.machine_species, o.machine_confidence, o.machine_count, o.road, o.species, o.count, o.sex,"
    f" o.age, o.people, o.reviewed, o.reviewed_by, o.event, {_HIDDEN}, d.place,"
    " s.clock, s.burst_frames, s.frames, s.battery_mv, s.temperature_c, s.tamper"
    " FROM observation o LEFT JOIN sighting s ON s.seq = o.seq"
    " LEFT JOIN deployment d ON d.id = o.deployment"
)
_RANK = {"frame": 0, "preview": 1}


@dataclass(frozen=True)
class Shot:
    """One stored picture of a sighting."""

    kind: str
    index: int
    sha256: str
    content_type: str
    bytes: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.index}"


@dataclass(frozen=True)
class Sighting:
    """One row, with its pictures, the best one first."""

    seq: int
    unit: str
    number: int
    at_s: float
    received_s: float
    doubt: bool
    night: bool
    model: str
    machine_species: str
    machine_confidence: float
    machine_count: int
    road: str
    species: str
    count: int
    sex: str
    age: str
    people: bool
    reviewed: bool
    reviewed_by: str | None
    event: int | None
    hidden: bool
    place: str | None
    clock: str | None
    burst_frames: int | None
    frames: int | None
    battery_mv: int | None
    temperature_c: float | None
    tamper: bool | None
    shots: tuple[Shot, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.unit}-{self.number:06d}"

    @property
    def key(self) -> str:
        """Where the next page goes on."""
        return f"{self.at_s!r}:{self.seq}"

    @property
    def best(self) -> Shot | None:
        """What to show of it: a full frame, else the refined preview, else the first one."""
        return self.shots[0] if self.shots else None

    @property
    def full(self) -> tuple[Shot, ...]:
        """Its full frames."""
        return tuple(shot for shot in self.shots if shot.kind == "frame")


@dataclass(frozen=True)
class Filter:
    """What a list is about; empty fields ask nothing. Times are unix seconds, `to_s` not included;
    `before`: where to go on, as `Sighting.key` has it."""

    species: str = ""
    unit: str = ""
    from_s: float | None = None
    to_s: float | None = None
    before: tuple[float, int] | None = None
    unreviewed: bool = False


def find(db: sqlite3.Connection, wanted: Filter, most: int = PER_PAGE) -> list[Sighting]:
    """The newest first."""
    asks, values = _where(wanted)
    where = f" WHERE {' AND '.join(asks)}" if asks else ""
    rows = db.execute(f"{_SELECT}{where} ORDER BY o.at_s DESC, o.seq DESC LIMIT ?", (*values, most))
    return [_sighting(db, row) for row in rows.fetchall()]


def one(db: sqlite3.Connection, seq: int) -> Sighting | None:
    """The sighting of that number."""
    row = db.execute(f"{_SELECT} WHERE o.seq = ?", (seq,)).fetchone()
    return None if row is None else _sighting(db, row)


def event_of(db: sqlite3.Connection, sighting: Sighting) -> list[Sighting]:
    """All sightings of its event, by time; itself alone where it is in none."""
    if sighting.event is None:
        return [sighting]
    rows = db.execute(
        f"{_SELECT} WHERE o.unit = ? AND o.species = ? AND o.event = ?"
        " AND o.at_s BETWEEN (SELECT start_s FROM event WHERE seq = ?3)"
        " AND (SELECT end_s FROM event WHERE seq = ?3) ORDER BY o.at_s, o.seq LIMIT ?4",
        (sighting.unit, sighting.species, sighting.event, MOST_IN_EVENT),
    )
    return [_sighting(db, row) for row in rows.fetchall()]


def waiting(db: sqlite3.Connection, most: int = 1000) -> int:
    """How many nobody has looked at; `most` where there are more."""
    (count,) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM observation WHERE reviewed = 0"
        " AND species <> 'empty' LIMIT ?)", (most,),
    ).fetchone()  # fmt: skip
    return int(count)


def units(db: sqlite3.Connection) -> list[str]:
    """All unit ids."""
    return [row[0] for row in db.execute("SELECT unit FROM unit ORDER BY unit")]


def _where(wanted: Filter) -> tuple[list[str], list[object]]:
    asks: list[str] = []
    values: list[object] = []

    def ask(clause: str, *given: object) -> None:
        asks.append(clause)
        values.extend(given)

    if wanted.unreviewed:
        ask("o.reviewed = 0")
        if not wanted.species:
            ask("o.species <> 'empty'")
    if wanted.species:
        ask("o.species = ?", wanted.species)
    if wanted.unit:
        ask("o.unit = ?", wanted.unit)
    if wanted.from_s is not None:
        ask("o.at_s >= ?", wanted.from_s)
    if wanted.to_s is not None:
        ask("o.at_s < ?", wanted.to_s)
    if wanted.before is not None:
        ask("(o.at_s, o.seq) < (?, ?)", *wanted.before)
    return asks, values


def _sighting(db: sqlite3.Connection, row: tuple) -> Sighting:  # type: ignore[type-arg]
    values = list(row)
    for at in (5, 6, 16, 17, 20):  # SQLite has no truth values
        values[at] = bool(values[at])
    return dataclasses.replace(Sighting(*values), shots=_shots(db, values[1], values[2]))


def _shots(db: sqlite3.Connection, unit: str, number: int) -> tuple[Shot, ...]:
    rows = db.execute(
        "SELECT kind, idx, sha256, content_type, bytes FROM item WHERE unit = ? AND sighting = ?"
        " AND kind IN ('frame', 'preview') ORDER BY seq", (unit, number),
    )  # fmt: skip
    first: dict[tuple[str, int], Shot] = {}
    for row in rows:
        first.setdefault((row[0], row[1]), Shot(*row))  # others under the name are conflicts
    shots = sorted(first.values(), key=lambda s: (_RANK[s.kind], s.index))
    previews = [shot for shot in shots if shot.kind == "preview"]
    return (*[s for s in shots if s.kind == "frame"], *reversed(previews))  # 1 refines 0
