"""The channel against what others measured: analytic ALOHA, and LoRaSim's delivery ratios.

LoRaSim's figures are one run each of 48 h (12 h for 800 nodes); ours are a mean of several, so
that the tolerance is theirs. Losses come in pairs, so that the noise of a share p of n frames is
about sqrt(2 p (1 - p) / n); we allow three times that, and half a percent for where the nodes
happened to stand where strength decides.
"""

import math

import pytest

from firmware.sim.channel import Rules
from firmware.wire.airtime import Modulation, airtime_s
from tests.sim.lorasim import (
    CAPTURE,
    EXPERIMENT_0,
    EXPERIMENT_3,
    EXPERIMENT_4,
    MEAN_INTERVAL_S,
    SIMPLE,
    Experiment,
    delivery_ratio,
)

HOUR_S = 3600.0

# nodes: (simple, capture), from LoRaSim 0.2.1 as run for the reference.
LORASIM_0 = {
    10: (0.962, 0.973), 50: (0.846, 0.867), 100: (0.717, 0.765), 120: (0.667, 0.727),
    200: (0.505, 0.592), 400: (0.253, 0.361), 800: (0.065, 0.146), 1600: (0.004, 0.049),
}  # fmt: skip
LORASIM_4 = {
    10: (0.976, 0.981), 50: (0.881, 0.891), 100: (0.779, 0.821), 120: (0.731, 0.789),
    200: (0.589, 0.670), 400: (0.346, 0.446), 800: (0.124, 0.220), 1600: (0.015, 0.076),
}  # fmt: skip
LORASIM_3 = {
    50: (0.998, 0.999), 100: (0.999, 0.998), 200: (0.997, 0.997),
    400: (0.993, 0.994), 800: (0.985, 0.987), 1600: (0.972, 0.976),
}  # fmt: skip


def tolerance(p: float, nodes: int) -> float:
    hours = 48 if nodes < 800 else 12
    frames = nodes * hours * HOUR_S / MEAN_INTERVAL_S
    return 3 * math.sqrt(2 * p * (1 - p) / frames)


def mean_ratio(experiment: Experiment, nodes: int, rules: Rules, hours: int, seeds: int) -> float:
    runs = [delivery_ratio(experiment, nodes, rules, hours * HOUR_S, s) for s in range(seeds)]
    return sum(ratio * frames for ratio, frames in runs) / sum(frames for _, frames in runs)


def test_the_airtimes_are_lorasims() -> None:
    assert airtime_s(Modulation(12), 20) == pytest.approx(1.318912)
    assert airtime_s(Modulation(12, coding_rate=4), 20) == pytest.approx(1.712128)


@pytest.mark.parametrize(("nodes", "expected"), [(100, 0.768), (200, 0.590), (400, 0.348)])
def test_without_capture_it_is_pure_aloha(nodes: int, expected: float) -> None:
    """exp(-2 N T / interval)."""
    analytic = math.exp(-2 * nodes * airtime_s(Modulation(12), 20) / MEAN_INTERVAL_S)
    assert analytic == pytest.approx(expected, abs=0.0006)
    ratio = mean_ratio(EXPERIMENT_4, nodes, SIMPLE, 48, 3)
    assert ratio == pytest.approx(analytic, abs=tolerance(analytic, nodes) / math.sqrt(3) + 0.003)


def test_120_nodes_on_three_channels_deliver_nine_tenths() -> None:
    """The published anchor: 120 nodes on 3.8 ha, exp(-2 x 40 x 1.3189 / 1000) = 0.900."""
    runs = [delivery_ratio(EXPERIMENT_4, 120, SIMPLE, 48 * HOUR_S, s, 3)[0] for s in range(5)]
    assert sum(runs) / 5 == pytest.approx(0.900, abs=0.006)


@pytest.mark.parametrize("nodes", [100, 400])
@pytest.mark.parametrize(
    ("experiment", "known"), [(EXPERIMENT_0, LORASIM_0), (EXPERIMENT_4, LORASIM_4)]
)
def test_lorasims_ratios_simple_and_with_capture(
    experiment: Experiment, known: dict[int, tuple[float, float]], nodes: int
) -> None:
    compare(experiment, known, nodes, hours=24, seeds=4)


@pytest.mark.parametrize("nodes", [400])
def test_lorasims_ratios_with_the_best_settings_of_each_node(nodes: int) -> None:
    compare(EXPERIMENT_3, LORASIM_3, nodes, hours=24, seeds=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "known"),
    [(EXPERIMENT_0, LORASIM_0), (EXPERIMENT_4, LORASIM_4), (EXPERIMENT_3, LORASIM_3)],
)
def test_the_whole_table_over_two_days(
    experiment: Experiment, known: dict[int, tuple[float, float]]
) -> None:
    for nodes in known:
        compare(experiment, known, nodes, hours=48, seeds=5)


def compare(
    experiment: Experiment,
    known: dict[int, tuple[float, float]],
    nodes: int,
    *,
    hours: int,
    seeds: int,
) -> None:
    simple, capture = known[nodes]
    ours = mean_ratio(experiment, nodes, SIMPLE, hours, seeds)
    assert ours == pytest.approx(simple, abs=tolerance(simple, nodes) + 0.001), nodes
    ours = mean_ratio(experiment, nodes, CAPTURE, hours, seeds)
    assert ours == pytest.approx(capture, abs=tolerance(capture, nodes) + 0.006), nodes
