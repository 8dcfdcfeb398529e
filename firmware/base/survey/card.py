"""A unit's SD card, as its archive keeps it: what can be read of it, and what cannot.

    [archive/]YYYY-MM-DD/<unit>-<sighting>/frame_1.jpg ... verdict.json

Promises that nothing but `CardError` escapes for one bad folder or file, so that one rotten sector
costs one warning and not the card. Links are not followed, and files that are too large are not
read. A sighting whose verdict is lost still has its pictures.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware.wire.errors import WireError
from firmware.wire.ids import MAX_INDEX, MAX_SIGHTING, parse_unit
from firmware.wire.records import MAX_RECORD_BYTES, Clock, Sighting, load_record

ARCHIVE = "archive"
VERDICT = "verdict.json"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SIGHTING = re.compile(r"(T[0-9A-F]{4})-([0-9]{6,10})", re.ASCII)
_FRAME = re.compile(r"frame_([1-9][0-9]{0,2})\.jpg", re.ASCII)


class CardError(Exception):
    """One thing on the card that cannot be read: which, and why."""


@dataclass(frozen=True)
class Folder:
    """One sighting's folder."""

    path: Path
    unit: str
    sighting: int


@dataclass(frozen=True)
class Kept:
    """What the unit knew of a sighting. `people`: its verdict saw somebody or a vehicle, whatever
    it named."""

    record: Sighting
    people: bool


@dataclass(frozen=True)
class _Verdict:
    """The part of verdict.json that the base needs."""

    unit: str
    sighting: int
    time_s: float
    clock: Clock
    night: bool
    model: str
    frames: int
    verdict: str
    confidence: float
    individuals: int = 0
    people: bool = False


def folders(card: Path) -> Iterator[Folder | CardError]:
    """Every sighting's folder, by day and name; a folder that cannot be listed is an error among
    them. `card`: where it is mounted, or the archive in it."""
    root = card / ARCHIVE if (card / ARCHIVE).is_dir() else card
    for day in _listed(root):
        if isinstance(day, CardError):
            yield day
        elif _DAY.fullmatch(day.name) and _is_folder(day):
            yield from _in_day(day)


def _in_day(day: Path) -> Iterator[Folder | CardError]:
    for path in _listed(day):
        if isinstance(path, CardError):
            yield path
            continue
        match = _SIGHTING.fullmatch(path.name)
        if not match or not _is_folder(path):
            continue
        try:
            parse_unit(match[1])
        except WireError as error:
            yield CardError(f"{path}: {error}")
            continue
        if int(match[2]) <= MAX_SIGHTING:
            yield Folder(path, match[1], int(match[2]))
        else:
            yield CardError(f"{path}: sighting number {match[2]} is not a u32")


def read_verdict(folder: Folder) -> Kept:
    """The sighting's record. Raises CardError."""
    path = folder.path / VERDICT
    try:
        said = load_record(read_file(path, MAX_RECORD_BYTES), _Verdict)
        if (said.unit, said.sighting) != (folder.unit, folder.sighting):
            raise WireError(f"is of {said.unit[:10]}-{said.sighting}, another sighting")
        record = Sighting(
            unit=said.unit, sighting=said.sighting, time_s=round(said.time_s, 3),
            species=said.verdict, confidence=round(said.confidence, 4),
            individuals=said.individuals, burst_frames=said.frames, night=said.night,
            clock=said.clock, model=said.model, frames=said.frames, people=said.people,
        )  # fmt: skip
    except WireError as error:
        raise CardError(f"{path}: {error}") from error
    return Kept(record, said.people)


def frames(folder: Folder) -> list[tuple[int, Path]]:
    """The sighting's pictures by number. Raises CardError."""
    found = []
    for path in _listed(folder.path):
        if isinstance(path, CardError):
            raise path
        match = _FRAME.fullmatch(path.name)
        if match and int(match[1]) <= MAX_INDEX:
            found.append((int(match[1]), path))
    return sorted(found)


def read_file(path: Path, most_bytes: int) -> bytes:
    """A plain file of at most so many bytes. Raises CardError."""
    try:
        if path.is_symlink() or not path.is_file():
            raise CardError(f"{path}: is missing or no plain file")
        with path.open("rb") as file:
            body = file.read(most_bytes + 1)
    except OSError as error:
        raise CardError(f"{path}: cannot be read: {error.strerror}") from error
    if len(body) > most_bytes:
        raise CardError(f"{path}: is larger than {most_bytes} bytes")
    return body


def _listed(folder: Path) -> Iterator[Path | CardError]:
    try:
        yield from sorted(folder.iterdir())
    except OSError as error:
        yield CardError(f"{folder}: cannot be listed: {error.strerror}")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not path.is_symlink()
    except OSError:
        return False
