"""What one model does on the test split, in the figures the card reports.

Promises each figure with its counts; which frames a figure is about stands in `TestSet`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models.augment import is_grey
from models.labels import LABELS, LEOPARD, LOOK_ALIKES
from models.manifest import Example
from models.measure import Array, Share, bootstrap, macro_f1, recall_at, share
from models.runtime import squash
from models.score import CROP, WHOLE, Calibration, fused, probabilities, verdicts

HALF_PERCENT = 0.005
FALSE_ALERT_RATES = (0.0, 0.0025, HALF_PERCENT, 0.01, 0.02)


@dataclass(frozen=True)
class TestSet:
    """The test examples and which of them each figure is about (boolean masks)."""

    examples: tuple[Example, ...]
    truth: Array
    night_leopard: Array
    other_leopard: Array
    not_leopard: Array
    camera_trap: Array
    grey: Array
    look_alike: Array
    groups: Array


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
    rest_at_half_percent: Share
    macro_f1: float
    macro_f1_interval: tuple[float, float]


def gather(examples: Sequence[Example]) -> TestSet:
    """Camera-trap leopards count as night frames when they are grey."""

    def grey(example: Example) -> bool:
        with Image.open(example.path) as image:
            return is_grey(squash(image))

    truth = np.array([LABELS.index(e.label) for e in examples])
    trap = np.array([e.camera_trap for e in examples])
    without_colour = np.array([grey(e) for e in examples])
    leopard, night = truth == LEOPARD, trap & without_colour
    return TestSet(
        tuple(examples), truth, leopard & night, leopard & ~night, ~leopard, trap, without_colour,
        np.array([e.folder in LOOK_ALIKES for e in examples]),
        np.array([e.scene_group for e in examples]),
    )  # fmt: skip


def outcome(name: str, test: TestSet, leopard: Array, verdict: Array, threshold: float) -> Outcome:
    """`leopard` are probabilities, NaN where the view does not exist. Look-alikes count apart."""
    called, there = leopard >= threshold, ~np.isnan(leopard)
    plain = test.not_leopard & ~test.look_alike

    def of(mask: Array) -> Share:
        return share(called[mask & there])

    def at_half_percent(mask: Array) -> Share:
        return recall_at(leopard[mask & there], leopard[plain & there], HALF_PERCENT)

    truth, said, groups = test.truth[there], verdict[there], test.groups[there]
    return Outcome(
        name, threshold, of(test.night_leopard), of(test.other_leopard), of(plain),
        of(plain & test.camera_trap), of(test.look_alike),
        at_half_percent(test.night_leopard), at_half_percent(test.other_leopard),
        macro_f1(truth, said),
        bootstrap(groups, lambda rows: macro_f1(truth[rows], said[rows])),
    )  # fmt: skip


def outcomes(
    name: str, test: TestSet, logits: Array, calibration: Calibration,
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


@dataclass(frozen=True)
class FixedRate:
    """Recall of two models, each where it calls so many non-leopards leopards; look-alikes are not
    among these, `look_alikes` says how many of them come along."""

    false_alerts: Share
    night: tuple[Share, Share]
    rest: tuple[Share, Share]
    look_alikes: tuple[Share, Share]


def fixed_rates(test: TestSet, ours: Array, theirs: Array) -> Iterator[FixedRate]:
    """At `FALSE_ALERT_RATES`; thresholds read off the test images."""
    plain = test.not_leopard & ~test.look_alike
    for rate in FALSE_ALERT_RATES:
        tolerated = int(plain.sum() * rate)
        called = [s > np.sort(s[plain])[::-1][tolerated] for s in (ours, theirs)]
        night, rest, alike = (
            (share(called[0][mask]), share(called[1][mask]))
            for mask in (test.night_leopard, test.other_leopard, test.look_alike)
        )
        yield FixedRate(share(called[0][plain]), night, rest, alike)


@dataclass(frozen=True)
class EqualRate:
    """Recall of two models where each calls as many look-alikes leopards."""

    look_alikes: Share
    night: tuple[Share, Share]
    rest: tuple[Share, Share]


def equal_rates(test: TestSet, ours: Array, theirs: Array) -> Iterator[EqualRate]:
    """At the look-alike rates of 50, 25, 10 and 5 %; thresholds read off the test images."""
    for rate in (0.5, 0.25, 0.1, 0.05):
        tolerated = int(test.look_alike.sum() * rate)
        called = [s > np.sort(s[test.look_alike])[::-1][tolerated] for s in (ours, theirs)]
        night, rest = (
            (share(called[0][mask]), share(called[1][mask]))
            for mask in (test.night_leopard, test.other_leopard)
        )
        yield EqualRate(share(called[0][test.look_alike]), night, rest)
