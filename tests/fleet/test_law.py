"""The oracle finds what is against the law, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.fleet.law import HOUR_S, busiest_hour, violations
from firmware.wire.ledger import Ledger
from firmware.wire.regions import AS923, KR920, RU864

HERE_HZ = 868_900_000


def test_a_percent_of_any_hour_is_allowed_and_not_a_frame_more() -> None:
    lawful = [("a", HERE_HZ, n * 100.0, 1.0) for n in range(36)]
    assert violations(RU864, lawful) == []
    (told,) = violations(RU864, [*lawful, ("a", HERE_HZ, 3599.9, 1.0)])
    assert told.startswith("a sent 36.100 s within the hour")
    assert violations(RU864, [*lawful, ("a", HERE_HZ, 3601.0, 1.0)]) == []


def test_the_hour_that_straddles_two_bursts_is_found() -> None:
    """A token bucket passes each clock hour and breaks this one."""
    late = [("a", HERE_HZ, 3564.0 + n, 1.0) for n in range(36)]
    early = [("a", HERE_HZ, 3600.0 + n, 1.0) for n in range(36)]
    (told,) = violations(RU864, late + early)
    assert "72.000 s" in told


def test_radios_and_bands_are_counted_apart() -> None:
    frames = [(radio, hz, 0.0, 30.0) for radio in "ab" for hz in (HERE_HZ, 867_100_000)]
    assert violations(RU864, frames) == []
    frames += [("a", 869_100_000, 40.0, 30.0)]
    assert len(violations(RU864, frames)) == 1


def test_a_frame_longer_than_the_dwell_is_told() -> None:
    assert violations(AS923, [("a", 923_200_000, 0.0, 0.4)]) == []
    assert len(violations(AS923, [("a", 923_200_000, 0.0, 0.401)])) == 1


def test_without_a_duty_cycle_nothing_is_too_much() -> None:
    assert violations(KR920, [("a", 922_100_000, 0.0, 3000.0)]) == []


@given(st.lists(st.tuples(st.floats(0.01, 2000), st.floats(0.01, 60)), max_size=40))
def test_the_busiest_hour_is_the_busiest_of_all(gaps: list[tuple[float, float]]) -> None:
    times, now_s = [], 0.0
    for gap_s, air_s in gaps:
        now_s += gap_s
        times.append((now_s, now_s + air_s))
        now_s += air_s
    most_s, begin_s = busiest_hour(times)

    def within(begin_s: float) -> float:
        end_s = begin_s + HOUR_S
        return sum(max(0.0, min(e, end_s) - max(s, begin_s)) for s, e in times)

    assert abs(within(begin_s) - most_s) < 1e-6
    assert all(within(moment_s) <= most_s + 1e-6 for moment_s in range(-3600, int(now_s), 97))


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0.05, 9)), max_size=60))
def test_what_the_ledger_lets_go_the_oracle_finds_lawful(wishes: list[tuple[float, float]]) -> None:
    ledger, frames, now_s = Ledger(), [], 0.0
    for pause_s, air_s in wishes:
        now_s += pause_s
        now_s += ledger.wait_s(now_s, air_s, 36.0)
        ledger = ledger.after(now_s, air_s)
        frames.append(("a", HERE_HZ, now_s, air_s))
        now_s += air_s
    assert violations(RU864, frames) == []
