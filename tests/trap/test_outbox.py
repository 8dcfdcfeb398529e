import logging
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from firmware.trap.outbox import Item, Outbox, OutboxError, OutboxFull
from firmware.trap.outbox_age import OLD_S, SPAN_S
from firmware.trap.outbox_claim import LONE_DEATHS, LONGEST_WAIT_S, Want, claim
from firmware.wire.ids import ItemId

NOW = 1_800_000_000.0
TEN_YEARS_S = 10 * 365 * 86400.0
LIMIT_BYTES = 10**8


def frame(sighting: int, index: int = 1) -> ItemId:
    return ItemId(7, sighting, "frame", index)


def put(outbox: Outbox, sighting: int, body: bytes = b"jpeg", priority: int = 3) -> ItemId:
    outbox.put(frame(sighting), body, "image/jpeg", priority, NOW)
    return frame(sighting)


def ids(items: list[Item]) -> list[ItemId]:
    return [item.id for item in items]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with Outbox(path, LIMIT_BYTES) as opened:
        yield opened


def test_a_claimed_item_comes_back_as_it_was_put(outbox: Outbox) -> None:
    outbox.put(frame(1), b"\x00\xff", "image/jpeg", 2, NOW)
    (item,) = outbox.claim(NOW + 5, 4)
    assert item == Item(
        frame(1), b"\x00\xff", "image/jpeg", sha256(b"\x00\xff").hexdigest(), 2, 1, NOW
    )


def test_claims_go_by_priority_then_by_insertion_whatever_the_clock_said(outbox: Outbox) -> None:
    outbox.put(frame(1), b"a", "image/jpeg", 3, NOW)
    outbox.put(frame(2), b"b", "image/jpeg", 3, NOW - TEN_YEARS_S)
    outbox.put(frame(3), b"c", "image/jpeg", 0, NOW + TEN_YEARS_S)
    assert ids(outbox.claim(NOW, 9)) == [frame(3), frame(1), frame(2)]


def test_what_is_older_than_a_day_lets_the_new_go_first_but_never_a_lesser_one(
    outbox: Outbox,
) -> None:
    then = NOW - OLD_S - 1
    outbox.put(frame(1), b"old alert", "image/jpeg", 0, then)
    outbox.put(frame(2), b"old frame", "image/jpeg", 3, then)
    outbox.put(frame(3), b"new frame", "image/jpeg", 3, NOW - OLD_S + SPAN_S)
    outbox.put(frame(4), b"newer frame", "image/jpeg", 3, NOW)
    claimed = outbox.claim(NOW, 9)
    assert [(item.id.sighting, item.old) for item in claimed] == [
        (1, True), (3, False), (4, False), (2, True),
    ]  # fmt: skip


def test_a_clock_that_was_wrong_at_the_start_delays_nothing_that_is_put_later(
    outbox: Outbox,
) -> None:
    outbox.put(frame(1), b"a", "image/jpeg", 3, 10.0)  # 1970: the clock was not set yet
    outbox.put(frame(2), b"b", "image/jpeg", 3, NOW + TEN_YEARS_S)
    outbox.put(frame(3), b"c", "image/jpeg", 3, NOW)
    assert ids(outbox.claim(NOW + 60, 9)) == [frame(3), frame(1), frame(2)]


def test_after_a_reboot_into_1970_what_is_put_then_still_goes_before_last_months(
    outbox: Outbox,
) -> None:
    outbox.put(frame(1), b"a", "image/jpeg", 3, NOW)
    outbox.put(frame(2), b"b", "image/jpeg", 3, 60.0)
    assert ids(outbox.claim(90.0, 9)) == [frame(2), frame(1)]


def test_a_claim_can_ask_for_some_priorities_and_for_what_was_never_tried(outbox: Outbox) -> None:
    alert, tried, new = put(outbox, 1, priority=0), put(outbox, 2), put(outbox, 3)
    assert ids(outbox.claim(NOW, 1, priorities=(2, 3))) == [tried]
    assert outbox.later(tried, NOW)
    assert ids(outbox.claim(NOW, 9, priorities=(2, 3), fresh=True)) == [new]
    assert ids(outbox.claim(NOW, 9)) == [alert, tried]


def test_what_was_taken_and_not_tried_is_as_new_as_before(outbox: Outbox) -> None:
    item = put(outbox, 1)
    outbox.claim(NOW, 1)
    assert outbox.later(item, NOW, untried=True)
    (again,) = outbox.claim(NOW, 1, fresh=True)
    assert (again.id, again.attempts) == (item, 1)


