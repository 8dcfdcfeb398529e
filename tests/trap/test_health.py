"""Health reports: how often, how many wait, what they count, and what a wrong clock does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.trap.activity import ActivityLog
from firmware.trap.health import AGAIN_S, Reporter
from firmware.trap.outbox import Outbox, OutboxError
from firmware.trap.vitals import Vitals
from firmware.wire.health import Health, on_air
from firmware.wire.ids import ItemId
from firmware.wire.records import Clock, load_record

NOW_S = 1_800_000_000
VITALS = Vitals(3600.0, 30_000_000_000, 41.6, 12_400)


class Bench:
    """Two uplinks' reporters on one unit, with an outbox for each link and clocks set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s, self.clock_s, self.boot = float(NOW_S), 100.0, "boot-1"
        self.clock: Clock = "ntp"
        self.interval_s = 3600.0
        self.vitals = VITALS
        self.mqtt = Outbox(folder / "outbox.sqlite", 10**8)
        self.lora = Outbox(folder / "outbox-lora.sqlite", 10**8)
        self.log = ActivityLog(folder, "0a1b2c3d", ("leopard",))
        self.start()

    def start(self) -> None:
        self.reporters = [self.reporter(), self.reporter()]

    def reporter(self) -> Reporter:
        return Reporter(
            "T0007", self.folder, (self.mqtt, self.lora), lambda: self.interval_s,
            lambda: self.vitals, lambda: self.now_s, lambda: self.clock_s, lambda: self.clock,
            self.boot,
        )  # fmt: skip

    def run(self, seconds: float) -> int:
        """Step both whenever they want to be; how many steps that took."""
        end_s, steps = self.clock_s + seconds, 0
        while True:
            due_s = min(reporter.step() for reporter in self.reporters)
            steps += 1
            assert steps < 1000, "the reporters spin"
            if self.clock_s + due_s > end_s:
                self.now_s += end_s - self.clock_s
                self.clock_s = end_s
                return steps
            self.clock_s += due_s
            self.now_s += due_s

    def waiting(self, outbox: Outbox) -> list[Health]:
        items = outbox.claim(self.now_s, 100)
        found = [load_record(item.body, Health) for item in items if item.id.kind == "health"]
        for item in items:
            outbox.later(item.id, self.now_s)
        return found

    def take(self, *outboxes: Outbox) -> list[Health]:
        """What goes out over these links, and is stored by the base."""
        found = []
        for outbox in outboxes:
            for item in outbox.claim(self.now_s, 100):
                outbox.stored(item.id, item.sha256)
                found.append(load_record(item.body, Health))
        return found

    def close(self) -> None:
        self.mqtt.close()
        self.lora.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_the_first_report_comes_at_the_start_and_is_the_same_bytes_on_both_links(
    bench: Bench,
) -> None:
    bench.log.burst(NOW_S - 600.0, empty=True)
    bench.run(0)
    (one,), (other,) = bench.take(bench.mqtt), bench.take(bench.lora)
    assert one == other == on_air(one)
    assert (one.unit, one.number, one.time_s, one.clock) == ("T0007", NOW_S, NOW_S, "ntp")
    assert (one.uptime_min, one.battery_mv, one.cpu_c) == (60, 12_400, 42)
    assert 28_000 < one.disk_free_mb <= 30_000
    assert (one.bursts, one.empty, one.quiet_min) == (1, 1, 10)
    assert (one.waiting, one.model, one.firmware) == (0, "0a1b2c3d", "0.1.0")


def test_one_report_an_interval_comes_however_many_uplinks_and_restarts_there_are(
    bench: Bench,
) -> None:
    numbers = []
    for _ in range(24):
        bench.run(1800)
        bench.start()
        bench.run(1800)
        numbers += [report.number for report in bench.take(bench.mqtt)]
    assert len(numbers) == 24, "the first one of all gave way to the second"
    assert numbers == sorted(set(numbers))


def test_the_daemon_is_woken_once_an_interval(bench: Bench) -> None:
    bench.run(0)
    assert bench.run(3600 * 24) <= 24 * 4


