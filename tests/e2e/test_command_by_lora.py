"""A command by radio alone: base, gateway and a unit's LoRa uplink as processes, with emulated
modems on one air. The unit hears it in the answer to an alert, obeys, and its answer is stored."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.radio.counter import start_epoch
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId
from firmware.wire.records import dump_record
from tests.base.gateway.site import ROOT, Process, Site, site
from tests.base.gateway.test_peers import MASTER
from tests.base.pictures import sighting


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


@contextlib.contextmanager
def unit_at(place: Site) -> Iterator[Process]:
    """T0007, which has LoRa alone."""
    modem = Rui3Modem(place.ether, place.folder / "unit-modem", name="T0007", mode=0)
    data = place.folder / "trap"
    (data / "lora.key").write_text(MASTER.hex() + "\n")
    (data / "lora.key").chmod(0o600)
    start_epoch(data / "lora.counter", 0)
    config = place.folder / "trap.toml"
    config.write_text(
        f'[unit]\nid = "T0007"\ndata_dir = "{data}"\n'
        f'[lora]\nport = "{modem.path}"\nregion = "RU864"\nspreading_factor = 7\n'
        f'duty_cycle = 1.0\nkey_file = "{data / "lora.key"}"\nretry_least_s = 0.5\n'
    )
    unit = Process("trap", "uplink", "--link", "lora", "--config", str(config))
    try:
        yield unit
    finally:
        unit.kill()
        modem.close()


def see_leopard(place: Site, number: int) -> None:
    with Outbox(place.folder / "trap" / "outbox-lora.sqlite", 10**8) as outbox:
        record = dump_record(sighting(number))
        outbox.put(ItemId(7, number, "sighting"), record, "application/json", 0, 1.8e9)


def command(place: Site, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "firmware", "base", "command", "T0007", *words,
         "--config", str(place.folder / "run.toml")],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_unit_with_lora_alone_obeys_and_refuses_what_takes_a_faster_link(place: Site) -> None:
    (place.folder / "trap").mkdir()
    base = place.processes["run"]
    assert "interval 300: sent, no answer yet" in command(place, "interval", "5m")
    see_leopard(place, 1)
    with unit_at(place):
        assert "outcome=done" in base.log_until("command_answered")
        orders = json.loads((place.folder / "trap" / "orders.json").read_bytes())
        assert orders["interval_s"] == 300
        assert "frame 1: sent, no answer yet" in command(place, "frame", "1")
        see_leopard(place, 2)
        assert "outcome=refused" in base.log_until("reason=no_broadband")
    kinds = [item.split("-")[2] for item in place.items()]
    assert (kinds.count("sighting"), kinds.count("answer")) == (2, 2)
