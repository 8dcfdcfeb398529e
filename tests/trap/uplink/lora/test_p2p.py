"""The air point to point: what is sealed, what is believed, and that all else is ignored."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from firmware.radio.counter import CounterError, CounterLost, Counters, start_epoch
from firmware.radio.port import Heard as RadioHeard
from firmware.radio.worker import NotSent as WorkerNotSent
from firmware.radio.worker import RadioDown, RadioUp, Received
from firmware.radio.worker import Sent as WorkerSent
from firmware.trap.uplink.lora.air import AirRefused, Down, Heard, Ignored, NotSent, Sent, Up
from firmware.trap.uplink.lora.lorawan import LorawanAir
from firmware.trap.uplink.lora.p2p import P2pAir
from firmware.trap.uplink.lora.state import StateError
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.packet import (
    COMMAND,
    RECEIPT,
    SIGHTING,
    SYMBOL,
    Direction,
    derive_keys,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.replay import ReplayWindow
from tests.trap.uplink.lora.field import settings

KEYS, OTHERS = derive_keys(bytes(16), 7), derive_keys(bytes(16), 8)
EPOCH = 3


@dataclass
class Worker:
    sent: list[tuple[bytes, int]] = field(default_factory=list)

    def send(self, frame: bytes, token: int) -> None:
        self.sent.append((frame, token))

    def close(self) -> None:
        self.sent.clear()


@dataclass
class Windows:
    kept: ReplayWindow = ReplayWindow()
    full: bool = False

    def window(self, epoch: int) -> ReplayWindow:
        assert epoch == EPOCH
        return self.kept

    def keep_window(self, epoch: int, window: ReplayWindow) -> None:
        if self.full:
            raise StateError("no space")
        self.kept = window


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    start_epoch(tmp_path / "counter", EPOCH)
    with closing(Counters(tmp_path / "counter", EPOCH)) as opened:
        yield opened


def air_of(counters: Any, windows: Windows | None = None, **how: Any) -> tuple[P2pAir, Worker]:
    worker: Any = Worker()
    made = P2pAir(worker, settings(**how), 7, EPOCH, KEYS, counters, windows or Windows())
    return made, worker


def down(
    counter: int, payload: bytes = b"receipts", port: int = RECEIPT, unit: int = 7,
    key: bytes = KEYS.down, direction: Direction = Direction.DOWN, epoch: int = EPOCH,
) -> Received:  # fmt: skip
    frame = seal(key, direction, epoch, unit, port, counter, payload)
    return Received(RadioHeard(frame, -100.0, 3.0))


def test_what_is_sent_opens_with_our_key_and_no_counter_comes_twice(counters: Counters) -> None:
    air, worker = air_of(counters)
    for token in range(300):
        air.send(SIGHTING, b"alert", token)
    low = [parse_header(frame).counter_low for frame, _ in worker.sent]
    assert len(set(low)) == 300 and [token for _, token in worker.sent] == list(range(300))
    assert unseal(KEYS.up, Direction.UP, EPOCH, low[0], worker.sent[0][0]) == b"alert"


def test_the_base_is_heard_once_for_each_packet(counters: Counters) -> None:
    windows = Windows()
    air, _ = air_of(counters, windows)
    assert air.take(down(5)) == Heard(RECEIPT, b"receipts")
    assert air.take(down(5)) == Ignored("replayed")
    assert air.take(down(4, b"order", COMMAND)) == Heard(COMMAND, b"order")
    later, _ = air_of(counters, windows)  # a reboot
    assert later.take(down(4, b"order", COMMAND)) == Ignored("replayed")
    assert later.take(down(6)) == Heard(RECEIPT, b"receipts")


def test_a_unit_that_lost_its_window_still_understands_a_base_that_has_said_much(
    counters: Counters,
) -> None:
    air, _ = air_of(counters)
    assert air.take(down(1_000_000)) == Heard(RECEIPT, b"receipts")
    assert air.take(down(1_000_000)) == Ignored("replayed")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (down(1, unit=8, key=OTHERS.down), "other_unit"),
        (down(1, key=OTHERS.down), "forged"),
        (down(1, key=KEYS.up), "forged"),
        (down(1, direction=Direction.UP), "forged"),
        (down(1, epoch=EPOCH - 1), "forged"),
        (down(1, port=SIGHTING), "not_for_units"),
        (Received(RadioHeard(b"", 0.0, 0.0)), "malformed"),
        (Received(RadioHeard(b"\x00" * 40, 0.0, 0.0)), "malformed"),
    ],
)
def test_what_is_not_the_bases_word_to_us_is_ignored(
    counters: Counters, event: Received, why: str
) -> None:
    windows = Windows()
    air, _ = air_of(counters, windows)
    assert air.take(event) == Ignored(why)
    assert windows.kept == ReplayWindow(), "and moves no window"


@checks(max_examples=200)
@given(st.binary(max_size=80), st.integers(0, 7), st.data())
def test_no_frame_from_the_air_is_believed_or_raises(
    raw: bytes, bit: int, data: st.DataObject
) -> None:
    air, _ = air_of(None)
    assert isinstance(air.take(Received(RadioHeard(raw, 0.0, 0.0))), Ignored)
    good = bytearray(down(9).heard.frame)
    good[data.draw(st.integers(0, len(good) - 1))] ^= 1 << bit
    assert isinstance(air.take(Received(RadioHeard(bytes(good), 0.0, 0.0))), Ignored)


def test_nobody_acts_on_a_packet_before_the_window_is_kept(counters: Counters) -> None:
    windows = Windows(full=True)
    air, _ = air_of(counters, windows)
    with pytest.raises(StateError):
        air.take(down(5))
    windows.full = False
    assert air.take(down(5)) == Heard(RECEIPT, b"receipts"), "it was not taken before"


def test_a_disk_that_gives_no_counter_refuses_and_a_lost_one_ends_the_process() -> None:
    class Broken:
        error: CounterError = CounterError("disk full")

        def take(self) -> int:
            raise self.error

    broken = Broken()
    air, worker = air_of(broken)
    with pytest.raises(AirRefused, match="disk full"):
        air.send(SIGHTING, b"alert", 1)
    broken.error = CounterLost("gone")
    with pytest.raises(CounterLost):
        air.send(SIGHTING, b"alert", 1)
    assert worker.sent == []


def test_a_payload_that_is_too_long_is_refused(counters: Counters) -> None:
    air, worker = air_of(counters)
    air.send(SYMBOL, bytes(air.payload_bytes(SYMBOL)), 1)
    assert len(worker.sent[0][0]) == 250
    with pytest.raises(AirRefused):
        air.send(SYMBOL, bytes(air.payload_bytes(SYMBOL) + 1), 2)


def test_airtime_counts_all_that_is_around_a_payload(counters: Counters) -> None:
    air, worker = air_of(counters, spreading_factor=8)
    air.send(SIGHTING, bytes(24), 1)
    assert air.airtime_s(SIGHTING, 24) == airtime_s(Modulation(8), len(worker.sent[0][0]))


def test_the_regions_law_and_the_operators_own_are_the_limit(counters: Counters) -> None:
    assert air_of(counters)[0].limit_s == pytest.approx(36.0)
    assert air_of(counters, duty_cycle=0.1)[0].limit_s == pytest.approx(360.0)
    free = air_of(counters, region="KR920", power_dbm=8, licensed=True)[0]
    assert free.limit_s == float("inf")


@pytest.mark.parametrize(
    ("event", "means"),
    [
        (RadioUp(), Up()),
        (RadioDown("unplugged"), Down("unplugged")),
        (WorkerSent(4), Sent(4)),
        (WorkerNotSent(4, "busy", gone=False), NotSent(4, "busy")),
        ("something else", None),
    ],
)
def test_what_the_radios_thread_says(counters: Counters, event: object, means: object) -> None:
    assert air_of(counters)[0].take(event) == means


def lorawan(**how: Any) -> tuple[LorawanAir, Worker]:
    worker: Any = Worker()
    return LorawanAir(worker, settings(**how)), worker


def test_on_lorawan_a_payload_goes_as_it_is_under_its_port() -> None:
    air, worker = lorawan()
    air.send(SIGHTING, b"alert", 4)
    assert worker.sent == [(bytes((SIGHTING,)) + b"alert", 4)]
    heard = Received(RadioHeard(bytes((RECEIPT,)) + b"word", 0.0, 0.0))
    assert air.take(heard) == Heard(RECEIPT, b"word")
    for port in (0, SIGHTING, 200):
        other = Received(RadioHeard(bytes((port,)) + b"word", 0.0, 0.0))
        assert air.take(other) == Ignored("not_for_units")
    assert air.take(Received(RadioHeard(b"", 0.0, 0.0))) == Ignored("not_for_units")
    assert air.take(RadioUp()) == Up()


def test_on_lorawan_the_data_rate_bounds_the_payload_and_thirteen_bytes_are_around_it() -> None:
    air, worker = lorawan(spreading_factor=9)
    assert air.payload_bytes(SYMBOL) == 115 and air.limit_s == pytest.approx(36.0)
    assert air.airtime_s(SIGHTING, 24) == airtime_s(Modulation(9), 37)
    with pytest.raises(AirRefused):
        air.send(SYMBOL, bytes(116), 1)
    assert worker.sent == []
