"""Alerts on their way: which are out, how often each was tried, and when it may go again.

Promises
- An alert ends only by a receipt. The base's receipt names the sighting and no hash: it comes over
  an authenticated link from whoever has our key, and a sighting number has one record for ever.
- A new alert is tried `1 + alert_repeats` times in a row. Unanswered, it goes back into the outbox
  for a while, and then there is *silence*: older alerts go one at a time, at doubling intervals,
  until the base is heard again, while each new one has its own tries. So a base that is away for
  weeks costs little airtime, and one that is back is noticed by the next alert.
- Receipts that come late count: the last `REMEMBERED` alerts are known after they went back.

A stale alert is one that was put off before, or is older than a day; see `policy.py`.
"""

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from firmware.trap.outbox import Item
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.policy import What
from firmware.trap.uplink.lora.queue import Queue
from firmware.trap.uplink.schedule import backoff_s
from firmware.wire.alert import pack_sighting
from firmware.wire.errors import WireError
from firmware.wire.objects import Rejected, Stored
from firmware.wire.records import Sighting, load_record

PRIORITIES = (0, 1)
OUT = 4  # new ones, and as many others
REMEMBERED = 256


@dataclass(frozen=True)
class AlertFrame:
    """The next frame of the alert about this sighting."""

    sighting: int


@dataclass(frozen=True)
class _Alert:
    item: Item
    payload: bytes
    stale: bool
    due_s: float
    tries: int = 0


class Alerts:
    """Times are ledger time but for `now`, which is the outbox's."""

    def __init__(
        self, queue: Queue, how: Lora, now: Callable[[], float], rng: random.Random
    ) -> None:
        self._queue, self._how, self._now, self._rng = queue, how, now, rng
        self._out: dict[int, _Alert] = {}
        self._known: OrderedDict[int, Item] = OrderedDict()
        self._silences = 0  # in a row
        self._retry_s = 0.0  # in silence: when one of the older ones may go

    def claim(self, at_s: float) -> None:
        """Take what may go out of the outbox: new ones always, and some of the others."""
        stale = sum(alert.stale for alert in self._out.values())
        self._claim(OUT - (len(self._out) - stale), at_s, fresh=True)
        if not self._silences:
            self._claim(OUT - stale, at_s, fresh=False)
        elif at_s >= self._retry_s:
            self._claim(1 - stale, at_s, fresh=False)

    def _claim(self, room: int, at_s: float, *, fresh: bool) -> None:
        if room > 0:
            for item in self._queue.claim(self._now(), room, None, PRIORITIES, fresh=fresh):
                self._take(item, at_s)

    def _take(self, item: Item, at_s: float) -> None:
        try:
            if item.id.kind != "sighting":
                raise WireError(f"a {item.id.kind} is no alert")
            payload = pack_sighting(load_record(item.body, Sighting))
        except WireError as error:
            self._queue.rejected(item.id, f"cannot be sent over LoRa: {error}")
            return
        stale = item.old or item.attempts > 1
        self._out[item.id.sighting] = _Alert(item, payload, stale, at_s)
        self._known[item.id.sighting] = item
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def wants(self) -> Iterator[tuple[What, AlertFrame, int, float]]:
        """(what, which, payload bytes, due) of each."""
        for sighting, alert in self._out.items():
            what: What = "stale" if alert.stale else "alert"
            yield what, AlertFrame(sighting), len(alert.payload), alert.due_s

    def payload(self, frame: AlertFrame) -> bytes:
        """The 24 bytes."""
        return self._out[frame.sighting].payload

    def is_out(self, frame: AlertFrame) -> bool:
        """Whether it still waits for its receipt."""
        return frame.sighting in self._out

    def sent(self, frame: AlertFrame) -> None:
        """It was on the air, and waits for its receipt, which may take long: it has killed nobody,
        whatever happens meanwhile."""
        if frame.sighting in self._out:
            self._queue.outlived(self._out[frame.sighting].item.id)

    def unanswered(self, frame: AlertFrame, at_s: float) -> None:
        """It was sent, and no receipt came in time."""
        alert = self._out.get(frame.sighting)
        if alert is None:
            return
        tries = alert.tries + 1
        if tries <= (0 if alert.stale and self._silences else self._how.alert_repeats):
            due_s = at_s + self._backoff_s(tries)
            self._out[frame.sighting] = replace(alert, tries=tries, due_s=due_s)
            return
        silent_s = self._backoff_s(self._silences + 1)
        wait_s = max(silent_s, self._backoff_s(alert.item.attempts))
        self._queue.later(alert.item.id, self._now() + wait_s)
        del self._out[frame.sighting]
        self._silences += 1
        self._retry_s = at_s + silent_s

    def refused(self, frame: AlertFrame, due_s: float) -> None:
        """The modem did not take it: again at `due_s`, and it counts as no try."""
        alert = self._out.get(frame.sighting)
        if alert is not None:
            self._out[frame.sighting] = replace(alert, due_s=due_s)

    def receipt(self, entry: Stored | Rejected) -> bool:
        """End the alert that the base speaks of; False when we know of none."""
        item = self._known.get(entry.sighting)
        if item is None:
            return False
        if isinstance(entry, Stored):
            self._queue.stored(item.id, item.sha256)
        else:
            reason = f"the base will never take it (code {entry.reason_code})"
            self._queue.rejected(item.id, reason, item.sha256)
        self._out.pop(entry.sighting, None)
        return True

    def heard(self, at_s: float) -> None:
        """The base is there: no silence any more."""
        self._silences, self._retry_s = 0, at_s

    def put_back(self) -> None:
        """There is no air: what is out is due again at once, and as new as it was."""
        for sighting, alert in list(self._out.items()):
            self._queue.later(alert.item.id, self._now(), untried=not alert.tries)
            del self._out[sighting]

    def next_s(self) -> float | None:
        """In silence: when one of the older ones may go."""
        return self._retry_s if self._silences else None

    def _backoff_s(self, failures: int) -> float:
        return backoff_s(failures, self._how.retry_least_s, self._how.retry_most_s, self._rng)
