"""What a unit does with commands: once each, in whatever order, over whichever link, and what
becomes of them when the card is full, the clock wrong or the archive empty."""

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.trap.commands import commander as module
from firmware.trap.commands.commander import MOST_ATTEMPTS, rebooter
from firmware.trap.commands.execute import GRACE_S
from firmware.trap.outbox import OutboxError, OutboxFull
from firmware.wire.commands import (
    MUTE_MOST_S,
    Action,
    Command,
    pack_command,
    unpack_answer,
)
from firmware.wire.records import dump_record
from tests.trap.commands.rig import NOW_S, Rig, archived, order, raising


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_a_threshold_is_in_force_at_once_and_goes_back_to_the_configs(rig: Rig) -> None:
    assert rig.hear(order(1, "threshold", label="leopard", value=0.7)).outcome == "done"
    assert rig.hear(order(2, "threshold", label="tiger", value=0.0)).outcome == "done"
    assert rig.orders.thresholds == {"leopard": 0.7, "tiger": 0.0}
    rig.hear(order(3, "threshold", label="leopard"))
    assert rig.orders.thresholds == {"tiger": 0.0}


def test_an_interval_is_in_force_at_once_and_goes_back_to_the_configs(rig: Rig) -> None:
    rig.hear(order(1, "interval", seconds=300))
    assert rig.orders.interval_s == 300
    rig.hear(order(2, "interval"))
    assert rig.orders.interval_s is None


def test_a_mute_begins_after_its_answer_had_time_to_leave_and_ends_by_itself(rig: Rig) -> None:
    rig.hear(order(1, "mute", seconds=3600))
    assert rig.commander.silent_s() == 0
    rig.now_s += GRACE_S
    assert rig.commander.silent_s() == 3600
    rig.start()
    rig.now_s += 3599
    assert rig.commander.silent_s() == 1
    rig.now_s += 1
    assert rig.commander.silent_s() == 0


def test_a_mute_ends_on_command_and_when_the_clock_is_set_back(rig: Rig) -> None:
    rig.hear(order(1, "mute", seconds=3600))
    rig.now_s += GRACE_S
    rig.hear(order(2, "unmute"))
    assert rig.commander.silent_s() == 0
    rig.hear(order(3, "mute", seconds=3600))
    rig.now_s -= 1e8
    assert rig.commander.silent_s() == 0


def test_nobody_mutes_a_unit_for_ever(rig: Rig) -> None:
    assert rig.hear(order(1, "mute", seconds=MUTE_MOST_S + 1)).reason == "out_of_range"
    assert rig.orders.mute is None
    assert rig.hear(order(2, "mute", seconds=MUTE_MOST_S)).outcome == "done"


