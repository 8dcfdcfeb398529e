"""What one model does on the test split, in the figures the card reports.

Promises each figure with its counts; which frames a figure is about stands in `TestSet`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models.augment import is_grey
from models.backbone import squash
from models.labels import LABELS, LEOPARD, LOOK_ALIKES
from models.manifest import Example
from models.measure import Share, bootstrap, macro_f1, recall_at, share
from models.score import CROP, WHOLE, Calibration, fused, probabilities, verdicts


@dataclass(frozen=True)
class TestSet:
    """The test examples and which of them each figure is about (boolean masks)."""

    examples: tuple[Example, ...]
    truth: np.ndarray
    night_leopard: np.ndarray
    other_leopard: np.ndarray
    not_leopard: np.ndarray
    camera_trap: np.ndarray
    look_alike: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """One model's figures for one kind of view (whole, crop or fused)."""

    name: str
    threshold: float
    night: Share
    rest: Share
    false_alerts: Share
    trap_false_alerts: Share
    look_alikes: Share
    night_at_half_percent: Share
    macro_f1: float
    macro_f1_interval: tuple[float, float]


def gather(examples: Sequence[Example]) -> TestSet:
    """Camera-trap leopards count as night frames when they are grey."""

    def grey(example: Example) -> bool:
        with Image.open(example.path) as image:
            return is_grey(squash(image))

    truth = np.array([LABELS.index(e.label) for e in examples])
    trap = np.array([e.camera_trap for e in examples])
    night = trap & np.array([e.camera_trap and grey(e) for e in examples])
    leopard = truth == LEOPARD
    return TestSet(
        tuple(examples), truth, leopard & night, leopard & ~night, ~leopard, trap,
        np.array([e.folder in LOOK_ALIKES for e in examples]),
        np.array([e.scene_group for e in examples]),
    )  # fmt: skip


def outcome(
    name: str, test: TestSet, leopard: np.ndarray, verdict: np.ndarray, threshold: float
) -> Outcome:
    """`leopard` are probabilities, NaN where the view does not exist."""
    called, there = leopard >= threshold, ~np.isnan(leopard)

    def of(mask: np.ndarray) -> Share:
        return share(called[mask & there])

    truth, said, groups = test.truth[there], verdict[there], test.groups[there]
    return Outcome(
        name, threshold, of(test.night_leopard), of(test.other_leopard), of(test.not_leopard),
        of(test.not_leopard & test.camera_trap), of(test.look_alike),
        recall_at(leopard[test.night_leopard & there], leopard[test.not_leopard & there], 0.005),
        macro_f1(truth, said),
        bootstrap(groups, lambda rows: macro_f1(truth[rows], said[rows])),
    )  # fmt: skip


def outcomes(
    name: str, test: TestSet, logits: np.ndarray, calibration: Calibration,
    thresholds: dict[str, float],
) -> list[Outcome]:  # fmt: skip
    """Whole frame, crop and fused."""
    calibrated = calibration.apply(logits)
    kinds = {"whole": calibrated[:, WHOLE], "crop": calibrated[:, CROP], "fused": fused(calibrated)}
    found = []
    for kind, values in kinds.items():
        scores = probabilities(values)
        verdict = verdicts(scores, thresholds)
        found.append(
            outcome(f"{name}, {kind}", test, scores[:, LEOPARD], verdict, thresholds["leopard"])
        )
    return found
