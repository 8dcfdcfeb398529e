"""Says how the unit is, every so often: a health report into each link's outbox.

Promises
- One report an interval of the boot's monotonic clock, whichever processes are there to make it
  (the last one is noted in `report.json` under a lock), and one soon after each boot.
- At most one report waits in an outbox: a newer one takes its place, so a link that comes back
  after weeks brings one report and not a thousand.
- What goes over both links is the same bytes (`wire.health.on_air`).
- Numbers rise also where the clock does not; a report says its time only where the clock agrees.

A report that cannot be put or noted (full disk) is told and tried again in a while; nothing else
suffers. Bursts are counted since the last report that may have left the unit.
"""

import fcntl
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import firmware
from firmware.durable import sync_directory, write_file
from firmware.trap.activity import Activity, read_activity
from firmware.trap.outbox import Outbox, OutboxError
from firmware.trap.vitals import Vitals
from firmware.wire.errors import WireError
from firmware.wire.health import Health, on_air
from firmware.wire.ids import ItemId, parse_unit, rising
from firmware.wire.records import Clock, dump_record, load_record

log = logging.getLogger(__name__)

PRIORITY = 3
"""With the pictures that nobody waits for: it never makes a leopard wait, nor takes its place."""
AGAIN_S = 300.0
_VERSION = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}", re.ASCII)


@dataclass(frozen=True)
class Last:
    """The last report: its number, the boot it was made in and when on its monotonic clock; the
    totals of bursts then, and those from which it counts."""

    number: int = 0
    boot: str = ""
    monotonic_s: float = 0.0
    bursts: int = 0
    empty: int = 0
    from_bursts: int = 0
    from_empty: int = 0


class Reporter:
    """One per uplink process. `monotonic` must be the same clock in all of them (it is the kernel's
    on Linux); `boot` names the run of it; `interval_s` is asked each time."""

    def __init__(
        self,
        unit: str,
        data_dir: Path,
        outboxes: Sequence[Outbox],
        interval_s: Callable[[], float],
        vitals: Callable[[], Vitals],
        now: Callable[[], float],
        monotonic: Callable[[], float],
        clock: Callable[[], Clock],
        boot: str,
    ) -> None:
        self._unit, self._data_dir, self._outboxes = unit, data_dir, outboxes
        self._interval_s, self._vitals = interval_s, vitals
        self._now, self._monotonic, self._clock, self._boot = now, monotonic, clock, boot
        self._look_due_s = monotonic()
        self._looked_for_s = 0.0
        self._told = False

    def step(self) -> float:
        """Report if it is due; the seconds until it will be."""
        interval_s = self._interval_s()
        if interval_s != self._looked_for_s:  # ordered otherwise since we last looked
            self._look_due_s = self._monotonic()
            self._looked_for_s = interval_s
        if self._monotonic() >= self._look_due_s:
            self._look_due_s = self._monotonic() + self._look(interval_s)
        return max(0.0, self._look_due_s - self._monotonic())

    def _look(self, interval_s: float) -> float:
        """Make the report unless another process has; the seconds until the next look."""
        try:
            with self._alone():
                last = _read(self._data_dir)
                since_s = self._monotonic() - last.monotonic_s
                if last.boot == self._boot and 0 <= since_s < interval_s:
                    return interval_s - since_s
                self._report(last)
        except (OSError, OutboxError, WireError) as error:
            if not self._told:
                log.warning("health_not_reported reason=%r", str(error))
            self._told = True
            return min(AGAIN_S, interval_s)
        self._told = False
        return interval_s

    def _report(self, last: Last) -> None:
        activity, clock, now_s = read_activity(self._data_dir), self._clock(), self._now()
        trusted_s = now_s if clock != "unsynced" or last.number == 0 else 0.0
        number = rising(last.number, trusted_s)
        before = ItemId(parse_unit(self._unit), last.number, "health")
        if any(outbox.tries(before) != 0 for outbox in self._outboxes):  # it may have left
            last = replace(last, from_bursts=last.bursts, from_empty=last.empty)
        report = self._health(number, last, activity, clock, now_s)
        for outbox in self._outboxes:
            self._put(outbox, before, report)
        note = Last(
            number, self._boot, self._monotonic(), activity.bursts, activity.empty,
            last.from_bursts, last.from_empty,
        )  # fmt: skip
        write_file(_file(self._data_dir), json.dumps(asdict(note)).encode())
        sync_directory(self._data_dir)
        log.info("health number=%d waiting=%d disk_free_mb=%d", number, report.waiting,
                 report.disk_free_mb)  # fmt: skip

    def _health(
        self, number: int, last: Last, activity: Activity, clock: Clock, now_s: float
    ) -> Health:
        vitals = self._vitals()
        stats = [outbox.stats() for outbox in self._outboxes]
        held = [(s.items[state], s.bytes[state]) for s in stats for state in ("waiting", "sending")]
        since_s = math.nan if activity.last_burst_s is None else now_s - activity.last_burst_s
        cpu_c = vitals.cpu_c
        return on_air(Health(
            unit=self._unit, number=number, time_s=number if number == int(now_s) else None,
            clock=clock, uptime_min=int(vitals.uptime_s / 60),
            disk_free_mb=vitals.disk_free_bytes // 10**6,
            waiting=sum(items for items, _ in held),
            waiting_kb=sum(size for _, size in held) // 1000,
            bursts=_since(activity.bursts, last.from_bursts),
            empty=_since(activity.empty, last.from_empty),
            quiet_min=int(since_s / 60) if since_s >= 0 else None,
            battery_mv=vitals.battery_mv,
            cpu_c=None if cpu_c is None else max(-127, min(127, round(cpu_c))),
            firmware=firmware.__version__ if _VERSION.fullmatch(firmware.__version__) else "",
            model=activity.model,
        ))  # fmt: skip

    def _put(self, outbox: Outbox, before: ItemId, report: Health) -> None:
        item, body = replace(before, sighting=report.number), dump_record(report)
        if not outbox.replace(before, item, body, "application/json", self._now()):
            outbox.put(item, body, "application/json", PRIORITY, self._now())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self._data_dir / "report.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _since(total: int, before: int) -> int:
    """The total may have begun anew."""
    return total - before if total >= before else total


def _read(data_dir: Path) -> Last:
    try:
        return load_record(_file(data_dir).read_bytes(), Last)
    except (OSError, WireError):  # the first report, or a damaged card
        return Last()


def _file(data_dir: Path) -> Path:
    return data_dir / "report.json"
