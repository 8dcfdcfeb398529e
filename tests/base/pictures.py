"""Small real pictures, records, and arrivals made from them."""

import hashlib
import io

from PIL import Image

from firmware.base.store import Arrival
from firmware.wire.commands import CommandResult
from firmware.wire.health import Health
from firmware.wire.ids import ItemId, Kind
from firmware.wire.records import Sighting, Status, dump_record
from firmware.wire.topics import status_topic, up_topic


def picture(seed: int = 0, form: str = "JPEG", size: tuple[int, int] = (16, 12)) -> bytes:
    """A real picture file; other seeds give other bytes."""
    file = io.BytesIO()
    Image.new("RGB", size, (seed % 256, seed // 256 % 256, 90)).save(file, form)
    return file.getvalue()


def sighting(number: int = 1, unit: str = "T0007", species: str = "leopard") -> Sighting:
    return Sighting(
        unit=unit, sighting=number, time_s=1.7e9, species=species, confidence=0.97, individuals=1,
        burst_frames=3, night=True, clock="rtc", model="0123abcd", frames=3, battery_mv=3700,
    )  # fmt: skip


def health(number: int = 1, unit: str = "T0007", waiting: int = 0) -> Health:
    return Health(
        unit, number, None, "unsynced", uptime_min=10, disk_free_mb=30_000, waiting=waiting,
        waiting_kb=0,
    )  # fmt: skip


def frame_arrival(item: ItemId, body: bytes, received_s: float = 1.8e9) -> Arrival:
    digest = hashlib.sha256(body).hexdigest()
    return Arrival(up_topic(item), received_s, "image/jpeg", digest, body)


def sighting_arrival(record: Sighting, received_s: float = 1.8e9) -> Arrival:
    item = ItemId(int(record.unit[1:], 16), record.sighting, "sighting")
    return _record_arrival(up_topic(item), dump_record(record), received_s)


def report_arrival(record: Health | CommandResult, received_s: float = 1.8e9) -> Arrival:
    kind: Kind = "health" if isinstance(record, Health) else "answer"
    item = ItemId(int(record.unit[1:], 16), record.number, kind)
    return _record_arrival(up_topic(item), dump_record(record), received_s)


def status_arrival(status: Status, received_s: float = 1.8e9) -> Arrival:
    topic = status_topic(int(status.unit[1:], 16))
    return _record_arrival(topic, dump_record(status), received_s)


def _record_arrival(topic: str, body: bytes, received_s: float) -> Arrival:
    digest = hashlib.sha256(body).hexdigest()
    return Arrival(topic, received_s, "application/json", digest, body)
