"""Rendered bursts of small animals."""

from pathlib import Path

import numpy as np
from PIL import Image

from models import small
from models.bursts import FRAMES_A_BURST
from models.small import SMALL, WideSite, small_bursts, snowing


def test_animals_are_small_where_they_show() -> None:
    site = WideSite(3, "autumn", 320, 180)
    shots = small._burst(site, "leopard", False, 0, np.random.default_rng(1))
    assert shots is not None
    widths = [(s.box[2] - s.box[0]) / site.width for s in shots if s.box is not None]
    assert len(widths) >= 2 and all(SMALL[0] <= width <= SMALL[1] for width in widths)


def test_a_set_is_rendered_once_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "rendered-bursts"
    for name, count in (("camera-00", 5), ("camera-00-6-empty", FRAMES_A_BURST)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number:02d}.jpg").touch()
    (folder / "bursts.csv").write_text("burst,camera,class\ncamera-00-6-empty,camera-00,empty\n")
    (burst,) = small_bursts(tmp_path)
    assert not burst.leopard and len(burst.files) == FRAMES_A_BURST and len(burst.before) == 5


def test_snow_only_brightens_and_falls_elsewhere_in_every_frame() -> None:
    dark = Image.new("RGB", (320, 180), (40, 40, 40))
    random = np.random.default_rng(0)
    first, second = (np.asarray(snowing(dark, random)) for _ in range(2))
    assert first.min() >= 40 and (first > 80).any() and not np.array_equal(first, second)
