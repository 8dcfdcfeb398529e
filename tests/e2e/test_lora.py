"""A base with gateway and a unit's LoRa uplink, all as processes, on emulated modems that fail."""

import contextlib
import datetime
import io
import threading
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


@dataclass
class Field:
    """One base, one unit, and the air between."""

    folder: Path
    air: Air
    gateway: Process
    uplink: Process
    base: Process

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
def field(folder: Path) -> Iterator[Field]:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    (folder / UNIT).mkdir()
    provision(folder / UNIT)
    with (
        private_broker(folder / "broker", threading.Event().wait) as broker,
        air(folder / "air", [UNIT], loss=0.0, seed=3) as here,
        contextlib.ExitStack() as stack,
    ):
        configs = {
            "base": base_config(folder / "base", broker.address),
            "gateway": here.gateway_config(broker.address),
            UNIT: trap_config(UNIT, folder / UNIT, here.unit_section(UNIT)),
        }
        for name, text in configs.items():
            (folder / f"{name}.toml").write_text(text)

        def start(name: str, *command: str) -> Process:
            process = Process(*command, "--config", str(folder / f"{name}.toml"))
            stack.callback(process.kill)
            return process

        base = start("base", "base", "run")
        gateway = start("gateway", "base", "gateway")
        base.log_until("link_up")
        gateway.log_until("link_up")
        gateway.log_until("radio_up")
        uplink = start(UNIT, "trap", "uplink", "--link", "lora")
        uplink.log_until("air_up")
        yield Field(folder, here, gateway, uplink, base)


def photograph() -> bytes:
    """A crop with something on it, as the capture daemon cuts it."""
    rows = np.random.default_rng(1).integers(60, 200, (24, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(rows).resize((480, 360), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.slow
def test_modems_pulled_out_in_mid_picture_cost_time_only(tmp_path: Path) -> None:
    with field(tmp_path) as here:
        for number, name in enumerate(("gateway", UNIT), 1):
            here.sees(number, photograph())
            here.base.log_until(f"stored item={UNIT}-{number:06d}-preview-0", PATIENCE_S)
            here.air.modems[name].uart.unplug()
            if name == "gateway":
                here.gateway.log_until("radio_down")
            else:
                here.uplink.log_until("air_down")
            here.air.modems[name].uart.plug()
            here.base.log_until(f"stored item={UNIT}-{number:06d}-preview-1", PATIENCE_S)
        listed = here.listed()
    assert [(one.species, one.previews, one.conflicts) for one in listed] == [("leopard", 2, 0)] * 2
