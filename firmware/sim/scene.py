"""Rendered (not real) camera-trap bursts of a forest in north-east Manchuria.

Promises: equal arguments give equal pictures; one site keeps one background; one leopard keeps one
coat; the truth (kind, individual, box) comes with every frame. Does not promise that a detector
which is good here is good in a forest: real frames decide that.

`python -m firmware.sim.scene --out DIR` writes a contact sheet to look at.
"""

import argparse
import datetime
import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from firmware.sim import light
from firmware.sim.forest import Season, Site, scenery
from firmware.sim.stage import Box, add_branch, add_visitor
from firmware.sim.texture import Array
from firmware.sim.visit import KINDS, Kind, Visit

__all__ = [
    "KINDS",
    "Box",
    "Kind",
    "Season",
    "Shot",
    "Site",
    "Visit",
    "film",
    "jpeg",
    "render_burst",
]


@dataclass(frozen=True)
class Shot:
    """One frame and the truth about it; no box means that nothing of the visitor shows."""

    image: Image.Image
    kind: Kind
    individual: int
    box: Box | None


def render_burst(
    site: Site, visit: Visit, night: bool, frames: int, interval_s: float, rng: np.random.Generator
) -> list[Image.Image]:
    """The frames alone; `film` gives the truth along with them."""
    return [shot.image for shot in film(site, visit, night, frames, interval_s, rng)]


def film(
    site: Site,
    visit: Visit,
    night: bool,
    frames: int,
    interval_s: float,
    rng: np.random.Generator,
    stamp_s: float | None = None,
) -> list[Shot]:
    """Renders a burst; `stamp_s` (unix UTC of the first frame) prints a timestamp strip."""
    mood = float(rng.normal(1, 0.08))  # the weather or the lamp's battery, one per burst
    wind_phase = float(rng.uniform(0, 2 * math.pi))
    shots = []
    for number in range(frames):
        elapsed_s = number * interval_s
        image, box = _frame(site, visit, night, elapsed_s, mood, wind_phase, rng)
        if stamp_s is not None:
            image = light.strip(image, _stamp(stamp_s + elapsed_s))
        shots.append(Shot(image, visit.kind, visit.individual, box))
    return shots


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _stamp(time_s: float) -> str:
    moment = datetime.datetime.fromtimestamp(time_s, datetime.UTC)
    return f"ROSETTE SIM   {moment:%Y-%m-%d  %H:%M:%S} UTC"


@lru_cache(maxsize=4)  # up to 11 MB each
def _lit(site: Site, night: bool) -> tuple[Array, float]:
    """Radiance of the empty scene, and the gain that exposes it well."""
    view = scenery(site)
    radiance = light.lamplight(site, view) if night else light.daylight(view)
    level = float(np.percentile(radiance, 62 if night else 65))
    return radiance, (0.12 if night else 0.40) / max(level, 1e-3)


def _frame(
    site: Site, visit: Visit, night: bool, elapsed_s: float, mood: float, wind_phase: float,
    rng: np.random.Generator,
) -> tuple[Image.Image, Box | None]:  # fmt: skip
    base, gain = _lit(site, night)
    radiance = base.copy()
    view = scenery(site)
    box: Box | None = None
    covered = 0.0
    if visit.kind != "empty":
        box, covered = add_visitor(radiance, site, visit, view, night, elapsed_s)
    sway = (0.9 if visit.kind == "empty" else 0.06) * math.sin(3.1 * elapsed_s + wind_phase)
    add_branch(radiance, site, night, sway)
    gain *= mood * float(rng.normal(1, 0.01))
    if night:
        gain /= 1 + 2.2 * covered  # the camera's own exposure gives way to a near, bright animal
    picture = light.develop(radiance, night, gain, rng)
    return light.lens(picture, (0.9 if night else 0.7) * site.width / 1280), box


def contact_sheet(rng: np.random.Generator) -> Image.Image:
    """Every kind by day and by night, near and far, in both seasons."""
    cases = [(kind, night) for kind in KINDS for night in (False, True)]
    tile = (480, 270)
    sheet = Image.new("RGB", (4 * tile[0], -(-2 * len(cases) // 4) * tile[1]))
    for number, (kind, night) in enumerate(cases * 2):
        site = Site(seed=number % 5, season="snow" if number % 4 < 2 else "autumn")
        visit = Visit(
            kind, number, 3.2 + 4.5 * (number >= len(cases)), float(rng.uniform(0.3, 0.7)),
            "left" if number % 3 else "right", yaw_deg=float(rng.uniform(-25, 25)),
        )  # fmt: skip
        image = render_burst(site, visit, night, 1, 0.4, rng)[0]
        place = (number % 4 * tile[0], number // 4 * tile[1])
        sheet.paste(image.resize(tile, Image.Resampling.LANCZOS), place)
    return sheet


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m firmware.sim.scene",
        description="Writes a contact sheet of rendered (not real) camera-trap frames.",
        epilog="example: python -m firmware.sim.scene --out /tmp/pictures --seed 3",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--seed", type=int, default=1, help="of the sheet's random choices")
    options = parser.parse_args(arguments)
    path = options.out / "rendered.jpg"
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        contact_sheet(np.random.default_rng(options.seed)).save(path, quality=88)
    except OSError as error:
        print(f"cannot write {path}: {error}; choose another --out", file=sys.stderr)  # noqa: T201
        return 1
    print(f"{path}: rendered frames, not photographs")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
