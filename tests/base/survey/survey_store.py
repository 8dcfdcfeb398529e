"""A small survey for tests: units at places, sightings, and what people said of them."""

import dataclasses
import hashlib
import sqlite3
from pathlib import Path

from firmware.base.store import DATABASE, Arrival, Store
from firmware.base.survey.statements import Placed
from firmware.base.survey.tables import DERIVED_TABLES
from firmware.wire.health import Health
from firmware.wire.ids import ItemId
from firmware.wire.records import dump_record
from firmware.wire.topics import up_topic
from tests.base.pictures import sighting, sighting_arrival

DAY_S = 86400.0
T0 = 1_790_000_000.0  # 2026-09-21


def seen(
    number: int, at_s: float, species: str = "leopard", unit: str = "T0007", individuals: int = 1
) -> Arrival:
    record = dataclasses.replace(
        sighting(number, unit, species), time_s=at_s, individuals=individuals
    )
    return sighting_arrival(record, at_s + 5)


def health(at_s: float, unit: str = "T0007") -> Arrival:
    report = Health(unit, int(at_s), int(at_s), "rtc", 10, 1000, 0, 0)
    topic = up_topic(ItemId(int(unit[1:], 16), int(at_s), "health"))
    body = dump_record(report)
    return Arrival(topic, at_s + 1, "application/json", hashlib.sha256(body).hexdigest(), body)


def placed(
    unit: str = "T0007", start_s: float = T0, end_s: float | None = None, place: str = "Ridge 3",
    latitude: float = 43.0512, longitude: float = 131.1487, notes: str = "",
) -> Placed:  # fmt: skip
    return Placed(unit, place, latitude, longitude, start_s, end_s, notes)


def put(data_dir: Path, *arrivals: Arrival) -> None:
    with Store(data_dir) as store:
        store.put(arrivals)


def derived(data_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    """All derived tables of the survey."""
    db = sqlite3.connect(data_dir / DATABASE)
    try:
        return {
            table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in DERIVED_TABLES
        }
    finally:
        db.close()