@pytest.mark.parametrize(
    ("command", "reason"),
    [(order(1, "threshold", label="leopard", value=0.96), "out_of_range"),
     (order(1, "threshold", label="lynx", value=0.5), "no_such_label"),
     (order(1, "interval", seconds=59), "out_of_range"),
     (order(1, "frame", sighting=99), "not_in_archive")],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_reason_and_changes_nothing(
    rig: Rig, command: Command, reason: str
) -> None:
    answer = rig.hear(command)
    assert (answer.outcome, answer.reason) == ("refused", reason)
    assert (rig.orders.thresholds, rig.orders.interval_s) == ({}, None)
    assert rig.answers() == [answer]


def test_the_pictures_of_a_sighting_go_into_the_outbox_behind_the_alerts(
    rig: Rig, tmp_path: Path
) -> None:
    jpegs = archived(tmp_path, 5)
    assert rig.hear(order(1, "frame", sighting=5)).outcome == "done"
    assert rig.sent("frame") == [f"T0007-000005-frame-{n}" for n in (1, 2, 3)]
    items = [item for item in rig.outbox.claim(rig.now_s, 9) if item.id.kind == "frame"]
    assert [(i.body, i.content_type, i.priority) for i in items] == [
        (jpeg, "image/jpeg", 2) for jpeg in jpegs
    ]


def test_one_picture_alone_may_be_asked_for(rig: Rig, tmp_path: Path) -> None:
    archived(tmp_path, 5)
    rig.hear(order(1, "frame", sighting=5, index=2))
    assert rig.sent("frame") == ["T0007-000005-frame-2"]
    assert rig.hear(order(2, "frame", sighting=5, index=4)).reason == "not_in_archive"


def test_a_picture_that_the_base_once_rejected_goes_again_on_command(
    rig: Rig, tmp_path: Path
) -> None:
    archived(tmp_path, 5, frames=1)
    rig.hear(order(1, "frame", sighting=5))
    for item in rig.outbox.claim(rig.now_s, 9):
        rig.outbox.rejected(item.id, "not now")
    rig.hear(order(2, "frame", sighting=5))
    assert [row.state for row in rig.outbox.rows() if row.id.kind == "frame"] == ["waiting"]


def test_pictures_of_people_leave_only_over_an_encrypted_link(tmp_path: Path) -> None:
    archived(tmp_path, 5, people=True)
    archived(tmp_path, 6)
    (next(tmp_path.glob("archive/*/*6")) / "verdict.json").write_text("torn")
    open_link = Rig(tmp_path)
    for number, sighting in enumerate((5, 6), 1):
        assert open_link.hear(order(number, "frame", sighting=sighting)).reason == "people"
    assert open_link.sent("frame") == []
    open_link.close()
    secret = Rig(tmp_path, encrypted=True)
    assert secret.hear(order(3, "frame", sighting=5)).outcome == "done"
    assert len(secret.sent("frame")) == 3
    secret.close()


def test_a_unit_with_lora_alone_sends_no_full_pictures_and_answers_by_packet(
    tmp_path: Path,
) -> None:
    archived(tmp_path, 5)
    rig = Rig(tmp_path, outbox=None)
    packed = pack_command(order(1, "frame", sighting=5))
    answer = rig.commander.hear_packet(packed)
    assert answer is not None
    assert unpack_answer(answer).reason == "no_broadband"
    rig.now_s += 100
    assert rig.commander.hear_packet(packed) == answer, "the same bytes for the same number"
    rig.close()


def test_both_links_may_bring_a_command_and_it_is_done_once(rig: Rig) -> None:
    command = order(1, "reboot")
    for _ in range(3):
        rig.commander.hear_packet(pack_command(command))
        rig.hear(command)
    rig.run(GRACE_S * 3)
    assert rig.rebooted == 1
    assert rig.sent("answer") == ["T0007-000001-answer-0"]


def test_a_lower_number_comes_too_late_and_the_answer_to_it_stays_the_same(rig: Rig) -> None:
    rig.hear(order(9, "interval", seconds=600))
    late = rig.hear(order(8, "interval", seconds=60))
    assert (late.outcome, late.reason) == ("refused", "stale")
    rig.now_s += 50
    assert rig.hear(order(8, "interval", seconds=60)) == late
    assert rig.orders.interval_s == 600
    assert [answer.number for answer in rig.answers()] == [8, 9]


def test_a_reboot_comes_after_its_answer_is_kept_and_had_time_to_leave(rig: Rig) -> None:
    rig.hear(order(1, "reboot"))
    assert rig.sent("answer") == ["T0007-000001-answer-0"]
    rig.run(GRACE_S - 1)
    assert rig.rebooted == 0
    rig.run(1)
    assert rig.rebooted == 1
    rig.run(1000)
    assert rig.rebooted == 1


def test_a_reboot_waits_for_an_outbox_that_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rig.outbox, "put", raising(OutboxError("read-only")))
        assert not rig.commander.hear_json(dump_record(order(1, "reboot")))
        rig.run(GRACE_S * 2)
        assert rig.rebooted == 0
    assert [r.levelname for r in caplog.records if "command_not_kept" in r.message] == ["ERROR"]
    rig.run(300)
    assert rig.rebooted == 1
    assert len(rig.answers()) == 1


