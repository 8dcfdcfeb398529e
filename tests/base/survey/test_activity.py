"""Activity curves: against closed forms here, and against R where the data are at hand."""

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import iv

from firmware.base.survey.activity import (
    TURN,
    Floats,
    angles,
    bandwidth,
    density,
    dhat1,
    dhat4,
    overlap,
)


def von_mises(mean: float, kappa: float, count: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).vonmises(mean, kappa, count) % TURN


def test_times_become_angles_of_the_local_day() -> None:
    assert angles([0, 21600, 86400 + 43200]) == pytest.approx([0, math.pi / 2, math.pi])


def test_the_bandwidth_follows_taylors_rule_for_a_sample_with_known_moments() -> None:
    """Two opposite-leaning times have exactly one first moment; the rule is then a closed form,
    here with the plain Bessel functions that overflow for larger concentrations."""
    times = np.array([-0.7, 0.7] * 40) % TURN
    kappas = []
    for moment in (1, 2, 3):
        length = abs(math.cos(moment * 0.7))
        grid = np.linspace(1e-6, 40, 400_001)
        kappas.append(grid[np.argmin(abs(iv(moment, grid) / iv(0, grid) - length))])
    kappa = max(kappas)
    expected = 3 * 80 * kappa**2 * iv(2, 2 * kappa) / (4 * math.sqrt(math.pi) * iv(0, kappa) ** 2)
    assert bandwidth(times) == pytest.approx(expected**0.4, rel=1e-4)


def test_a_sample_without_any_direction_is_flat_and_one_of_a_single_time_does_not_overflow() -> (
    None
):
    even = np.arange(8) * TURN / 8
    assert bandwidth(even) == pytest.approx(0, abs=1e-6)
    assert density(even, even, 0.0) == pytest.approx(np.full(8, 1 / TURN))
    same = np.full(200, 1.0)
    assert np.isfinite(density(same, same, bandwidth(same))).all()


@settings(deadline=None, max_examples=10)
@given(
    times=st.lists(st.floats(0, TURN), min_size=2, max_size=60),
    turn=st.floats(-10, 10),
)
def test_a_curve_has_area_one_and_turns_with_its_times(times: list[float], turn: float) -> None:
    sample = np.array(times)
    width = bandwidth(sample)
    grid = np.arange(4096) * TURN / 4096
    curve = density(sample, grid, width)
    assert curve.mean() * TURN == pytest.approx(1, abs=1e-3)
    turned = density((sample + turn) % TURN, (grid + turn) % TURN, width)
    assert turned == pytest.approx(curve, rel=1e-5, abs=1e-9)


def test_overlap_is_that_of_the_curves_the_samples_were_drawn_from() -> None:
    def true_density(at: float, mean: float, kappa: float) -> float:
        return math.exp(kappa * math.cos(at - mean)) / (TURN * float(iv(0, kappa)))

    truth, _ = quad(lambda at: min(true_density(at, 1, 2), true_density(at, 2.5, 3)), 0, TURN)
    one, other = von_mises(1, 2, 3000), von_mises(2.5, 3, 3000, 2)
    assert dhat1(one, other) == pytest.approx(truth, abs=0.03)
    assert dhat4(one, other) == pytest.approx(truth, abs=0.03)


def test_a_sample_overlaps_itself_wholly_and_its_opposite_hardly() -> None:
    one = von_mises(1, 4, 80)
    assert dhat1(one, one) == pytest.approx(1, abs=1e-9)
    assert dhat4(one, one) == pytest.approx(1)
    assert dhat4(one, von_mises(1 + math.pi, 8, 80)) < 0.1
    assert dhat4(one, von_mises(2, 8, 60)) == pytest.approx(dhat4(von_mises(2, 8, 60), one))


def test_the_estimator_follows_the_smaller_sample_and_the_interval_holds_the_estimate() -> None:
    small = overlap(von_mises(1, 2, 30), von_mises(2, 2, 90), 60)
    large = overlap(von_mises(1, 2, 60), von_mises(2, 2, 90), 60)
    assert (small.estimator, large.estimator) == ("Dhat1", "Dhat4")
    for found in (small, large):
        assert 0 <= found.low < found.value < found.high <= 1
    assert small == overlap(von_mises(1, 2, 30), von_mises(2, 2, 90), 60)


@pytest.mark.skipif(
    "ROSETTE_KERINCI" not in os.environ,
    reason="ROSETTE_KERINCI: CSV (Zone,Sps,Time) of the kerinci data of the R package overlap",
)
def test_the_numbers_are_those_of_the_r_package_overlap() -> None:
    with Path(os.environ["ROSETTE_KERINCI"]).open() as file:
        rows = list(csv.DictReader(file))
    tiger, macaque = (
        np.array([float(r["Time"]) * TURN for r in rows if (r["Zone"], r["Sps"]) == ("2", name)])
        for name in ("tiger", "macaque")
    )
    assert (len(tiger), len(macaque)) == (83, 125)
    assert bandwidth(tiger) == pytest.approx(10.31842641, abs=1e-3)
    assert bandwidth(macaque) == pytest.approx(22.07054759, abs=1e-3)
    assert dhat1(tiger, macaque) == pytest.approx(0.4275680636, abs=1e-3)
    assert dhat4(tiger, macaque) == pytest.approx(0.4205463629, abs=1e-3)
    at = np.array([0, math.pi / 2, math.pi])
    expected = [0.11629819, 0.33864195, 0.07716159]
    assert density(tiger, at, bandwidth(tiger)) == pytest.approx(expected, abs=1e-3)
