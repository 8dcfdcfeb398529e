"""The ledger keeps every sliding hour, whatever the schedule, the reboots and the clocks."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.ledger import WINDOW_S, Ledger

LIMIT_S = 36.0
SLACK_S = 1e-6  # of floating point, not of the law

Sent = tuple[float, float]


def worst_hour_s(sent: Sequence[Sent]) -> float:
    """Most airtime in any window of an hour: brute force over the windows that begin with a
    frame's start or end with a frame's end, where the maximum of a piecewise linear sum lies."""
    begins = [start for start, _ in sent] + [start + air - WINDOW_S for start, air in sent]
    return max((_within(sent, begin) for begin in begins), default=0.0)


def _within(sent: Sequence[Sent], begin_s: float) -> float:
    end_s = begin_s + WINDOW_S
    return sum(max(0.0, min(start + air, end_s) - max(start, begin_s)) for start, air in sent)


def test_the_oracle_sees_the_hour_that_a_token_bucket_breaks() -> None:
    assert worst_hour_s([(3500, 36), (3700, 36)]) == 72
    assert worst_hour_s([(0, 36), (3600, 36)]) == 36
    assert worst_hour_s([(0, 10), (3595, 10)]) == 15


def test_a_whole_hour_may_leave_in_one_burst() -> None:
    ledger, now_s = Ledger(), 0.0
    for _ in range(36):
        assert ledger.wait_s(now_s, 1.0, LIMIT_S) == 0
        ledger, now_s = ledger.after(now_s, 1.0), now_s + 1.0
    assert ledger.wait_s(now_s, 1.0, LIMIT_S) == pytest.approx(WINDOW_S - 36, abs=0.002)
    assert ledger.used_s(now_s) == 36


def test_a_frame_longer_than_the_limit_may_never_go() -> None:
    assert Ledger().wait_s(0, 36.001, LIMIT_S) == math.inf
    assert Ledger().wait_s(0, 36.0, LIMIT_S) == 0


def test_room_comes_back_bit_by_bit_as_a_long_frame_leaves_the_hour() -> None:
    ledger = Ledger().after(0, 36)
    assert ledger.wait_s(36, 1, LIMIT_S) == pytest.approx(WINDOW_S - 36, abs=0.002)
    assert ledger.wait_s(36, 10, LIMIT_S) == pytest.approx(WINDOW_S - 36, abs=0.002)
    assert ledger.used_s(WINDOW_S + 10) == 26
    assert ledger.used_s(WINDOW_S + 36) == 0


def test_a_frame_on_the_air_counts_in_full() -> None:
    assert Ledger().after(100, 2).used_s(100) == 2


def test_after_a_restart_time_goes_on_where_the_last_frame_ended() -> None:
    ledger = Ledger().after(100, 2)
    assert ledger.end_s == 102
    assert ledger.after(50, 1).entries[-1] == (102, 1)
    assert Ledger().end_s == 0


def test_entries_that_no_window_can_reach_are_dropped() -> None:
    ledger = Ledger().after(0, 1).after(10, 1).after(3605, 1)
    assert ledger.entries == ((10, 1), (3605, 1))


@pytest.mark.parametrize(("start_s", "air_s"), [(0, 0), (0, -1), (0, math.nan), (math.inf, 1)])
def test_a_frame_that_cannot_be_is_refused(start_s: float, air_s: float) -> None:
    with pytest.raises(ValueError, match="cannot be entered"):
        Ledger().after(start_s, air_s)


airtimes = st.floats(0.02, 12)
pauses = st.floats(0, 2000) | st.just(0.0)


@given(st.lists(st.tuples(pauses, airtimes), min_size=1, max_size=40))
def test_no_hour_is_over_the_limit_and_none_waits_for_nothing(
    frames: list[tuple[float, float]],
) -> None:
    ledger, now_s = Ledger(), 0.0
    sent: list[Sent] = []
    for pause_s, air_s in frames:
        now_s += pause_s
        wait_s = ledger.wait_s(now_s, air_s, LIMIT_S)
        if wait_s > 0.002:
            early = (*sent, (now_s + wait_s - 0.002, air_s))
            assert worst_hour_s(early) > LIMIT_S, "it could have gone earlier"
        now_s += wait_s
        assert ledger.wait_s(now_s, air_s, LIMIT_S) == 0
        ledger = ledger.after(now_s, air_s)
        sent.append((now_s, air_s))
        now_s += air_s
    assert worst_hour_s(sent) <= LIMIT_S + SLACK_S


@given(st.lists(st.tuples(pauses, airtimes), max_size=40), st.floats(0, 5000))
def test_used_is_what_lies_in_the_last_hour(
    frames: list[tuple[float, float]], later_s: float
) -> None:
    ledger, now_s = Ledger(), 0.0
    sent: list[Sent] = []
    for pause_s, air_s in frames:
        ledger = ledger.after(now_s + pause_s, air_s)
        sent.append((now_s + pause_s, air_s))
        now_s = ledger.end_s
    assert ledger.used_s(now_s + later_s) == pytest.approx(
        _within(sent, now_s + later_s - WINDOW_S), abs=1e-6
    )


class Unit:
    """A unit in the field: real time runs on, its own clock stands still while it is off, and it
    dies between the entry and the frame, within a frame, or while it waits."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.real_s = rng, rng.uniform(0, 1e6)
        self.stored, self.sent = Ledger(), list[Sent]()
        self.waited = False
        self.boot()

    def boot(self) -> None:
        self.real_s += self.rng.choice((0.0, 0.0, self.rng.expovariate(1 / 600)))
        self.monotonic_s = self.rng.uniform(0, 1e5)
        self.ledger_began_s, self.monotonic_began_s = self.stored.end_s, self.monotonic_s

    def pass_time(self, seconds: float) -> None:
        self.real_s += seconds
        # Suspended, the monotonic clock of Linux stands still; it never runs ahead.
        self.monotonic_s += seconds * self.rng.choice((1, 1, 1, 0, self.rng.random()))

    def step(self) -> None:
        if self.rng.random() < 0.15:
            self.boot()
        self.pass_time(self.rng.choice((0, 0, self.rng.expovariate(1 / 300))))
        air_s = self.rng.uniform(0.02, 14)
        now_s = self.ledger_began_s + self.monotonic_s - self.monotonic_began_s
        while wait_s := self.stored.wait_s(now_s, air_s, LIMIT_S):
            self.waited = True
            if self.rng.random() < 0.05:
                return self.boot()
            self.real_s, now_s = self.real_s + wait_s, now_s + wait_s
            self.monotonic_s += wait_s
        self.stored = self.stored.after(now_s, air_s)
        fate = self.rng.random()
        if fate < 0.05:
            return self.boot()
        on_air_s = air_s * self.rng.random() if fate < 0.1 else air_s
        self.sent.append((self.real_s, on_air_s))
        self.real_s, self.monotonic_s = self.real_s + on_air_s, self.monotonic_s + on_air_s
        if on_air_s < air_s:
            self.boot()
        return None


