"""Bursts judged by the unit's own code: what more frames and the motion crop bring.

Promises the firmware's `Look` and `Judge` as they run on a unit, with the camera's last empty
frames where there are some, on bursts of three frames of one class each: the frames' own sequences
(`read_bursts`) and rendered ones (`models.small`). Many of the real leopard bursts carry
painted-out marks that move with the animal, few cameras are in them, and most show events that
were trained on; `trained` says which.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from firmware.trap.capture.camera import Frame
from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture.classify import judge_of
from firmware.trap.capture.crop import Grey, grey_of, thumbnail
from firmware.trap.capture.daemon import EMPTIES_KEPT
from firmware.trap.capture.picture import read_picture
from firmware.trap.capture.verdict import LEOPARD, Look, Verdict
from models.manifest import Example
from models.measure import Array, Share, share

FRAMES_A_BURST = 3
SINGLE = "single frames, whole"
"""The way that the others are measured against."""


@dataclass(frozen=True)
class Burst:
    """Consecutive frames of one camera, all of one class.

    `before`: earlier empty frames of the same camera. `trained`: a frame of the same event (or,
    where events are not told apart, of the same source) was trained on.
    """

    kind: str
    files: tuple[Path, ...]
    before: tuple[Path, ...] = ()
    trained: bool = False

    @property
    def leopard(self) -> bool:
        return self.kind == LEOPARD


@dataclass(frozen=True)
class Ablation:
    """One way to judge: leopard bursts (or frames) found, and others called leopard."""

    name: str
    found: Share
    false_alerts: Share


def read_bursts(root: Path, examples: Sequence[Example] = ()) -> list[Burst]:
    """The sequences under `root`/bursts, cut where the class changes and after three frames.

    `examples` tell which of them were trained on.
    """
    with (root / "bursts.csv").open(newline="") as lines:
        rows = [(r["sequence"], r["class"], r["frame"]) for r in csv.DictReader(lines)]
    found: list[Burst] = []
    empties: dict[str, list[Path]] = {}
    for (sequence, kind), group in groupby(rows, key=lambda row: row[:2]):
        files = [root / "bursts" / sequence / frame for *_, frame in group]
        before = tuple(empties.get(sequence, ())[-EMPTIES_KEPT:])
        seen = was_trained(sequence, examples)
        for first in range(0, len(files) - FRAMES_A_BURST + 1, FRAMES_A_BURST):
            part = tuple(files[first : first + FRAMES_A_BURST])
            found.append(Burst(kind, part, before, seen))
        if kind == "empty":
            empties.setdefault(sequence, []).extend(files)
    return [burst for burst in found if all(file.is_file() for file in burst.files)]


def was_trained(sequence: str, examples: Sequence[Example]) -> bool:
    """Whether a training image shows the event of a sequence; where its name tells no event,
    whether one comes from its source."""
    trained = [example for example in examples if example.split == "train"]
    event = re.search(r"_(ntlnp_[A-Za-z]+)(\d+)$", sequence)
    if event is not None:
        return f"{event[1]}_{event[2]}" in {example.scene_group for example in trained}
    return any(sequence.startswith(example.source.replace("/", "+")) for example in trained)


def ablations(classifier: Classifier, bursts: Sequence[Burst]) -> Iterator[Ablation]:
    """Single whole frames, single frames as `rosette classify` judges them, bursts of whole
    frames, bursts with their motion crops, and these with the camera's last empty frames."""
    judge = judge_of(classifier)

    def whole(frames: Sequence[Frame], before: Sequence[Grey]) -> Verdict:
        scores = classifier.scores([thumbnail(frame.rgb) for frame in frames])
        return judge.verdict([[view] for view in scores])

    def alone(frames: Sequence[Frame], before: Sequence[Grey]) -> Verdict:
        return _look(classifier, frames, ())

    def unit(frames: Sequence[Frame], before: Sequence[Grey]) -> Verdict:
        return _look(classifier, frames, before)

    ways: dict[str, tuple[Callable[[Sequence[Frame], Sequence[Grey]], Verdict], int]] = {
        SINGLE: (whole, 1),
        "single frames, whole and part": (alone, 1),
        "bursts, whole frames": (whole, FRAMES_A_BURST),
        "bursts, whole frames and motion crops": (alone, FRAMES_A_BURST),
    }
    if any(burst.before for burst in bursts):
        ways["the same, with the camera's last empty frames"] = (unit, FRAMES_A_BURST)
    said: dict[str, list[tuple[bool, bool]]] = {name: [] for name in ways}
    for burst in bursts:
        frames = [_frame(file) for file in burst.files]
        before = [grey_of(thumbnail(_frame(file).rgb)) for file in burst.before]
        for name, (way, count) in ways.items():
            for first in range(0, len(frames), count):
                label = way(frames[first : first + count], before).label
                said[name].append((burst.leopard, label == LEOPARD))
    for name, pairs in said.items():
        truth, called = np.array(pairs, bool).T
        yield Ablation(name, share(called[truth]), share(called[~truth]))


def single_scores(classifier: Classifier, files: Sequence[Path]) -> Array:
    """Each picture as `rosette classify` judges it: fused scores, shape (pictures, labels)."""
    rows = []
    for file in files:
        named = _look(classifier, [_frame(file)], ()).scores
        rows.append([named[label] for label in classifier.sidecar.labels])
    return np.array(rows)


def _look(classifier: Classifier, frames: Sequence[Frame], before: Sequence[Grey]) -> Verdict:
    look = Look(classifier.scores, judge_of(classifier))
    for frame in frames:
        look.add(frame)
    return look.verdict(before)


def _frame(file: Path) -> Frame:
    content, rgb = read_picture(file)
    return Frame(content, np.asarray(rgb), 0.0, night=False)


def table(rows: Sequence[Ablation]) -> str:
    """Markdown. What is removed is counted against single whole frames."""
    lines = [
        "| judged by | leopards found | misses removed | others called leopard | removed "
        "| per 1,000 |",
        "|---" * 6 + "|",
    ]
    first = next((row for row in rows if row.name == SINGLE), None)
    for row in rows:
        misses = 1 - row.found.value
        removed = ["", ""]
        if first is not None and row is not first:
            removed = [
                _removed(1 - first.found.value, misses),
                _removed(first.false_alerts.value, row.false_alerts.value),
            ]
        thousand = 1000 * row.false_alerts.value
        lines.append(
            f"| {row.name} | {row.found} | {removed[0]} | {row.false_alerts} | {removed[1]} "
            f"| {thousand:.1f} |"
        )
    return "\n".join(lines)


def _removed(before: float, after: float) -> str:
    """The share that is gone, cut to whole percents; negative where there are more."""
    if np.isnan(before) or np.isnan(after) or not before:
        return "none to remove" if not after else "more"
    return f"{np.floor(100 * (1 - after / before) + 1e-9):.0f} %"
