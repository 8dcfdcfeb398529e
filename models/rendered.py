"""Rendered frames, as a small share of the training set and as a separate test set.

Promises folders in the frames' own format (`images.csv` beside `images/`), with other sites and
other individuals for training than for testing. They are never counted among real images.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.progress import track

from firmware.sim.scene import Shot, Site, film
from firmware.sim.visit import visitors
from models.manifest import Example, read_frames

WIDTH, HEIGHT = 960, 540
SOURCE = "rendered (firmware.sim)"
VISITS_PER_SITE = 8
LEOPARDS = 14
FIELDS = (
    "file", "class", "split", "camera_trap", "scene_group", "source", "licence", "note", "boxes",
)  # fmt: skip
KIND_TO_FOLDER = {"deer": "sika_deer", "fox": "red_fox"}


@dataclass(frozen=True)
class Batch:
    """Which sites and individuals a set is made of; two sets must not share them."""

    split: str
    first_site: int
    first_individual: int
    count: int
    seed: int


TRAIN = Batch("train", 5000, 500, 240, 5)
TEST = Batch("test", 9000, 900, 96, 9)


def rendered(root: Path, batch: Batch) -> list[Example]:
    """The set under `root`, rendered once and read back ever after."""
    folder = root / f"rendered-{batch.split}"
    if not (folder / "images.csv").exists():
        _render(folder, batch)
    return [e for e in read_frames(folder) if e.split == batch.split]


def _render(folder: Path, batch: Batch) -> None:
    rows = []
    for number, (site, shot) in enumerate(
        track(_shots(batch), f"rendering ({batch.split})", total=batch.count)
    ):
        name = KIND_TO_FOLDER.get(shot.kind, shot.kind)
        path = Path(name, f"{number:04d}.jpg")
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        shot.image.save(folder / "images" / path, quality=88)
        rows.append([
            path, name, batch.split, "no", f"site{site.seed}", SOURCE,
            "Apache-2.0", f"individual {shot.individual}", _box(shot),
        ])  # fmt: skip
    with (folder / "images.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([FIELDS, *rows])


def _shots(batch: Batch) -> Iterator[tuple[Site, Shot]]:
    random = np.random.default_rng(batch.seed)
    visits = visitors(random, leopards=LEOPARDS, leopard_share=0.35)
    for number in range(batch.count):
        site = Site(
            batch.first_site + number // VISITS_PER_SITE,
            "snow" if number // VISITS_PER_SITE % 2 else "autumn",
            WIDTH,
            HEIGHT,
        )
        visit = next(visits)
        visit = replace(visit, individual=batch.first_individual + visit.individual)
        night = random.random() < 0.65
        yield site, film(site, visit, night, 1, 0.5, random)[0]


def _box(shot: Shot) -> str:
    if shot.box is None:
        return ""
    left, top, right, bottom = shot.box
    width, height = shot.image.size
    sides = (left / width, top / height, (right - left) / width, (bottom - top) / height)
    return " ".join(f"{side:.4f}" for side in sides)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    arguments = parser.parse_args()
    for batch in (TRAIN, TEST):
        print(f"{batch.split}: {len(rendered(arguments.work, batch))} rendered frames")


if __name__ == "__main__":
    main()