def test_a_reboot_that_fails_is_an_error_and_the_unit_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, reboot=rebooter(["/nonexistent/reboot"]))
    rig.hear(order(1, "reboot"))
    rig.run(100)
    rig.close()
    assert any("reboot_failed" in record.message for record in caplog.records)


def test_the_program_that_reboots_is_the_configs(tmp_path: Path) -> None:
    reboot = rebooter(["touch", str(tmp_path / "done")])
    assert reboot is not None
    reboot()
    assert (tmp_path / "done").exists()
    failing = rebooter(["false"])
    assert failing is not None
    with pytest.raises(subprocess.CalledProcessError):
        failing()


def test_a_config_without_a_program_refuses_to_reboot(tmp_path: Path) -> None:
    rig = Rig(tmp_path, reboot=rebooter(()))
    assert rig.hear(order(1, "reboot")).reason == "switched_off"
    rig.run(100)
    rig.close()


def test_an_expired_command_is_not_done_unless_the_unit_does_not_know_the_time(rig: Rig) -> None:
    late = rig.hear(order(1, "interval", seconds=300, expires_s=NOW_S - 1))
    assert (late.outcome, late.reason, rig.orders.interval_s) == ("expired", "expired", None)
    rig.clock = "unsynced"
    done = rig.hear(order(2, "interval", seconds=300, expires_s=NOW_S - 1))
    assert (done.outcome, done.expiry_ignored, rig.orders.interval_s) == ("done", True, 300)
    assert not rig.hear(order(3, "unmute")).expiry_ignored, "there was none to ignore"
    rig.clock = "ntp"
    assert rig.hear(order(4, "unmute", expires_s=NOW_S + 1)).outcome == "done"


def test_what_is_no_command_or_another_units_is_ignored_and_forgotten(rig: Rig) -> None:
    for payload in (b"", b"[]", b'{"unit":"T0007"}', dump_record(Command("T0008", 1, "reboot", 0))):
        assert rig.commander.hear_json(payload)
        assert rig.commander.hear_packet(payload) is None
    rig.run(100)
    assert (rig.rebooted, rig.orders.highest, rig.outbox.ids()) == (0, 0, [])


