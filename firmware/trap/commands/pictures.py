"""The full pictures of a sighting, out of the archive (its layout: `capture/archive.py`).

Reads only, and needs nothing of the capture daemon: it runs in the uplink's process. Does not
promise that a sighting is still there, for the archive deletes when space runs out.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"frame_([1-9][0-9]{0,2})\.jpg", re.ASCII)


@dataclass(frozen=True)
class Found:
    """Picture files by their number, from 1. `people`: a person or vehicle may be on them, also
    where the verdict that would say so cannot be read."""

    files: dict[int, Path]
    people: bool


def find_pictures(archive: Path, unit: str, sighting: int) -> Found:
    """What the archive has of a sighting; nothing where it has none."""
    folder = next(archive.glob(f"*/{unit}-{sighting:06d}"), None)
    if folder is None:
        return Found({}, people=False)
    names = [(_NAME.fullmatch(file.name), file) for file in sorted(folder.iterdir())]
    files = {int(match[1]): file for match, file in names if match}
    return Found(files, _people(folder / "verdict.json"))


def _people(verdict: Path) -> bool:
    try:
        return json.loads(verdict.read_bytes())["people"] is not False
    except (OSError, ValueError, KeyError, TypeError):
        return True
