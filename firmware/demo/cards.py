"""What the virtual cameras will see: a memory card of rendered bursts for each trap.

Promises a folder of burst folders that the folder camera replays; the name of each tells the truth
(`003-leopard-1-night`: the third visit, leopard number 1). Rendered pictures: they show that the
chain works, not how good the classifier is on real ones.
"""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from firmware.sim.scene import Site, Visit, jpeg, render_burst
from firmware.sim.visit import visitors

NIGHT_SHARE = 0.6
INTERVAL_S = 0.5


@dataclass(frozen=True)
class Shoot:
    """One burst to render."""

    folder: Path
    site: Site
    visit: Visit
    night: bool
    seed: int


def plan_card(folder: Path, bursts: int, seed: int, width: int = 1280) -> list[Shoot]:
    """The visits to one camera."""
    rng = np.random.default_rng(seed)
    site = Site(seed, "snow" if seed % 2 else "autumn", width, width * 9 // 16)
    shoots = []
    for number, visit in enumerate(islice(visitors(rng), bursts), 1):
        night = bool(rng.random() < NIGHT_SHARE)
        name = f"{number:03d}-{visit.kind}-{visit.individual}-{'night' if night else 'day'}"
        shoots.append(Shoot(folder / name, site, visit, night, int(rng.integers(2**31))))
    return shoots


def render_cards(shoots: list[Shoot], frames: int, done: Callable[[int], object]) -> None:
    """Render them all, on every core; calls `done(1)` after each burst. What `done` raises ends
    the rendering."""
    workers = min(len(shoots), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, initializer=_leave_signals_to_the_parent) as pool:
        for _ in pool.map(partial(_render, frames=frames), shoots):
            done(1)


def _leave_signals_to_the_parent() -> None:
    """A terminal sends Ctrl-C to all its processes; and pools end their workers by SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _render(shoot: Shoot, frames: int) -> None:
    shoot.folder.mkdir(parents=True)
    rng = np.random.default_rng(shoot.seed)
    images = render_burst(shoot.site, shoot.visit, shoot.night, frames, INTERVAL_S, rng)
    for number, image in enumerate(images):
        (shoot.folder / f"frame_{number}.jpg").write_bytes(jpeg(image))
