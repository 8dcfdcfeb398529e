"""`rosette base run` as a process, over a real broker: Mosquitto, and the embedded one."""

import contextlib
import hashlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.base.store import DATABASE
from firmware.demo.broker import PrivateBroker, find_mosquitto, private_broker
from firmware.wire.ids import ItemId
from firmware.wire.picture import pack_picture
from firmware.wire.records import Receipt, Status, dump_record
from firmware.wire.topics import status_topic, up_topic
from tests.base.field_unit import TIMEOUT_S, FieldUnit
from tests.base.pictures import picture, sighting

ROOT = Path(__file__).parents[2]
FRAME = ItemId(7, 1, "frame", 1)
SIGHTING = ItemId(7, 1, "sighting")
wait = threading.Event().wait  # nobody sets it

# As `rosette base run`, but the process dies the moment that the store has committed.
DIES_AFTER_COMMIT = """
import logging, os, signal, sys
from pathlib import Path
from firmware.base import receiver, store
from firmware.base.settings import BaseSettings
from firmware.config import load

class DyingStore(store.Store):
    def put(self, arrivals):
        super().put(arrivals)
        os.kill(os.getpid(), signal.SIGKILL)

logging.basicConfig(level="INFO")
receiver.Store = DyingStore
receiver.main(load(Path(sys.argv[1]), BaseSettings))
"""


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateBroker]:
    embedded = request.param == "embedded"
    if not embedded and find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with private_broker(tmp_path / "broker", wait, embedded=embedded) as broker:
        yield broker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[PrivateBroker]:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    with private_broker(tmp_path / "broker", wait) as broker:
        yield broker


