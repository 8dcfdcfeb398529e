import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.survey.effort import DAY_S, Span, nights, shares, working

LIMIT_S = 26 * 3600.0


def test_a_unit_heard_every_hour_works_all_the_time() -> None:
    beats = [(h * 3600.0, h * 3600.0) for h in range(240)]
    assert working(0, 10 * DAY_S, beats, LIMIT_S) == [Span(0, 10 * DAY_S)]


def test_silence_beyond_the_limit_counts_as_not_working_from_its_first_second() -> None:
    beats = [(DAY_S, DAY_S), (4 * DAY_S, 4 * DAY_S)]
    assert working(0, 5 * DAY_S, beats, LIMIT_S) == [
        Span(0, DAY_S), Span(4 * DAY_S, 5 * DAY_S),
    ]  # fmt: skip


def test_a_unit_never_heard_of_did_not_work_unless_it_stood_too_briefly_to_tell() -> None:
    assert working(0, 9 * DAY_S, [], LIMIT_S) == []
    assert working(0, DAY_S, [], LIMIT_S) == [Span(0, DAY_S)]


def test_a_unit_that_said_until_when_it_sleeps_is_not_missed_until_then() -> None:
    beats = [(0.0, 3 * DAY_S)]
    assert working(0, 4 * DAY_S, beats, LIMIT_S) == [Span(0, 4 * DAY_S)]
    assert working(0, 9 * DAY_S, beats, LIMIT_S) == [Span(0, 3 * DAY_S)]


def test_what_was_heard_before_and_after_the_deployment_is_none_of_its() -> None:
    beats = [(-9 * DAY_S, -9 * DAY_S), (20 * DAY_S, 20 * DAY_S)]
    assert working(0, 9 * DAY_S, beats, LIMIT_S) == []


def test_days_are_shared_out_by_local_time() -> None:
    found = shares([Span(0.25 * DAY_S, 2.5 * DAY_S)], 0.5 * DAY_S)
    assert found == pytest.approx({0: 0.25, 1: 1.0, 2: 1.0})


@given(
    beats=st.lists(st.floats(-5, 40).map(lambda d: (d * DAY_S, d * DAY_S)), max_size=30),
    end_d=st.floats(0.1, 30),
    limit_h=st.floats(1, 100),
)
def test_effort_never_exceeds_the_deployment_and_grows_with_every_sign_of_life(
    beats: list[tuple[float, float]], end_d: float, limit_h: float
) -> None:
    beats.sort()
    spans = working(0, end_d * DAY_S, beats, limit_h * 3600)
    assert 0 <= nights(spans) <= end_d + 1e-9
    for one, other in itertools.pairwise(spans):
        assert other.start_s - one.end_s > limit_h * 3600
    for left_out in range(len(beats)):
        fewer = working(0, end_d * DAY_S, beats[:left_out] + beats[left_out + 1 :], limit_h * 3600)
        assert nights(fewer) <= nights(spans) + 1e-9
    assert sum(shares(spans, 30_000).values()) == pytest.approx(nights(spans))
