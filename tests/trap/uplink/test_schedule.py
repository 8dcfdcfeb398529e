import random

from hypothesis import given
from hypothesis import strategies as st

from firmware.trap.uplink.schedule import backoff_s


@given(st.integers(-5, 10**6), st.integers(0, 99))
def test_waits_stay_within_half_of_the_shortest_and_the_longest(failures: int, seed: int) -> None:
    assert 1.0 <= backoff_s(failures, 2.0, 600.0, random.Random(seed)) <= 600.0


def test_waits_double_until_the_longest() -> None:
    means = [
        sum(backoff_s(n, 2.0, 60.0, random.Random(seed)) for seed in range(500)) / 500
        for n in range(1, 8)
    ]
    for mean, full in zip(means, (2, 4, 8, 16, 32, 60, 60), strict=True):
        assert 0.72 * full < mean < 0.78 * full


def test_units_cut_off_together_do_not_come_back_together() -> None:
    waits = {round(backoff_s(5, 2.0, 600.0, random.Random(unit)), 1) for unit in range(50)}
    assert len(waits) > 40
