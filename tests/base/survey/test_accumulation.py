import itertools
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.survey.accumulation import chao2, curve, steps


@given(days=st.lists(st.frozensets(st.sampled_from("abcd"), max_size=4), min_size=1, max_size=7))
def test_the_curve_is_the_mean_over_all_ways_to_choose_the_days(days: list[frozenset[str]]) -> None:
    incidence = {name: sum(name in day for day in days) for name in "abcd"}
    sizes = range(len(days) + 1)
    expected = [
        mean(len(frozenset().union(*some)) for some in itertools.combinations(days, size))
        for size in sizes
    ]
    assert curve(len(days), incidence, sizes) == pytest.approx(expected)


def test_chao2_adds_the_unseen_from_those_seen_once_and_twice() -> None:
    found = chao2(100, {"a": 1, "b": 1, "c": 1, "d": 1, "e": 2, "f": 30})
    assert found.seen == 6
    assert found.estimate == pytest.approx(6 + 0.99 * 4 * 3 / (2 * 2))
    assert 6 < found.low < found.estimate < found.high


def test_without_a_species_seen_once_nothing_is_added() -> None:
    assert chao2(50, {"a": 3, "b": 9, "c": 0}).estimate == 2
    assert chao2(0, {}).estimate == 0


@pytest.mark.parametrize("units", [0, 1, 99, 100, 101, 5000])
def test_steps_begin_at_nothing_and_end_at_everything(units: int) -> None:
    found = steps(units)
    assert (found[0], found[-1]) == (0, units)
    assert found == sorted(set(found)) and len(found) <= 101
