"""Commands over a real Mosquitto with the rights that we ship: given at the base, obeyed by a
unit's own processes, answered, and the answer stored."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware.base.store import DATABASE
from firmware.broker import Broker
from firmware.trap.capture.archive import Archive
from firmware.trap.capture.policy import Burst
from firmware.trap.capture.verdict import Verdict
from tests.base.pictures import picture
from tests.contract.brokers import mosquitto, wait

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
RIGHTS = ("allow_anonymous true", f"acl_file {ROOT / 'deploy' / 'mosquitto.acl'}")


@dataclass(frozen=True)
class Site:
    """A base and a unit, T0007, with their folders and configs."""

    folder: Path
    base: Path
    trap: Path

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`rosette base command ...`."""
        return subprocess.run(
            [sys.executable, "-m", "firmware", "base", "command", *words,
             "--config", str(self.base), "--wait", str(PATIENCE_S)],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip

    def stored(self, query: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.folder / "base" / DATABASE)) as db:
            return db.execute(query).fetchall()

    def until_stored(self, query: str, count: int) -> list[tuple[object, ...]]:
        for _ in range(int(PATIENCE_S / 0.05)):
            if len(found := self.stored(query)) >= count:
                return found
            wait(0.05)
        return pytest.fail(f"{query}: only {self.stored(query)}")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path / "broker", *RIGHTS) as running:
        yield running.address


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Site:
    base, trap = tmp_path / "base.toml", tmp_path / "trap.toml"
    (tmp_path / "trap").mkdir()
    at = f'host = "{broker.host}"\nport = {broker.port}\n'
    base.write_text(f'[mqtt]\n{at}username = "base"\n[store]\ndata_dir = "{tmp_path / "base"}"\n')
    trap.write_text(
        f'[unit]\nid = "T0007"\ndata_dir = "{tmp_path / "trap"}"\n[mqtt]\n{at}username = "T0007"\n'
        f'[commands]\nreboot = ["touch", "{tmp_path / "rebooted"}"]\n'
    )
    return Site(tmp_path, base, trap)


@contextlib.contextmanager
def running(*words: str, until: str) -> Iterator["subprocess.Popen[str]"]:
    """One of our daemons, once it has logged this."""
    with subprocess.Popen(
        [sys.executable, "-m", "firmware", *words], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stderr is not None
        try:
            assert any(until in line for line in process.stderr)
            os.set_blocking(process.stderr.fileno(), False)
            yield process
        finally:
            process.kill()


def archived(site: Site, sighting: int, *, people: bool = False) -> list[bytes]:
    """The pictures of a sighting that is on the unit's card and was never sent."""
    jpegs = [picture(sighting * 10 + number) for number in range(3)]
    verdict = Verdict("human" if people else "deer", 0.9, 0.1, people=people)
    burst = Burst("T0007", sighting, 1.8e9, "ntp", False, jpegs, verdict, "0a1b2c3d")
    Archive(site.folder / "trap" / "archive", 0, lambda: ()).store(burst)
    return jpegs


def test_a_command_is_obeyed_answered_and_its_pictures_arrive(site: Site) -> None:
    archived(site, 5)
    archived(site, 6, people=True)
    with (
        running("base", "run", "--config", str(site.base), until="link_up"),
        running("trap", "uplink", "--config", str(site.trap), until="link_up"),
    ):
        done = site.command("T0007", "frame", "T0007-000005")
        assert (done.returncode, done.stderr) == (0, "")
        assert "  frame 5: done" in done.stdout
        frames = "SELECT sighting, idx FROM item WHERE kind = 'frame' ORDER BY idx"
        assert site.until_stored(frames, 3) == [(5, 1), (5, 2), (5, 3)]
        refused = site.command("T0007", "frame", "6", "1")
        assert refused.returncode == 1 and "not encrypted" in refused.stdout
        assert site.command("T0007", "threshold", "leopard", "0.7").returncode == 0
        orders = json.loads((site.folder / "trap" / "orders.json").read_bytes())
        assert orders["thresholds"] == {"leopard": 0.7}
        answers = site.stored("SELECT outcome, reason FROM answer ORDER BY number")
        assert answers == [("done", ""), ("refused", "people"), ("done", "")]
        health = site.until_stored("SELECT unit, disk_free_mb > 0 FROM health", 1)
        assert health == [("T0007", 1)]


def test_a_command_given_while_nobody_listens_is_obeyed_when_they_are_back(site: Site) -> None:
    with running("base", "run", "--config", str(site.base), until="link_up"):
        pass
    given = subprocess.run(
        [sys.executable, "-m", "firmware", "base", "command", "T0007", "interval", "5m",
         "--config", str(site.base)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert given.returncode == 0 and "is `rosette base run` at work" in given.stderr
    with (
        running("trap", "uplink", "--config", str(site.trap), until="link_up"),
        running("base", "run", "--config", str(site.base), until="command_answered"),
    ):
        assert site.until_stored("SELECT outcome FROM answer", 1) == [("done",)]
