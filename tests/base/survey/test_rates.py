import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.survey.rates import detection_rate, poisson_interval


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Exact 95 % limits as tabulated (Garwood 1936; e.g. Ulm 1990).
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (10, 4.7954, 18.3904),
     (50, 37.1110, 65.9188)],
)  # fmt: skip
def test_the_poisson_interval_is_the_tabulated_one(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), abs=2e-4)


def test_few_places_or_no_event_give_a_poisson_interval_and_it_says_so() -> None:
    rate = detection_rate([3, 2], [60.0, 40.0])
    assert (rate.rate, rate.method) == (5.0, "poisson")
    assert (rate.low, rate.high) == pytest.approx(poisson_interval(5))
    none = detection_rate([0] * 9, [20.0] * 9)
    assert (none.method, none.rate, none.low) == ("poisson", 0.0, 0.0)
    assert none.high == pytest.approx(100 * 3.6889 / 180, rel=1e-4)


def test_places_that_differ_give_a_wider_interval_than_their_sum_would() -> None:
    rate = detection_rate([40, 0, 1, 1, 0, 1, 2, 0], [50.0] * 8)
    low, high = (100 * bound / 400 for bound in poisson_interval(45))
    assert rate.method == "bootstrap"
    assert rate.high - rate.low > high - low
    assert rate == detection_rate([40, 0, 1, 1, 0, 1, 2, 0], [50.0] * 8)


def test_without_a_whole_trap_night_there_is_no_rate() -> None:
    assert detection_rate([2], [0.0]).method == "none"
    assert detection_rate([2, 9], [0.3, 0.3]).method == "none"
    assert detection_rate([], []).method == "none"


@given(rows=st.lists(st.tuples(st.integers(0, 30), st.floats(0.1, 200)), min_size=1, max_size=12))
def test_the_rate_lies_in_its_interval(rows: list[tuple[int, float]]) -> None:
    rate = detection_rate([e for e, _ in rows], [n for _, n in rows])
    if rate.method == "poisson":
        assert rate.low <= rate.rate <= rate.high
    assert 0 <= rate.low <= rate.high