def test_a_full_outbox_refuses_pictures_but_not_the_answer(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(tmp_path, 5)
    with monkeypatch.context() as patch:
        patch.setattr(module, "PICTURE_PRIORITY", 99)
        put = rig.outbox.put

        def full(item: object, body: object, kind: object, priority: int, now_s: object) -> None:
            if priority == 99:
                raise OutboxFull("full")
            put(item, body, kind, priority, now_s)  # type: ignore[arg-type]

        patch.setattr(rig.outbox, "put", full)
        assert rig.hear(order(1, "frame", sighting=5)).reason == "no_room"
    assert rig.sent("answer") == ["T0007-000001-answer-0"]


def test_a_command_that_cannot_be_kept_is_not_done_and_may_come_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("firmware.trap.commands.orders.write_file", raising(OSError("full")))
        assert not rig.commander.hear_json(dump_record(order(1, "reboot")))
        assert rig.commander.hear_packet(pack_command(order(1, "reboot"))) is None
        rig.run(100)
    assert (rig.rebooted, rig.orders.highest) == (0, 0)
    assert rig.hear(order(1, "reboot")).outcome == "done"


def test_an_outbox_that_fails_in_the_middle_of_the_pictures_is_tried_again_and_then_no_more(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(tmp_path, 5)
    with monkeypatch.context() as patch:
        patch.setattr(rig.outbox, "retry", raising(OutboxError("I/O error")))
        assert not rig.commander.hear_json(dump_record(order(1, "frame", sighting=5)))
        rig.run(70)
        assert rig.orders.begun is not None and rig.orders.begun.attempts == 2
    rig.run(70)
    answer = rig.orders.answer(1)
    assert answer is not None and answer.outcome == "done"
    with monkeypatch.context() as patch:
        patch.setattr(rig.outbox, "retry", raising(OutboxError("I/O error")))
        assert not rig.commander.hear_json(dump_record(order(2, "frame", sighting=5)))
        rig.run(60 * (MOST_ATTEMPTS + 1))
    answer = rig.orders.answer(2)
    assert answer is not None and (answer.outcome, answer.reason) == ("refused", "failed")
    assert [answer.number for answer in rig.answers()] == [1, 2]


def test_a_damaged_file_is_kept_aside_and_the_unit_obeys_again(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig.hear(order(1, "threshold", label="tiger", value=0.3))
    rig.file.path.write_bytes(b'{"highest": 1')
    assert rig.orders.thresholds == {"tiger": 0.3}, "until somebody is at work on it"
    rig.start()
    assert rig.hear(order(2, "interval", seconds=300)).outcome == "done"
    assert rig.orders.thresholds == {}
    assert (tmp_path / "orders.damaged").read_bytes() == b'{"highest": 1'
    assert any(r.levelname == "ERROR" and "orders_lost" in r.message for r in caplog.records)


def test_an_idle_commander_asks_for_nothing_and_reads_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.hear(order(1, "unmute"))
    rig.run(1)
    assert rig.orders.highest == 1
    monkeypatch.setattr(Path, "read_bytes", raising(AssertionError("read the card")))
    assert rig.commander.silent_s() == 0
    assert rig.commander.step() == float("inf")


steps = st.one_of(
    st.tuples(st.just("hear"), st.integers(1, 12), st.booleans()),
    st.tuples(st.sampled_from(["restart", "wait", "back", "forth"]), st.just(0), st.just(False)),
)
ACTIONS: tuple[Action, ...] = ("threshold", "reboot", "interval", "mute", "unmute", "frame")


@settings(max_examples=25, deadline=None)
@given(history=st.lists(steps, max_size=25), data=st.data())
def test_in_any_history_a_number_has_one_answer_and_one_effect(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[str, int, bool]],
    data: st.DataObject,
) -> None:
    rig = Rig(tmp_path_factory.mktemp("any"))
    commands: dict[int, Command] = {}
    answers: dict[int, bytes] = {}
    interval_s, reboots, highest = None, 0, 0
    for what, number, by_lora in history:
        match what:
            case "restart":
                rig.start()
            case "wait":
                rig.run(30)
            case "back" | "forth":
                rig.now_s += -1e7 if what == "back" else 1e7
            case _:
                command = commands.setdefault(number, data.draw(_commands(number)))
                if by_lora:
                    rig.commander.hear_packet(pack_command(command))
                else:
                    rig.hear(command)
                answer = rig.orders.answer(number)
                assert answer is not None
                if number not in answers:
                    answers[number] = dump_record(answer)
                    reason = "not_in_archive" if command.action == "frame" else ""
                    assert answer.reason == ("stale" if number < highest else reason)
                    if number > highest and command.action == "interval":
                        interval_s = command.seconds
                    reboots += number > highest and command.action == "reboot"
                    highest = max(highest, number)
                assert answers[number] == dump_record(answer)
        assert rig.orders.interval_s == interval_s
    rig.run(100)
    restarted = any(what == "restart" for what, _, _ in history)
    assert rig.rebooted <= reboots if restarted else bool(rig.rebooted) == bool(reboots)
    assert [answer.number for answer in rig.answers()] == sorted(answers)
    rig.close()


def _commands(number: int) -> st.SearchStrategy[Command]:
    def make(action: Action) -> Command:
        arguments = {
            "threshold": {"label": "tiger", "value": number / 20}, "mute": {"seconds": 50},
            "interval": {"seconds": 60 * number}, "frame": {"sighting": 1},
        }.get(action, {})  # fmt: skip
        return order(number, action, **arguments)  # type: ignore[arg-type]

    return st.sampled_from(ACTIONS).map(make)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
