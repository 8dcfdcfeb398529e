"""What comes off the air, put together; what is said in answer. Pure: no radio, no MQTT, no clock.

    heard(unit, port, payload)   a packet that was proved to be this unit's -> messages, answers
    receipt(receipt)             the base has stored something, or never will -> answers
    command(unit, command)       is said along with the next answer, until the unit has decided

Promises
- What is published has the same bytes on every road: a sighting as the JSON that its unit sends
  over MQTT, a picture as file with head, whole and held against its digest. So the base knows a
  repetition when it sees one.
- A unit is told `Stored` or `Done` only after the base's own receipt for just these bytes; and only
  when it listens, that is within `window_s` after it asked (an alert asks, a symbol with the poll
  flag asks). Later it asks again, and is answered from memory.
- `heard` and `receipt` raise nothing, whatever is in a packet: what is no good is counted in
  `refused` and has no other effect, but that a poll for an object with an absurd manifest, or with
  symbols that again and again do not give its file, is answered `ObjectRefused`.
- Memory is bounded, and it is only memory: all of it may be lost at any moment, at the cost of
  airtime. Nothing is retried from here; that a unit asks again until it is answered drives all.
"""

import hashlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firmware.base.gateway.orders import Orders
from firmware.base.gateway.pictures import Absurd, NotTheFile, Pictures, Whole, read_manifest
from firmware.wire.alert import unpack_sighting
from firmware.wire.commands import Command, CommandResult, unpack_answer
from firmware.wire.errors import WireError
from firmware.wire.health import Health, unpack_health
from firmware.wire.ids import ItemId, format_unit
from firmware.wire.objects import (
    DIGEST_BYTES,
    Done,
    Entry,
    ObjectRefused,
    Rejected,
    Stored,
    pack_receipts,
    unpack_symbol,
)
from firmware.wire.packet import COMMAND, HEALTH, MANIFEST, RECEIPT, SIGHTING, SYMBOL
from firmware.wire.picture import HEAD_BYTES, pack_picture
from firmware.wire.records import Receipt, Sighting, dump_record
from firmware.wire.topics import up_topic

