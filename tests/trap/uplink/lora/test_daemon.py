"""The LoRa daemon as a whole on an emulated air: real threads, keys, counters and files, and a base
that is the gateway's own assembly behind another radio."""

import base64
import json
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from PIL import Image

from firmware.broker import Broker
from firmware.loop import Events, Stop
from firmware.radio.counter import CounterLost, start_epoch
from firmware.radio.key_file import KeyUnusable
from firmware.radio.port import Heard
from firmware.radio.settings import LorawanDevice
from firmware.sim.ether import Ether
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.sim.network_server import Device, NetworkServer
from firmware.sim.radio import EtherRadio
from firmware.trap.outbox import Outbox
from firmware.trap.settings import Lora, TrapSettings, Unit
from firmware.trap.uplink.lora import daemon
from firmware.wire.ids import ItemId
from firmware.wire.packet import Direction, derive_keys, parse_header, seal, unseal
from firmware.wire.records import dump_record
from tests.trap.uplink.lora.field import UNIT, Base, settings, sighting

MASTER = bytes(range(32))
PATIENCE_S = 30.0
NOW_S = 1_700_000_000.0
EUI = "0011223344556677"


@dataclass
class Station:
    """A base on the air in a thread of its own: opens, assembles, stores, answers."""

    radio: EtherRadio
    how: Any
    base: Base = field(default_factory=Base)
    counter: int = 0
    heard: list[Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = derive_keys(MASTER, 7)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        self.radio.tune(self.how.tuning)
        while not self.ending.is_set():
            heard = self.radio.receive(0.05)
            if heard is not None:
                self.heard.append(heard)
                self.answer(heard.frame)

    def answer(self, frame: bytes) -> None:
        header = parse_header(frame)
        payload = unseal(self.keys.up, Direction.UP, 0, header.counter_low, frame)
        for port, said in self.base.hear(header.port, payload, 0.0):
            sealed = seal(self.keys.down, Direction.DOWN, 0, 7, port, self.counter, said)
            self.counter += 1
            self.radio.send(sealed)

    def close(self) -> None:
        self.ending.set()
        self.thread.join()


@dataclass
class Unit7:
    """A unit's data directory, and its daemon in a thread."""

    folder: Path
    ether: Ether
    lora: Lora | None = None

    def __post_init__(self) -> None:
        (self.folder / "lora.key").write_text(MASTER.hex() + "\n")
        (self.folder / "lora.key").chmod(0o600)
        start_epoch(self.folder / "lora.counter", 0)
        self.how = self.lora or settings(
            key_file=self.folder / "lora.key", receipt_window_s=1.0, retry_least_s=0.5,
            duty_cycle=1.0, avif_speed=10, refinement_bytes=900, preview_bytes=400,
            spreading_factor=7,
        )  # fmt: skip
        self.trap = TrapSettings(Unit(UNIT, self.folder), Broker("nowhere"), lora=self.how)
        self.outbox = Outbox(self.trap.unit.lora_outbox, 10**8)
        self.radio = EtherRadio(self.ether, "T0007")

    def put_alert(self, number: int) -> ItemId:
        item = ItemId(7, number, "sighting")
        self.outbox.put(item, dump_record(sighting(number)), "application/json", 0, NOW_S)
        return item

    def put_crop(self, number: int, jpeg: bytes) -> ItemId:
        item = ItemId(7, number, "preview")
        self.outbox.put(item, jpeg, "image/jpeg", 2, NOW_S)
        return item

    def run(self, until_stored: int, *, plain: bool = False) -> None:
        """The daemon, until so many items are stored; `plain`: with the modem of its settings."""
        events: Events = SimpleQueue()
        over = threading.Event()

        def watch() -> None:
            with Outbox(self.trap.unit.lora_outbox, 10**8) as outbox:
                for _ in range(int(PATIENCE_S / 0.05)):
                    kinds = [item.kind for item in outbox.ids("stored")]
                    if len(kinds) - kinds.count("health") >= until_stored or over.wait(0.05):
                        break
            events.put(Stop())

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            daemon.run(self.trap, lambda: NOW_S, events, None if plain else lambda: self.radio)
        finally:
            over.set()
            watching.join()

    def stored(self) -> set[ItemId]:
        return {item for item in self.outbox.ids("stored") if item.kind != "health"}


@pytest.fixture
def air() -> Iterator[Ether]:
    ether = Ether(random.Random(1))
    yield ether
    ether.close()


@pytest.fixture
def unit(tmp_path: Path, air: Ether) -> Iterator[Unit7]:
    made = Unit7(tmp_path, air)
    yield made
    made.outbox.close()


@pytest.fixture
def base(unit: Unit7, air: Ether) -> Iterator[Station]:
    station = Station(EtherRadio(air, "base"), unit.how)
    yield station
    station.close()


def crop(folder: Path) -> bytes:
    Image.radial_gradient("L").convert("RGB").resize((200, 150)).save(folder / "crop.jpg")
    return (folder / "crop.jpg").read_bytes()


def test_an_alert_and_both_pictures_reach_the_base_and_end_by_its_receipts(
    unit: Unit7, base: Station, tmp_path: Path
) -> None:
    wanted = {unit.put_alert(1), unit.put_crop(1, crop(tmp_path))}
    unit.run(until_stored=2)
    assert unit.stored() == wanted
    assert [str(item) for item in base.base.stored if item.kind != "health"] == [
        "T0007-000001-sighting-0", "T0007-000001-preview-0", "T0007-000001-preview-1",
    ]  # fmt: skip
    assert base.base.bodies[0] == dump_record(sighting(1)), "the same bytes as over MQTT"


def test_a_second_start_goes_on_with_counters_that_were_never_used(
    unit: Unit7, base: Station
) -> None:
    for number in (1, 2):
        unit.put_alert(number)
        unit.run(until_stored=number)
    counters = [parse_header(heard.frame).counter_low for heard in base.heard]
    assert len(counters) >= 2 and len(set(counters)) == len(counters)


def test_a_picture_whose_state_was_lost_goes_again_at_once(
    unit: Unit7, base: Station, tmp_path: Path
) -> None:
    item = unit.put_crop(1, crop(tmp_path))
    unit.outbox.claim(NOW_S, 1)
    unit.outbox.later(item, NOW_S + 86_000.0)
    unit.run(until_stored=1)
    assert unit.stored() == {item}


def test_a_picture_that_has_killed_the_uplink_is_still_suspected_at_the_next_start(
    unit: Unit7, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit.put_crop(1, crop(tmp_path))
    unit.outbox.claim(NOW_S, 1)  # and dies
    monkeypatch.setattr("firmware.loop.run", lambda step, events: None)
    unit.run(until_stored=1)
    with closing(sqlite3.connect(unit.trap.unit.lora_outbox)) as db:
        assert db.execute("SELECT lone_deaths FROM item").fetchone() == (1,)


def test_through_a_lorawan_network_the_same_payloads_and_receipts(
    tmp_path: Path, air: Ether
) -> None:
    base, key = Base(), "00112233445566778899aabbccddeeff"

    def publish(topic: str, payload: bytes) -> None:
        if not topic.endswith("/event/up"):
            return
        event = json.loads(payload)
        for port, said in base.hear(event["fPort"], base64.b64decode(event["data"]), 0.0):
            order = {"devEui": EUI, "confirmed": False, "fPort": port,
                     "data": base64.b64encode(said).decode()}  # fmt: skip
            topic_down = topic.removesuffix("event/up") + "command/down"
            server.command(topic_down, json.dumps(order).encode())

    server = NetworkServer([Device(EUI, key)], publish, lambda: NOW_S, random.Random(2))
    modem = Rui3Modem(air, tmp_path / "modem", network=server, speed=10.0)
    (tmp_path / "app.key").write_text(key)
    (tmp_path / "app.key").chmod(0o600)
    how = settings(
        port=tmp_path / "modem", key_file=None, mode="lorawan", avif_speed=10, duty_cycle=1.0,
        lorawan=LorawanDevice(dev_eui=EUI, app_key_file=tmp_path / "app.key"), spreading_factor=7,
        refinement_bytes=900, retry_least_s=0.5, power_dbm=14,
    )  # fmt: skip
    unit = Unit7(tmp_path, air, how)
    try:
        wanted = {unit.put_alert(1), unit.put_crop(1, crop(tmp_path))}
        unit.run(until_stored=2, plain=True)
        assert unit.stored() == wanted
        assert base.bodies[0] == dump_record(sighting(1))
        assert {str(item) for item in base.stored} >= {
            "T0007-000001-preview-0", "T0007-000001-preview-1",
        }  # fmt: skip
    finally:
        unit.outbox.close()
        modem.close()


def test_what_cannot_be_sent_safely_is_not_sent_at_all(unit: Unit7, base: Station) -> None:
    unit.put_alert(1)
    (unit.folder / "lora.counter").unlink()
    with pytest.raises(CounterLost, match="missing"):
        unit.run(until_stored=1)
    assert base.heard == [] and unit.stored() == set()


def test_a_key_file_that_holds_no_key_is_told(unit: Unit7) -> None:
    (unit.folder / "lora.key").write_text("secret\n")
    with pytest.raises(KeyUnusable, match="32 or more hex digits"):
        unit.run(until_stored=1)


def test_without_a_section_for_it_there_is_no_lora(unit: Unit7) -> None:
    plain = TrapSettings(unit.trap.unit, Broker("nowhere"))
    with pytest.raises(daemon.NoLora, match="no section"):
        daemon.run(plain, lambda: NOW_S)
