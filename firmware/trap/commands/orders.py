"""What the base has ordered, and how far it has been obeyed: one small file for all processes.

    <data_dir>/orders.json     the highest number judged, the last answers, and what is in force
    <data_dir>/orders.lock     held by whoever is at work on a command

Promises: a change is whole and on the card when `change` returns, or it is not there; so a number,
its answer and what it changed are one. Two processes never work on a command at once. Reading costs
one look at the file's time while nothing changes.

A file that cannot be understood is moved aside, and the unit begins without orders: its config is
in force again, and only the links' own replay protection and the commands' expiry keep old
commands out. The same is true of a fresh card.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from firmware.durable import sync_directory, write_file
from firmware.wire.commands import Command, CommandResult
from firmware.wire.errors import WireError
from firmware.wire.records import record_from

log = logging.getLogger(__name__)

ANSWERS_KEPT = 32


@dataclass(frozen=True)
class Mute:
    """Nothing is transmitted from `from_s` for `seconds`; unix seconds by the unit's clock."""

    from_s: float
    seconds: int


@dataclass(frozen=True)
class Begun:
    """A command that is being carried out, and how often that has been begun."""

    command: Command
    attempts: int


@dataclass(frozen=True)
class Orders:
    """`highest`: number of the last command in order; `answers`: the last ones, oldest first;
    `thresholds`, `interval_s`, `mute`: what is in force over the config, if anything is."""

    highest: int = 0
    answers: tuple[CommandResult, ...] = ()
    begun: Begun | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    interval_s: int | None = None
    mute: Mute | None = None

    def answer(self, number: int) -> CommandResult | None:
        """What the command of this number was answered, if that is still known."""
        return next((kept for kept in self.answers if kept.number == number), None)

    def answered(self, result: CommandResult) -> "Orders":
        """With this answer in place of an earlier one to the same number, and nothing begun."""
        others = tuple(kept for kept in self.answers if kept.number != result.number)
        return replace(
            self,
            highest=max(self.highest, result.number),
            answers=(*others, result)[-ANSWERS_KEPT:],
            begun=None,
        )

    def silent_s(self, now_s: float) -> float:
        """For how long nothing may be transmitted; 0.0 for no mute. One that the clock, having
        been set back, has moved into the future is over: silence must not outlast its order."""
        if self.mute is None or not 0 <= now_s - self.mute.from_s < self.mute.seconds:
            return 0.0
        return self.mute.from_s + self.mute.seconds - now_s


class OrdersFile:
    """One per process and user of the file; `read` never fails."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "orders.json"
        self._lock = data_dir / "orders.lock"
        self._seen: tuple[int, ...] | None = None
        self._orders = Orders()

    def read(self) -> Orders:
        """What is in force now; where the file cannot be read, what was when it last could."""
        try:
            found = self.path.stat()
        except OSError:  # nothing was ever ordered, or the card is gone
            return self._orders
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._orders = _parse(self.path.read_bytes())
            except (OSError, WireError) as error:
                log.error("orders_unreadable file=%s reason=%s", self.path, error)  # noqa: TRY400
        return self._orders

    @contextmanager
    def alone(self) -> Iterator[Orders]:
        """The orders as they are on the card, and nobody else at work on them within the context.
        Raises OSError."""
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._load()
        finally:
            os.close(lock)

    def change(self, orders: Orders) -> None:
        """Put the orders on the card; only within `alone`. Raises OSError, and then they are as
        they were."""
        write_file(self.path, json.dumps(asdict(orders), indent=1).encode())
        sync_directory(self.path.parent)

    def _load(self) -> Orders:
        try:
            return _parse(self.path.read_bytes())
        except FileNotFoundError:
            return Orders()
        except WireError as error:
            aside = self.path.with_suffix(".damaged")
            self.path.replace(aside)
            log.error("orders_lost file=%s kept_as=%s reason=%s", self.path, aside.name, error)  # noqa: TRY400
            return Orders()


def _parse(content: bytes) -> Orders:
    """The file's content. Raises WireError."""
    try:
        raw = json.loads(content)
        begun, mute = raw["begun"], raw["mute"]
        return Orders(
            highest=int(raw["highest"]),
            answers=tuple(record_from(answer, CommandResult) for answer in raw["answers"]),
            begun=begun and Begun(record_from(begun["command"], Command), int(begun["attempts"])),
            thresholds={str(name): float(value) for name, value in raw["thresholds"].items()},
            interval_s=None if raw["interval_s"] is None else int(raw["interval_s"]),
            mute=mute and record_from(mute, Mute),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"not what this firmware writes: {error!r}") from error