WINDOW_S = 10.0
REPUBLISH_S = 2.0
REFUSED_BY_BASE = 1
MOST_UNITS = 1000
MOST_OFFERS = 4096
MOST_OFFERED_BYTES = 8_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publish:
    """A message for the base, to be sent with QoS 1."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Down:
    """A packet for a unit that listens now."""

    unit: int
    port: int
    payload: bytes


@dataclass
class _Offer:
    """Something that the base was given. `asked_s`: when its unit last began to listen for the
    answer, None while it does not."""

    sha256: str
    message: Publish
    yes: Entry
    no: Entry
    published_s: float | None = None
    asked_s: float | None = None
    stored: bool = False


Out = Sequence[Publish | Down]
_Key = tuple[ItemId, str]


class Assembly:
    """Everything that is remembered between packets."""

    def __init__(
        self, window_s: float = WINDOW_S, tell: Callable[[str, str], object] = lambda *_: None
    ) -> None:
        """`tell(reason, detail)` hears of each packet that is no good."""
        self.refused: Counter[str] = Counter()
        self._tell = tell
        self._window_s = window_s
        self._orders = Orders()
        self._units: OrderedDict[int, Pictures] = OrderedDict()
        self._offers: OrderedDict[_Key, _Offer] = OrderedDict()
        self._offered_bytes = 0
        self._ports: dict[int, Callable[[int, bytes, float], Out]] = {
            SIGHTING: self._sighting,
            HEALTH: self._health,
            COMMAND: self._answer,
            MANIFEST: self._manifest,
            SYMBOL: self._symbol,
        }

    def heard(self, unit: int, port: int, payload: bytes, now_s: float) -> Out:
        """Take a packet of this unit. `now_s` is on a clock that never goes back."""
        handle = self._ports.get(port)
        if handle is None:
            return self._refuse("port", unit, f"port {port} is not for us")
        try:
            return handle(unit, payload, now_s)
        except WireError as error:
            return self._refuse("malformed", unit, str(error))

    def command(self, unit: int, command: Command, until_s: float) -> None:
        """Say this to the unit when it listens, until it answers. Raises WireError for a command
        that LoRa cannot carry."""
        self._orders.add(unit, command, until_s)

    def forget(self, unit: int) -> None:
        """The unit counts anew: its object numbers mean nothing any more."""
        self._units.pop(unit, None)

    def receipt(self, receipt: Receipt, now_s: float) -> list[Down]:
        """Take the base's word. One for what another road brought has nothing to say on this one;
        but that a command was answered there ends it here too."""
        item = ItemId.parse(receipt.item)
        if item.kind == "answer":
            self._orders.answered(item.unit, item.sighting)
        offer = self._offers.get(_key(item, receipt.sha256))
        if offer is None or offer.sha256 != receipt.sha256:
            return []
        asked_s, offer.asked_s = offer.asked_s, None
        offer.stored = receipt.outcome == "stored"
        if not offer.stored:  # told once, and forgotten: asked again, the base may think better
            log.warning("rejected item=%s reason=%s", item, ascii(receipt.reason))
            self._forget(_key(item, receipt.sha256))
        if asked_s is None or now_s - asked_s > self._window_s:
            return []
        return self._say(item.unit, offer.yes if offer.stored else offer.no, now_s)

    def _sighting(self, unit: int, payload: bytes, now_s: float) -> Out:
        sighting = unpack_sighting(payload)
        item = ItemId(unit, sighting.sighting, "sighting")
        return self._record(unit, sighting, item, now_s, listens=True)

    def _health(self, unit: int, payload: bytes, now_s: float) -> Out:
        health = unpack_health(payload)
        item = ItemId(unit, health.number, "health")
        return self._record(unit, health, item, now_s, listens=False)

    def _answer(self, unit: int, payload: bytes, now_s: float) -> Out:
        result = unpack_answer(payload)
        item = ItemId(unit, result.number, "answer")
        return self._record(unit, result, item, now_s, listens=False)

    def _record(
        self, unit: int, record: Sighting | Health | CommandResult, item: ItemId, now_s: float,
        *, listens: bool,
    ) -> Out:  # fmt: skip
        if record.unit != format_unit(unit):
            return self._refuse("mismatch", unit, f"the record is of {record.unit}")
        body = dump_record(record)
        sha256 = hashlib.sha256(body).hexdigest()
        yes, no = Stored(item.sighting), Rejected(item.sighting, REFUSED_BY_BASE)
        offer = self._offer(item, sha256, body, yes, no)
        return self._ask(unit, offer, now_s, listens=listens)

    def _manifest(self, unit: int, payload: bytes, now_s: float) -> Out:
        pictures = self._pictures(unit)
        try:
            manifest = read_manifest(payload)
        except Absurd as error:
            pictures.refuse(error.number)
            return self._refuse("absurd", unit, str(error))
        if pictures.same(manifest):
            return []  # the unit does not listen after a manifest; its next poll is answered
        item = ItemId(unit, manifest.sighting, "preview", manifest.index)
        if known := self._offers.get(_key(item, manifest.digest.hex())):
            pictures.keep(Whole(manifest, known.message.payload[HEAD_BYTES:]))
            return []
        try:
            whole = pictures.describe(manifest, now_s)
        except NotTheFile as error:
            return self._refuse("digest", unit, str(error))
        return [] if whole is None else self._give(unit, whole, now_s, listens=False)

    def _symbol(self, unit: int, payload: bytes, now_s: float) -> Out:
        symbol = unpack_symbol(payload)
        pictures = self._pictures(unit)
        try:
            whole = pictures.whole(symbol) or pictures.add(symbol, now_s)
        except NotTheFile as error:
            whole = None
            self._refuse("digest", unit, str(error))
        if whole is not None:
            return self._give(unit, whole, now_s, listens=symbol.poll)
        if not symbol.poll:
            return []
        return self._say(unit, pictures.want(symbol.object), now_s)

    def _give(self, unit: int, whole: Whole, now_s: float, *, listens: bool) -> Out:
        """Offer the base a picture."""
        manifest = whole.manifest
        item = ItemId(unit, manifest.sighting, "preview", manifest.index)
        sha256 = hashlib.sha256(whole.body).hexdigest()
        payload = pack_picture(whole.body, manifest.content_type)
        yes, no = Done(manifest.object), ObjectRefused(manifest.object)
        offer = self._offer(item, sha256, payload, yes, no)
        if offer.published_s is None:
            log.info("picture_whole item=%s bytes=%d", item, len(whole.body))
        return self._ask(unit, offer, now_s, listens=listens)

    def _ask(self, unit: int, offer: _Offer, now_s: float, *, listens: bool) -> Out:
        """Answer from memory, or (again) ask the base for its word."""
        if offer.stored:
            return self._say(unit, offer.yes, now_s) if listens else []
        if listens:
            offer.asked_s = now_s
        published_s = offer.published_s
        if published_s is not None and (not listens or now_s - published_s < REPUBLISH_S):
            return []
        offer.published_s = now_s
        return [offer.message]

    def _say(self, unit: int, entry: Entry, now_s: float) -> list[Down]:
        """The answer to a unit that listens now, and what else there is to tell it."""
        order = self._orders.due(unit, now_s)
        down = [Down(unit, RECEIPT, pack_receipts((entry,)))]
        return down if order is None else [*down, Down(unit, COMMAND, order)]

    def _offer(self, item: ItemId, sha256: str, payload: bytes, yes: Entry, no: Entry) -> _Offer:
        """What the base was, or now is, given under this name and digest; the oldest go."""
        key = _key(item, sha256)
        offer = self._offers.get(key)
        if offer is None:
            offer = self._offers[key] = _Offer(sha256, Publish(up_topic(item), payload), yes, no)
            self._offered_bytes += len(payload)
        offer.yes, offer.no = yes, no  # the same picture may come under another number
        self._offers.move_to_end(key)
        while len(self._offers) > MOST_OFFERS or self._offered_bytes > MOST_OFFERED_BYTES:
            self._forget(next(iter(self._offers)))
        return offer

    def _forget(self, key: _Key) -> None:
        self._offered_bytes -= len(self._offers.pop(key).message.payload)

    def _pictures(self, unit: int) -> Pictures:
        pictures = self._units.setdefault(unit, Pictures())
        self._units.move_to_end(unit)
        if len(self._units) > MOST_UNITS:
            self._units.popitem(last=False)
        return pictures

    def _refuse(self, reason: str, unit: int, detail: str) -> Out:
        self.refused[reason] += 1
        self._tell(reason, f"{format_unit(unit)}: {detail}")
        return []


def _key(item: ItemId, digest: str) -> _Key:
    """An item, and as much of its bytes' SHA-256 as a manifest has."""
    return item, digest[: 2 * DIGEST_BYTES]
