"""The survey as others read it: frozen rows out of a read-only connection.

Promises not to change anything. What has come since the book was last open is not in it: open the
book (book.py) first, which reads it. Raises StoreError for a file that cannot be read.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from firmware.base.store import BUSY_TIMEOUT_S, DATABASE, StoreError
from firmware.base.survey.derive import SAME_S
from firmware.base.survey.statements import Statement, deployment_name, load_statement

_OBSERVATION = (
    "SELECT seq, unit, sighting, deployment, at_s, doubt, night, model, machine_species,"
    " machine_confidence, machine_count, road, species, count, sex, age, people, reviewed,"
    " reviewed_by, reviewed_s, event FROM observation"
)
_FLAGS = (5, 6, 16, 17)  # SQLite has no truth values


@dataclass(frozen=True)
class Deployment:
    """A unit at a place, as it stands after all statements. Open while `end_s` is None."""

    id: int
    unit: str
    place: str
    latitude: float
    longitude: float
    start_s: float
    end_s: float | None
    notes: str
    stated_by: str
    stated_s: float

    @property
    def name(self) -> str:
        return deployment_name(self.id)

    @property
    def solar_offset_s(self) -> float:
        """Mean solar time less UTC. Animals keep the sun's time, and it needs no time zone."""
        return self.longitude * 240.0


@dataclass(frozen=True)
class Observation:
    """One sighting: what the machine said, and what is believed after the reviews."""

    seq: int
    unit: str
    sighting: int
    deployment: int | None
    at_s: float
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
    reviewed_s: float | None
    event: int | None

    @property
    def name(self) -> str:
        return f"{self.unit}-{self.sighting:06d}"


@dataclass(frozen=True)
class Event:
    """Sightings of one species at one place that belong together."""

    seq: int
    unit: str
    deployment: int | None
    species: str
    start_s: float
    end_s: float
    sightings: int
    count: int


@dataclass(frozen=True)
class Picture:
    """One stored picture of a sighting."""

    unit: str
    sighting: int
    kind: str
    index: int
    sha256: str
    content_type: str


@dataclass(frozen=True)
class Said:
    """A statement as it was kept."""

    seq: int
    said_s: float
    who: str
    statement: Statement


class Reader:
    """Reads one book; a context manager."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / DATABASE
        with _errors(path):
            uri = f"{path.resolve().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._db.close()

    def deployments(self) -> list[Deployment]:
        """In the order in which they were stated."""
        rows = self._rows(
            "SELECT deployment.*, who, said_s FROM deployment JOIN statement ON id = seq"
            " ORDER BY id"
        )
        return [Deployment(*row) for row in rows]

    def observations(self) -> list[Observation]:
        """All, by time."""
        return [_observation(row) for row in self._rows(f"{_OBSERVATION} ORDER BY at_s, seq")]

    def observation(self, number: int) -> Observation:
        """One, by its number."""
        (row,) = self._rows(f"{_OBSERVATION} WHERE seq = ?", number)
        return _observation(row)

    def events(self) -> list[Event]:
        """All, by time."""
        return [Event(*row) for row in self._rows("SELECT * FROM event ORDER BY start_s, seq")]

    def find(self, unit: str, sighting: int) -> list[int]:
        """Numbers of the observations of this name: one, unless a unit used a number twice."""
        rows = self._rows(
            "SELECT seq FROM observation WHERE unit = ? AND sighting = ? ORDER BY seq",
            unit, sighting,
        )  # fmt: skip
        return [row[0] for row in rows]

    def record_of(self, unit: str, sighting: int, time_s: float) -> tuple[int, str] | None:
        """The observation that a record of this name and time is one with, and the road by which
        it came (radio or card)."""
        rows = self._rows(
            "SELECT seq, road FROM observation"
            " WHERE unit = ? AND sighting = ? AND abs(unit_s - ?) <= ? ORDER BY seq",
            unit, sighting, time_s, SAME_S,
        )  # fmt: skip
        return (rows[0][0], rows[0][1]) if rows else None

    def people_seen(self, number: int) -> bool:
        """Whether the machine's verdict of this observation saw people beside what it names."""
        rows = self._rows("SELECT machine_people FROM observation WHERE seq = ?", number)
        return bool(rows and rows[0][0])

    def heartbeats(self, unit: str) -> list[tuple[float, float]]:
        """When the unit lived: (from, until) in unix seconds, by time."""
        rows = self._rows(
            "SELECT slot * 600.0, until_s FROM heartbeat WHERE unit = ? ORDER BY slot", unit
        )
        return [(row[0], max(row[0], row[1])) for row in rows]

    def pictures(self) -> list[Picture]:
        """Every stored frame and preview, first come first where a name was used twice."""
        rows = self._rows(
            "SELECT unit, sighting, kind, idx, sha256, content_type FROM item"
            " WHERE kind IN ('frame', 'preview') ORDER BY unit, sighting, kind, idx, seq"
        )
        return [Picture(*row) for row in rows]

    def history(self, observation: int) -> list[tuple[Said, bool]]:
        """The reviews of an observation in the order said, each with whether it was undone."""
        rows = self._rows(
            "SELECT seq, said_s, who, kind, body, undone FROM review"
            " JOIN statement ON seq = statement WHERE observation = ? ORDER BY seq", observation,
        )  # fmt: skip
        return [(_said(*row[:5]), bool(row[5])) for row in rows]

    def statements(self) -> list[Said]:
        """Everything that was said, as it was said."""
        rows = self._rows("SELECT seq, said_s, who, kind, body FROM statement ORDER BY seq")
        return [_said(*row) for row in rows]

    def key(self) -> bytes:
        """The survey's secret for opaque names."""
        return bytes(self._rows("SELECT key FROM survey_key ORDER BY rowid LIMIT 1")[0][0])

    # Rows hold whatever SQLite holds; the dataclasses give them their types.
    def _rows(self, query: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        with _errors(self._path):
            return self._db.execute(query, values).fetchall()


def _observation(row: tuple) -> Observation:  # type: ignore[type-arg]
    values = list(row)
    for at in _FLAGS:
        values[at] = bool(values[at])
    return Observation(*values)


def _said(seq: int, said_s: float, who: str, kind: str, body: bytes) -> Said:
    return Said(seq, said_s, who, load_statement(kind, body))


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        hint = "" if path.exists() else "; has the base run yet?"
        raise StoreError(f"cannot read {path}: {error}{hint}") from error
