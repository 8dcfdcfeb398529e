"""From an image to calibrated probabilities, as the unit computes them.

Promises the unit's arithmetic: whole frame and crop are squashed, classified and calibrated here as
there, and fused by the unit's own code (`Judge.fuse` in firmware/trap/capture/verdict.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from firmware.trap.capture.verdict import Judge
from models.augment import crop
from models.labels import EXCLUSIVE_COUNT, INDEPENDENT, LABELS
from models.manifest import Example
from models.marks import Change
from models.measure import Array
from models.runtime import Interpreter, Network, squash

CROP_MARGIN = 0.15  # of the box on each side, about what a motion crop leaves
WHOLE, CROP = 0, 1
FUSION = Judge(LABELS, frozenset(INDEPENDENT), {})


@dataclass(frozen=True)
class Calibration:
    """Temperature of the softmax; temperature and bias of each sigmoid."""

    temperature: float = 1.0
    independent: tuple[tuple[float, float], ...] = ((1.0, 0.0), (1.0, 0.0))

    def apply(self, logits: Array) -> Array:
        """Calibrated logits, same shape [..., 17]."""
        result = logits / self.temperature
        for i, (temperature, bias) in enumerate(self.independent, start=EXCLUSIVE_COUNT):
            result[..., i] = logits[..., i] / temperature + bias
        return result


def file_network(path: Path, runtime: str = "litert") -> Network:
    return Interpreter(path, runtime)


def views(example: Example, change: Change | None = None) -> tuple[Array, Array | None]:
    """Squashed whole frame, and squashed crop where a box is known; `change` alters the frame.

    A frame with a drawn box shows only the inside of the box, as both.
    """
    return _unchanged(example) if change is None else _views(example, change)


@lru_cache(maxsize=1000)  # of 150 KB each: many networks see the same test images
def _unchanged(example: Example) -> tuple[Array, Array | None]:
    return _views(example, None)


def _views(example: Example, change: Change | None) -> tuple[Array, Array | None]:
    with Image.open(example.path) as opened:
        image = opened.convert("RGB")
    if change is not None:
        image = change(image, example.boxes)
    if not example.boxes:
        return squash(image), None
    box = max(example.boxes, key=lambda b: b.width * b.height)
    if example.marks_drawn:
        inside = squash(crop(image, box, -0.06, None))
        return inside, inside
    return squash(image), squash(crop(image, box, CROP_MARGIN, None))


def logits_of(
    network: Network, examples: Sequence[Example], what: str, change: Change | None = None
) -> Array:
    """[n, 2, outputs]: whole frame and crop; the crop is NaN where no box is known."""
    rows = []
    for example in track(examples, what):
        whole, part = views(example, change)
        first = network(whole)
        rows.append([first, network(part) if part is not None else np.full_like(first, np.nan)])
    return np.asarray(rows, np.float64)


def fused(calibrated: Array) -> Array:
    """The views that exist, [n, views, 17], fused as the unit does it: [n, 17], logits again."""
    rows = [probabilities(row[~np.isnan(row[:, 0])]) for row in calibrated]
    scores = np.stack([FUSION.fuse([row]) for row in rows])
    odds = np.log(scores)
    odds[:, EXCLUSIVE_COUNT:] -= np.log1p(-scores[:, EXCLUSIVE_COUNT:])
    result: Array = odds
    return result


def probabilities(calibrated: Array) -> Array:
    """[n, 17] calibrated logits to probabilities; NaN rows stay NaN."""
    exclusive = calibrated[:, :EXCLUSIVE_COUNT]
    exclusive = np.exp(exclusive - exclusive.max(1, keepdims=True))
    exclusive /= exclusive.sum(1, keepdims=True)
    return np.hstack([exclusive, 1 / (1 + np.exp(-calibrated[:, EXCLUSIVE_COUNT:]))])


def verdicts(scores: Array, thresholds: dict[str, float]) -> Array:
    """Label number of each row: a person or vehicle above its threshold, else the top animal."""
    result: Array = scores[:, :EXCLUSIVE_COUNT].argmax(1)
    for name in reversed(INDEPENDENT):
        number = LABELS.index(name)
        result[scores[:, number] >= thresholds[name]] = number
    return result