def test_days_without_a_link_leave_one_report_in_each_outbox_and_it_counts_them_all(
    bench: Bench,
) -> None:
    for hour in range(48):
        bench.log.burst(bench.now_s, empty=hour % 2 == 0)
        bench.run(3600)
    for outbox in (bench.mqtt, bench.lora):
        assert [item.kind for item in outbox.ids()] == ["health"]
    (report,) = bench.take(bench.mqtt)
    assert 48 * 16 / 17 < report.bursts <= 48
    assert report.empty == 24
    assert bench.now_s - report.number <= 3600


def test_bursts_are_counted_once_whichever_link_carries_the_report(bench: Bench) -> None:
    total = 0
    bench.run(10)
    for hour in range(12):
        for _ in range(hour % 4):
            bench.log.burst(bench.now_s, empty=False)
        bench.run(3600)
        carried = bench.take(*([bench.mqtt], [bench.lora], [])[hour % 3])
        total += sum(report.bursts for report in carried)
    bench.run(3600)
    total += sum(report.bursts for report in bench.take(bench.mqtt))
    assert total == sum(hour % 4 for hour in range(12))


def test_a_report_tells_what_waits_in_all_outboxes_but_itself(bench: Bench) -> None:
    for number in range(3):
        frame = ItemId(7, number, "frame", 1)
        bench.mqtt.put(frame, bytes(100_000), "image/jpeg", 3, bench.now_s)
    bench.lora.put(ItemId(7, 1, "sighting"), bytes(50), "application/json", 0, bench.now_s)
    bench.run(0)
    (report,) = bench.waiting(bench.lora)
    assert (report.waiting, report.waiting_kb) == (4, 300)


def test_an_order_to_report_more_often_is_heeded_at_once(bench: Bench) -> None:
    bench.run(600)
    bench.take(bench.mqtt)
    bench.interval_s = 60.0
    bench.run(0)
    assert len(bench.take(bench.mqtt)) == 1
    bench.run(60)
    assert len(bench.take(bench.mqtt)) == 1


def test_a_reboot_brings_a_report_whatever_the_clock_of_the_new_boot_says(bench: Bench) -> None:
    bench.run(10)
    (before,) = bench.take(bench.mqtt)
    bench.boot, bench.clock_s = "boot-2", 5.0
    bench.start()
    bench.run(0)
    (after,) = bench.take(bench.mqtt)
    assert after.number > before.number


def test_numbers_rise_also_when_the_clock_does_not_and_then_no_time_is_told(bench: Bench) -> None:
    bench.run(0)
    (first,) = bench.take(bench.mqtt)
    bench.now_s = 5.0
    bench.run(3600)
    (second,) = bench.take(bench.mqtt)
    assert (second.number, second.time_s) == (first.number + 1, None)
    bench.now_s, bench.clock = NOW_S + 1e8, "unsynced"
    bench.run(3600)
    (third,) = bench.take(bench.mqtt)
    assert (third.number, third.time_s, third.clock) == (first.number + 2, None, "unsynced")
    bench.clock = "ntp"
    bench.run(3600)
    (fourth,) = bench.take(bench.mqtt)
    assert fourth.time_s == fourth.number > NOW_S + 1e8


def test_what_the_unit_does_not_know_is_left_open(bench: Bench) -> None:
    bench.vitals = Vitals(0.0, 0, None, None)
    bench.run(0)
    (report,) = bench.take(bench.mqtt)
    assert (report.cpu_c, report.battery_mv, report.quiet_min) == (None, None, None)


def test_an_outbox_that_fails_is_told_once_and_tried_again_in_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise OutboxError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "put", fail)
        assert bench.run(AGAIN_S * 10) < 50
    warnings = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 2, "each process tells once"
    bench.run(AGAIN_S)
    assert len(bench.take(bench.mqtt)) == 1


@pytest.mark.parametrize("content", [b"", b'{"number":-5}', b'{"number":"x"}'])
def test_a_damaged_note_costs_at_most_a_report_too_many(bench: Bench, content: bytes) -> None:
    bench.run(0)
    (bench.folder / "report.json").write_bytes(content)
    bench.start()
    bench.run(10)
    assert 1 <= len(bench.take(bench.mqtt)) <= 2
