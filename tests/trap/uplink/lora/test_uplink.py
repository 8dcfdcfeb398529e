"""The LoRa uplink against the gateway's own assembly, on a virtual clock."""

import logging
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from firmware.trap.outbox import OutboxError
from firmware.trap.uplink.lora.air import Heard, Ignored
from firmware.trap.uplink.lora.encode import Encoded
from firmware.trap.uplink.lora.memory import MemoryQueue
from firmware.trap.uplink.lora.state import StateError
from firmware.trap.uplink.lora.uplink import Hooks
from firmware.wire.health import Health, on_air
from firmware.wire.ids import ItemId
from firmware.wire.ledger import WINDOW_S
from firmware.wire.objects import Done, Need, Rejected, Stored, pack_receipts
from firmware.wire.packet import COMMAND, HEALTH, MANIFEST, RECEIPT, SIGHTING, SYMBOL
from firmware.wire.records import dump_record
from tests.trap.uplink.lora.field import PREVIEW, REFINEMENT, UNIT, Field, settings

HOUR_S = 3600.0


def ended(field: Field, count: int) -> Callable[[], bool]:
    return lambda: len(field.queue.ended) >= count


def ports(field: Field) -> list[int]:
    return [port for _, port, _ in field.log]


def stored(field: Field) -> list[str]:
    return [f"{item.kind} {item.sighting}" for item, how in field.queue.ended if how == "stored"]


def lossy(share: float, seed: int = 3) -> Callable[[int, bool], bool]:
    rng = random.Random(seed)
    return lambda port, up: rng.random() < share


def test_an_alert_is_with_the_base_within_two_seconds_and_ends_by_its_receipt() -> None:
    field = Field()
    field.run(10)
    field.put_alert(1)
    assert field.run(10, ended(field, 1)) < 2.0
    assert ports(field) == [SIGHTING] and stored(field) == ["sighting 1"]


def test_preview_then_refinement_then_the_item_is_stored() -> None:
    field = Field()
    field.put_crop(1)
    field.run(120, ended(field, 1))
    assert stored(field) == ["preview 1"]
    assert field.base.bodies == [PREVIEW, REFINEMENT]
    manifests = [at for at, port in enumerate(ports(field)) if port == MANIFEST]
    assert manifests == [0, 4], "each object's manifest goes before its symbols"
    assert field.uplink.counts["unanswered"] == 0


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_lost_frames_and_lost_receipts_cost_airtime_and_nothing_else(share: float) -> None:
    field = Field(lost=lossy(share), limit_s=360.0)
    field.put_alert(1)
    field.put_crop(1)
    field.run(3 * HOUR_S, ended(field, 2))
    assert stored(field) == ["sighting 1", "preview 1"]
    assert set(field.base.bodies) >= {PREVIEW, REFINEMENT}


def test_a_lost_receipt_is_answered_again_and_the_base_keeps_one() -> None:
    lost = iter([True])
    field = Field(lost=lambda port, up: not up and next(lost, False))
    field.put_alert(1)
    field.run(60, ended(field, 1))
    assert ports(field) == [SIGHTING, SIGHTING] and stored(field) == ["sighting 1"]
    assert len(set(field.base.bodies)) == 1


def test_receipts_that_are_repeated_or_late_or_of_nothing_known_change_nothing() -> None:
    field = Field()
    field.base.deaf = True
    field.put_alert(1)
    field.run(60)
    assert field.queue.ended == [], "put back by now, and known still"
    for _ in range(2):
        field.later(
            0.0, Heard(RECEIPT, pack_receipts([Stored(1), Stored(77), Done(5), Need(6, 3)]))
        )
    field.run(60)
    assert stored(field) == ["sighting 1"]
    assert field.uplink.counts["unknown"] == 6


def test_an_answer_that_comes_while_the_alert_is_repeated_spares_the_wait_for_another() -> None:
    field = Field()
    field.base.deaf = True
    field.put_alert(1)
    field.run(30, lambda: len(field.log) == 2)
    field.later(0.0, Heard(RECEIPT, pack_receipts([Stored(1)])))
    field.run(30)
    assert stored(field) == ["sighting 1"] and field.uplink.counts["unanswered"] == 1


