"""The motion crop on a synthetic camera: what it must find, and what it must not fall for."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from firmware.trap.capture import crop
from firmware.trap.capture.blobs import find_blobs
from firmware.trap.capture.camera import Rgb
from firmware.trap.capture.crop import Box, cut, grey_of

SIZE = (640, 360)


@dataclass
class Site:
    """A fixed camera: a textured scene with sensor noise, and things that may stand in it."""

    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        rough = Image.fromarray(self.rng.integers(30, 200, (45, 80), np.uint8)).resize(SIZE)
        self.scene = np.asarray(rough.filter(ImageFilter.GaussianBlur(1)), float)

    def shot(
        self, animal: tuple[int, int] | None = None, gain: float = 1.0, lift: float = 0.0,
        shift: int = 0, branch: int | None = None, snow: int = 0,
    ) -> Rgb:  # fmt: skip
        """A frame with an animal of 70 x 34 pixels at (x, y), and so on."""
        grey = np.roll(self.scene, (shift, 2 * shift), axis=(0, 1)).copy()
        if animal is not None:
            x, y = animal
            grey[y : y + 34, x : x + 70] = 235 - 0.8 * grey[y : y + 34, x : x + 70]
        if branch is not None:
            for step in range(90):
                at = 60 + branch + step // 6
                grey[40 + step : 44 + step, at : at + 5] = 15
        for _ in range(snow):
            x, y = self.rng.integers(0, 630), self.rng.integers(0, 352)
            grey[y : y + 5, x : x + 5] = 250
        grey = grey * gain + lift + self.rng.normal(0, 3, grey.shape)
        return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)

    def empties(self, count: int = 4, **changes: int) -> list[Rgb]:
        return [self.shot(**changes) for _ in range(count)]  # type: ignore[arg-type]


def motion_boxes(frames: list[Rgb], empties: list[Rgb]) -> list[Box | None]:
    return crop.motion_boxes([grey_of(f) for f in frames], [grey_of(f) for f in empties])


def overlap(box: Box | None, x: int, y: int) -> float:
    """The share of the animal at (x, y) that the box holds."""
    if box is None:
        return 0.0
    left, right = box.left * SIZE[0], box.right * SIZE[0]
    top, bottom = box.top * SIZE[1], box.bottom * SIZE[1]
    wide = max(0, min(right, x + 70) - max(left, x))
    high = max(0, min(bottom, y + 34) - max(top, y))
    return float(wide * high / (70 * 34))


def area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


@pytest.fixture(params=range(3))
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.param)


WALK = [(120, 200), (230, 205), (340, 210)]


def test_a_walking_animal_is_boxed_against_the_empties(site: Site) -> None:
    boxes = motion_boxes([site.shot(at) for at in WALK], site.empties())
    for box, (x, y) in zip(boxes, WALK, strict=True):
        assert overlap(box, x, y) > 0.95
        assert box is not None and area(box) < 0.12


def test_a_walking_animal_is_boxed_from_the_burst_alone(site: Site) -> None:
    boxes = motion_boxes([site.shot(at) for at in WALK], [])
    assert all(overlap(box, *at) > 0.9 for box, at in zip(boxes, WALK, strict=True))


def test_a_standing_animal_is_found_against_the_empties(site: Site) -> None:
    boxes = motion_boxes([site.shot((400, 100))] * 3, site.empties())
    assert all(overlap(box, 400, 100) > 0.95 for box in boxes)


def test_an_empty_scene_has_no_box(site: Site) -> None:
    assert motion_boxes(site.empties(3), site.empties()) == [None] * 3
    assert motion_boxes(site.empties(3), []) == [None] * 3


def test_a_lamp_that_warms_up_is_no_motion_and_hides_none(site: Site) -> None:
    lamps = [(0.6, 0.0), (0.8, 5.0), (1.15, -6.0)]
    dark = [site.shot(gain=gain, lift=lift) for gain, lift in lamps]
    assert motion_boxes(dark, site.empties()) == [None] * 3
    lit = [site.shot(at, g, lift) for at, (g, lift) in zip(WALK, lamps, strict=True)]
    boxes = motion_boxes(lit, site.empties())
    assert all(overlap(box, *at) > 0.9 for box, at in zip(boxes, WALK, strict=True))


def test_a_branch_that_always_sways_is_outshone_by_the_animal(site: Site) -> None:
    empties = [site.shot(branch=b) for b in (-8, 0, 8, -4, 5)]
    frames = [site.shot(at, branch=b) for at, b in zip(WALK, (3, -6, 7), strict=True)]
    boxes = motion_boxes(frames, empties)
    assert all(overlap(box, *at) > 0.9 for box, at in zip(boxes, WALK, strict=True))


def test_a_branch_that_hangs_still_where_the_wind_once_blew_it_is_no_motion(site: Site) -> None:
    empties = [site.shot(branch=b) for b in (-8, 0, 8, -4, 5)]
    assert motion_boxes([site.shot(branch=8)] * 3, empties) == [None] * 3
    boxes = motion_boxes([site.shot(at, branch=8) for at in WALK], empties)
    assert all(overlap(box, *at) > 0.9 for box, at in zip(boxes, WALK, strict=True))


def test_snow_gives_no_box_and_hides_no_animal(site: Site) -> None:
    empties = site.empties(snow=60)
    assert motion_boxes(site.empties(3, snow=60), empties) == [None] * 3
    boxes = motion_boxes([site.shot(at, snow=60) for at in WALK], empties)
    assert all(overlap(box, *at) > 0.9 for box, at in zip(boxes, WALK, strict=True))


def test_a_camera_that_was_moved_is_judged_by_the_burst_alone(site: Site) -> None:
    assert motion_boxes([site.shot(shift=40)] * 3, site.empties()) == [None] * 3
    boxes = motion_boxes([site.shot(at, shift=40) for at in WALK], site.empties())
    assert all(overlap(box, *at) > 0.9 for box, at in zip(boxes, WALK, strict=True))


def test_a_single_frame_or_empties_of_another_shape_give_no_box(site: Site) -> None:
    other = [np.zeros((400, 400, 3), np.uint8)] * 4
    assert motion_boxes([site.shot(WALK[0])], []) == [None]
    assert motion_boxes([site.shot(WALK[0])], other) == [None]
    assert motion_boxes([], other) == []


def test_a_flat_frame_does_not_divide_by_zero(site: Site) -> None:
    flat = np.full((360, 640, 3), 77, np.uint8)
    assert motion_boxes([flat], site.empties()) in ([None], motion_boxes([flat], site.empties()))
    assert motion_boxes([flat] * 3, [flat] * 3) == [None] * 3


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_cut_always_has_pixels(a: float, b: float, c: float, d: float) -> None:
    box = Box(min(a, b) * 0.99, min(c, d) * 0.99, max(a, b), max(c, d))
    piece = cut(np.zeros((36, 64, 3), np.uint8), box)
    assert piece.shape[0] > 0 and piece.shape[1] > 0


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14))
def test_blobs_are_the_connected_parts_of_the_mask(seed: int, height: int, width: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.4
    blobs = find_blobs(mask, mask.astype(np.float32) * 2)
    assert sum(blob.area for blob in blobs) == mask.sum()
    assert sum(blob.strength for blob in blobs) == 2 * mask.sum()
    assert sorted(b.area for b in blobs) == sorted(_flooded(mask))


def _flooded(mask: "np.typing.NDArray[np.bool_]") -> list[int]:
    """Sizes of the 8-connected parts, by the plain way."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    sizes = []
    while left:
        stack, size = [left.pop()], 0
        while stack:
            y, x = stack.pop()
            size += 1
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            stack += near
        sizes.append(size)
    return sizes
