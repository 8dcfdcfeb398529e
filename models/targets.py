"""What each training image should make the network say.

Promises 17 numbers of ours, softened by the ImageNet teacher where it agrees with the label, and
1,001 of ImageNet's that are learnt on the side, so that night frames do not cost the network what
it knew of jaguars and cows.

Photos of cats are what the teacher knows better than a few hundred labels can say. There it is
asked again on each view (`consult`; Beyer et al. 2022 show that this is what makes distillation
work on little data), and weighs more. Look-alikes of a source without leopards get the teacher's
own answer instead of a label: with one, the network learns the source's style as "no leopard".
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from torch.nn import functional

from models.augment import crop
from models.backbone import MobileNet, to_input
from models.labels import (
    EMPTY,
    EXCLUSIVE_COUNT,
    FOLDER_TO_IMAGENET,
    INDEPENDENT,
    LABEL_TABLE,
    LABELS,
    LOOK_ALIKES,
)
from models.manifest import Example
from models.measure import Array
from models.rendered import SOURCE as RENDERED
from models.runtime import squash

TEACHER_SHARE = 0.15  # of the target comes from the ImageNet teacher where it agrees
CAT_TEACHER_SHARE = 0.45  # the same on photos of cats, asked on the view itself
CAT_SIDE_WEIGHT = 3.0  # of a cat photo's ImageNet classes, against 1 of any other picture's
CATS = ("leopard", *LOOK_ALIKES, "lion", "tiger", "lynx", "domestic_cat")
SMOOTHING = 0.03


@dataclass(frozen=True)
class Targets:
    """What each example should give: [n, 17] ours and [n, 1001] ImageNet's.

    `labels` [n] are numbers of exclusive labels, `asked` [n] whether the teacher is consulted on
    each view, `side_weights` [n] how much the ImageNet classes count.
    """

    ours: torch.Tensor
    fine: torch.Tensor
    labels: torch.Tensor
    asked: torch.Tensor
    side_weights: torch.Tensor

    def of(self, chosen: torch.Tensor, device: torch.device) -> "Targets":
        """Those of some examples, copied."""
        return Targets(*(getattr(self, field.name)[chosen].to(device) for field in fields(self)))


def targets_of(examples: Sequence[Example], teacher: Array) -> Targets:
    ours = np.stack([target(e, t) for e, t in zip(examples, teacher, strict=True)])
    fine = np.stack([fine_target(e, t) for e, t in zip(examples, teacher, strict=True)])
    unlabelled, cats = telling(examples), cat_photos(examples)
    for row in np.flatnonzero(unlabelled):
        ours[row, :EXCLUSIVE_COUNT] = _smoothed(_animals(grouped(teacher[row])))
        fine[row] = teacher[row]
    return Targets(
        torch.from_numpy(ours), torch.from_numpy(fine),
        torch.from_numpy(ours[:, :EXCLUSIVE_COUNT].argmax(1)),
        torch.from_numpy(cats & ~unlabelled),
        torch.from_numpy(np.where(cats, CAT_SIDE_WEIGHT, 1.0).astype(np.float32)),
    )  # fmt: skip


def telling(examples: Sequence[Example]) -> Array:
    """Which are look-alikes, of kinds that the teacher knows, from a source that has no leopards
    among these examples."""
    with_leopards = {example.source for example in examples if example.label == "leopard"}
    known = [kind for kind in LOOK_ALIKES if kind in FOLDER_TO_IMAGENET]
    return np.array(
        [e.folder in known and e.source not in with_leopards and _is_photo(e) for e in examples]
    )


def cat_photos(examples: Sequence[Example]) -> Array:
    """Which are cats photographed by people, as the teacher's own training pictures were."""
    return np.array([e.folder in CATS and _is_photo(e) for e in examples])


def _is_photo(example: Example) -> bool:
    return not example.camera_trap and example.source != RENDERED


def consult(wanted: Targets, teacher: torch.Tensor) -> None:
    """Puts the teacher's answers to the asked views (probabilities [asked, 1001]) into a batch's
    targets, where they agree with the label."""
    groups = grouped_all(teacher)
    agrees = groups.argmax(1) == wanted.labels[wanted.asked]
    rows = wanted.asked.nonzero().flatten()[agrees]
    groups = groups[agrees]
    groups[:, EMPTY] = 0
    groups = groups / groups.sum(1, keepdim=True)
    own = functional.one_hot(wanted.labels[rows], EXCLUSIVE_COUNT)
    mixed = (1 - CAT_TEACHER_SHARE) * own + CAT_TEACHER_SHARE * groups
    wanted.ours[rows, :EXCLUSIVE_COUNT] = (1 - SMOOTHING) * mixed + SMOOTHING / EXCLUSIVE_COUNT
    wanted.fine[rows] = teacher[agrees]


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
    exclusive[:] = _smoothed(exclusive)
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


def grouped_all(probabilities: torch.Tensor) -> torch.Tensor:
    """`grouped` of many, [n, 1001] to [n, 15]."""
    sums = torch.stack(
        [probabilities[:, list(label.imagenet)].sum(1) for label in LABEL_TABLE[:EXCLUSIVE_COUNT]],
        dim=1,
    )
    sums[:, EMPTY] = (1 - sums.sum(1) + sums[:, EMPTY]).clamp(min=0)
    return sums


def _animals(groups: Array) -> Array:
    """Without the share of what is no animal: the picture is known to show one."""
    groups = groups.copy()
    groups[EMPTY] = 0
    result: Array = groups / max(float(groups.sum()), 1e-6)
    return result


def _smoothed(exclusive: Array) -> Array:
    result: Array = (1 - SMOOTHING) * exclusive + SMOOTHING / EXCLUSIVE_COUNT
    return result


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
