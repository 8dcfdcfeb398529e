"""Figures with their uncertainty: pure arithmetic on scores, no images and no models.

Promises 95 % intervals: Wilson for a proportion, percentile bootstrap over scene groups (whole
groups are drawn, since frames of one event are alike) for everything else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

Z95 = 1.959964
RESAMPLES = 1000


@dataclass(frozen=True)
class Share:
    """`hits` of `count`."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        return self.hits / self.count if self.count else float("nan")

    def wilson(self) -> tuple[float, float]:
        """95 % score interval (Wilson 1927)."""
        if not self.count:
            return 0.0, 1.0
        n, p = self.count, self.value
        middle = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
        return float(max(0.0, middle - half)), float(min(1.0, middle + half))

    def __str__(self) -> str:
        if not self.count:
            return "none"
        low, high = self.wilson()
        return f"{percent(self.value)} ({self.hits}/{self.count}; {percent(low)}-{percent(high)})"


def percent(value: float) -> str:
    """One decimal, cut rather than rounded up, so that no bar is met by rounding."""
    return f"{np.floor(value * 1000 + 1e-9) / 10:.1f} %"


def share(hits: Array) -> Share:
    return Share(int(np.sum(hits)), len(hits))


@dataclass(frozen=True)
class ClassFigures:
    """Precision, recall and F1 of one label."""

    precision: float
    recall: float
    f1: float
    count: int


def class_figures(truth: Array, verdict: Array, label: int) -> ClassFigures:
    right = int(np.sum((truth == label) & (verdict == label)))
    said, there = int(np.sum(verdict == label)), int(np.sum(truth == label))
    precision, recall = right / max(said, 1), right / max(there, 1)
    f1 = 2 * right / max(said + there, 1)
    return ClassFigures(precision, recall, f1, there)


def macro_f1(truth: Array, verdict: Array, least_images: int = 20) -> float:
    """Mean F1 over the labels with at least `least_images` true images."""
    labels, counts = np.unique(truth, return_counts=True)
    kept = labels[counts >= least_images]
    return float(np.mean([class_figures(truth, verdict, int(k)).f1 for k in kept]))


def bootstrap(
    groups: Array, statistic: Callable[[Array], float], seed: int = 0
) -> tuple[float, float]:
    """95 % interval of `statistic(rows)` when whole groups are drawn with replacement."""
    random = np.random.default_rng(seed)
    names, inverse = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(inverse == i) for i in range(len(names))]
    drawn = [
        statistic(np.concatenate([members[i] for i in random.integers(0, len(names), len(names))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def recall_at(positive: Array, negative: Array, false_share: float) -> Share:
    """Recall at the lowest threshold that lets at most `false_share` of the negatives through."""
    ordered = np.sort(negative)[::-1]
    allowed = int(len(ordered) * false_share)
    return share(positive > ordered[allowed])


def confusion(truth: Array, verdict: Array, size: int) -> Array:
    """[truth, verdict] counts."""
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (truth, verdict), 1)
    return table


def reliability(confidence: Array, right: Array, bins: int = 10) -> Array:
    """Rows of mean confidence, share right, count, for each bin that holds anything."""
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    return np.array([
        (confidence[number == b].mean(), right[number == b].mean(), np.sum(number == b))
        for b in np.unique(number)
    ])  # fmt: skip


def calibration_error(confidence: Array, right: Array) -> float:
    """Expected calibration error over ten bins."""
    table = reliability(confidence, right)
    return float(np.sum(np.abs(table[:, 0] - table[:, 1]) * table[:, 2]) / len(confidence))
