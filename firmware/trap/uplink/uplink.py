"""What daemon 2 does: from the outbox to the base's receipt. Start reading at `Uplink.step`.

Promises
- An item ends only by a receipt that names it and its SHA-256. A PUBACK, silence, and the end of a
  session all mean `later`; so do refusals, with the longest wait.
- At most `in_flight` items and, but for one item, `BYTES_IN_FLIGHT` are out at once: paho keeps
  copies, the smallest Pi has 512 MB, and an alert must not queue behind minutes of pictures.
- What fails is tried again after a doubling, jittered wait: the link after it broke, an item after
  no receipt came. Until the next receipt only one item at a time goes out then: a base that is away
  for a week does not come back to a thousand copies, and a link that breaks every few seconds still
  gets something through.
- It sleeps until the outbox's bell rings (`bell.py`), and looks every `IDLE_S` all the same while
  the link is up.
- While the unit is muted there is no session at all, and items wait.
- An outbox that fails (full or read-only disk) is told once and tried again; nothing is sent
  meanwhile, since an attempt that is not on the card does not count.

It does not look into items, nor keep any state of its own that a restart would miss.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from firmware.trap import settings
from firmware.trap.outbox import Item, Outbox, OutboxError
from firmware.trap.uplink.flight import Flight, Sent
from firmware.trap.uplink.link import (
    Answer,
    Down,
    Link,
    LinkEvent,
    LinkRefused,
    Refused,
    Unheard,
    Up,
)
from firmware.trap.uplink.schedule import backoff_s
from firmware.wire.errors import WireError
from firmware.wire.ids import ItemId
from firmware.wire.records import Receipt, load_record

log = logging.getLogger(__name__)

IDLE_S = 5.0
AGAIN_S = 0.75
"""After a claim that gave nothing although something is due: what is out is in its way."""
OPEN_S = 30.0
STEADY_S = 60.0
MUTED_LOOK_S = 30.0
BYTES_IN_FLIGHT = 2**20
SLOWEST_LINK_BYTES_PER_S = 10_000
"""What is in flight gets this much more time to arrive; a slower link needs a longer keepalive."""


class Uplink:
    """The daemon's state between two steps. `monotonic` measures waits, `now` is the wall clock
    that the outbox keeps; neither has to agree with the other."""

    def __init__(
        self,
        outbox: Outbox,
        link: Link,
        how: settings.Uplink,
        unit: int,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        rng: random.Random,
        silent_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._silent_s = silent_s
        self._outbox = outbox
        self._link = link
        self._how = how
        self._unit = unit
        self._now = now
        self._monotonic = monotonic
        self._rng = rng
        self.counts: Counter[str] = Counter()
        self._session: int | None = None
        self._up_s: float | None = None  # since when, None while the link is not up
        self._link_failures = 0
        self._link_due_s = 0.0  # when to open, or when to give up opening
        self._flight = Flight()
        self._setbacks = 0  # in a row: silences and refusals
        self._send_due_s = 0.0
        self._look_due_s = 0.0
        self._outbox_failures = 0
        self._told: set[str] = set()  # what has been reported and is not over yet

    def step(self, event: LinkEvent | None) -> float | None:
        """Take in the event, do what is due, and say when the next thing is. See `loop.run`."""
        try:
            self._hear(event)
            if (silent_s := self._silent_s()) > 0:
                return self._keep_silent(silent_s)
            self._give_up_waiting()
            self._keep_link()
            self._send()
        except OutboxError as error:
            self._outbox_failures += 1
            self._tell("outbox_failing", str(error))
            return self._backoff_s(self._outbox_failures)
        self._outbox_failures = 0
        self._told.discard("outbox_failing")
        return self._wait_s()

    def close(self) -> None:
        """What is in flight is due again at the next start; say goodbye to the broker."""
        try:
            for sent in list(self._flight.values()):
                self._later(sent, 0.0)
        except OutboxError as error:  # then the next start finds them as a dead sender's
            self._tell("outbox_failing", str(error))
        self._link.close()

    # What comes in

    def _hear(self, event: LinkEvent | None) -> None:
        if event is None or event.session != self._session:
            return
        match event:
            case Up():
                self._up_s = self._monotonic()
                self._look_due_s = 0.0
                log.info("link_up")
            case Down():
                self._link_down(event)
            case Refused():
                self._refused(event)
            case Unheard():
                sent = self._flight.sent_as(event.token)
                if sent is not None:
                    self._unanswered(sent)
            case Answer():
                self._answer(event.payload)

    def _link_down(self, event: Down) -> None:
        now_s = self._monotonic()
        if self._up_s is not None and now_s - self._up_s > STEADY_S:
            self._link_failures = 0
        self._session, self._up_s = None, None
        self._link_failures += 1
        wait_s = self._how.retry_most_s if event.denied else self._backoff_s(self._link_failures)
        self._link_due_s = now_s + wait_s
        if event.denied:
            self._tell("link_denied", event.reason)
        log.warning("link_down reason=%r retry_s=%.0f", event.reason, wait_s)

    def _refused(self, event: Refused) -> None:
        self._tell("publish_refused", event.reason)
        sent = self._flight.sent_as(event.token)
        if sent is not None:
            self._later(sent, self._how.retry_most_s)
            self._set_back()

    def _answer(self, payload: bytes) -> None:
        try:
            receipt = load_record(payload, Receipt)
            item = ItemId.parse(receipt.item)
        except WireError as error:
            self._ignore("malformed", str(error))
            return
        if item.unit != self._unit:
            self._ignore("other_unit", receipt.item)
        elif not self._settle(item, receipt):
            self._ignore("unknown", f"{receipt.item} {receipt.sha256[:8]} {receipt.outcome}")

    def _settle(self, item: ItemId, receipt: Receipt) -> bool:
        """End the item that the receipt speaks of; False when there is no such item. A late
        rejection counts as none: the item goes again, and so does its answer."""
        sent = self._flight.get(item)
        ours = sent is not None and sent.sha256 == receipt.sha256
        if receipt.outcome == "stored":
            known = self._outbox.stored(item, receipt.sha256)
        else:
            known = ours and self._outbox.rejected(item, receipt.reason or "the base says no more")
        if known:
            if ours:
                del self._flight[item]
            self._setbacks = self._link_failures = 0
            self._send_due_s = self._look_due_s = 0.0
            self._told.clear()
        return known

    def _ignore(self, why: str, what: str) -> None:
        self.counts[why] += 1
        log.warning("receipt_ignored reason=%s what=%r count=%d", why, what, self.counts[why])

    # What is due

    def _give_up_waiting(self) -> None:
        now_s = self._monotonic()
        for sent in list(self._flight.values()):
            if sent.session != self._session:
                self._later(sent, self._backoff_s(sent.attempts))
                self._setbacks = max(self._setbacks, 1)
            elif now_s >= sent.until_s:
                self._unanswered(sent)

    def _keep_silent(self, silent_s: float) -> float:
        """The seconds until the next look: the other link may hear that the mute is over."""
        if self._session is not None:
            log.warning("link_muted seconds=%.0f", silent_s)
            self._session, self._up_s = None, None
            self._link_due_s = self._monotonic()
            self._link.close(self._now() + silent_s)
            for sent in list(self._flight.values()):
                self._later(sent, 0.0)
        return min(silent_s, MUTED_LOOK_S)

    def _keep_link(self) -> None:
        if self._up_s is None and self._monotonic() >= self._link_due_s:
            if self._session is not None:
                self._link_down(Down(self._session, f"no answer within {OPEN_S:.0f} s"))
                return
            self._session = self._link.open()
            self._link_due_s = self._monotonic() + OPEN_S

    def _send(self) -> None:
        now_s = self._monotonic()
        if self._up_s is None or now_s < self._send_due_s or self._room() <= 0:
            return
        if self._outbox.changed():
            self._look_due_s = 0.0
        if now_s < self._look_due_s:
            return
        room_bytes = BYTES_IN_FLIGHT - self._flight.size_bytes()
        items = self._outbox.claim(self._now(), self._room(), room_bytes)
        for item in items:
            ahead_bytes = self._flight.size_bytes() + len(item.body)
            until_s = now_s + self._how.receipt_timeout_s + ahead_bytes / SLOWEST_LINK_BYTES_PER_S
            self._flight[item.id] = Sent(
                item.id, item.sha256, len(item.body), item.attempts, self._session or 0, until_s
            )
        for item in items:
            self._hand_over(item)
        if not items:
            due_s = self._outbox.next_due_s(self._now())
            self._look_due_s = math.inf if due_s is None else now_s + max(due_s, AGAIN_S)

    def _hand_over(self, item: Item) -> None:
        sent = self._flight[item.id]
        try:
            token = self._link.send(item)
        except WireError as error:
            self._outbox.rejected(item.id, f"cannot be sent: {error}")
            del self._flight[item.id]
        except LinkRefused as error:
            self._tell("publish_refused", f"{item.id}: {error}")
            self._later(sent, self._how.retry_most_s)
        else:
            self._flight[item.id] = replace(sent, token=token)
            self.counts["sent"] += 1

    # Small parts of the above

    def _room(self) -> int:
        """How many items may go out now."""
        if self._flight and self._flight.size_bytes() >= BYTES_IN_FLIGHT:
            return 0
        return (1 if self._setbacks else self._how.in_flight) - len(self._flight)

    def _unanswered(self, sent: Sent) -> None:
        self.counts["unanswered"] += 1
        log.warning("receipt_missing item=%s attempts=%d", sent.id, sent.attempts)
        self._later(sent, self._backoff_s(sent.attempts))
        self._set_back()

    def _later(self, sent: Sent, wait_s: float) -> None:
        self._outbox.later(sent.id, self._now() + wait_s)
        del self._flight[sent.id]
        self._look_due_s = 0.0

    def _set_back(self) -> None:
        """Send nothing for a while; what else was in flight and fails the same way counts once."""
        if self._monotonic() < self._send_due_s:
            return
        self._setbacks += 1
        self._send_due_s = self._monotonic() + self._backoff_s(self._setbacks)

    def _backoff_s(self, failures: int) -> float:
        return backoff_s(failures, self._how.retry_least_s, self._how.retry_most_s, self._rng)

    def _tell(self, event: str, reason: str) -> None:
        """An ERROR, once until it is over: somebody must come."""
        if event not in self._told:
            log.error("%s reason=%r", event, reason)
        self._told.add(event)

    def _wait_s(self) -> float | None:
        now_s = self._monotonic()
        due_s = [sent.until_s for sent in self._flight.values()]
        if self._up_s is None:
            due_s.append(self._link_due_s)
        elif self._room() > 0:
            due_s.append(max(self._send_due_s, min(self._look_due_s, now_s + IDLE_S)))
        return max(0.0, min(due_s) - now_s) if due_s else None
