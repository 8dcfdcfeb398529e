"""What the capture daemon has done: written by it after each burst, read for health reports.

    <data_dir>/activity.json

Promises that a reader finds one whole state or none; a power cut may lose the last burst's. The
counts go on across restarts and begin anew where the file is lost.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from firmware.durable import write_file
from firmware.wire.errors import WireError
from firmware.wire.records import load_record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Activity:
    """`model`: id of the one that runs; `labels`: what it has thresholds for, between spaces;
    `bursts`, `empty`: how many in all; `last_burst_s`: unix seconds by the unit's clock."""

    model: str = ""
    labels: str = ""
    bursts: int = 0
    empty: int = 0
    last_burst_s: float | None = None


def read_activity(data_dir: Path) -> Activity:
    """The last state, or an empty one where there is none that can be read."""
    try:
        return load_record(_file(data_dir).read_bytes(), Activity)
    except (OSError, WireError):
        return Activity()


class ActivityLog:
    """The capture daemon's; failing to write is no failure of a burst."""

    def __init__(self, data_dir: Path, model: str, labels: Iterable[str]) -> None:
        self._data_dir = data_dir
        self._activity = replace(
            read_activity(data_dir), model=model, labels=" ".join(sorted(labels))
        )
        self._write()

    def burst(self, time_s: float, *, empty: bool) -> None:
        """One more burst, at this time."""
        before = self._activity
        self._activity = replace(
            before, bursts=before.bursts + 1, empty=before.empty + empty, last_burst_s=time_s
        )
        self._write()

    def _write(self) -> None:
        try:
            write_file(_file(self._data_dir), json.dumps(asdict(self._activity)).encode())
        except OSError as error:
            log.warning("activity_not_written reason=%s", error.strerror)


def _file(data_dir: Path) -> Path:
    return data_dir / "activity.json"
