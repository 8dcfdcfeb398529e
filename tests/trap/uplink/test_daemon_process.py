"""The uplink as a process, on real brokers: kills, signals, cuts, and what it costs."""

import contextlib
import json
import queue
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from firmware.broker import Broker
from firmware.demo.broker import private_broker
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId
from tests.contract.brokers import PATIENCE_S, Base, any_broker, as_user, free_port, wait, wire_to


class Unit:
    """A unit's data directory, its outbox as the capture daemon has it, and its uplink."""

    def __init__(self, directory: Path, broker: Broker, port: int | None = None) -> None:
        self.outbox = Outbox(directory / "outbox.sqlite", 10**9)
        self.config = directory / "trap.toml"
        self.config.write_text(
            f'[unit]\nid = "T0007"\ndata_dir = "{directory}"\n'
            f'[mqtt]\nhost = "{broker.host}"\nport = {port or broker.port}\n'
            f'protocol = "{broker.protocol}"\nusername = "T0007"\n'
            "[uplink]\nretry_least_s = 0.1\nretry_most_s = 1.0\nreceipt_timeout_s = 1.0\n"
        )
        self.put_so_far = 0

    @contextlib.contextmanager
    def uplink(self) -> Iterator[subprocess.Popen[str]]:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.trap.uplink.uplink_worker", self.config],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()
            if worker.stderr is not None:
                worker.stderr.close()

    def put(self, count: int, size_bytes: int = 2000) -> None:
        for _ in range(count):
            self.put_so_far += 1
            item = ItemId(7, self.put_so_far, "frame", 1)
            self.outbox.put(item, body(item, size_bytes), "image/jpeg", 3, 0.0)

    def until_stored(self, count: int) -> None:
        """Returns when the base has confirmed so many pictures; there are reports besides."""
        for _ in range(int(PATIENCE_S / 0.02)):
            if sum(item.kind == "frame" for item in self.outbox.ids("stored")) >= count:
                return
            wait(0.02)
        pytest.fail(f"only {self.outbox.stats().items} after {PATIENCE_S} s")


def body(item: ItemId, size_bytes: int) -> bytes:
    return random.Random(item.sighting).randbytes(size_bytes)


def until_said(worker: subprocess.Popen[str], event: str) -> str:
    """The first line of the log that has the event."""
    assert worker.stderr is not None
    for line in worker.stderr:
        if event in line:
            return line
    return pytest.fail(f"the uplink ended without {event}")


def received(base: Base) -> list[ItemId]:
    """What the base has got so far, having looked at the bytes of each."""
    items = []
    with contextlib.suppress(queue.Empty):
        while True:
            item, payload = base.got.get_nowait()
            assert payload == body(item, len(payload))
            items.append(item)
    return items


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with private_broker(tmp_path / "broker", wait) as running:
        yield running.address


@pytest.fixture(params=["mosquitto", "embedded"])
def each_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with any_broker(request.param, tmp_path / "broker") as running:
        yield running.address


def test_everything_is_delivered_once_when_nothing_goes_wrong(
    broker: Broker, tmp_path: Path
) -> None:
    unit = Unit(tmp_path, broker)
    with Base(as_user(broker, "base")) as base, unit.uplink():
        unit.put(30)
        unit.until_stored(30)
        assert len(received(base)) == 30


def test_kill_9_at_random_moments_loses_nothing_and_rejects_nothing(
    each_broker: Broker, tmp_path: Path
) -> None:
    unit = Unit(tmp_path, each_broker)
    unit.put(60, 20_000)
    rng = random.Random(7)
    with Base(as_user(each_broker, "base")) as base:
        for _ in range(4):
            with unit.uplink() as worker:
                until_said(worker, "item_stored")
                wait(rng.uniform(0, 0.05))
        with unit.uplink():
            unit.until_stored(60)
        assert len(set(received(base))) == 60
    assert unit.outbox.stats().items["rejected"] == 0


def test_a_line_that_is_cut_in_mid_message_again_and_again_delivers_all(
    each_broker: Broker, tmp_path: Path
) -> None:
    with Base(as_user(each_broker, "base")) as base, wire_to(each_broker) as wire:
        unit = Unit(tmp_path, each_broker, wire.port)
        unit.put(12, 20_000)
        wire.cut_after_bytes = 70_000
        with unit.uplink():
            unit.until_stored(12)
        assert wire.cuts >= 3
        assert len(set(received(base))) == 12


def test_a_base_that_is_away_gets_everything_when_it_is_back(
    broker: Broker, tmp_path: Path
) -> None:
    unit = Unit(tmp_path, broker)
    unit.put(5)
    with Base(as_user(broker, "base")) as base, unit.uplink() as worker:
        base.answering = False
        until_said(worker, "receipt_missing")
        base.answering = True
        unit.until_stored(5)


def test_sigterm_ends_it_cleanly_with_items_due_and_the_unit_offline(
    broker: Broker, tmp_path: Path
) -> None:
    unit = Unit(tmp_path, broker)
    unit.put(3)
    with Base(as_user(broker, "base")) as base:
        base.answering = False
        with unit.uplink() as worker:
            until_said(worker, "link_up")
            base.got.get(timeout=PATIENCE_S)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE_S) == 0
        states = [json.loads(base.status.get(timeout=PATIENCE_S))["state"] for _ in range(2)]
        assert states == ["online", "offline"]
    assert len([item for item in unit.outbox.ids("waiting") if item.kind == "frame"]) == 3
    assert all(row.lone_deaths is None for row in unit.outbox.rows())


def test_a_broker_that_is_not_there_is_found_when_it_comes(tmp_path: Path) -> None:
    with any_broker("mosquitto", tmp_path / "broker") as running:
        unit = Unit(tmp_path, running.address)
        unit.put(3)
        running.kill()
        with unit.uplink() as worker:
            until_said(worker, "link_down")
            running.start(wait)
            with Base(running.address):
                unit.until_stored(3)


def test_sigterm_is_heeded_while_the_broker_is_away(tmp_path: Path) -> None:
    unit = Unit(tmp_path, Broker(host="127.0.0.1", port=free_port()))
    with unit.uplink() as worker:
        until_said(worker, "link_down")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0


def test_a_second_uplink_is_refused_and_does_the_first_no_harm(tmp_path: Path) -> None:
    unit = Unit(tmp_path, Broker(host="127.0.0.1", port=free_port()))
    with unit.uplink() as first:
        until_said(first, "link_down")
        with unit.uplink() as second:
            until_said(second, "another uplink")
            assert second.wait(PATIENCE_S) == 1
        assert first.poll() is None
        first.kill()
        first.wait()
    with unit.uplink() as after:
        until_said(after, "link_down")


def test_it_stays_small(broker: Broker, tmp_path: Path) -> None:
    unit = Unit(tmp_path, broker)
    with Base(as_user(broker, "base")), unit.uplink() as worker:
        unit.put(20)
        unit.until_stored(20)
        assert psutil.Process(worker.pid).memory_info().rss <= 45 * 2**20
