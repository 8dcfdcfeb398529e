"""A unit's radio and the gateway on the virtual air: the real seals, in time and in order."""

import random
from typing import Any

import pytest

from firmware.fleet.gateway import Gateway
from firmware.fleet.scenario import Site
from firmware.fleet.store import Store
from firmware.fleet.unit import settings_of
from firmware.fleet.unit_air import UnitAir
from firmware.fleet.virtual_radio import VirtualRadio
from firmware.radio.port import Heard, Tuning
from firmware.radio.worker import Received, Sent
from firmware.sim.ether import Ether
from firmware.sim.timeline import Timeline
from firmware.trap.uplink.lora import air
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.alert import pack_sighting
from firmware.wire.ids import ItemId
from firmware.wire.objects import Stored, unpack_receipts
from firmware.wire.packet import RECEIPT, SIGHTING, Direction, derive_keys, seal
from firmware.wire.records import Sighting

SITE = Site(7, (100.0, 0.0), Tuning(868_900_000, Modulation(9), 14))
KEYS = derive_keys(bytes(16), 7)
ALERT = pack_sighting(Sighting("T0007", 3, 1.7e9, "leopard", 0.9, 1, 3, True, "gps", "01234567"))


class Pair:
    """Unit 7 and a gateway, and what each has heard or done."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.ether = Ether(random.Random(1), timeline=self.timeline)
        self.log: list[tuple[str, float]] = []
        self.events: list[Any] = []
        self.store = Store()
        how = settings_of(SITE, "RU864")
        self.gateway = Gateway(
            how.plan, [SITE], {7: KEYS}, self.ether, self.timeline, self.store, self.note
        )
        self.air = UnitAir(7, how, KEYS)
        self.air.radio = VirtualRadio(
            SITE.name, 7, SITE.tuning, self.ether, self.timeline, self.note, self.deliver
        )

    def note(self, radio: str, frequency_hz: int, start_s: float, airtime_s: float) -> None:
        self.log.append((radio, start_s))

    def deliver(self, event: Sent | Received) -> None:
        self.events.append(self.air.take(event))


def test_an_alert_is_stored_and_its_receipt_comes_back_sealed() -> None:
    pair = Pair()
    pair.air.send(SIGHTING, ALERT, 1)
    pair.timeline.run_until(3.0)
    assert ItemId(7, 3, "sighting") in pair.store.arrived
    sent, heard = pair.events
    assert sent == air.Sent(1) and heard.port == RECEIPT
    assert unpack_receipts(heard.payload) == (Stored(3),)
    assert [radio for radio, _ in pair.log] == ["unit-7", "gateway"]
    assert pair.log[1][1] > airtime_s(Modulation(9), 37) + 0.05  # it lets the modem turn


def test_the_frame_has_the_length_that_the_ledger_was_told() -> None:
    pair = Pair()
    pair.air.send(SIGHTING, ALERT, 1)
    assert pair.air.radio.airtime_s == pair.air.airtime_s(SIGHTING, len(ALERT))


def test_frames_asked_for_at_once_go_one_after_the_other() -> None:
    pair = Pair()
    for token in range(3):
        pair.air.send(SIGHTING, ALERT, token)
    pair.timeline.run_until(5.0)
    assert [e.token for e in pair.events if isinstance(e, air.Sent)] == [0, 1, 2]


@pytest.mark.parametrize("other", ["key", "unit", "again"])
def test_the_gateway_takes_no_frame_that_is_not_new_and_the_units_own(other: str) -> None:
    pair = Pair()
    key = bytes(16) if other == "key" else KEYS.up
    frame = seal(key, Direction.UP, 0, 7, SIGHTING, 0, ALERT)
    if other == "unit":
        frame = frame[:1] + b"\x00\x08" + frame[3:]
    stranger = pair.ether.attach("stranger", lambda heard: None)
    times = 2 if other == "again" else 1
    for n in range(times):
        stranger.transmit(frame, SITE.tuning)
        pair.timeline.run_until(3.0 * (n + 1))
    assert pair.gateway.counts["refused"] == 1
    assert len(pair.store.arrived) == times - 1


def test_the_unit_ignores_what_is_not_from_its_base() -> None:
    pair = Pair()
    forged = seal(bytes(16), Direction.DOWN, 0, 7, RECEIPT, 0, b"\x01\x00\x00\x00\x03")
    assert pair.air.take(Received(Heard(forged, -80, 9))) == air.Ignored("forged")
    good = seal(KEYS.down, Direction.DOWN, 0, 7, RECEIPT, 0, b"\x01\x00\x00\x00\x03")
    assert isinstance(pair.air.take(Received(Heard(good, -80, 9))), air.Heard)
    assert pair.air.take(Received(Heard(good, -80, 9))) == air.Ignored("forged")  # a replay


def test_frames_for_others_stay_in_the_modem() -> None:
    pair = Pair()
    stranger = pair.ether.attach("stranger", lambda heard: None)
    stranger.transmit(seal(KEYS.up, Direction.UP, 0, 8, SIGHTING, 0, ALERT), SITE.tuning)
    pair.timeline.run_until(3.0)
    assert pair.events == []
