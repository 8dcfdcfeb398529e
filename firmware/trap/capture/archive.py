"""Every frame stays on the card, until space runs out.

    archive/YYYY-MM-DD/<unit>-<sighting>/frame_1.jpg ... verdict.json

Promises that a file under its name is whole, and that a `verdict.json` stands for a complete
sighting. Below the least free space, whole sightings go by one sort key: empties first, then what
is no leopard, then leopards; the older first, by sighting number, because the clock may have been
wrong. What the base has not confirmed goes only when the new sighting would not fit at all. Each
deletion is counted, and is an ERROR when it takes a leopard or something unsent.

The outbox has its own copy of what is to be sent; nothing here is needed to deliver it.
"""

import datetime
import errno
import heapq
import json
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from firmware.durable import sync_directory, write_file
from firmware.trap.capture.policy import Burst
from firmware.trap.capture.verdict import EMPTY, LEOPARD

log = logging.getLogger(__name__)

UNKNOWN = "unknown"  # the verdict of a sighting that a power cut left half written
_NAME = re.compile(r"T[0-9A-F]{4}-([0-9]{6,10})")
_Entry = tuple[bool, bool, int, str, Path]  # the sort key first; then the label and the folder


class ArchiveError(Exception):
    """A sighting that is not on the card: why, and what to do."""


class Archive:
    """One unit's card. `unsent()`: numbers of the sightings that still wait in the outbox;
    `free_bytes`: of the file system that a path lies on. `deleted` counts by label."""

    def __init__(
        self,
        root: Path,
        min_free_bytes: int,
        unsent: Callable[[], Container[int]],
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes
        self._unsent = unsent
        self._free_bytes = free_bytes or _free_bytes
        self._entries: list[_Entry] | None = None  # a heap, read from the card when first needed
        self.deleted: Counter[str] = Counter()

    def store(self, burst: Burst) -> Path:
        """The folder, when all of it is on the disk. Raises ArchiveError."""
        day = datetime.datetime.fromtimestamp(burst.time_s, datetime.UTC).date().isoformat()
        folder = self._root / day / f"{burst.unit}-{burst.sighting:06d}"
        try:
            self._root.mkdir(exist_ok=True)
            self._make_room(sum(map(len, burst.jpegs)))
            folder.mkdir(parents=True, exist_ok=True)
            for number, jpeg in enumerate(burst.jpegs, 1):
                write_file(folder / f"frame_{number}.jpg", jpeg)
            write_file(folder / "verdict.json", _verdict_json(burst))
            for directory in (folder, folder.parent, self._root):
                sync_directory(directory)
        except OSError as error:
            self._remember(folder, UNKNOWN, burst.sighting)  # what was written must be able to go
            raise ArchiveError(f"{folder}: cannot be written: {error.strerror}") from error
        self._remember(folder, burst.verdict.label, burst.sighting)
        return folder

    def _remember(self, folder: Path, label: str, sighting: int) -> None:
        if self._entries is not None:
            heapq.heappush(self._entries, _entry(folder, label, sighting))

    def numbers(self) -> Iterator[int]:
        """Sighting numbers on the card."""
        for _, number in self._folders():
            yield number

    def _make_room(self, need_bytes: int) -> None:
        """Delete until the sighting fits above the least free space, or nothing is left to."""
        if self._free_bytes(self._root) >= self._min_free_bytes + need_bytes:
            return
        entries = self._entries = self._entries or self._scan()
        unsent = self._unsent()
        spared: list[_Entry] = []
        while entries and self._free_bytes(self._root) < self._min_free_bytes + need_bytes:
            entry = heapq.heappop(entries)
            if entry[2] in unsent:
                spared.append(entry)
            else:
                self._delete(entry, unsent=False)
        while spared and self._free_bytes(self._root) < need_bytes:
            self._delete(spared.pop(0), unsent=True)
        for entry in spared:
            heapq.heappush(entries, entry)

    def _scan(self) -> list[_Entry]:
        entries = [_entry(folder, _label(folder), number) for folder, number in self._folders()]
        heapq.heapify(entries)
        return entries

    def _delete(self, entry: _Entry, *, unsent: bool) -> None:
        _, _, number, label, folder = entry
        try:
            shutil.rmtree(folder)
            if not any(folder.parent.iterdir()):
                folder.parent.rmdir()
        except FileNotFoundError:  # a person was here first
            return
        except OSError as error:
            if error.errno == errno.EROFS:  # then none of the others will go either
                raise
            log.error("archive_stuck folder=%s reason=%s", folder, error.strerror)  # noqa: TRY400
            return
        self.deleted[label] += 1
        level = logging.ERROR if unsent or label == LEOPARD else logging.INFO
        log.log(level, "archive_deleted sighting=%d verdict=%s unsent=%s total=%d",
                number, label, unsent, self.deleted.total())  # fmt: skip

    def _folders(self) -> Iterator[tuple[Path, int]]:
        for folder in self._root.glob("*/*"):
            if match := _NAME.fullmatch(folder.name):
                yield folder, int(match[1])


def _entry(folder: Path, label: str, number: int) -> _Entry:
    return (label == LEOPARD, label != EMPTY, number, label, folder)


def _label(folder: Path) -> str:
    try:
        return str(json.loads((folder / "verdict.json").read_bytes())["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN


def _verdict_json(burst: Burst) -> bytes:
    facts: dict[str, Any] = asdict(burst)
    verdict = facts.pop("verdict")
    facts["frames"] = len(facts.pop("jpegs"))
    facts["verdict"] = verdict.pop("label")
    verdict["scores"] = {name: round(p, 4) for name, p in verdict["scores"].items()}
    return json.dumps(facts | verdict, indent=1).encode()


def _free_bytes(path: Path) -> int:
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize
