"""What has arrived, for `rosette base list`: reads the store beside a running receiver.

Promises one entry for each sighting of which anything was stored, in order of arrival, also where
only pictures have come so far. Opens the database read-only and changes nothing.
"""

import contextlib
import dataclasses
import datetime
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from firmware.base.settings import BaseSettings
from firmware.base.store import DATABASE, StoreError

_QUERY = """
    SELECT arrived.*, time_s, clock, species, confidence, individuals, night, frames
    FROM (
        SELECT unit, sighting AS number, min(received_s), min(seq) AS first,
               count(DISTINCT idx) FILTER (WHERE kind = 'frame'),
               count(DISTINCT idx) FILTER (WHERE kind = 'preview'),
               sum(conflict)
        FROM item WHERE kind IN ('sighting', 'frame', 'preview') GROUP BY unit, sighting
    ) AS arrived
    LEFT JOIN sighting ON sighting.seq = (
        SELECT min(seq) FROM sighting AS s WHERE s.unit = arrived.unit AND s.sighting = number
    )
    ORDER BY first
"""


@dataclass(frozen=True)
class Listed:
    """One sighting. `time_s` is by the unit's clock and `received_s` by the base's (unix seconds
    UTC); `pictures` of the `frames` announced have been stored, and `previews`, small pictures that
    came by LoRa; `conflicts` more items came under a name already taken. What only the record tells
    is None until it comes."""

    sighting: str
    received_s: float
    pictures: int
    previews: int
    conflicts: int
    time_s: float | None = None
    clock: str | None = None
    species: str | None = None
    confidence: float | None = None
    individuals: int | None = None
    night: bool | None = None
    frames: int | None = None


def list_sightings(settings: BaseSettings) -> Iterator[Listed]:
    """Every sighting, newest last. Raises StoreError."""
    path = settings.store.data_dir / DATABASE
    try:
        with contextlib.closing(_open(path.resolve().as_uri())) as db:
            for row in db.execute(_QUERY):
                yield _listed(*row)
    except sqlite3.DatabaseError as error:
        hint = "" if path.exists() else "; has the base run yet?"
        raise StoreError(f"cannot read {path}: {error}{hint}") from error


def print_sightings(
    sightings: Iterable[Listed], *, as_json: bool, out: TextIO | None = None
) -> None:
    """One line each, on stdout by default."""
    for sighting in sightings:
        line = json.dumps(dataclasses.asdict(sighting)) if as_json else _text(sighting)
        (out or sys.stdout).write(line + "\n")


def _listed(
    unit: str, number: int, received_s: float, first: int, pictures: int, previews: int,
    conflicts: int, time_s: float | None, clock: str | None, species: str | None,
    confidence: float | None, individuals: int | None, night: int | None, frames: int | None,
) -> Listed:  # fmt: skip
    return Listed(
        f"{unit}-{number:06d}", received_s, pictures, previews, conflicts, time_s, clock,
        species, confidence, individuals, None if night is None else bool(night), frames,
    )  # fmt: skip


def _open(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=5.0)


def _text(sighting: Listed) -> str:
    what = "(record not here yet)"
    if sighting.species is not None:
        what = f"{sighting.species} {sighting.confidence:.2f} x{sighting.individuals}"
    pictures = f"pictures {sighting.pictures}/{'?' if sighting.frames is None else sighting.frames}"
    previews = f"  by LoRa {sighting.previews}" if sighting.previews else ""
    conflicts = f"  CONFLICTS {sighting.conflicts}" if sighting.conflicts else ""
    received = datetime.datetime.fromtimestamp(sighting.received_s, datetime.UTC)
    came = f"{received:%Y-%m-%dT%H:%M:%SZ}  {sighting.sighting}"
    return f"{came}  {what:<28} {pictures}{previews}{conflicts}"
