"""Bursts judged by the unit's own code: what more frames and the motion crop bring.

Promises the firmware's `Look` and `Judge` as they run on a unit, on the frames' `bursts/` cut into
bursts of three of one class each. Many of the leopard bursts carry painted-out marks that move with
the animal, and few cameras are in them: the intervals are wide, and say so.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from firmware.trap.capture.camera import Frame
from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture.classify import judge_of
from firmware.trap.capture.crop import thumbnail
from firmware.trap.capture.picture import read_picture
from firmware.trap.capture.verdict import LEOPARD, Look, Verdict
from models.measure import Array, Share, share

FRAMES_A_BURST = 3


@dataclass(frozen=True)
class Burst:
    """Consecutive frames of one camera, all of one class."""

    leopard: bool
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Ablation:
    """One way to judge: leopard bursts found, and other bursts called leopard."""

    name: str
    found: Share
    false_alerts: Share


def read_bursts(root: Path) -> list[Burst]:
    """The sequences under `root`/bursts, cut where the class changes and after three frames."""
    with (root / "bursts.csv").open(newline="") as lines:
        rows = [(r["sequence"], r["class"], r["frame"]) for r in csv.DictReader(lines)]
    found = []
    for (sequence, kind), group in groupby(rows, key=lambda row: row[:2]):
        files = [root / "bursts" / sequence / frame for *_, frame in group]
        for first in range(0, len(files) - FRAMES_A_BURST + 1, FRAMES_A_BURST):
            part = tuple(files[first : first + FRAMES_A_BURST])
            found.append(Burst(kind == LEOPARD, part))
    return [burst for burst in found if all(file.is_file() for file in burst.files)]


def ablations(classifier: Classifier, bursts: Sequence[Burst]) -> Iterator[Ablation]:
    """Single whole frames, single frames as `rosette classify` judges them, bursts of whole
    frames, and bursts with their motion crops, as on a unit."""
    judge = judge_of(classifier)
    pictures = [[_frame(file) for file in burst.files] for burst in bursts]
    truth = np.array([burst.leopard for burst in bursts])

    def whole(frames: Sequence[Frame]) -> Verdict:
        scores = classifier.scores([thumbnail(frame.rgb) for frame in frames])
        return judge.verdict([[view] for view in scores])

    def unit(frames: Sequence[Frame]) -> Verdict:
        return _look(classifier, frames)

    ways: dict[str, tuple[Callable[[Sequence[Frame]], Verdict], int]] = {
        "first frame, whole": (whole, 1),
        "first frame, whole and part": (unit, 1),
        "burst, whole frames": (whole, FRAMES_A_BURST),
        "burst, whole frames and motion crops": (unit, FRAMES_A_BURST),
    }
    for name, (way, count) in ways.items():
        said = np.array([way(frames[:count]).label == LEOPARD for frames in pictures])
        yield Ablation(name, share(said[truth]), share(said[~truth]))


def single_scores(classifier: Classifier, files: Sequence[Path]) -> Array:
    """Each picture as `rosette classify` judges it: fused scores, shape (pictures, labels)."""
    rows = []
    for file in files:
        named = _look(classifier, [_frame(file)]).scores
        rows.append([named[label] for label in classifier.sidecar.labels])
    return np.array(rows)


def _look(classifier: Classifier, frames: Sequence[Frame]) -> Verdict:
    look = Look(classifier.scores, judge_of(classifier))
    for frame in frames:
        look.add(frame)
    return look.verdict(())


def _frame(file: Path) -> Frame:
    content, rgb = read_picture(file)
    return Frame(content, np.asarray(rgb), 0.0, night=False)


def table(rows: Sequence[Ablation]) -> str:
    """Markdown."""
    lines = [
        "| judged by | leopard bursts found | other bursts called leopard | per 1,000 |",
        "|---|---|---|---|",
    ]
    for row in rows:
        thousand = 1000 * row.false_alerts.value
        lines.append(f"| {row.name} | {row.found} | {row.false_alerts} | {thousand:.0f} |")
    return "\n".join(lines)
