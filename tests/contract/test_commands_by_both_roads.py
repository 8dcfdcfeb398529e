"""A command by MQTT and by LoRa is one command, and its answer and the health report that come by
both roads are the same bytes: the gateway's pure part against the unit's own."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from firmware.base.gateway.assembly import Assembly, Publish
from firmware.broker import Broker
from firmware.sim.clock import VirtualClock
from firmware.trap.duties import Duties
from firmware.trap.outbox import Outbox
from firmware.trap.settings import TrapSettings, Unit
from firmware.wire.alert import pack_sighting
from firmware.wire.commands import Command
from firmware.wire.health import Health, pack_health
from firmware.wire.ids import ItemId
from firmware.wire.packet import COMMAND, HEALTH, SIGHTING
from firmware.wire.records import Receipt, dump_record, load_record
from firmware.wire.topics import up_topic
from tests.base.pictures import sighting

UNIT = 7


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", 10**8) as opened:
        yield opened


@pytest.fixture
def duties(tmp_path: Path) -> Iterator[Duties]:
    clock = VirtualClock()
    settings = TrapSettings(Unit("T0007", tmp_path), Broker(host="localhost"))
    with Duties.of(settings, clock.now, clock.monotonic, lambda: "ntp") as made:
        yield made


def body(outbox: Outbox, kind: str) -> tuple[ItemId, bytes]:
    """The one item of a kind that waits."""
    items = [item for item in outbox.claim(0.0, 99) if item.id.kind == kind]
    for item in items:
        outbox.later(item.id, 0.0)
    ((found, content),) = [(item.id, item.body) for item in items]
    return found, content


def published(assembly: Assembly, port: int, payload: bytes) -> tuple[str, bytes]:
    (out,) = [out for out in assembly.heard(UNIT, port, payload, 1.0) if isinstance(out, Publish)]
    return out.topic, out.payload


def test_the_gateway_s_packet_is_obeyed_and_its_answer_is_the_outbox_s(
    duties: Duties, outbox: Outbox
) -> None:
    assembly = Assembly()
    command = Command("T0007", 1_800_000_000, "interval", 1_800_000_000, seconds=300)
    assembly.command(UNIT, command, until_s=1e9)
    (alert,) = assembly.heard(UNIT, SIGHTING, pack_sighting(sighting(1)), 0.0)
    assert isinstance(alert, Publish)
    stored_alert = Receipt("T0007-000001-sighting-0", sha256(alert.payload).hexdigest(), "stored")
    downs = assembly.receipt(stored_alert, 0.0)
    (packed,) = [down.payload for down in downs if down.port == COMMAND]
    answer = duties.hear_packet(packed)
    assert answer is not None
    item, stored = body(outbox, "answer")
    assert published(assembly, COMMAND, answer) == (up_topic(item), stored)
    assert duties.hear_json(dump_record(command)), "by the other road"
    assert body(outbox, "answer") == (item, stored)


def test_a_health_report_is_the_same_bytes_by_both_roads(duties: Duties, outbox: Outbox) -> None:
    duties.step()
    item, stored = body(outbox, "health")
    packed = pack_health(load_record(stored, Health))
    assert published(Assembly(), HEALTH, packed) == (up_topic(item), stored)