def test_a_rejected_sighting_ends_and_is_not_sent_again() -> None:
    field = Field()
    field.base.deaf = True
    field.put_alert(1)
    field.run(1)
    field.later(0.0, Heard(RECEIPT, pack_receipts([Rejected(1, 9)])))
    field.run(HOUR_S)
    ((item, how),) = field.queue.ended
    assert item.sighting == 1 and "code 9" in how
    assert len(field.log) == 1


def test_what_is_not_from_the_base_or_makes_no_sense_is_counted_and_has_no_effect() -> None:
    field = Field()
    field.base.deaf = True
    field.put_alert(1)
    field.run(1)
    nonsense = (Heard(RECEIPT, b""), Heard(RECEIPT, b"\xff\x00"), Heard(SIGHTING, bytes(24)))
    for event in (Ignored("forged"), *nonsense):
        field.later(0.0, event)
    field.run(1)
    assert field.queue.ended == []
    assert field.uplink.counts["forged"] == 1 and field.uplink.counts["malformed"] == 3


def test_a_new_alert_waits_behind_one_frame_of_a_picture_and_its_answer_at_most() -> None:
    field = Field(limit_s=360.0)
    field.put_crop(1)
    longest_s = field.airtime_s(SYMBOL, field.payload_bytes(SYMBOL)) + field.window_s
    for number in range(2, 9):
        field.run(2.7)
        field.put_alert(number)
        begin_s = field.clock.monotonic()
        field.run(30, lambda: field.log[-1][1] == SIGHTING)
        waited_s = field.log[-1][0] - begin_s
        assert waited_s <= longest_s + 0.75  # and the look into the outbox
        field.run(2, ended(field, number - 1))


def test_an_alert_does_not_wait_for_an_encoder() -> None:
    field = Field(encode_s=8.0)
    field.put_crop(1)
    field.run(1)
    field.put_alert(2)
    assert field.run(10, ended(field, 1)) < 3.0


def test_a_crop_that_gives_no_picture_is_rejected_with_the_reason() -> None:
    field = Field(encode_s=1.0)
    field.put_crop(1)
    field.run(0.5)
    item = ItemId(7, 1, "preview")
    field.later(0.0, Encoded(item, (), "the crop is damaged"))
    field.run(5)
    assert field.queue.ended == [(item, "no picture for the air: the crop is damaged")]


def test_the_newest_sighting_is_shown_first_and_refined_first() -> None:
    field = Field(limit_s=3600.0)
    for number in (1, 2, 3):
        field.put_crop(number)
    field.run(300, ended(field, 3))
    shown = [(item.sighting, item.index) for item in field.base.stored]
    assert shown == [(3, 0), (2, 0), (1, 0), (3, 1), (2, 1), (1, 1)]


def test_more_pictures_than_are_held_make_room_for_the_new_ones_preview() -> None:
    field = Field(limit_s=10.0, poll_s=HOUR_S)
    for number in range(1, 12):
        field.put_alert(number)
        field.put_crop(number)
        field.run(1800)
    field.run(40 * HOUR_S, ended(field, 22))
    assert len(field.queue.ended) == 22 and set(field.base.bodies) >= {PREVIEW, REFINEMENT}
    assert field.uplink.cargo.pictures.counts["refinements_given_up"] > 0
    assert {item.sighting for item in field.base.stored if item.kind == "preview"} == set(
        range(1, 12)
    )


@pytest.mark.parametrize(("sf", "kinds"), [(10, [PREVIEW]), (11, []), (12, [])])
def test_slow_data_rates_carry_previews_only_or_the_alert_only(sf: int, kinds: list[bytes]) -> None:
    field = Field(sf=sf, limit_s=360.0)
    field.put_alert(1)
    field.put_crop(1)
    field.run(HOUR_S)
    assert field.base.bodies[1:] == kinds
    assert stored(field)[0] == "sighting 1" and len(stored(field)) == 1 + len(kinds)


