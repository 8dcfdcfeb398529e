"""What a burst shows: calibrated scores of its views, fused into one verdict.

Promises the same verdict for the same scores and thresholds; no I/O, no model.

Fusion is by log-odds over all views of the burst (each frame whole, and its motion crop), each
view weighted by its probability that an animal is there at all: two frames in which it has already
left, or a whole frame in which it is 20 pixels wide, do not outvote the crop that shows it. A
person or a vehicle is taken from the frame that shows it best, apart from every animal: a person
beside a dog is a person. Thresholds are the model's: `leopard`, `tiger`, and each independent
label have their own; `other` is the least probability at which any other label is believed.
Below it: `uncertain`.

Motion does not always show where to look: a single picture has none, and an animal may stand
still. Where the views say nothing clear, the part that looks least empty, of the frame that does,
is looked at too. This costs six more inferences, also for a branch in the wind.

A leopard outranks a person in the label, because the label raises the alert; `people` still says
that the pictures show somebody or a vehicle.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from firmware.trap.capture.camera import Frame, Rgb
from firmware.trap.capture.crop import Grey, cut, grey_of, motion_boxes, parts, thumbnail

Scores = npt.NDArray[np.float64]
UNCERTAIN = "uncertain"
EMPTY = "empty"
LEOPARD = "leopard"
VAGUE = (EMPTY, UNCERTAIN)
BLACK_LEVEL = 8  # grey level that nothing stays below by day or under the lamp
_LEAST_WEIGHT = 0.3  # of a view that shows nothing, so that it still dampens a doubtful crop
_LEAST = 1e-4  # int8 scores carry no more than this; bounds what one view can say


@dataclass(frozen=True)
class Verdict:
    """`confidence`: fused probability of `label` (of the best one when uncertain); `leopard`: the
    leopard's; `individuals`: at least so many animals in a frame, 0 or 1: nothing here counts
    further; `people`: a person or vehicle is on it, whatever the label; `reason`: why uncertain."""

    label: str
    confidence: float
    leopard: float
    scores: Mapping[str, float] = field(default_factory=dict)
    individuals: int = 0
    people: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Judge:
    """A model's labels and thresholds. `independent` names the labels outside the softmax."""

    labels: tuple[str, ...]
    independent: frozenset[str]
    thresholds: Mapping[str, float]

    def verdict(self, frames: Sequence[Sequence[Scores]]) -> Verdict:
        """The burst's verdict from each frame's views' scores, each of shape (labels,)."""
        if not frames:
            return Verdict(UNCERTAIN, 0.0, 0.0, reason="no_usable_frame")
        scores = self.fuse([np.stack(views) for views in frames])
        named = dict(zip(self.labels, map(float, scores), strict=True))
        people = [name for name in sorted(self.independent)
                  if named[name] >= self.thresholds[name]]  # fmt: skip
        label, reason = self._label(named, people)
        animal = label not in {EMPTY, UNCERTAIN, *self.independent}
        best = max(named.values()) if label == UNCERTAIN else named[label]
        return Verdict(label, best, named[LEOPARD], named, int(animal), bool(people), reason)

    def _label(self, named: Mapping[str, float], people: Sequence[str]) -> tuple[str, str]:
        if named[LEOPARD] >= self.thresholds[LEOPARD]:
            return LEOPARD, ""
        if people:
            return max(people, key=lambda name: named[name]), ""
        best = max((n for n in self.labels if n not in self.independent), key=lambda n: named[n])
        if named[best] >= self.thresholds.get(best, self.thresholds["other"]):
            return best, ""
        return UNCERTAIN, "thin_evidence"

    def fuse(self, frames: Sequence[Scores]) -> Scores:
        """The views' scores of each frame, (views, labels) each, as the burst's, (labels,)."""
        alone = self._independent
        views = np.concatenate(frames)
        weights = np.maximum(1 - views[:, self.labels.index(EMPTY)], _LEAST_WEIGHT)
        logs = np.log(np.clip(views, _LEAST, 1))
        fused = _softmax(np.average(logs, axis=0, weights=weights), ~alone)
        odds = [_log_odds(frame[:, alone]).mean(axis=0) for frame in frames]
        fused[alone] = _sigmoid(np.max(odds, axis=0))
        return fused

    @property
    def _independent(self) -> npt.NDArray[np.bool_]:
        return np.array([name in self.independent for name in self.labels])


class Look:
    """A burst while it is taken: what can be done about a frame is done when it comes, so that
    little is left to do after the last one. Only usable frames count."""

    def __init__(self, score: Callable[[Sequence[Rgb]], Sequence[Scores]], judge: Judge) -> None:
        self._score, self._judge = score, judge
        self._pictures: list[Rgb] = []
        self._wholes: list[Scores] = []
        self._parts: list[tuple[float, Rgb]] = []  # looked at closely, with the leopard's score
        self.greys: list[Grey] = []  # of the usable frames, for `motion_boxes`
        self.black = 0

    def add(self, frame: Frame) -> None:
        """One more frame: scored as a whole, and made ready for the search for motion."""
        small = thumbnail(frame.rgb if frame.small is None else frame.small)
        grey = grey_of(small)
        if is_black(grey):
            self.black += 1
        elif frame.settled:
            self._pictures.append(frame.rgb)
            self.greys.append(grey)
            self._wholes += self._score([small])

    def verdict(self, empties: Sequence[Grey]) -> Verdict:
        """The burst's, with the crops of what moved before the camera's last empty frames."""
        views = [[whole] for whole in self._wholes]
        for at, box in enumerate(motion_boxes(self.greys, empties)):
            if box is not None:
                views[at] += self._looked([cut(self._pictures[at], box)])
        verdict = self._judge.verdict(views)
        if verdict.label not in VAGUE or not views:
            return verdict
        empty = self._judge.labels.index(EMPTY)
        at = min(range(len(views)), key=lambda i: float(self._wholes[i][empty]))
        views[at].append(self._closer(self._pictures[at]))
        return self._judge.verdict(views)

    def _closer(self, picture: Rgb) -> Scores:
        """The scores of the part of a picture in which an animal is likeliest."""
        empty = self._judge.labels.index(EMPTY)
        seen = self._looked([cut(picture, part) for part in parts()])
        return min(seen, key=lambda scores: float(scores[empty]))

    def _looked(self, parts: Sequence[Rgb]) -> Sequence[Scores]:
        seen = self._score([thumbnail(part) for part in parts])
        leopard = self._judge.labels.index(LEOPARD)
        self._parts += [(float(s[leopard]), p) for s, p in zip(seen, parts, strict=True)]
        return seen

    def closest(self) -> Rgb | None:
        """After `verdict`: the pixels that look most like a leopard, of the parts that were looked
        at closely, or else of the whole pictures."""
        leopard = self._judge.labels.index(LEOPARD)
        wholes = zip((float(scores[leopard]) for scores in self._wholes), self._pictures,
                     strict=True)  # fmt: skip
        best = max(self._parts or wholes, key=lambda found: found[0], default=None)
        return None if best is None else best[1]


def is_black(grey: Grey) -> bool:
    """Whether all but its brightest hundredth is dark: lens covered, lamp dead, sensor gone."""
    return float((grey >= BLACK_LEVEL).mean()) < 0.01


def _softmax(logs: Scores, among: npt.NDArray[np.bool_]) -> Scores:
    powers = np.exp(logs - logs[among].max())
    return np.asarray(powers / powers[among].sum())


def _log_odds(scores: Scores) -> Scores:
    clipped = np.clip(scores, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _sigmoid(odds: Scores) -> Scores:
    return np.asarray(1 / (1 + np.exp(-odds)))
