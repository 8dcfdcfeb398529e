"""kill -9 of uplink, receiver, broker and capture in turn: everything queued is stored once.

The real daemons as processes on a private Mosquitto, rendered leopards before a folder camera.
"""

import threading
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from firmware.demo.broker import PrivateBroker, find_mosquitto, private_broker
from firmware.demo.cards import Shoot, render_cards
from firmware.demo.configs import base_config, mqtt_section, trap_config
from firmware.demo.processes import Child, Children
from firmware.demo.report import read_trap
from firmware.sim.scene import Site, Visit
from firmware.trap.outbox import Outbox, Row

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_mosquitto() is None, reason="Mosquitto is not installed"),
]

ITEMS = 200
UNIT = "T0001"
KILL_EVERY_S = 2.0
DEADLINE_S = 420.0

pause = threading.Event().wait


def card(folder: Path) -> Path:
    """A few bursts of close leopards."""
    site = Site(1, "snow", 640, 360)
    shoots = [
        Shoot(folder / f"{n}-leopard", site, Visit("leopard", n, distance_m=3.0, start_x=0.4),
              n % 2 == 0, n)
        for n in range(6)
    ]  # fmt: skip
    render_cards(shoots, 3, lambda n: None)
    return folder


def rows(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with Outbox(file, 10**9) as outbox:
        return outbox.rows()


def wait_until(true: Callable[[], bool], deadline_s: float) -> None:
    for _ in range(int(deadline_s / 0.2)):
        if true():
            return
        pause(0.2)
    pytest.fail(f"not within {deadline_s:.0f} s")


def kill_in_turn(
    broker: PrivateBroker, children: Children, victims: list[Child], enough: Callable[[], bool]
) -> int:
    """Until enough is queued: kill one, start it again, go on to the next."""
    for kills, turn in enumerate(cycle(range(len(victims) + 1))):
        if enough():
            return kills
        if turn == len(victims):
            broker.kill()
            broker.start(pause)
        else:
            victims[turn].process.kill()
            victims[turn].process.wait()
            children.restart(victims[turn])
        assert kills < DEADLINE_S / KILL_EVERY_S, "capture does not get on"
        pause(KILL_EVERY_S)
    raise AssertionError


def test_200_items_survive_kills_of_every_process_in_turn(tmp_path: Path) -> None:
    outbox = tmp_path / UNIT / "outbox.sqlite"
    pictures = card(tmp_path / "card")
    children = Children(tmp_path)
    with private_broker(tmp_path / "broker", pause) as broker:
        try:
            (tmp_path / "base.toml").write_text(base_config(tmp_path / "base", broker.address))
            (tmp_path / "trap.toml").write_text(
                trap_config(UNIT, tmp_path / UNIT, mqtt_section(broker.address, UNIT)).replace(
                    "quiet_s = 0.5", "quiet_s = 0.1"
                )
            )
            base = children.start(
                "base", "firmware", "base", "run", "--config", str(tmp_path / "base.toml")
            )
            (tmp_path / UNIT).mkdir()
            uplink = children.start(
                "uplink", "firmware", "trap", "uplink", "--config", str(tmp_path / "trap.toml")
            )
            capture = children.start(
                "capture", "firmware.demo.unit", str(tmp_path / "trap.toml"), str(pictures),
                "2000", "0.7", "0",
            )  # fmt: skip
            wait_until(lambda: len(rows(outbox)) >= 8, 60)
            kills = kill_in_turn(
                broker, children, [uplink, base, capture], lambda: len(rows(outbox)) >= ITEMS
            )
            capture.process.terminate()
            capture.process.wait(30)
            wait_until(lambda: all(row.state == "stored" for row in rows(outbox)), 120)
        finally:
            children.stop()
    queued = rows(outbox)
    trap = read_trap(
        UNIT, 0, capture.events(), base.events(), queued, tmp_path / "base" / "base.sqlite"
    )
    assert kills >= 8
    assert len(queued) >= ITEMS
    assert trap.delivered, (trap.missing, trap.doubled)
    assert {str(row.id): [row.sha256] for row in queued} == trap.stored
    assert not [row for row in queued if row.state == "rejected"]