def test_a_refinement_under_way_is_given_up_where_the_data_rate_carries_none_any_more() -> None:
    field = Field()
    field.put_crop(1)
    field.run(60, lambda: len(field.base.bodies) == 1)
    field.run(5)
    field.sf = 10
    field.run(60, ended(field, 1))
    assert stored(field) == ["preview 1"] and field.base.bodies == [PREVIEW]


def test_a_weak_battery_first_costs_the_refinement_then_the_picture() -> None:
    battery_mv = 3600
    field = Field(
        how=settings(refine_mv=3700, pictures_mv=3500), hooks=Hooks(battery_mv=lambda: battery_mv)
    )
    field.put_crop(1)
    field.run(60, ended(field, 1))
    assert field.base.bodies == [PREVIEW]
    battery_mv = 3400
    field.put_alert(2)
    field.put_crop(2)
    field.run(60)
    assert stored(field) == ["preview 1", "sighting 2"]
    battery_mv = 3800
    field.run(120, ended(field, 3))
    assert field.base.bodies[2:] == [PREVIEW, REFINEMENT]


def test_in_quiet_hours_only_alerts_go() -> None:
    # The virtual clock begins at 22:13 UTC.
    field = Field(how=settings(quiet_from_h=21, quiet_until_h=23))
    field.put_alert(1)
    field.put_crop(1)
    field.run(2400)
    assert ports(field) == [SIGHTING]
    field.run(HOUR_S, ended(field, 2))
    assert stored(field) == ["sighting 1", "preview 1"]


def test_a_reboot_goes_on_with_the_next_symbol() -> None:
    field = Field()
    field.put_crop(1)
    field.run(60, lambda: len(field.log) == 12)
    before = len(field.log)
    field.run(0.1)
    field.start()  # kill -9: nothing was said goodbye to
    field.run(120, ended(field, 1))
    assert field.base.bodies == [PREVIEW, REFINEMENT]
    symbols = len(field.log) - before
    assert symbols <= 12, "of 17 it has sent 7 before, and one may be lost in the fall"


def test_a_radio_that_goes_and_comes_back_loses_nothing() -> None:
    field = Field()
    field.put_crop(1)
    field.run(4)
    field.unplug()
    field.put_alert(2)
    field.run(600)
    frames = len(field.log)
    assert field.queue.ended == []
    field.plug()
    field.run(120, ended(field, 2))
    assert stored(field) == ["sighting 2", "preview 1"]
    assert field.log[frames][1] == SIGHTING, "the alert is first when it is back"


def test_an_alert_that_was_on_the_air_is_no_suspect_of_what_ends_the_uplink_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outlived: list[ItemId] = []
    monkeypatch.setattr(MemoryQueue, "outlived", lambda _, item: outlived.append(item))
    field = Field()
    field.base.deaf = True
    field.put_alert(1)
    field.run(1)
    assert len(field.log) == 1 and [str(item) for item in outlived] == ["T0007-000001-sighting-0"]


def test_an_alert_that_the_radio_could_not_take_is_as_new_when_the_radio_is_back() -> None:
    field = Field(limit_s=3.0)
    field.base.deaf = True
    field.put_alert(1)
    field.run(2400)  # the base is away, and the hour's airtime for old alerts is used up
    frames = len(field.log)
    field.radio_on = False
    field.put_alert(2)
    field.run(1)  # taken, and refused by the modem
    field.unplug()
    field.run(60)
    assert len(field.log) == frames
    field.plug()
    field.base.deaf = False
    field.run(60, lambda: "sighting 2" in stored(field))
    assert "sighting 2" in stored(field)


def test_a_modem_that_refuses_is_asked_again_and_less_and_less_often() -> None:
    field = Field()
    field.put_alert(1)
    field.radio_on = False
    field.run(600)
    assert 3 <= field.uplink.counts["not_sent"] <= 12 and field.queue.ended == []
    field.radio_on = True
    field.run(900, ended(field, 1))
    assert stored(field) == ["sighting 1"]


