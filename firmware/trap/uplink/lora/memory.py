"""An outbox and a state in memory: for the simulated fleet and for tests, never for a unit.

They keep what `Queue` and `State` promise but for one thing: nothing survives the process.
"""

import hashlib
from dataclasses import dataclass, replace

from firmware.trap.outbox import Item
from firmware.trap.outbox_claim import OLD_S
from firmware.trap.uplink.lora.job import Job
from firmware.trap.uplink.lora.state import Saved
from firmware.wire.ids import ItemId
from firmware.wire.ledger import Ledger


@dataclass
class _Row:
    item: Item
    state: str = "waiting"
    not_before_s: float = 0.0


class MemoryQueue:
    """A `Queue`. `ended` lists what is over, as (item, "stored" or the reason), in order."""

    def __init__(self) -> None:
        self._rows: dict[ItemId, _Row] = {}
        self._changed = True
        self.ended: list[tuple[ItemId, str]] = []

    def put(
        self, item: ItemId, body: bytes, content_type: str, priority: int, now_s: float
    ) -> None:
        """As Outbox.put; here an id has one body for ever."""
        if item not in self._rows:
            digest = hashlib.sha256(body).hexdigest()
            self._rows[item] = _Row(Item(item, body, content_type, digest, priority, 0, now_s))
            self._changed = True

    def __len__(self) -> int:
        return len(self._rows)

    def claim(
        self,
        now_s: float,
        limit: int,
        limit_bytes: int | None = None,
        priorities: tuple[int, int] = (0, 255),
        *,
        fresh: bool = False,
    ) -> list[Item]:
        """See `Queue`."""
        least, most = priorities
        due = [
            row
            for row in self._rows.values()
            if row.state == "waiting" and row.not_before_s <= now_s
            and least <= row.item.priority <= most
            and not (fresh and (row.item.attempts or _is_old(row.item, now_s)))
        ]  # fmt: skip
        due.sort(key=lambda row: (row.item.priority, _is_old(row.item, now_s)))
        for row in due[:limit]:
            row.state = "sending"
            row.item = replace(
                row.item, attempts=row.item.attempts + 1, old=_is_old(row.item, now_s)
            )
        return [row.item for row in due[:limit]]

    def stored(self, item: ItemId, sha256: str) -> bool:
        """See `Queue`."""
        return self._end(item, sha256, "stored")

    def rejected(self, item: ItemId, reason: str, sha256: str | None = None) -> bool:
        """See `Queue`."""
        row = self._rows.get(item)
        if row is None or not (row.state == "sending" or sha256 == row.item.sha256):
            return False
        return self._end(item, row.item.sha256, reason)

    def later(self, item: ItemId, not_before_s: float, *, untried: bool = False) -> bool:
        """See `Queue`."""
        row = self._rows.get(item)
        if row is None or row.state != "sending":
            return False
        row.state, row.not_before_s = "waiting", not_before_s
        row.item = replace(row.item, attempts=row.item.attempts - untried)
        return True

    def outlived(self, item: ItemId) -> None:
        """See `Queue`. Nobody is suspected here."""

    def release(self) -> None:
        """What a sender that is gone was sending waits again."""
        for row in self._rows.values():
            row.state = "waiting"

    def retry(self, item: ItemId | None = None) -> int:
        """See `Queue`."""
        rows = [
            r for r in self._rows.values() if r.state == "waiting" and item in (None, r.item.id)
        ]
        for row in rows:
            row.not_before_s = 0.0
        return len(rows)

    def next_due_s(self, now_s: float) -> float | None:
        """See `Queue`."""
        due = (row.not_before_s for row in self._rows.values() if row.state == "waiting")
        first_s = min(due, default=None)
        return None if first_s is None else max(0.0, first_s - now_s)

    def changed(self) -> bool:
        """See `Queue`."""
        before, self._changed = self._changed, False
        return before

    def _end(self, item: ItemId, sha256: str, how: str) -> bool:
        row = self._rows.get(item)
        if row is None or row.item.sha256 != sha256:
            return False
        del self._rows[item]
        self.ended.append((item, how))
        return True


def _is_old(item: Item, now_s: float) -> bool:
    return abs(now_s - item.created_s) > OLD_S


class MemoryState:
    """A `State`; give it to the next uplink for a reboot that loses nothing."""

    def __init__(self, first_object: int = 0) -> None:
        self._next_object = first_object
        self._ledger, self._clock_s = Ledger(), 0.0
        self._jobs: dict[ItemId, Job] = {}

    def load(self) -> Saved:
        """See `State`."""
        clock_s = max(self._clock_s, self._ledger.end_s)
        return Saved(self._ledger, clock_s, tuple(self._jobs.values()))

    def next_object(self) -> int:
        """See `State`."""
        self._next_object = (self._next_object + 1) % 0x10000
        return self._next_object

    def begin(self, job: Job) -> None:
        """See `State`."""
        self._jobs[job.item] = job

    def enter(self, ledger: Ledger, clock_s: float, sent: tuple[Job, int] | None) -> None:
        """See `State`."""
        self._ledger, self._clock_s = ledger, clock_s
        if sent is not None:
            self._jobs[sent[0].item] = sent[0]

    def tick(self, ledger: Ledger, clock_s: float) -> None:
        """See `State`."""
        self._ledger, self._clock_s = ledger, clock_s

    def progress(self, job: Job) -> None:
        """See `State`."""
        self._jobs[job.item] = job

    def end(self, item: ItemId) -> None:
        """See `State`."""
        self._jobs.pop(item, None)
