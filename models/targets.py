"""What each training image should make the network say.

Promises 17 numbers of ours, softened by the ImageNet teacher where it agrees with the label, and
1,001 of ImageNet's that are learnt on the side, so that night frames do not cost the network what
it knew of jaguars and cows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from models.augment import crop
from models.backbone import MobileNet, to_input
from models.labels import (
    EMPTY,
    EXCLUSIVE_COUNT,
    FOLDER_TO_IMAGENET,
    INDEPENDENT,
    LABEL_TABLE,
    LABELS,
)
from models.manifest import Example
from models.measure import Array
from models.runtime import squash

TEACHER_SHARE = 0.15  # of the target comes from the ImageNet teacher where it agrees
SMOOTHING = 0.03


@dataclass(frozen=True)
class Targets:
    """What each example should give: [n, 17] ours and [n, 1001] ImageNet's."""

    ours: torch.Tensor
    fine: torch.Tensor


def targets_of(examples: Sequence[Example], teacher: Array) -> Targets:
    pairs = list(zip(examples, teacher, strict=True))
    ours = np.stack([target(e, t) for e, t in pairs])
    fine = np.stack([fine_target(e, t) for e, t in pairs])
    return Targets(torch.from_numpy(ours), torch.from_numpy(fine))


def target(example: Example, teacher: Array) -> Array:
    """17 numbers: 15 that sum to 1, and person and vehicle on their own.

    A frame with a person or a vehicle counts as `empty` of animals: were it masked, nothing
    would keep the animal outputs down on people.
    """
    result = np.zeros(len(LABELS), np.float32)
    wanted = EMPTY if example.label in INDEPENDENT else LABELS.index(example.label)
    result[wanted] = 1.0
    exclusive = result[:EXCLUSIVE_COUNT]
    sums = grouped(teacher)
    if sums.argmax() == wanted:
        exclusive[:] = (1 - TEACHER_SHARE) * exclusive + TEACHER_SHARE * sums
    exclusive[:] = (1 - SMOOTHING) * exclusive + SMOOTHING / EXCLUSIVE_COUNT
    for name in INDEPENDENT:
        result[LABELS.index(name)] = 0.98 if example.label == name else 0.01
    return result


def fine_target(example: Example, teacher: Array) -> Array:
    """1,001 numbers: the teacher's where it agrees, else the one class that the folder is.

    Zeros where neither is known. Keeps the features that tell a leopard from a jaguar while the
    network learns night frames.
    """
    result = np.zeros_like(teacher)
    wanted = LABELS.index(example.label)
    known = FOLDER_TO_IMAGENET.get(example.folder)
    if known is not None and teacher.argmax() != known:
        result[known] = 1.0
    elif wanted < EXCLUSIVE_COUNT and grouped(teacher).argmax() == wanted:
        result[:] = teacher
    return result


def grouped(probabilities: Array) -> Array:
    """ImageNet's 1,001 probabilities as our 15 exclusive ones; whatever is left is `empty`."""
    sums = np.array([probabilities[list(label.imagenet)].sum() for label in LABEL_TABLE])
    exclusive: Array = sums[:EXCLUSIVE_COUNT].astype(np.float32)
    exclusive[EMPTY] = max(0.0, 1.0 - float(exclusive.sum() - exclusive[EMPTY]))
    return exclusive


def teacher_outputs(teacher: MobileNet, examples: Sequence[Example]) -> Array:
    """ImageNet probabilities of each example, [n, 1001], cropped where a box is known."""
    outputs = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more only wait for each other on single pictures
    for example in track(examples, "asking the ImageNet teacher"):
        with Image.open(example.path) as image:
            part = crop(image, example.boxes[0], 0.1, None) if example.boxes else image
            pixels = squash(part)
        with torch.inference_mode():
            outputs.append(teacher(to_input(pixels[None]))[0].softmax(0).numpy())
    torch.set_num_threads(threads)
    return np.stack(outputs)
