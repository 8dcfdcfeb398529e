"""What goes next, as a pure question."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.trap.uplink.lora.policy import (
    HEALTH_PATIENCE_S,
    Candidate,
    Moment,
    Room,
    What,
    choose,
    least_wanted,
    pictures_allowed,
    pictures_ever,
    quiet,
    symbol_size,
)
from firmware.wire.ledger import Ledger
from tests.trap.uplink.lora.field import settings

OPEN = Room(Ledger(), math.inf, math.inf)
WHATS: tuple[What, ...] = ("alert", "answer", "stale", "preview", "refinement", "health")


def frame(what: What, name: str = "", *, air_s: float = 1.0, due_s: float = 0.0,
          sighting: int = 0, since_s: float = 0.0) -> Candidate[str]:  # fmt: skip
    return Candidate(what, name or what, air_s, sighting, due_s, since_s)


def first(*candidates: Candidate[str], room: Room = OPEN, now_s: float = 100.0) -> str | None:
    chosen = choose(candidates, room, now_s)
    return None if chosen.send is None else chosen.send.ref


def test_each_kind_waits_for_those_before_it() -> None:
    for at in range(len(WHATS)):
        assert first(*[frame(what) for what in reversed(WHATS[at:])]) == WHATS[at]


def test_a_health_report_that_has_waited_long_goes_before_pictures_and_after_alerts() -> None:
    now_s = HEALTH_PATIENCE_S + 1
    assert first(frame("preview"), frame("health"), frame("stale"), now_s=now_s) == "health"
    assert first(frame("alert"), frame("answer"), frame("health"), now_s=now_s) == "alert"


def test_of_one_kind_the_newest_sighting_goes_first() -> None:
    assert first(frame("preview", "old", sighting=3), frame("preview", "new", sighting=9)) == "new"


def test_what_is_not_due_lets_others_go_and_is_waited_for() -> None:
    early = frame("alert", due_s=107.0)
    assert first(early, frame("preview")) == "preview"
    assert choose([early], OPEN, 100.0).wait_s == 7.0


def test_nothing_to_send_waits_for_something_to_happen() -> None:
    assert math.isinf(choose([], OPEN, 0.0).wait_s)


def test_a_picture_leaves_the_reserve_and_an_alert_may_use_it() -> None:
    room = Room(Ledger(((0.0, 7.5),)), 10.0, 2.0)
    assert first(frame("preview"), room=room) is None
    assert first(frame("stale"), room=room) is None
    assert first(frame("alert"), room=room) == "alert"
    held = choose([frame("preview")], room, 100.0)
    assert held.law and 3400 < held.wait_s < 3600


def test_an_old_alert_goes_in_an_idle_hour_whatever_the_reserve() -> None:
    room = Room(Ledger(), 10.0, 10.0)
    assert first(frame("preview"), frame("health"), room=room) is None
    assert first(frame("stale", air_s=2.0), room=room) == "stale"
    used = Room(Ledger(((0.0, 1.0),)), 10.0, 10.0)
    assert 3400 < choose([frame("stale")], used, 100.0).wait_s < 3600


def test_while_an_alert_waits_for_the_law_nothing_else_uses_the_airtime() -> None:
    room = Room(Ledger(((0.0, 9.5),)), 10.0, 0.0)
    assert first(frame("alert", air_s=1.0), frame("health", air_s=0.2), room=room) is None


def test_an_alert_that_is_longer_than_the_law_allows_at_all_stops_nothing() -> None:
    room = Room(Ledger(), 1.0, 0.0)
    assert first(frame("alert", air_s=2.0), frame("preview", air_s=0.5), room=room) == "preview"


CANDIDATES = st.lists(
    st.builds(
        Candidate, st.sampled_from(WHATS), st.integers(0, 99), st.floats(0.05, 3.0),
        st.integers(0, 5), st.floats(0.0, 50.0), st.floats(0.0, 50.0),
    ),
    max_size=6,
)  # fmt: skip


@example([[Candidate("stale", 0, 1.0)]], 4.0, 1.0)
@given(st.lists(CANDIDATES, max_size=40), st.floats(4.0, 40.0), st.floats(0.0, 1.0))
def test_the_reserve_is_left_and_no_due_alert_is_passed_over(
    rounds: list[list[Candidate[int]]], limit_s: float, share: float
) -> None:
    ledger, now_s = Ledger(), 0.0
    for candidates in rounds:
        room = Room(ledger, limit_s, limit_s * share)
        chosen = choose(candidates, room, now_s)
        alerts = [c for c in candidates if c.what == "alert" and c.due_s <= now_s]
        if chosen.send is None:
            now_s += min(chosen.wait_s, 60.0)
            continue
        assert chosen.send.due_s <= now_s
        if any(c.airtime_s <= limit_s for c in alerts):
            assert chosen.send.what == "alert"
        ledger = ledger.after(now_s, chosen.send.airtime_s)
        now_s += chosen.send.airtime_s
        most_s = limit_s if chosen.send.what == "alert" else limit_s * (1 - share)
        if chosen.send.what == "stale":  # alone in its hour it may go whatever the reserve
            most_s = max(most_s, chosen.send.airtime_s)
        assert ledger.used_s(now_s) <= most_s + 1e-6
        assert ledger.used_s(now_s) <= limit_s + 1e-6


@given(CANDIDATES, st.floats(0.0, 4000.0))
def test_who_waits_as_told_may_send_then(candidates: list[Candidate[int]], used_s: float) -> None:
    room = Room(Ledger(((0.0, 30.0),)), 36.0, 3.0)
    chosen = choose(candidates, room, used_s)
    if chosen.send is None and not math.isinf(chosen.wait_s):
        assert chosen.wait_s > 0
        assert choose(candidates, room, used_s + chosen.wait_s + 1e-6).send is not None


@pytest.mark.parametrize(
    ("sf", "carries"),
    [(7, (True, True)), (9, (True, True)), (10, (True, False)), (11, (False, False))],
)
def test_data_rates(sf: int, carries: tuple[bool, bool]) -> None:
    assert pictures_ever(settings(), sf) == carries
    assert not pictures_ever(settings(refinement_bytes=0), sf)[1]


@pytest.mark.parametrize(
    ("battery_mv", "allowed"),
    [(None, (True, True)), (3700, (True, True)), (3699, (True, False)), (3499, (False, False))],
)
def test_battery_tiers(battery_mv: int | None, allowed: tuple[bool, bool]) -> None:
    how = settings(refine_mv=3700, pictures_mv=3500)
    assert pictures_allowed(how, Moment(9, battery_mv, 12.0)) == allowed


@pytest.mark.parametrize(
    ("begin", "end", "hour", "is_quiet"),
    [(0, 0, 0, False), (8, 17, 8, True), (8, 17, 17, False), (22, 5, 23.5, True),
     (22, 5, 4.9, True), (22, 5, 12, False), (5, 5, 5, False)],
)  # fmt: skip
def test_quiet_hours_may_span_midnight(
    begin: float, end: float, hour: float, is_quiet: bool
) -> None:
    how = settings(quiet_from_h=begin, quiet_until_h=end)
    assert quiet(how, hour) == is_quiet
    assert pictures_allowed(how, Moment(9, None, hour))[0] != is_quiet


@given(st.integers(1, 20_000), st.integers(1, 255))
def test_symbols_are_few_and_all_alike(length: int, most: int) -> None:
    size = symbol_size(length, most, 150)
    count = -(-length // most)
    assert (size is None) == (count > 150)
    if size is not None:
        assert size <= most and -(-length // size) <= count
        assert size * count - length < count, "less than a byte a symbol is padding"


def test_no_symbol_fits_no_room() -> None:
    assert symbol_size(600, 0, 150) is None and symbol_size(600, -4, 150) is None


def test_the_oldest_refinement_goes_before_any_preview() -> None:
    assert least_wanted([(5, False), (7, True), (6, True), (1, False)]) == 2
    assert least_wanted([(5, False), (1, False)]) == 1
