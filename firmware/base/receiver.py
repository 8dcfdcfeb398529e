"""The base's receiver: MQTT messages in, store, receipts out.

Promises: a receipt `stored` leaves, and the broker's copy of a message goes, only after the store
has committed it; so a crash at any point costs nothing but a second delivery, which changes
nothing and is answered again. What is not admitted (admission.py) is counted, logged and dropped,
and nothing else suffers; where its unit can know it by name it is told `rejected`. While the store
fails nothing is acknowledged or answered: the connection is given up, so that the broker keeps
everything, and tried again later, for ever.

What has arrived together is stored in one commit. Does not promise an order between units, and
keeps no state of its own between runs.
"""

import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from firmware import loop
from firmware.base import mqtt
from firmware.base.admission import Limits, Refused, admit
from firmware.base.command import CommandBook
from firmware.base.dispatch import Dispatcher
from firmware.base.mqtt import Delivery, Down, Up
from firmware.base.settings import DAY_S, BaseSettings, ReceiverSettings
from firmware.base.store import Arrival, Kept, Store, StoreError
from firmware.wire.ids import ItemId
from firmware.wire.records import Receipt, dump_record
from firmware.wire.topics import ALL_STATUS, ALL_UP, parse_up_topic, receipt_topic

WARNINGS_PER_MINUTE = 20
MAX_REASON_CHARS = 200

log = logging.getLogger(__name__)


class Link(Protocol):
    """One connection to the broker; mqtt.py has it. None of these raises when it is gone."""

    def send(self, topic: str, payload: bytes) -> None: ...

    def ack(self, mid: int) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Pending:
    delivery: Delivery
    verdict: Arrival | Refused


