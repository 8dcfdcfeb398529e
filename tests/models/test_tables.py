"""Tables and sentences of the card, from figures made up here."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from models import outcome
from models.footprint import Footprint, footprint_table, footprints
from models.front import AtSide, Point, conclusion, front_table
from models.measure import Share
from models.runtime import installed

MODEL = Path(__file__).parents[2] / "models" / "rosette.tflite"


def point(side: int, ms: float, night: int, f1: float | None, name: str = "this model") -> Point:
    return Point(name, side, ms, Share(night, 50), Share(80, 83), f1)


def test_the_conclusion_says_what_the_next_smaller_side_saves_and_costs() -> None:
    points = [point(128, 1, 20, 0.7), point(192, 7.5, 47, 0.85), point(224, 10, 48, 0.9),
              point(192, 7, 10, None, "ImageNet")]  # fmt: skip
    said = conclusion(points)
    assert said.startswith("192 pixels instead of 224 would save 25 %")
    assert "-1 of 50 night leopards, +0 of 83 other leopards, -5.0 points" in said
    assert front_table(points).splitlines()[-1].endswith("|  |")


def test_recall_at_a_false_alert_rate_lets_no_more_through() -> None:
    count = 1000
    leopard = np.zeros(count, bool)
    leopard[:100] = True
    night, nothing = leopard & (np.arange(count) < 50), np.zeros(count, bool)
    rest, others = leopard & ~night, ~leopard
    test = outcome.TestSet(
        (), leopard.astype(int), night, rest, others, nothing, nothing, nothing, np.arange(count)
    )
    scores = np.random.default_rng(0).permutation(count) / count + leopard * 0.5
    for row in outcome.fixed_rates(test, scores, -scores):
        assert row.false_alerts.count == 900 and row.night[0].count == 50
    rates = [row.false_alerts.value for row in outcome.fixed_rates(test, scores, scores)]
    assert rates[0] == 0 and rates == sorted(rates) and rates[-1] <= 0.02


def test_the_footprint_table_gives_the_ratio_of_the_times() -> None:
    row = footprint_table([Footprint("litert", 1, (3.3, 3.0), (58, 60), (12, 14))]).splitlines()[-1]
    assert row == "| litert | 1 | 3.3 | 3.0 | 1.10 | 58 | 60 | 12 |"


def test_the_shipped_file_takes_smaller_pictures() -> None:
    assert AtSide(MODEL, 128)(np.full((224, 224, 3), 90, np.uint8)).shape == (17,)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_latency_and_memory_are_measured_in_processes_of_their_own() -> None:
    rows = footprints(MODEL, MODEL, threads=(1,), rounds=2)
    assert {row.runtime for row in rows} == set(installed())
    for row in rows:
        assert min(row.latency_ms) > 0
        assert all(0 < model < whole < 500 for model, whole in zip(row.model_mb, row.memory_mb,
                                                                   strict=True))  # fmt: skip
