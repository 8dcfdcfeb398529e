"""Which images there are, what is on them, and on which side of the split each one stands.

Reads the frames' `images.csv`. The given test split is never touched; a validation set, from
which temperatures and thresholds come, is carved out of the training images by scene group, so
that no camera event stands on two sides.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from models.labels import FOLDER_TO_LABEL

VALIDATION_SHARE = 0.15
LARGEST_VALIDATION_GROUP = 20  # images
# Pictures that an ImageNet network has probably been trained on: good for training, no good
# for measuring.
UNMEASURABLE = "EliSchwartz"


@dataclass(frozen=True)
class Box:
    """Top-left corner and size, as fractions of the frame."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Example:
    """One image with its label and everything the split and the report need."""

    path: Path
    folder: str
    label: str
    split: str  # "train", "validation" or "test"
    camera_trap: bool
    scene_group: str
    source: str
    licence: str
    note: str
    boxes: tuple[Box, ...]

    @property
    def marks_drawn(self) -> bool:
        """The frame still carries a drawn box: only the inside of the box may be shown."""
        return "DRAWN" in self.note


def read_frames(root: Path) -> list[Example]:
    """Reads `images.csv` under `root`; raises ValueError naming the line that is wrong."""
    examples = []
    with (root / "images.csv").open(newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                examples.append(_example(root / "images", row))
            except (KeyError, ValueError) as error:
                raise ValueError(f"images.csv line {number}: {error!r}; mend the row") from error
    return carve_validation(examples)


def _example(images: Path, row: dict[str, str]) -> Example:
    return Example(
        path=images / row["file"],
        folder=row["class"],
        label=FOLDER_TO_LABEL[row["class"]],
        split=row["split"],
        camera_trap=row["camera_trap"] == "yes",
        scene_group=row["scene_group"],
        source=row["source"],
        licence=row["licence"],
        note=row["note"],
        boxes=parse_boxes(row["boxes"]),
    )


def parse_boxes(text: str) -> tuple[Box, ...]:
    """`x y w h` separated by `;`, fractions of the frame."""
    parts = [part.split() for part in text.split(";") if part.strip()]
    return tuple(Box(*(float(number) for number in part)) for part in parts)


def carve_validation(examples: Iterable[Example]) -> list[Example]:
    """Moves about 15 % of the training groups to `validation`, chosen by a hash of the name.

    A large group stays: one camera that holds most of the deer is worth more in training.
    """
    examples = list(examples)
    sizes = Counter(example.scene_group for example in examples)
    return [
        replace(example, split="validation")
        if example.split == "train"
        and sizes[example.scene_group] <= LARGEST_VALIDATION_GROUP
        and _is_validation(example)
        else example
        for example in examples
    ]


def _is_validation(example: Example) -> bool:
    if example.source.startswith(UNMEASURABLE):
        return False
    digest = hashlib.sha256(example.scene_group.encode()).digest()
    return int.from_bytes(digest[:4], "big") < VALIDATION_SHARE * 2**32