def test_a_base_that_is_away_for_days_costs_little_airtime_and_hides_no_new_alert() -> None:
    field = Field(limit_s=36.0, poll_s=HOUR_S)
    field.base.deaf = True
    for number in range(1, 31):
        field.put_alert(number)
    field.run(24 * HOUR_S)
    spent_s = sum(air_s for _, _, air_s in field.log)
    assert spent_s < 24 * 4, "seconds in a day"
    field.put_alert(99)
    begin_s = field.clock.monotonic()
    before = len(field.log)
    field.run(5, lambda: len(field.log) > before)
    assert field.clock.monotonic() - begin_s < 2
    field.base.deaf = False
    field.run(2 * HOUR_S, ended(field, 31))
    assert len(stored(field)) == 31


def test_old_alerts_leave_the_reserve_to_the_new_ones() -> None:
    field = Field(limit_s=3.0, how=settings(alert_reserve=0.5))
    for number in range(1, 30):
        field.put_alert(number)
    field.clock.advance(25 * HOUR_S)
    field.run(120)
    used_s = sum(air_s for _, _, air_s in field.log)
    assert used_s <= 1.5
    field.put_alert(99)
    assert field.run(20, lambda: "sighting 99" in stored(field)) < 5


def test_when_the_airtime_is_used_up_it_waits_and_says_for_how_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    field = Field(limit_s=12.0)
    field.put_crop(1)
    field.run(600)
    assert sum(air_s for _, _, air_s in field.log) <= 12.0 * 0.7
    (line,) = [record.getMessage() for record in caplog.records if "airtime_used" in record.msg]
    assert "limit_s=12.0" in line and "wait_s=" in line
    field.run(3 * HOUR_S, ended(field, 1))
    assert stored(field) == ["preview 1"]


def test_muted_it_transmits_nothing_at_all() -> None:
    until_s = 500.0
    field = Field()
    field.hooks = Hooks(silent_s=lambda: max(0.0, until_s - field.clock.monotonic()))
    field.start()
    field.put_alert(1)
    field.run(499)
    assert field.log == []
    field.run(5, ended(field, 1))
    assert stored(field) == ["sighting 1"]


def test_a_command_is_handed_over_and_its_answer_goes_before_a_picture() -> None:
    heard: list[bytes] = []

    def obey(payload: bytes) -> bytes:
        heard.append(payload)
        return b"answer of 13."

    field = Field(hooks=Hooks(on_command=obey))
    field.put_crop(1)
    field.run(3)
    field.later(0.0, Heard(COMMAND, b"order"))
    before = len(field.log)
    field.run(30, lambda: len(field.log) >= before + 2)
    assert heard == [b"order"] and COMMAND in ports(field)[before:]
    assert COMMAND not in ports(field)[:before]


def test_of_many_health_reports_the_newest_goes_once_and_last() -> None:
    field = Field()
    for number in (5, 6, 7):
        report = on_air(Health(UNIT, number, None, "ntp", 60, 5000, 3, 20))
        item = ItemId(7, number, "health")
        field.queue.put(item, dump_record(report), "application/json", 3, field.clock.now())
    field.put_alert(1)
    field.run(HOUR_S, ended(field, 4))
    field.run(1)
    assert ports(field) == [SIGHTING, HEALTH]
    assert sorted(stored(field)) == ["health 5", "health 6", "health 7", "sighting 1"]
    assert [item.sighting for item in field.base.stored if item.kind == "health"] == [7]


def test_health_is_heard_of_even_while_pictures_never_end() -> None:
    field = Field(limit_s=5.0, poll_s=HOUR_S)
    for number in range(1, 7):
        field.put_crop(number)
    report = on_air(Health(UNIT, 5, None, "ntp", 60, 5000, 3, 20))
    body = dump_record(report)
    field.queue.put(ItemId(7, 5, "health"), body, "application/json", 3, field.clock.now())
    field.run(2.5 * HOUR_S)
    assert HEALTH in ports(field)


def test_what_does_not_belong_on_lora_is_rejected_and_stops_nothing() -> None:
    field = Field()
    field.queue.put(ItemId(7, 1, "frame", 1), b"big", "image/jpeg", 2, 0.0)
    field.queue.put(ItemId(7, 1, "summary"), b"{}", "application/json", 3, 0.0)
    field.queue.put(ItemId(7, 2, "sighting"), b"no json", "application/json", 0, 0.0)
    field.put_alert(3)
    field.run(60, ended(field, 4))
    assert stored(field) == ["sighting 3"] and len(field.queue.ended) == 4