class Receiver:
    """Decides and stores; `step` is what the loop calls."""

    def __init__(
        self,
        put: Callable[[Sequence[Arrival]], list[Kept]],
        connect: Callable[[], Link],
        settings: ReceiverSettings,
        now: Callable[[], float],
        elapsed: Callable[[], float],
    ) -> None:
        """`put` makes arrivals durable or raises StoreError; `connect` gives a new link or raises
        OSError, or ValueError for a host that can be no name; `now`: unix seconds UTC; `elapsed`:
        seconds of a clock that never steps."""
        self.refused: Counter[str] = Counter()
        self._put = put
        self._connect = connect
        self._settings = settings
        self._limits = Limits(int(settings.max_item_mb * 10**6), settings.max_megapixels * 10**6)
        self._now = now
        self._elapsed = elapsed
        self._link: Link | None = None
        self._connect_at_s = elapsed()
        self._failures = 0
        self._complaint = ""  # what the current episode has been logged as
        self._store_failing = False
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._warned = (elapsed(), 0)

    def step(self, event: object) -> float | None:
        """Handle one event, or, when nothing more has arrived (None), what is due."""
        match event:
            case Delivery():
                self._take(event)
            case Up():
                self._on_up(event)
            case Down():
                self._on_down(event)
        if self._pending and (event is None or self._batch_is_full()):
            self._flush()
        if self._link is None and self._elapsed() >= self._connect_at_s:
            self._reconnect()
        return self._due_s()

    def close(self) -> None:
        """Store and answer what has arrived, and say goodbye to the broker."""
        if self._pending:
            self._flush()
        self._drop_link()

    def _due_s(self) -> float | None:
        if self._pending:
            return 0.0
        if self._link is None:
            return max(0.0, self._connect_at_s - self._elapsed())
        return None

    def _take(self, delivery: Delivery) -> None:
        if delivery.link is not self._link:
            return  # from a connection given up; the broker will send it again
        verdict: Arrival | Refused
        try:
            verdict = admit(delivery.message, self._now(), self._limits)
            self._pending_bytes += len(verdict.body)
        except Refused as refusal:
            verdict = refusal
            self._count(delivery.message.topic, refusal)
        self._pending.append(_Pending(delivery, verdict))

    def _batch_is_full(self) -> bool:
        return (
            len(self._pending) >= self._settings.in_flight
            or self._pending_bytes >= self._settings.batch_mb * 10**6
        )

    def _flush(self) -> None:
        """Store, then answer, then let the broker forget: in this order, or things are lost."""
        batch, self._pending, self._pending_bytes = self._pending, [], 0
        arrivals = [p.verdict for p in batch if isinstance(p.verdict, Arrival)]
        try:
            outcomes = iter(self._put(arrivals) if arrivals else [])
        except StoreError as error:
            self._on_store_error(error)
            return
        if arrivals and self._store_failing:
            log.info("store_back items=%d", len(arrivals))
            self._store_failing = False
            self._failures = 0
        for pending in batch:
            if isinstance(pending.verdict, Arrival):
                self._answer_stored(pending.verdict, next(outcomes))
            else:
                self._answer_refused(pending.verdict)
        for pending in batch:
            delivery = pending.delivery
            if self._link is not None and delivery.link is self._link and delivery.message.qos:
                self._link.ack(delivery.mid)

    def _answer_stored(self, arrival: Arrival, kept: Kept) -> None:
        if arrival.topic.endswith("/status"):
            log.debug("status topic=%s %s", arrival.topic, kept)
            return
        item = parse_up_topic(arrival.topic)
        if kept == "conflict":
            log.error(
                "conflict item=%s sha256=%s kept beside other bytes of the same name: has the "
                "unit lost its counter?", item, arrival.sha256,
            )  # fmt: skip
        elif kept == "duplicate":
            log.info("duplicate item=%s", item)
        else:
            log.info("stored item=%s bytes=%d", item, len(arrival.body))
        self._send(item, Receipt(str(item), arrival.sha256, "stored"))

    def _answer_refused(self, refusal: Refused) -> None:
        if refusal.item is not None:
            reason = str(refusal)[:MAX_REASON_CHARS]
            receipt = Receipt(str(refusal.item), refusal.sha256, "rejected", reason)
            self._send(refusal.item, receipt)

    def _send(self, item: ItemId, receipt: Receipt) -> None:
        if self._link is not None:  # else the unit sends again, and is answered then
            self._link.send(receipt_topic(item.unit), dump_record(receipt))

    def _count(self, topic: str, refusal: Refused) -> None:
        """Count it, and log it unless too many were logged in this minute."""
        self.refused[refusal.reason] += 1
        since_s, warned = self._warned
        if self._elapsed() - since_s >= 60:
            since_s, warned = self._elapsed(), 0
        self._warned = (since_s, warned + 1)
        if warned < WARNINGS_PER_MINUTE:
            log.warning(
                "refused topic=%s reason=%s count=%d detail=%s",
                ascii(topic[:80])[1:-1], refusal.reason, self.refused[refusal.reason],
                ascii(str(refusal)[:MAX_REASON_CHARS]),
            )  # fmt: skip

    def _on_store_error(self, error: StoreError) -> None:
        if not self._store_failing:
            log.error("store_failing error=%s", ascii(str(error)))
        self._store_failing = True
        self._drop_link()
        self._back_off()

    def _on_up(self, up: Up) -> None:
        if up.link is self._link:
            log.info("link_up")
            self._complaint = ""
            if not self._store_failing:
                self._failures = 0

    def _on_down(self, down: Down) -> None:
        if down.link is self._link:
            self._link = None
            self._complain(down.reason, logging.ERROR if down.refused else logging.WARNING)
            self._back_off()

    def _reconnect(self) -> None:
        try:
            self._link = self._connect()
        except (
            FileNotFoundError, PermissionError, ssl.SSLCertVerificationError, ValueError,
        ) as error:  # fmt: skip
            self._complain(str(error), logging.ERROR)  # time alone will not mend it
            self._back_off()
        except OSError as error:
            self._complain(str(error), logging.WARNING)
            self._back_off()

    def _complain(self, reason: str, level: int) -> None:
        """Say why there is no link, once until the reason changes or the link comes up."""
        if reason != self._complaint:
            log.log(level, "link_down reason=%s", ascii(reason))
        self._complaint = reason

    def _drop_link(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            link.close()

    def _back_off(self) -> None:
        wait_s = self._settings.retry_least_s * 2.0 ** min(self._failures, 30)
        self._failures += 1
        self._connect_at_s = self._elapsed() + min(wait_s, self._settings.retry_most_s)


def session(settings: ReceiverSettings) -> mqtt.Session:
    """What the receiver asks of its broker."""
    return mqtt.Session(
        settings.client_id, (ALL_UP, ALL_STATUS), int(settings.session_days * DAY_S),
        settings.in_flight, settings.max_packet_mb * 10**6,
    )  # fmt: skip


def run(
    settings: BaseSettings,
    now: Callable[[], float],
    events: loop.Events | None = None,
    elapsed: Callable[[], float] = time.monotonic,
) -> None:
    """Receive, and send commands, until `Stop` (SIGTERM, SIGINT). Raises StoreError when the store
    cannot be opened."""
    queue = loop.Events() if events is None else events

    folder = settings.store.data_dir
    with Store(folder) as store, CommandBook(folder) as book, loop.stop_on_signals(queue):
        dispatcher = Dispatcher(book, now, elapsed)

        def connect() -> Link:
            link = mqtt.Link(settings.mqtt, session(settings.receiver), queue)
            dispatcher.use(link)
            return link

        def put(arrivals: Sequence[Arrival]) -> list[Kept]:
            kept = store.put(arrivals)
            dispatcher.stored(arrivals)
            return kept

        receiver = Receiver(put, connect, settings.receiver, now, elapsed)

        def step(event: object) -> float | None:
            waits_s = (receiver.step(event), dispatcher.step(event))
            return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

        try:
            loop.run(step, queue)
        finally:
            receiver.close()


def main(settings: BaseSettings) -> int:
    """`run` by this machine's clock; the exit status."""
    try:
        run(settings, time.time)  # noqa: TID251 - the entry point picks the clock
    except StoreError as error:
        log.error("store_unusable error=%s", error)  # noqa: TRY400 - the message says it all
        return 1
    return 0
