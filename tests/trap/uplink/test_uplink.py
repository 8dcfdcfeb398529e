"""The daemon's steps, with a link that only notes what is done to it and clocks set by hand."""

import itertools
import logging
import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from firmware.trap import settings
from firmware.trap.outbox import Item, Outbox
from firmware.trap.uplink.link import (
    Answer,
    Down,
    LinkEvent,
    LinkRefused,
    Ordered,
    Refused,
    Unheard,
    Up,
)
from firmware.trap.uplink.uplink import BYTES_IN_FLIGHT, OPEN_S, Uplink
from firmware.wire.errors import WireError
from firmware.wire.ids import ItemId
from firmware.wire.records import Outcome, Receipt, dump_record

UNIT = 7
WALL_S = 1_800_000_000.0


class NotedLink:
    """Carries nothing; `refusal` is raised by the next `send`."""

    def __init__(self) -> None:
        self.opened = 0
        self.sent: list[Item] = []
        self.refusal: Exception | None = None
        self.closed = False
        self.asleep_until_s: list[float | None] = []

    def open(self) -> int:
        self.opened += 1
        return self.opened

    def send(self, item: Item) -> int:
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        self.sent.append(item)
        return 100 + len(self.sent)

    def forget(self, ordered: Ordered) -> None:
        raise AssertionError("the process does that")

    def close(self, until_s: float | None = None) -> None:
        self.closed = True
        self.asleep_until_s.append(until_s)