def test_a_card_that_takes_nothing_means_that_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    field = Field()
    monkeypatch.setattr(field.state, "enter", _full)
    field.put_alert(1)
    field.run(120)
    assert field.log == []
    told = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(told) == 1 and "lora_card_failing" in told[0].getMessage()
    monkeypatch.undo()
    field.run(900, ended(field, 1))
    assert stored(field) == ["sighting 1"]


def _full(*_: object) -> None:
    raise StateError("no space left")


def test_an_outbox_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field()
    field.put_alert(1)
    monkeypatch.setattr(field.queue, "stored", _locked)
    field.run(20)
    assert field.queue.ended == []
    monkeypatch.undo()
    field.run(900, ended(field, 1))
    assert stored(field) == ["sighting 1"]


def _locked(*_: object) -> bool:
    raise OutboxError("locked")


def test_idle_it_looks_into_the_outbox_and_does_nothing_else() -> None:
    field = Field()
    field.run(HOUR_S)
    assert field.steps <= HOUR_S / 0.75 + 10 and field.log == []


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["alert", "crop", "reboot", "unplug", "plug", "deaf", "hear", "wall"]),
        st.floats(0.5, 900.0),
    ),
    max_size=30,
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_hour_is_over_the_limit_in_many_long_schedules(seed: int) -> None:
    rng = random.Random(seed)
    whats = ["alert", "crop", "reboot", "unplug", "plug", "deaf", "hear", "wall"]
    near = 0
    for number in range(60):
        limit_s = rng.choice([4.0, 12.0, 36.0])
        events = [(rng.choice(whats), rng.uniform(0.5, 900)) for _ in range(40)]
        near += live(events, rng.random() * 0.6, limit_s, number) > 0.65 * limit_s
    assert near > 30, "or it shows nothing"


def live(events: list[tuple[str, float]], share: float, limit_s: float, seed: int) -> float:
    """A unit's life; the most airtime in any of its hours, which is never over the limit."""
    field = Field(lost=lossy(share, seed), limit_s=limit_s, seed=seed, poll_s=HOUR_S)
    for number, (what, seconds) in enumerate(events, 1):
        match what:
            case "alert":
                field.put_alert(number)
            case "crop":
                field.put_crop(number)
            case "reboot":
                field.start()
            case "unplug":
                field.unplug()
            case "plug":
                field.plug()
            case "wall":
                field.clock.step_wall(seconds * 1000)
            case _:
                field.base.deaf = what == "deaf"
        field.run(seconds)
    most_s = 0.0
    for start_s, _, air_s in field.log:
        since_s = start_s + air_s - WINDOW_S
        inside = (min(air, max(0.0, start + air - since_s))
                  for start, _, air in field.log if start <= start_s)  # fmt: skip
        most_s = max(most_s, sum(inside))
    assert most_s <= limit_s + 1e-6
    return most_s


@checks(max_examples=40, deadline=None)
@given(EVENTS, st.floats(0.0, 0.6), st.sampled_from([4.0, 12.0, 36.0]), st.integers(0, 99))
def test_no_hour_is_ever_over_the_limit_whatever_happens(
    events: list[tuple[str, float]], share: float, limit_s: float, seed: int
) -> None:
    live(events, share, limit_s, seed)


@checks(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.2, 60.0), min_size=1, max_size=8), st.floats(0.0, 0.4))
def test_everything_arrives_once_the_base_is_there_however_often_it_reboots(
    lives: list[float], share: float
) -> None:
    field = Field(lost=lossy(share), limit_s=360.0)
    field.put_alert(1)
    field.put_crop(1)
    field.put_crop(2)
    for seconds in lives:
        field.run(seconds)
        field.start()
    field.run(6 * HOUR_S, ended(field, 3))
    assert sorted(stored(field)) == ["preview 1", "preview 2", "sighting 1"]
    assert set(field.base.bodies) >= {PREVIEW, REFINEMENT}
