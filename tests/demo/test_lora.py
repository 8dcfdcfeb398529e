"""The demo's air, without its processes."""

from pathlib import Path

import pytest

from firmware.base.gateway.peers import KeyFolder
from firmware.base.gateway.settings import GatewaySettings
from firmware.base.gateway.state import State
from firmware.broker import Broker
from firmware.config import load
from firmware.demo.configs import trap_config
from firmware.demo.lora import air, provision
from firmware.demo.report import Seen, Trap
from firmware.radio.counter import Counters
from firmware.radio.open import open_radio
from firmware.trap.outbox import Row
from firmware.trap.settings import TrapSettings
from firmware.wire.ids import ItemId

BROKER = Broker("127.0.0.1", 1883)


def test_gateway_and_units_find_modems_keys_and_counters_and_hear_each_other(
    tmp_path: Path,
) -> None:
    provision(tmp_path)
    with air(tmp_path / "air", ["T0001"], loss=0.0, seed=1) as here:
        gateway_file, trap_file = tmp_path / "gateway.toml", tmp_path / "trap.toml"
        gateway_file.write_text(here.gateway_config(BROKER))
        trap_file.write_text(trap_config("T0001", tmp_path, here.unit_section("T0001")))
        gateway, trap = load(gateway_file, GatewaySettings), load(trap_file, TrapSettings)
        assert gateway.lora and gateway.p2p and trap.lora and trap.mqtt is None
        assert gateway.lora.tuning == trap.lora.tuning
        assert KeyFolder(gateway.p2p.keys_dir).of(1) is not None
        State(gateway.p2p.data_dir).__exit__()
        assert Counters(tmp_path / "lora.counter", 0).take() == 0
        unit, base = open_radio(trap.lora), open_radio(gateway.lora)
        try:
            for radio in (unit, base):
                radio.tune(gateway.lora.tuning)
            base.receive(0.05)
            unit.send(b"hello")
            heard = base.receive(5.0)
        finally:
            unit.close()
            base.close()
    assert heard is not None and heard.frame == b"hello"


@pytest.mark.parametrize(
    ("stored", "missing", "doubled"),
    [
        ({"sighting-0": ["a"], "preview-0": ["b"], "preview-1": ["c"]}, [], []),
        ({"sighting-0": ["x"], "preview-0": ["b"]}, ["sighting-0", "preview-1"], []),
        ({"sighting-0": ["a"], "preview-0": ["b", "d"], "preview-1": ["c"]}, [], ["preview-0"]),
    ],
)
def test_delivered_means_alert_preview_and_refinement_once_each(
    stored: dict[str, list[str]], missing: list[str], doubled: list[str]
) -> None:
    head = "T0001-000004"
    seen = Seen("T0001", 4, "a", "leopard", 0.9, 0)
    at_base = {f"{head}-{name}": hashes for name, hashes in stored.items()}
    trap = Trap("T0001", 1, [seen], 0, [queued(f"{head}-sighting-0", "a")], at_base, 0, link="lora")
    assert trap.missing == [f"{head}-{name}" for name in missing]
    assert trap.doubled == [f"{head}-{name}" for name in doubled]
    assert trap.delivered is (not missing and not doubled)


def queued(item: str, sha256: str) -> Row:
    return Row(ItemId.parse(item), "stored", 0, 9, 1, 0.0, 0.0, "text/plain", sha256, None, "")
