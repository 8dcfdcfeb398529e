"""Rendered bursts of animals that are small in the frame, and of nothing but wind and snow.

Promises bursts from `firmware.sim` at sites and of individuals that are in no training view, taken
through a wide lens (102 degrees, as that of a Pi camera module), each animal 3 to 10 % of the frame
wide where it shows; half by day, half under the lamp, which leaves the far ones dark. With each
burst come the last empty frames of its camera. Drawn, not photographs: no evidence about forests.

    python -m models.small [--work DIR]
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from rich.progress import track

from firmware.sim.scene import Kind, Shot, Site, Visit, film
from firmware.trap.capture.daemon import EMPTIES_KEPT
from models.bursts import FRAMES_A_BURST, Burst

WIDTH, HEIGHT = 1152, 648  # what the camera gives for the model
INTERVAL_S = 0.5
FIRST_SITE, FIRST_INDIVIDUAL = 12_000, 1_200
BURSTS_PER_CAMERA = 8  # of one site by day or by night
SMALL = (0.03, 0.10)  # of the frame's width
# How far each is, in metres, to look so small through this lens.
FAR: dict[Kind, tuple[float, float]] = {
    "leopard": (7.5, 15), "tiger": (10, 20), "deer": (7, 14), "wild_boar": (6, 12),
    "fox": (5, 10), "raccoon_dog": (3.5, 7), "hare": (2.5, 5), "human": (4, 9),
}  # fmt: skip
CAMERAS: tuple[Kind, ...] = (
    "leopard", "deer", "leopard", "wild_boar", "leopard", "fox", "empty", "empty",
)  # fmt: skip
"""What passes one camera, in turn; every other camera has the other animals."""
OTHERS: dict[Kind, Kind] = {"deer": "hare", "wild_boar": "raccoon_dog", "fox": "tiger"}
TRIES = 12


@dataclass(frozen=True)
class WideSite(Site):
    """A site seen through a wide lens."""

    @property
    def focal_px(self) -> float:
        return 0.405 * self.width


def small_bursts(root: Path, cameras: int = 16) -> list[Burst]:
    """The set under `root`, rendered once and read back ever after."""
    folder = root / "rendered-bursts"
    if not (folder / "bursts.csv").exists():
        _render(folder, cameras)
    with (folder / "bursts.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        Burst(
            row["class"],
            tuple(sorted((folder / row["burst"]).glob("*.jpg"))),
            tuple(sorted((folder / row["camera"]).glob("*.jpg"))),
        )
        for row in rows
    ]


def _render(folder: Path, cameras: int) -> None:
    rows = []
    for camera in track(range(cameras), "rendering small animals"):
        # Two cameras, one by day and one by night, share a site; sites alternate the season.
        site = WideSite(
            FIRST_SITE + camera // 2, "snow" if camera // 2 % 2 else "autumn", WIDTH, HEIGHT
        )
        night = bool(camera % 2)
        random = np.random.default_rng([site.seed, night])
        name = f"camera-{camera:02d}"
        _save(folder / name, _calm(site, night, random))
        for number in range(BURSTS_PER_CAMERA):
            kind = CAMERAS[number]
            kind = OTHERS.get(kind, kind) if camera // 2 % 2 else kind
            shots = _burst(site, kind, night, camera * BURSTS_PER_CAMERA + number, random)
            if shots is None:
                continue
            images = [shot.image for shot in shots]
            if kind == "empty" and number % 2:
                images = [snowing(image, random) for image in images]
            burst = f"{name}-{number}-{kind}"
            _save(folder / burst, images)
            rows.append([burst, name, kind])
    with (folder / "bursts.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([("burst", "camera", "class"), *rows])


def _calm(site: Site, night: bool, random: np.random.Generator) -> list[Image.Image]:
    """The camera's last empty frames, each from a burst of its own: wind, and nobody there."""
    return [
        film(site, Visit("empty"), night, 1, INTERVAL_S, random)[0].image
        for _ in range(EMPTIES_KEPT)
    ]


def _burst(
    site: Site, kind: Kind, night: bool, number: int, random: np.random.Generator
) -> list[Shot] | None:
    """A burst in which the animal is small, and shows in at least two frames; None where trees
    hide it again and again."""
    if kind == "empty":
        return film(site, Visit("empty"), night, FRAMES_A_BURST, INTERVAL_S, random)
    for visit in _visits(kind, FIRST_INDIVIDUAL + number, random):
        shots = film(site, visit, night, FRAMES_A_BURST, INTERVAL_S, random)
        widths = [(s.box[2] - s.box[0]) / site.width for s in shots if s.box is not None]
        fit = [width for width in widths if SMALL[0] <= width <= SMALL[1]]
        if len(fit) >= 2 and len(fit) == len(widths):
            return shots
    return None


def _visits(kind: Kind, individual: int, random: np.random.Generator) -> Iterator[Visit]:
    for _ in range(TRIES):
        yield Visit(
            kind, individual, float(random.uniform(*FAR[kind])), float(random.uniform(0.2, 0.8)),
            "left" if random.random() < 0.5 else "right", float(random.uniform(0.5, 1.2)),
            float(random.uniform(-35, 35)),
        )  # fmt: skip


def snowing(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """The frame with flakes near the lens, others in every frame."""
    flakes = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(flakes)
    for _ in range(int(random.integers(60, 180))):
        x, y = random.uniform(0, image.width), random.uniform(0, image.height)
        r = float(random.uniform(1.5, 7))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=int(random.integers(90, 255)))
    blurred = np.asarray(flakes.filter(ImageFilter.GaussianBlur(2)))[..., None]
    return Image.fromarray(np.maximum(np.asarray(image), blurred))


def _save(folder: Path, images: list[Image.Image]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        image.save(folder / f"{number:02d}.jpg", quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    arguments = parser.parse_args()
    bursts = small_bursts(arguments.work)
    leopards = sum(burst.leopard for burst in bursts)
    print(f"{len(bursts)} rendered bursts, {leopards} of them of leopards")


if __name__ == "__main__":
    main()