class Base:
    """The process, its log read line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def log_until(self, text: str) -> str:
        """Read the log up to the line with this text, and return that line."""
        assert self.process.stderr is not None
        killer = threading.Timer(TIMEOUT_S, self.process.kill)
        killer.start()
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if text in line:
                killer.cancel()
                return line
        raise AssertionError(f"no {text!r} in the log:\n{''.join(seen)}")


@contextlib.contextmanager
def base(broker: PrivateBroker, tmp_path: Path, program: str | None = None) -> Iterator[Base]:
    config = tmp_path / "base.toml"
    config.write_text(
        f'[mqtt]\nhost = "{broker.address.host}"\nport = {broker.address.port}\n'
        f'protocol = "{broker.address.protocol}"\nusername = "base"\n'
        f'[store]\ndata_dir = "{tmp_path / "data"}"\n'
        "[receiver]\nmax_item_mb = 0.2\nmax_packet_mb = 1\nretry_least_s = 0.1\nretry_most_s = 1\n"
    )
    command = [sys.executable, "-m", "firmware", "base", "run", "--config", str(config)]
    if program is not None:
        command = [sys.executable, "-c", program, str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Base(process)
        finally:
            process.kill()


def items(tmp_path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as db:
        return [
            f"{unit}-{number:06d}-{kind}-{index}"
            for unit, number, kind, index in db.execute(
                "SELECT unit, sighting, kind, idx FROM item ORDER BY seq"
            )
        ]


def frame(item: ItemId = FRAME, seed: int = 0, more: int = 0) -> tuple[str, bytes]:
    return up_topic(item), pack_picture(picture(seed) + bytes(more), "image/jpeg")


def stored(item: ItemId, body: bytes) -> Receipt:
    return Receipt(str(item), hashlib.sha256(body).hexdigest(), "stored")


def test_a_sighting_and_its_frame_are_stored_and_receipted_once_however_often_they_come(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    record = dump_record(sighting())
    with base(broker, tmp_path) as station, FieldUnit(broker.address) as unit:
        station.log_until("link_up")
        for _ in range(2):
            unit.publish(up_topic(SIGHTING), record)
            assert unit.next_receipt() == stored(SIGHTING, record)
            unit.publish(*frame())
            assert unit.next_receipt() == stored(FRAME, picture())
    assert items(tmp_path) == [str(SIGHTING), str(FRAME)]


def test_bad_messages_are_refused_and_the_next_good_one_is_stored(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    with base(broker, tmp_path) as station, FieldUnit(broker.address) as unit:
        station.log_until("link_up")
        unit.publish("trap/T0007/up/song/1", b"la")
        assert "reason=topic" in station.log_until("refused")
        unit.publish(up_topic(SIGHTING), b"{")
        assert unit.next_receipt().outcome == "rejected"
        unit.publish(*frame(more=300_000))
        assert "over" in unit.next_receipt().reason
        unit.publish(*frame())
        assert unit.next_receipt() == stored(FRAME, picture())
    assert items(tmp_path) == [str(FRAME)]


def test_user_properties_that_contradict_the_content_are_refused(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    with base(mosquitto, tmp_path) as station, FieldUnit(mosquitto.address) as unit:
        station.log_until("link_up")
        unit.publish(*frame(), user={"item": "T0008-000001-frame-1"})
        assert unit.next_receipt().outcome == "rejected"
        unit.publish(*frame(), user={"item": str(FRAME)})
        assert unit.next_receipt().outcome == "stored"


def test_a_message_over_the_packet_limit_never_reaches_the_receiver_and_hurts_nobody(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    with base(mosquitto, tmp_path) as station, FieldUnit(mosquitto.address) as unit:
        station.log_until("link_up")
        unit.publish(*frame(more=1_500_000))
        unit.publish(*frame(seed=1))
        assert unit.next_receipt() == stored(FRAME, picture(1))


def test_killed_between_commit_and_receipt_the_item_is_stored_once_and_receipted_later(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    with FieldUnit(mosquitto.address) as unit:
        with base(mosquitto, tmp_path, DIES_AFTER_COMMIT) as station:
            station.log_until("link_up")
            unit.publish(*frame())
            assert station.process.wait(TIMEOUT_S) == -signal.SIGKILL
        assert items(tmp_path) == [str(FRAME)]
        assert unit.receipts.empty()
        with base(mosquitto, tmp_path) as station:
            station.log_until(f"duplicate item={FRAME}")
            assert unit.next_receipt() == stored(FRAME, picture())
    assert items(tmp_path) == [str(FRAME)]


def test_the_broker_keeps_what_comes_while_the_base_is_away(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    with base(mosquitto, tmp_path) as station:
        station.log_until("link_up")
        station.process.send_signal(signal.SIGTERM)
        assert station.process.wait(TIMEOUT_S) == 0
    with FieldUnit(mosquitto.address) as unit:
        for number in range(30):
            unit.publish(*frame(ItemId(7, number, "frame", 1), number))
        with base(mosquitto, tmp_path):
            receipts = [unit.next_receipt() for _ in range(30)]
    assert len({receipt.item for receipt in receipts}) == len(items(tmp_path)) == 30


def test_kill_9_again_and_again_loses_and_doubles_nothing(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    with FieldUnit(mosquitto.address) as unit:
        waiting = {str(ItemId(7, number, "frame", 1)) for number in range(60)}
        with base(mosquitto, tmp_path) as station:
            station.log_until("link_up")
        for number in range(60):
            unit.publish(*frame(ItemId(7, number, "frame", 1), number, more=100_000))
        for _ in range(3):
            with base(mosquitto, tmp_path) as station:
                station.log_until("item=")
                os.kill(station.process.pid, signal.SIGKILL)
        with base(mosquitto, tmp_path):
            while waiting:
                waiting.discard(unit.next_receipt().item)
    assert len(items(tmp_path)) == len(set(items(tmp_path))) == 60


def test_a_broker_that_comes_late_or_is_killed_is_found_again(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    mosquitto.kill()
    with base(mosquitto, tmp_path) as station:
        station.log_until("link_down")
        for _ in range(2):
            mosquitto.start(wait)
            station.log_until("link_up")
            with FieldUnit(mosquitto.address) as unit:
                unit.publish(*frame())
                assert unit.next_receipt() == stored(FRAME, picture())
            mosquitto.kill()
            station.log_until("link_down")
    assert items(tmp_path) == [str(FRAME)]


def test_a_full_disk_costs_only_time(mosquitto: PrivateBroker, tmp_path: Path) -> None:
    with base(mosquitto, tmp_path) as station, FieldUnit(mosquitto.address) as unit:
        station.log_until("link_up")
        _, hard = resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (50_000, hard))
        unit.publish(*frame(more=100_000))
        station.log_until("store_failing")
        unit.publish(*frame(ItemId(7, 2, "frame", 1), more=100_000))
        assert unit.receipts.empty()
        resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        receipts = {unit.next_receipt().item for _ in range(2)}
        station.log_until("store_back")
    assert len(receipts) == len(items(tmp_path)) == 2


def test_a_unit_s_status_reaches_the_store(mosquitto: PrivateBroker, tmp_path: Path) -> None:
    with base(mosquitto, tmp_path) as station, FieldUnit(mosquitto.address) as unit:
        station.log_until("link_up")
        unit.publish(status_topic(7), dump_record(Status("T0007", "sleeping", 1.7e9, 1.8e9)))
        unit.publish(*frame())
        unit.next_receipt()
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as db:
            assert db.execute("SELECT unit, state FROM unit").fetchall() == [("T0007", "sleeping")]


def test_a_store_that_is_no_store_is_one_clear_line_and_exit_status_1(
    mosquitto: PrivateBroker, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / DATABASE).write_text("this is not a database" * 100)
    with base(mosquitto, tmp_path) as station:
        assert "not a database" in station.log_until("store_unusable")
        assert station.process.wait(TIMEOUT_S) == 1