class Bench:
    """The daemon on a bench: `run(seconds)` steps it whenever it asked to be stepped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock_s = 50.0
        self.wall_s = WALL_S
        self.capture = Outbox(path, 10**8)
        self.steps = 0
        self.mute_until_s = 0.0
        self.start()

    def start(self) -> None:
        self.link = NotedLink()
        self.outbox = Outbox(self.path, 10**8)
        self.outbox.release(self.wall_s)
        self.uplink = Uplink(
            self.outbox,
            self.link,
            settings.Uplink(),
            UNIT,
            lambda: self.wall_s,
            lambda: self.clock_s,
            random.Random(1),
            lambda: max(0.0, self.mute_until_s - self.wall_s),
        )
        self.due_s: float | None = 0.0

    def hear(self, event: LinkEvent) -> None:
        self.due_s = self.uplink.step(event)

    def run(self, seconds: float) -> None:
        end_s = self.clock_s + seconds
        while self.due_s is not None and self.clock_s + self.due_s <= end_s:
            self.clock_s += self.due_s
            self.wall_s += self.due_s
            self.due_s = self.uplink.step(None)
            self.steps += 1
            assert self.steps < 10_000, "the daemon spins"
        if self.due_s is not None:
            self.due_s -= end_s - self.clock_s
        self.wall_s += end_s - self.clock_s
        self.clock_s = end_s

    def connect(self) -> None:
        self.run(0)
        self.hear(Up(self.link.opened))

    def put(self, sighting: int, body: bytes = b"jpeg", priority: int = 3) -> ItemId:
        item = ItemId(UNIT, sighting, "frame", 1)
        self.capture.put(item, body, "image/jpeg", priority, self.wall_s)
        self.due_s = 0.0  # the bell
        return item

    def answer(
        self, item: Item | ItemId, outcome: Outcome = "stored", body: bytes = b"jpeg"
    ) -> None:
        id_, digest = (
            (item.id, item.sha256) if isinstance(item, Item) else (item, sha256(body).hexdigest())
        )
        self.hear(
            Answer(self.link.opened, dump_record(Receipt(str(id_), digest, outcome, "because")))
        )

    def states(self) -> dict[int, str]:
        return {row.id.sighting: row.state for row in self.capture.rows()}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.sqlite")
    yield made
    made.outbox.close()
    made.capture.close()


@pytest.fixture
def up(bench: Bench) -> Bench:
    bench.connect()
    return bench


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.message.startswith(name)]


def test_nothing_is_sent_before_the_link_is_up(bench: Bench) -> None:
    bench.put(1)
    bench.run(5)
    assert (bench.link.opened, bench.link.sent) == (1, [])
    bench.hear(Up(1))
    assert [item.id.sighting for item in bench.link.sent] == [1]


def test_an_alert_leaves_within_a_second_of_its_commit(up: Bench) -> None:
    up.run(100)
    up.put(1, priority=0)
    up.run(1.0)
    assert len(up.link.sent) == 1


def test_only_a_few_items_are_out_and_each_receipt_makes_room_for_one(up: Bench) -> None:
    for sighting in range(10):
        up.put(sighting)
    up.run(10)
    assert len(up.link.sent) == 4
    up.answer(up.link.sent[0])
    assert len(up.link.sent) == 5
    up.answer(up.link.sent[1])
    assert [up.states()[n] for n in range(3)] == ["stored", "stored", "sending"]


def test_bytes_in_flight_are_limited_but_one_large_item_always_goes(up: Bench) -> None:
    for sighting in range(3):
        up.put(sighting, bytes([sighting]) * (BYTES_IN_FLIGHT + 1))
    up.run(10)
    assert len(up.link.sent) == 1
    up.answer(up.link.sent[0])
    assert len(up.link.sent) == 2


def test_idle_means_a_step_every_few_seconds(up: Bench) -> None:
    before = up.steps
    up.run(60)
    assert 10 <= up.steps - before <= 15


def test_without_a_broker_the_daemon_sleeps_for_minutes(bench: Bench) -> None:
    bench.put(1)
    bench.run(0)
    for _ in range(15):
        bench.hear(Down(bench.link.opened, "connection refused"))
        opened = bench.link.opened
        while bench.link.opened == opened:
            bench.run(1)
    bench.hear(Down(bench.link.opened, "connection refused"))
    before = bench.steps
    bench.run(290)
    assert bench.steps - before <= 1


def test_no_receipt_means_sent_again_later_and_later_one_at_a_time(up: Bench) -> None:
    for sighting in range(8):
        up.put(sighting)
    up.run(60)
    assert len(up.link.sent) == 4
    up.run(3600)
    assert 5 <= len(up.link.sent) - 4 <= 20
    assert up.uplink.counts["unanswered"] >= 8
    assert set(up.states().values()) <= {"waiting", "sending"}


def test_what_nobody_listens_to_goes_again_without_waiting_for_a_receipt(up: Bench) -> None:
    up.put(1)
    up.run(1)
    up.hear(Unheard(1, 101))
    up.hear(Unheard(1, 999))
    assert up.states() == {1: "waiting"}
    up.run(5)
    assert len(up.link.sent) == 2
    up.answer(up.link.sent[1])
    assert up.states() == {1: "stored"}


def test_one_receipt_after_long_silence_opens_the_window_again(up: Bench) -> None:
    for sighting in range(20):
        up.put(sighting)
    up.run(3600)
    while not up.outbox.rows("sending"):
        up.run(10)
    before = len(up.link.sent)
    up.answer(up.link.sent[-1])
    assert len(up.link.sent) >= before + 3


def test_a_receipt_after_the_time_out_still_ends_the_item(up: Bench) -> None:
    item = up.put(1)
    up.run(60.5)
    assert up.states() == {1: "waiting"}
    up.answer(item)
    assert up.states() == {1: "stored"}
    up.run(3600)
    assert len(up.link.sent) == 1


def test_a_large_item_on_a_slow_link_is_given_the_time_it_needs(up: Bench) -> None:
    up.put(1, bytes(1_000_000))
    up.run(150)
    assert len(up.link.sent) == 1
    assert up.states() == {1: "sending"}


def test_a_broken_link_puts_items_back_and_comes_up_again_after_growing_waits(
    up: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    up.put(1)
    up.run(1)
    opened_s = []
    for _ in range(6):
        up.hear(Down(up.link.opened, "connection lost"))
        assert up.states() == {1: "waiting"}
        opened = up.link.opened
        while up.link.opened == opened:
            up.run(0.1)
        opened_s.append(up.clock_s)
    waits = [b - a for a, b in itertools.pairwise(opened_s)]
    assert waits[-1] > 4 * waits[0]
    up.hear(Up(up.link.opened))
    up.run(120)
    assert len(up.link.sent) >= 2
    assert {record.levelno for record in events(caplog, "link_down")} == {logging.WARNING}


def test_after_a_break_one_item_goes_first_until_a_receipt_shows_that_the_link_holds(
    up: Bench,
) -> None:
    for sighting in range(9):
        up.put(sighting)
    up.run(1)
    up.hear(Down(up.link.opened, "connection lost"))
    up.run(5)
    up.hear(Up(up.link.opened))
    assert len(up.link.sent) == 4 + 1
    up.answer(up.link.sent[4])
    assert len(up.link.sent) == 4 + 1 + 4


def test_a_session_that_says_nothing_is_given_up(bench: Bench) -> None:
    bench.run(OPEN_S + 5)
    assert bench.link.opened == 2


def test_what_a_past_session_says_counts_for_nothing(up: Bench) -> None:
    up.put(1)
    up.run(1)
    up.hear(Down(up.link.opened, "gone"))
    up.run(5)
    up.hear(Up(up.link.opened))
    up.hear(Down(1, "the old one, again"))
    up.hear(Refused(1, 101, "old"))
    up.run(5)
    assert len(up.link.sent) == 2


def test_a_denied_publish_is_put_off_for_long_told_once_and_never_stored(
    up: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for sighting in range(4):
        up.put(sighting)
    up.run(1)
    for token in (101, 102, 103, 104):
        up.hear(Refused(1, token, "Not authorized"))
    assert set(up.states().values()) == {"waiting"}
    up.run(590)
    assert len(up.link.sent) == 4
    assert [r.levelno for r in events(caplog, "publish_refused")] == [logging.ERROR]
    up.run(30)
    assert len(up.link.sent) == 5
    up.answer(up.link.sent[-1])
    assert up.states()[0] == "stored"


def test_an_item_over_the_brokers_limit_does_not_hold_up_the_others(up: Bench) -> None:
    up.link.refusal = LinkRefused("too large")
    up.put(1)
    up.put(2)
    up.run(1)
    assert [item.id.sighting for item in up.link.sent] == [2]
    assert up.states() == {1: "waiting", 2: "sending"}


def test_an_item_that_no_link_can_carry_is_rejected(up: Bench) -> None:
    up.link.refusal = WireError("unknown content type")
    up.put(1)
    up.run(1)
    assert up.states() == {1: "rejected"}


def test_a_rejection_by_the_base_ends_the_item_and_keeps_its_bytes(up: Bench) -> None:
    up.put(1)
    up.run(1)
    up.answer(up.link.sent[0], "rejected")
    (row,) = up.outbox.rows("rejected")
    assert (row.reason, row.size_bytes) == ("because", 4)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "malformed"),
        (b"\xff{", "malformed"),
        (b"[" * 4000, "malformed"),
        (b"{}" * 5000, "malformed"),
        (b'{"item":"T0007-000001-frame-1"}', "malformed"),
        (dump_record(Receipt("T0008-000001-frame-1", "0" * 64, "stored")), "other_unit"),
        (dump_record(Receipt("T0007-000001-frame-1", "0" * 64, "stored")), "unknown"),
        (dump_record(Receipt("T0007-000001-frame-1", "0" * 64, "rejected")), "unknown"),
        (dump_record(Receipt("T0007-000009-frame-1", "0" * 64, "stored")), "unknown"),
        (dump_record(Receipt("T0007-000009-frame-1", "0" * 64, "rejected")), "unknown"),
    ],
)
def test_forged_malformed_and_unknown_receipts_are_counted_and_change_nothing(
    up: Bench, payload: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    up.put(1)
    up.run(1)
    up.hear(Answer(1, payload))
    assert up.uplink.counts[why] == 1
    assert [r.levelno for r in events(caplog, "receipt_ignored")] == [logging.WARNING]
    assert up.states() == {1: "sending"}
    up.answer(up.link.sent[0])
    assert up.states() == {1: "stored"}


def test_a_denied_login_is_an_error_told_once_and_tried_again_rarely(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(0)
    for _ in range(5):
        bench.hear(Down(bench.link.opened, "broker refuses: Not authorized", denied=True))
        bench.run(601)
    assert bench.link.opened == 6
    assert [r.levelno for r in events(caplog, "link_denied")] == [logging.ERROR]


def test_stopping_makes_what_is_in_flight_due_at_the_next_start(up: Bench) -> None:
    up.put(1)
    up.run(1)
    up.uplink.close()
    assert up.link.closed
    (row,) = up.capture.rows("waiting")
    assert row.lone_deaths is None
    up.outbox.close()
    up.start()
    up.connect()
    assert len(up.link.sent) == 1


def test_after_a_crash_the_suspects_go_alone_until_they_are_cleared(up: Bench) -> None:
    for sighting in range(6):
        up.put(sighting)
    up.run(1)
    up.outbox.close()
    up.start()
    up.connect()
    for alone in range(4):
        assert [item.id.sighting for item in up.link.sent] == list(range(alone + 1))
        up.answer(up.link.sent[alone])
    assert len(up.link.sent) == 6


def test_an_outbox_that_fails_is_told_once_sends_nothing_and_recovers(
    up: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    up.put(1)
    db = up.outbox._file._connection()
    db.execute("PRAGMA query_only = ON")
    up.run(300)
    assert up.link.sent == []
    assert [r.levelno for r in events(caplog, "outbox_failing")] == [logging.ERROR]
    db.execute("PRAGMA query_only = OFF")
    up.run(600)
    assert len(up.link.sent) >= 1


def test_an_outbox_that_fails_when_the_receipt_comes_ends_the_item_with_the_next_one(
    up: Bench,
) -> None:
    up.put(1)
    up.run(1)
    db = up.outbox._file._connection()
    db.execute("PRAGMA query_only = ON")
    up.answer(up.link.sent[0])
    db.execute("PRAGMA query_only = OFF")
    assert up.states() == {1: "sending"}
    up.run(120)
    assert len(up.link.sent) == 2
    up.answer(up.link.sent[1])
    assert up.states() == {1: "stored"}


@pytest.mark.parametrize("jump_s", [3e8, -3e8])
def test_a_wall_clock_that_jumps_by_years_delays_nothing(up: Bench, jump_s: float) -> None:
    up.put(1)
    up.put(2)
    up.run(1)
    up.hear(Down(1, "gone"))
    up.wall_s += jump_s
    up.run(10)
    up.hear(Up(up.link.opened))
    up.run(30)
    up.answer(up.link.sent[2])
    assert [item.id.sighting for item in up.link.sent[2:]] == [1, 2]


def test_a_muted_unit_ends_its_session_keeps_its_items_and_comes_back_by_itself(up: Bench) -> None:
    up.put(1)
    up.run(1)
    up.mute_until_s = up.wall_s + 3600
    up.run(6)
    assert up.link.asleep_until_s == [pytest.approx(up.mute_until_s, abs=1)]
    assert up.states() == {1: "waiting"}
    up.hear(Down(1, "closed"))
    up.put(2)
    up.run(3590)
    assert (up.link.opened, len(up.link.sent)) == (1, 1)
    up.run(10)
    assert up.link.opened == 2
    up.hear(Up(2))
    assert {item.id.sighting for item in up.link.sent[1:]} == {1, 2}


def test_a_unit_that_starts_muted_opens_no_session(bench: Bench) -> None:
    bench.mute_until_s = bench.wall_s + 600
    bench.run(599)
    assert bench.link.opened == 0
    bench.run(1)
    assert bench.link.opened == 1


def test_an_unmute_by_the_other_link_is_noticed_within_a_minute(up: Bench) -> None:
    up.mute_until_s = up.wall_s + 86400
    up.run(100)
    up.mute_until_s = 0.0
    up.run(35)
    assert up.link.opened == 2