def test_a_waiting_item_is_rejected_only_by_its_hash(outbox: Outbox) -> None:
    item = put(outbox, 1)
    assert not outbox.rejected(item, "no")
    assert not outbox.rejected(item, "no", "0" * 64)
    assert outbox.rejected(item, "no", sha256(b"jpeg").hexdigest())
    assert outbox.claim(NOW, 9) == []


def test_a_file_of_the_first_format_goes_on_with_all_it_holds(path: Path) -> None:
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
    with sqlite3.connect(path) as db:
        db.executescript("DROP TABLE span; PRAGMA user_version = 1;")
    db.close()
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 2)
        assert ids(outbox.claim(NOW, 9)) == [frame(2), frame(1)]


def test_putting_the_same_bytes_again_changes_nothing_even_after_the_receipt(
    outbox: Outbox,
) -> None:
    for _ in range(2):
        put(outbox, 1)
    (item,) = outbox.claim(NOW, 9)
    assert outbox.stored(item.id, item.sha256)
    put(outbox, 1)
    assert outbox.claim(NOW, 9) == []


def test_other_bytes_under_the_same_id_are_kept_and_sent_one_after_the_other(
    outbox: Outbox,
) -> None:
    put(outbox, 1, b"first")
    put(outbox, 1, b"second")
    (first,) = outbox.claim(NOW, 9)
    assert first.body == b"first"
    assert outbox.claim(NOW, 9) == []
    assert outbox.stored(first.id, first.sha256)
    (second,) = outbox.claim(NOW, 9)
    assert second.body == b"second"


def test_a_claim_stays_within_its_bytes_but_always_gives_one_item(outbox: Outbox) -> None:
    for sighting in range(3):
        put(outbox, sighting, bytes(1000))
    assert len(outbox.claim(NOW, 9, limit_bytes=10)) == 1
    assert len(outbox.claim(NOW, 9, limit_bytes=2000)) == 2


def test_only_the_right_hash_of_a_known_item_counts_as_stored(outbox: Outbox) -> None:
    put(outbox, 1)
    assert not outbox.stored(frame(2), sha256(b"jpeg").hexdigest())
    assert not outbox.stored(frame(1), sha256(b"forged").hexdigest())
    assert len(outbox.claim(NOW, 1)) == 1
    assert outbox.stored(frame(1), sha256(b"jpeg").hexdigest())
    assert outbox.stats().bytes["stored"] == 0


def test_a_receipt_that_comes_after_the_time_out_still_counts(outbox: Outbox) -> None:
    put(outbox, 1)
    (item,) = outbox.claim(NOW, 1)
    outbox.later(item.id, NOW + 60)
    assert outbox.stored(item.id, item.sha256)
    assert outbox.next_due_s(NOW) is None


def test_rejected_and_later_speak_only_of_what_is_being_sent(outbox: Outbox) -> None:
    put(outbox, 1)
    assert not outbox.rejected(frame(1), "no")
    assert not outbox.later(frame(1), NOW + 1)
    outbox.claim(NOW, 1)
    assert outbox.rejected(frame(1), "no")
    assert not outbox.later(frame(1), NOW + 1)
    (row,) = outbox.rows("rejected")
    assert (row.reason, row.size_bytes) == ("no", 4)


def test_an_item_put_off_is_due_at_its_time_and_attempts_go_on_counting(outbox: Outbox) -> None:
    put(outbox, 1)
    outbox.claim(NOW, 1)
    outbox.later(frame(1), NOW + 60)
    assert outbox.claim(NOW + 59, 1) == []
    assert outbox.next_due_s(NOW + 59) == pytest.approx(1)
    (item,) = outbox.claim(NOW + 60, 1)
    assert item.attempts == 2


def test_a_clock_set_back_by_years_does_not_leave_items_waiting_for_years(outbox: Outbox) -> None:
    put(outbox, 1)
    outbox.claim(NOW + TEN_YEARS_S, 1)
    outbox.later(frame(1), NOW + TEN_YEARS_S + 60)
    assert outbox.next_due_s(NOW) == 0.0
    assert len(outbox.claim(NOW, 1)) == 1
    outbox.later(frame(1), NOW + LONGEST_WAIT_S)
    assert outbox.claim(NOW, 1) == []


