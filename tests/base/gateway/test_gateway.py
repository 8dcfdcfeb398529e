"""The gateway between a road and the base, without either."""

import hashlib

import pytest

from firmware.base.admission import Message
from firmware.base.gateway.assembly import Assembly, Down
from firmware.base.gateway.complaints import Complaints
from firmware.base.gateway.connection import Connection
from firmware.base.gateway.daemon import Gateway
from firmware.base.gateway.peers import Packet
from firmware.base.mqtt import Delivery, Up
from firmware.wire.commands import Command, pack_command
from firmware.wire.objects import ManifestWanted, Stored, pack_receipts
from firmware.wire.packet import COMMAND, RECEIPT
from firmware.wire.records import Receipt, dump_record
from firmware.wire.topics import command_topic, receipt_topic
from tests.base.gateway.air import Object, alert
from tests.base.gateway.test_lorawan import FakeLink

NOW_S = 1_790_000_000.0


class RawLink(FakeLink):
    """Notes what is published, as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[str, bytes]] = []

    def send(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))


class FakeRoad:
    """Packets are events of it; notes what it is to say."""

    def __init__(self) -> None:
        self.said: list[Down] = []

    def hear(self, event: object, now_s: float) -> Packet | None:
        return event if isinstance(event, Packet) else None

    def say(self, down: Down, now_s: float) -> None:
        self.said.append(down)

    def keep(self, now_s: float) -> float | None:
        return 7.0

    def close(self) -> None:
        pass


class Rig:
    def __init__(self) -> None:
        self.link, self.road, self.now_s = RawLink(), FakeRoad(), 0.0
        self.tell = Complaints(lambda: self.now_s)
        base = Connection("base", lambda: self.link, 1.0, 30.0, lambda: self.now_s)
        self.gateway = Gateway(
            base, [(self.road, Assembly(10.0, self.tell))], lambda: NOW_S, lambda: self.now_s,
            self.tell,
        )  # fmt: skip
        assert self.gateway.step(None) == 7.0

    def up(self) -> None:
        self.gateway.step(Up(self.link))

    def base_says(self, topic: str, payload: bytes) -> None:
        self.gateway.step(Delivery(self.link, 1, Message(topic, payload)))

    def hear(self, port: int, payload: bytes, *, anew: bool = False) -> None:
        self.gateway.step(Packet(7, port, payload, anew))

    def receipt(self) -> bytes:
        """The base's, for what was published last."""
        body = self.link.messages[-1][1]
        return dump_record(
            Receipt("T0007-000001-sighting-0", hashlib.sha256(body).hexdigest(), "stored")
        )


def test_an_alert_goes_to_the_base_and_the_receipt_to_the_unit() -> None:
    rig = Rig()
    rig.up()
    rig.hear(*alert())
    assert rig.road.said == []
    rig.base_says(receipt_topic(7), rig.receipt())
    assert rig.road.said == [Down(7, RECEIPT, pack_receipts((Stored(1),)))]
    assert rig.link.acked == [1]


def test_what_cannot_be_passed_on_is_told_and_passed_on_when_the_unit_asks_again() -> None:
    rig = Rig()
    rig.hear(*alert())
    assert rig.tell.counts == {"base_away": 1}
    rig.up()
    rig.now_s += 5.0
    rig.hear(*alert())
    assert [topic for topic, _ in rig.link.messages] == ["trap/T0007/up/sighting/1"]


def test_a_unit_that_counts_anew_has_no_old_objects() -> None:
    rig = Rig()
    rig.up()
    thing = Object(3, bytes(200))
    rig.hear(*thing.head())
    rig.hear(*thing.poll(), anew=True)
    assert rig.road.said == [Down(7, RECEIPT, pack_receipts((ManifestWanted(3, 0),)))]


def test_a_command_waits_for_its_unit_until_it_expires() -> None:
    rig = Rig()
    rig.up()
    command = Command("T0007", 5, "unmute", int(NOW_S), int(NOW_S) + 60)
    rig.base_says(command_topic(7), dump_record(command))
    rig.hear(*alert())
    rig.base_says(receipt_topic(7), rig.receipt())
    assert rig.road.said[1:] == [Down(7, COMMAND, pack_command(command))]
    rig.now_s += 61.0
    rig.hear(*alert())
    assert len(rig.road.said) == 3


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (receipt_topic(7), b"{"),
        (receipt_topic(7), b'{"item":"x","sha256":"y","outcome":"stored"}'),
        (command_topic(7), b"[]"),
        (command_topic(8), dump_record(Command("T0007", 5, "unmute", 1))),
        (command_topic(7), dump_record(Command("T0007", 5, "threshold", 1, label="my_own"))),
        ("trap/T0007/down/song", b"{}"),
    ],
)
def test_nonsense_from_the_broker_is_told_and_ignored(topic: str, payload: bytes) -> None:
    rig = Rig()
    rig.up()
    rig.base_says(topic, payload)
    assert rig.tell.counts == {"base": 1}
    assert rig.road.said == []
