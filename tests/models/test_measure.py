"""The figures of the model card are what their names say."""

import numpy as np
import pytest

from models.measure import (
    Share,
    bootstrap,
    calibration_error,
    class_figures,
    confusion,
    macro_f1,
    percent,
    recall_at,
)


def test_percentages_are_cut_and_never_rounded_up() -> None:
    assert percent(0.9499) == "94.9 %"
    assert percent(0.95) == "95.0 %"


def test_a_wilson_interval_holds_its_share_and_stays_within_zero_and_one() -> None:
    assert Share(0, 513).wilson() == pytest.approx((0.0, 0.00743), abs=1e-4)
    low, high = Share(48, 50).wilson()
    assert 0.86 < low < 0.96 < high < 1


def test_macro_f1_leaves_out_labels_with_few_images() -> None:
    truth = np.array([0] * 20 + [1] * 3)
    verdict = np.array([0] * 20 + [2] * 3)
    assert macro_f1(truth, verdict) == 1.0
    assert macro_f1(truth, verdict, least_images=1) == 0.5


def test_precision_and_recall_count_what_was_said_and_what_was_there() -> None:
    found = class_figures(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 1)
    assert found.precision == pytest.approx(2 / 3)
    assert (found.recall, found.count) == (1.0, 2)


def test_recall_at_a_false_share_lets_no_more_than_that_share_through() -> None:
    negative = np.linspace(0, 1, 1000)
    positive = np.array([0.5, 0.994, 0.999, 1.5])
    assert recall_at(positive, negative, 0.005) == Share(2, 4)


def test_the_bootstrap_draws_whole_groups() -> None:
    groups = np.array(["a"] * 50 + ["b"] * 50)
    values = np.array([0.0] * 50 + [1.0] * 50)
    low, high = bootstrap(groups, lambda rows: float(values[rows].mean()))
    assert (low, high) == (0.0, 1.0)


def test_confusion_counts_truth_by_rows() -> None:
    assert confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist() == [[1, 1], [0, 1]]


def test_a_sure_and_always_right_model_is_calibrated() -> None:
    assert calibration_error(np.ones(5), np.ones(5)) == 0.0
    assert calibration_error(np.ones(5), np.zeros(5)) == 1.0
