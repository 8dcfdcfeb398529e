"""What a unit puts on the air, for the gateway's tests."""

import dataclasses
import hashlib

from firmware.base.gateway.assembly import Assembly, Down, Publish
from firmware.wire.alert import on_air, pack_sighting
from firmware.wire.objects import (
    CODE_RLC,
    Entry,
    Manifest,
    Symbol,
    digest_of,
    pack_manifest,
    pack_symbol,
    unpack_receipts,
)
from firmware.wire.packet import MANIFEST, RECEIPT, SIGHTING, SYMBOL
from firmware.wire.records import Receipt, Sighting
from firmware.wire.rlc import Encoder
from firmware.wire.topics import parse_up_topic
from tests.base.pictures import sighting

Packet = tuple[int, bytes]


def record(number: int = 1, unit: str = "T0007") -> Sighting:
    """A sighting as it is on every road."""
    return on_air(sighting(number, unit))


def alert(number: int = 1, unit: str = "T0007") -> Packet:
    return SIGHTING, pack_sighting(record(number, unit))


class Object:
    """One picture on its way, as packets."""

    def __init__(
        self, number: int, body: bytes, symbol_bytes: int = 20, sighting: int = 1, index: int = 0
    ) -> None:
        kind = ("image/webp", "image/avif")[index]
        self.body = body
        self.manifest = Manifest(
            number, sighting, index, kind, len(body), symbol_bytes, CODE_RLC, digest_of(body)
        )
        self._encoder = Encoder(body, symbol_bytes, self.manifest.digest)
        self.source_count = self._encoder.source_count

    def head(self) -> Packet:
        return MANIFEST, pack_manifest(self.manifest)

    def symbol(self, index: int, *, poll: bool = False) -> Packet:
        data = self._encoder.symbol(index)
        return SYMBOL, pack_symbol(Symbol(self.manifest.object, index, poll, data))

    def poll(self) -> Packet:
        """Nothing but the question."""
        return SYMBOL, pack_symbol(Symbol(self.manifest.object, 0, True, b""))

    def all(self) -> list[Packet]:
        last = self.source_count - 1
        return [self.head(), *(self.symbol(i, poll=i == last) for i in range(last + 1))]


class Station:
    """An assembly and a base that takes everything, as soon as it is asked to."""

    def __init__(self, *, answers: bool = True) -> None:
        self.assembly = Assembly()
        self.answers = answers
        self.now_s = 0.0
        self.published: list[Publish] = []

    def hear(self, packet: Packet, unit: int = 7) -> tuple[Entry, ...]:
        """What the unit is told."""
        out = list(self.assembly.heard(unit, *packet, self.now_s))
        for message in [one for one in out if isinstance(one, Publish)]:
            self.published.append(message)
            if self.answers:
                out += self.assembly.receipt(receipt_for(message), self.now_s)
        return entries(out)

    def hear_all(self, packets: list[Packet], unit: int = 7) -> tuple[Entry, ...]:
        """What the unit is told at last."""
        said: tuple[Entry, ...] = ()
        for packet in packets:
            said = self.hear(packet, unit)
        return said


def entries(out: object) -> tuple[Entry, ...]:
    assert isinstance(out, list)
    downs = [one for one in out if isinstance(one, Down) and one.port == RECEIPT]
    return tuple(entry for down in downs for entry in unpack_receipts(down.payload))


def receipt_for(message: Publish, outcome: str = "stored") -> Receipt:
    """The base's, for just these bytes."""
    item = parse_up_topic(message.topic)
    body = message.payload[34:] if item.kind == "preview" else message.payload
    good = Receipt(str(item), hashlib.sha256(body).hexdigest(), "stored")
    return good if outcome == "stored" else dataclasses.replace(good, outcome="rejected")
