"""Training views are what the unit would show the network, whatever the picture."""

import numpy as np
import pytest
from PIL import Image

from models.augment import Picture, crop, empty_view, is_grey, restyled, training_view
from models.manifest import Box

BOX = Box(0.5, 0.4, 0.3, 0.4)


def image(seed: int = 0, size: tuple[int, int] = (160, 90)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("boxes", [(), (BOX,), (BOX, Box(0.0, 0.0, 0.02, 0.02))])
@pytest.mark.parametrize("inside_only", [False, True])
def test_a_view_is_always_a_squashed_uint8_picture(
    boxes: tuple[Box, ...], inside_only: bool
) -> None:
    picture = Picture(image(), boxes, inside_only and bool(boxes), may_shrink=True)
    for seed in range(30):
        view = training_view(picture, [image(1)], np.random.default_rng(seed))
        assert view.shape == (224, 224, 3)
        assert view.dtype == np.uint8


def test_the_same_seed_gives_the_same_view() -> None:
    picture = Picture(image(), (BOX,), False, True)
    first, second = (training_view(picture, [], np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)


def test_an_empty_view_shows_nothing_of_the_animal() -> None:
    pixels = np.full((90, 160, 3), 60, np.uint8)
    pixels[30:80, 60:150] = 255
    picture = Picture(Image.fromarray(pixels), (Box(60 / 160, 30 / 90, 90 / 160, 50 / 90),),
                      False, True)  # fmt: skip
    view = empty_view(picture, np.random.default_rng(3))
    assert view is not None
    full = Picture(Image.fromarray(pixels), (Box(0.1, 0.1, 0.85, 0.85),), False, True)
    assert empty_view(full, np.random.default_rng(3)) is None


def test_a_crop_keeps_inside_the_frame_and_never_vanishes() -> None:
    assert crop(image(), Box(0.9, 0.9, 0.3, 0.3), 0.5, None).size <= (160, 90)
    small = crop(image(), Box(0.5, 0.5, 0.0, 0.0), 0.0, None)
    assert min(small.size) >= 1


def test_grey_frames_are_told_from_coloured_ones() -> None:
    assert not is_grey(np.asarray(image()))
    assert is_grey(np.asarray(image().convert("L").convert("RGB")))


def test_a_restyled_photo_keeps_its_size_and_a_view_of_one_its_seed() -> None:
    photo = image(5, (224, 224))
    first, second = (restyled(photo, np.random.default_rng(3)) for _ in range(2))
    assert first.size == (224, 224) and np.array_equal(np.asarray(first), np.asarray(second))