class Forgetful(Unit):
    """Begins with an empty ledger at each boot."""

    def boot(self) -> None:
        self.stored = Ledger()
        super().boot()


class Hasty(Unit):
    """Takes it that half an hour has passed while it was off."""

    def boot(self) -> None:
        super().boot()
        self.ledger_began_s += WINDOW_S / 2


def hours_over_the_limit(schedules: int, seed: int, kind: type[Unit] = Unit) -> tuple[int, int]:
    """(schedules with an hour over the limit, schedules in which the ledger had to say wait)."""
    over = waited = 0
    for n in range(schedules):
        unit = kind(random.Random(f"{seed}-{n}"))
        for _ in range(unit.rng.randrange(4, 14)):
            unit.step()
        over += worst_hour_s(unit.sent) > LIMIT_S + SLACK_S
        waited += unit.waited
    return over, waited


def test_reboots_and_clock_steps_never_break_the_hour() -> None:
    over, waited = hours_over_the_limit(1000, seed=1)
    assert over == 0
    assert waited > 500, "the schedules never came near the limit"


@pytest.mark.parametrize("kind", [Forgetful, Hasty])
def test_a_unit_that_forgets_or_guesses_at_a_reboot_would_be_caught(kind: type[Unit]) -> None:
    over, _ = hours_over_the_limit(100, seed=1, kind=kind)
    assert over > 20


@pytest.mark.slow
def test_a_hundred_thousand_schedules_never_break_the_hour() -> None:
    over, waited = hours_over_the_limit(100_000, seed=2)
    assert over == 0
    assert waited > 50_000