def test_suspects_go_alone_and_the_innocent_is_cleared_by_any_outcome(outbox: Outbox) -> None:
    for sighting in range(3):
        put(outbox, sighting)
    assert len(outbox.claim(NOW, 2)) == 2
    assert outbox.release(NOW) == 2
    assert ids(outbox.claim(NOW, 9)) == [frame(0)]
    assert outbox.claim(NOW, 9) == []
    outbox.later(frame(0), NOW)
    assert ids(outbox.claim(NOW, 9)) == [frame(0)]  # cleared, but the next one is a suspect
    assert outbox.claim(NOW, 9) == []
    outbox.stored(frame(0), sha256(b"jpeg").hexdigest())
    assert ids(outbox.claim(NOW, 9)) == [frame(1)]
    outbox.later(frame(1), NOW)
    assert ids(outbox.claim(NOW, 9)) == [frame(1), frame(2)]


def test_a_suspect_that_is_out_holds_back_nothing_that_was_never_tried(outbox: Outbox) -> None:
    put(outbox, 1)
    outbox.claim(NOW, 1)
    outbox.release(NOW)
    assert ids(outbox.claim(NOW, 9)) == [frame(1)]
    new = put(outbox, 2)
    assert ids(outbox.claim(NOW, 9, fresh=True)) == [new]


