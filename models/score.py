"""From an image to calibrated probabilities, as the unit computes them.

Promises the unit's arithmetic: whole frame and crop are squashed, classified, their calibrated
logits averaged, then softmax over the 15 exclusive labels and a sigmoid for each independent one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from models.augment import crop
from models.backbone import MobileNet, squash, to_input
from models.labels import EXCLUSIVE_COUNT, INDEPENDENT, LABELS
from models.manifest import Example
from models.runtime import Interpreter

CROP_MARGIN = 0.15  # of the box on each side, about what a motion crop leaves
WHOLE, CROP = 0, 1

Network = Callable[[np.ndarray], np.ndarray]  # pixels [224, 224, 3] to logits [17]


@dataclass(frozen=True)
class Calibration:
    """Temperature of the softmax; temperature and bias of each sigmoid."""

    temperature: float = 1.0
    independent: tuple[tuple[float, float], ...] = ((1.0, 0.0), (1.0, 0.0))

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits, same shape [..., 17]."""
        result = logits / self.temperature
        for i, (temperature, bias) in enumerate(self.independent, start=EXCLUSIVE_COUNT):
            result[..., i] = logits[..., i] / temperature + bias
        return result


def float_network(network: MobileNet) -> Network:
    """A torch network as a function of one picture."""
    torch.set_num_threads(1)  # more only wait for each other on single pictures

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            result: np.ndarray = network(to_input(pixels[None]))[0].numpy()
        return result

    return run


def file_network(path: Path, runtime: str = "litert") -> Network:
    return Interpreter(path, runtime)


def views(example: Example) -> tuple[np.ndarray, np.ndarray | None]:
    """Squashed whole frame, and squashed crop where a box is known.

    A frame with a drawn box shows only the inside of the box, as both.
    """
    with Image.open(example.path) as opened:
        image = opened.convert("RGB")
    if not example.boxes:
        return squash(image), None
    box = max(example.boxes, key=lambda b: b.width * b.height)
    if example.marks_drawn:
        inside = squash(crop(image, box, -0.06, None))
        return inside, inside
    return squash(image), squash(crop(image, box, CROP_MARGIN, None))


def logits_of(network: Network, examples: Sequence[Example], what: str) -> np.ndarray:
    """[n, 2, outputs]: whole frame and crop; the crop is NaN where no box is known."""
    rows = []
    for example in track(examples, what):
        whole, part = views(example)
        first = network(whole)
        rows.append([first, network(part) if part is not None else np.full_like(first, np.nan)])
    return np.asarray(rows, np.float64)


def fused(calibrated: np.ndarray) -> np.ndarray:
    """Mean over the views that exist: [n, 2, k] to [n, k]."""
    result: np.ndarray = np.nanmean(calibrated, axis=1)
    return result


def probabilities(calibrated: np.ndarray) -> np.ndarray:
    """[n, 17] calibrated logits to probabilities; NaN rows stay NaN."""
    exclusive = calibrated[:, :EXCLUSIVE_COUNT]
    exclusive = np.exp(exclusive - exclusive.max(1, keepdims=True))
    exclusive /= exclusive.sum(1, keepdims=True)
    return np.hstack([exclusive, 1 / (1 + np.exp(-calibrated[:, EXCLUSIVE_COUNT:]))])


def verdicts(scores: np.ndarray, thresholds: dict[str, float]) -> np.ndarray:
    """Label number of each row: a person or vehicle above its threshold, else the top animal."""
    result: np.ndarray = scores[:, :EXCLUSIVE_COUNT].argmax(1)
    for name in reversed(INDEPENDENT):
        number = LABELS.index(name)
        result[scores[:, number] >= thresholds[name]] = number
    return result
