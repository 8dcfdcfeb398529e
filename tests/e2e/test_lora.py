"""A base with gateway and a unit's LoRa uplink, as processes: killed, and on modems that fail."""

import contextlib
import dataclasses
import datetime
import io
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.base.listing import Listed, list_sightings
from firmware.base.settings import BaseSettings
from firmware.config import load
from firmware.demo.broker import find_mosquitto, private_broker
from firmware.demo.configs import base_config, trap_config
from firmware.demo.lora import Air, air, provision
from firmware.trap.capture.policy import (
    ALERT_PRIORITY,
    FRAME_PRIORITY,
    FRAME_TYPE,
    RECORD_TYPE,
)
from firmware.trap.capture.verdict import LEOPARD
from firmware.trap.outbox import Outbox
from firmware.wire.alert import on_air
from firmware.wire.ids import ItemId
from firmware.wire.records import dump_record
from tests.base.gateway.site import Process
from tests.base.pictures import sighting

UNIT = "T0001"
PATIENCE_S = 60.0
COMMANDS = {
    "base": ("base", "run"), "gateway": ("base", "gateway"),
    "uplink": ("trap", "uplink", "--link", "lora"),
}  # fmt: skip
LEOPARDS, KILLS = 3, 10


@dataclass
class Field:
    """One base, one unit, and the air between."""

    folder: Path
    air: Air
    processes: dict[str, Process] = dataclasses.field(default_factory=dict)

    def start(self, name: str) -> Process:
        """One of the daemons."""
        config = str(self.folder / f"{name}.toml")
        self.processes[name] = Process(*COMMANDS[name], "--config", config)
        return self.processes[name]

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()

    def waiting(self) -> int:
        """Items that the unit has not got a receipt for."""
        with Outbox(self.folder / UNIT / "outbox-lora.sqlite", 10**7) as outbox:
            return len([i for i in outbox.ids("waiting", "sending") if i.kind != "health"])

    def sees(self, number: int, crop: bytes) -> None:
        """As the capture daemon queues a leopard."""
        now_s = datetime.datetime.now(datetime.UTC).timestamp()
        record = dump_record(on_air(sighting(number, UNIT)))
        seen, preview = ItemId(1, number, "sighting"), ItemId(1, number, "preview")
        with Outbox(self.folder / UNIT / "outbox-lora.sqlite", 10**7) as outbox:
            outbox.put(seen, record, RECORD_TYPE, ALERT_PRIORITY[LEOPARD], now_s)
            outbox.put(preview, crop, FRAME_TYPE, FRAME_PRIORITY[LEOPARD], now_s)

    def listed(self) -> list[Listed]:
        return list(list_sightings(load(self.folder / "base.toml", BaseSettings)))


@contextlib.contextmanager
def field(folder: Path, loss: float = 0.0) -> Iterator[Field]:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    (folder / UNIT).mkdir()
    provision(folder / UNIT)
    with (
        private_broker(folder / "broker", threading.Event().wait) as broker,
        air(folder / "air", [UNIT], loss=loss, seed=3) as here,
        contextlib.ExitStack() as stack,
    ):
        configs = {
            "base": base_config(folder / "base", broker.address),
            "gateway": here.gateway_config(broker.address),
            "uplink": trap_config(UNIT, folder / UNIT, here.unit_section(UNIT)),
        }
        for name, text in configs.items():
            (folder / f"{name}.toml").write_text(text)
        made = Field(folder, here)
        stack.callback(made.close)
        made.start("base").log_until("link_up")
        gateway = made.start("gateway")
        gateway.log_until("link_up")
        gateway.log_until("radio_up")
        made.start("uplink").log_until("air_up")
        yield made


def photograph() -> bytes:
    """A crop with something on it, as the capture daemon cuts it."""
    rows = np.random.default_rng(1).integers(60, 200, (24, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(rows).resize((480, 360), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.slow
def test_modems_pulled_out_in_mid_picture_cost_time_only(tmp_path: Path) -> None:
    with field(tmp_path) as here:
        base = here.processes["base"]
        for number, (name, modem, says) in enumerate(
            (("gateway", "gateway", "radio_down"), ("uplink", UNIT, "air_down")), 1
        ):
            here.sees(number, photograph())
            base.log_until(f"stored item={UNIT}-{number:06d}-preview-0", PATIENCE_S)
            here.air.modems[modem].uart.unplug()
            here.processes[name].log_until(says)
            here.air.modems[modem].uart.plug()
            base.log_until(f"stored item={UNIT}-{number:06d}-preview-1", PATIENCE_S)
        listed = here.listed()
    assert [(one.species, one.previews, one.conflicts) for one in listed] == [("leopard", 2, 0)] * 2


@pytest.mark.slow
def test_killed_in_turn_uplink_and_gateway_deliver_every_leopard_once(tmp_path: Path) -> None:
    with field(tmp_path, loss=0.1) as here:
        for number in range(1, LEOPARDS + 1):
            here.sees(number, photograph())
        pause = threading.Event().wait
        for kill in range(KILLS):
            name, ready = (("uplink", "air_up"), ("gateway", "radio_up"))[kill % 2]
            pause(kill % 5 / 2)
            assert here.waiting(), f"all is there after {kill} kills: they come too late"
            here.processes[name].kill()
            here.start(name).log_until(ready)
        until_s = time.monotonic() + PATIENCE_S
        while here.waiting() and time.monotonic() < until_s:
            pause(0.2)
        assert not here.waiting()
        with contextlib.closing(sqlite3.connect(tmp_path / "base" / "base.sqlite")) as db:
            items = db.execute("SELECT sighting, kind, idx FROM item ORDER BY 1, 2 DESC, 3")
            stored = [tuple(row) for row in items if row[1] != "health"]
        with Outbox(tmp_path / UNIT / "outbox-lora.sqlite", 10**7) as outbox:
            assert outbox.rows("rejected") == []
    wanted = (("sighting", 0), ("preview", 0), ("preview", 1))
    assert stored == [(n, *item) for n in range(1, LEOPARDS + 1) for item in wanted]