def test_an_item_that_kills_the_sender_again_and_again_ends_rejected_with_its_bytes(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    killer, innocent = put(outbox, 1), put(outbox, 2)
    outbox.claim(NOW, 2)
    outbox.release(NOW)
    for _ in range(LONE_DEATHS):
        assert ids(outbox.claim(NOW, 2)) == [killer]
        outbox.release(NOW)
    assert ids(outbox.claim(NOW, 2)) == [innocent]
    (row,) = outbox.rows("rejected")
    assert row.id == killer
    assert row.reason == "the sender died 5 times while sending it alone"
    assert [r.levelno for r in caplog.records if "item_rejected" in r.message] == [logging.ERROR]
    assert outbox.retry(killer) == 1
    outbox.stored(innocent, sha256(b"jpeg").hexdigest())
    (again,) = outbox.claim(NOW, 2)
    assert again.body == b"jpeg"


def test_bytes_damaged_on_the_card_are_rejected_and_the_rest_goes_on(
    outbox: Outbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(outbox, 1), put(outbox, 2)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE body SET bytes = x'00' WHERE row = 1")
    db.close()
    assert ids(outbox.claim(NOW, 2)) == [frame(2)]
    assert "item_rejected item=T0007-000001-frame-1" in caplog.text


def test_eviction_takes_rejected_then_least_important_then_oldest_and_tells_each(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(path, 500_000) as outbox:
        put(outbox, 1, bytes(100_000), priority=3)
        put(outbox, 2, bytes(100_001), priority=2)
        put(outbox, 3, bytes(100_002), priority=3)
        put(outbox, 4, bytes(100_003), priority=3)
        outbox.claim(NOW, 1)
        outbox.rejected(frame(2), "never")
        for sighting in (5, 6):
            put(outbox, sighting, bytes(100_000 + sighting), priority=3)
        assert {row.id for row in outbox.rows()} == {frame(n) for n in (3, 4, 5, 6)}
        assert outbox.stats().evicted == 2
        assert outbox.stats().used_bytes <= 500_000
    lost = [r for r in caplog.records if r.message.startswith("outbox_evicted")]
    assert [r.levelno for r in lost] == [logging.ERROR] * 2


def test_a_leopard_alert_is_never_evicted_and_nothing_goes_for_something_less_important(
    path: Path,
) -> None:
    with Outbox(path, 300_000) as outbox:
        put(outbox, 1, bytes(100_000), priority=0)
        put(outbox, 2, bytes(100_000), priority=2)
        with pytest.raises(OutboxFull, match=r"raise outbox\.max_mb"):
            put(outbox, 3, bytes(100_000), priority=4)
        put(outbox, 4, bytes(100_000), priority=0)
        with pytest.raises(OutboxFull):
            put(outbox, 5, bytes(100_000), priority=0)
        assert {row.id for row in outbox.rows()} == {frame(1), frame(4)}


def test_an_item_over_the_whole_limit_costs_no_other_item_its_place(path: Path) -> None:
    with Outbox(path, 300_000) as outbox:
        put(outbox, 1)
        with pytest.raises(OutboxFull):
            put(outbox, 2, bytes(400_000))
        assert [row.id for row in outbox.rows()] == [frame(1)]


def test_the_rows_of_stored_items_do_not_pile_up(outbox: Outbox, path: Path) -> None:
    for sighting in (1, 2, 3):
        put(outbox, sighting)
    for sighting in (1, 2):
        outbox.stored(frame(sighting), sha256(b"jpeg").hexdigest())
    with sqlite3.connect(path) as db:  # as if many items had come since
        db.execute("UPDATE item SET row = row + 100000 WHERE row = 3")
        db.execute("UPDATE body SET row = row + 100000 WHERE row = 3")
    db.close()
    put(outbox, 4)
    assert [row.id for row in outbox.rows()] == [frame(3), frame(4)]


def test_a_person_can_see_retry_and_drop(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    put(outbox, 1), put(outbox, 2)
    outbox.claim(NOW, 1)
    outbox.later(frame(1), NOW + 500)
    assert outbox.retry() == 1
    assert outbox.next_due_s(NOW) == 0.0
    assert outbox.drop(frame(1))
    assert not outbox.drop(frame(1))
    assert "outbox_dropped item=T0007-000001-frame-1 state=waiting" in caplog.text
    stats = outbox.stats()
    assert (stats.items["waiting"], stats.bytes["waiting"], stats.dropped) == (1, 4, 1)


def test_changed_tells_of_the_other_process_and_not_of_ourselves(
    outbox: Outbox, path: Path
) -> None:
    assert outbox.changed()
    put(outbox, 1)
    assert not outbox.changed()
    with Outbox(path, LIMIT_BYTES) as other:
        put(other, 2)
        assert outbox.changed()
        assert not outbox.changed()


def test_an_end_of_the_process_between_claim_and_outcome_loses_nothing(path: Path) -> None:
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
        outbox.claim(NOW, 1)
    with Outbox(path, LIMIT_BYTES) as outbox:
        assert outbox.claim(NOW, 1) == []
        assert outbox.release(NOW) == 1
        (item,) = outbox.claim(NOW, 1)
        assert item.attempts == 2


def test_a_file_of_a_newer_firmware_is_refused_and_left_alone(path: Path) -> None:
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 3")
    db.close()
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="format 3, this firmware reads 2"):
        Outbox(path, LIMIT_BYTES).stats()
    assert path.read_bytes() == before


def test_claims_are_found_by_index_however_many_wait(outbox: Outbox, path: Path) -> None:
    put(outbox, 1)
    asked: list[str] = []
    with sqlite3.connect(path, isolation_level=None) as db:
        db.set_trace_callback(asked.append)
        claim(db, NOW, Want(limit=4))
        db.set_trace_callback(None)
        about_item = [sql for sql in asked if "state = 'waiting'" in sql]
        plans = [db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in about_item]
    db.close()
    assert len(plans) >= 4
    for plan in plans:
        assert len(plan) == 1 and "SEARCH item USING" in plan[0][-1], plan


def test_a_power_cut_blames_no_item_however_often(path: Path) -> None:
    now_s = NOW
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
        for _ in range(20):
            (item,) = outbox.claim(now_s, 4)
            outbox.release(now_s, rebooted=True)
            assert outbox.claim(now_s, 4) == [], "others go first"
            now_s += 61
        assert item.attempts == 20
        assert [row.state for row in outbox.rows()] == ["waiting"]


def test_ids_are_given_by_state(path: Path) -> None:
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
        put(outbox, 2)
        (item,) = outbox.claim(NOW, 1)
        assert [i.sighting for i in outbox.ids("sending")] == [item.id.sighting]
        assert {i.sighting for i in outbox.ids()} == {1, 2}
        assert outbox.ids("rejected") == []


def test_a_newer_report_takes_the_place_of_one_that_waits_and_of_no_other(outbox: Outbox) -> None:
    def report(number: int) -> ItemId:
        return ItemId(7, number, "health")

    def replace(old: int, new: int) -> bool:
        return outbox.replace(report(old), report(new), b"new", "application/json", NOW)

    assert not replace(1, 2), "there is none to replace"
    assert outbox.ids() == []
    outbox.put(report(1), b"old", "application/json", 3, NOW)
    put(outbox, 9)
    assert replace(1, 2) and outbox.tries(report(2)) == 0
    (item,) = outbox.claim(NOW, 1)
    assert (item.id, item.body, item.priority, item.attempts) == (report(2), b"new", 3, 1)
    assert item.sha256 == sha256(b"new").hexdigest()
    assert not replace(2, 3), "it is on its way"
    assert outbox.tries(report(2)) is None
    outbox.later(item.id, NOW + 60)
    assert outbox.tries(report(2)) == 1
    assert replace(2, 3)
    (item,) = outbox.claim(NOW, 1)
    assert (item.id, item.attempts) == (report(3), 1), "due at once, before the later frame"
    outbox.rejected(item.id, "no")
    assert replace(3, 4)
    assert set(outbox.ids("waiting")) == {frame(9), report(4)}
