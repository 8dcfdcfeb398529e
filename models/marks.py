"""Has the network learned the marks of the training frames instead of the animals?

The camera-trap frames carry painted-out strips above boxes, timestamps and logos. These changes
cover the marks, put them on other frames, or take the animal out and leave the marks: a network
that looks at animals keeps its scores in the first two cases and loses them in the third.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from models.augment import marked
from models.manifest import Box
from models.runtime import SIDE

Change = Callable[[Image.Image, tuple[Box, ...]], Image.Image]

STAMP = 0.1  # of the height, at the bottom and at the top
STRIP = 0.16  # of the height, above each box


def cover_stamps(image: Image.Image, boxes: tuple[Box, ...]) -> Image.Image:
    """Mirrors the neighbouring rows over the bottom and the top edge, animals left alone."""
    height = max(2, int(image.height * STAMP))
    rows = ((image.height - height, image.height - 2 * height), (0, height))
    result = image.copy()
    for target, source in rows:
        part = image.crop((0, source, image.width, source + height))
        result.paste(part.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, target))
    return _restored(result, image, boxes)


def cover_strips(image: Image.Image, boxes: tuple[Box, ...]) -> Image.Image:
    """Puts another part of the frame over whatever stands just above each box."""
    result = image.copy()
    height = max(2, int(image.height * STRIP))
    for box in boxes:
        left, top, right, _ = _pixels(box, image.size)
        aside = 0 if left > image.width - right else max(0, image.width - (right - left))
        low = max(0, top - height)
        patch = image.crop((aside, low, aside + right - left, top))
        result.paste(patch, (left, low))
    return _restored(result, image, boxes)


def add_marks(image: Image.Image, boxes: tuple[Box, ...]) -> Image.Image:
    """Fake timestamps, strips and logos, as in training but on pictures never trained on."""
    size = image.size
    random = np.random.default_rng(image.width * 7919 + image.height)
    small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return marked(small, random).resize(size, Image.Resampling.BILINEAR)


def erase_animals(image: Image.Image, boxes: tuple[Box, ...]) -> Image.Image:
    """Fills each box from the columns beside it; strips, stamps and logos stay."""
    result = image.copy()
    for box in boxes:
        left, top, right, bottom = _pixels(box, image.size)
        width = max(2, min(right - left, image.width // 6))
        from_left = left >= image.width - right
        edge = max(0, left - width) if from_left else min(image.width - width, right)
        beside = result.crop((edge, top, edge + width, bottom))
        filled = beside.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        result.paste(filled.filter(ImageFilter.GaussianBlur(1)), (left, top))
    return result


CHANGES: dict[str, Change] = {
    "timestamps covered": cover_stamps,
    "strips above boxes covered": cover_strips,
    "fake marks added": add_marks,
    "animals taken out, marks left": erase_animals,
}


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    left, top = max(0, int(box.x * width)), max(0, int(box.y * height))
    right = min(width, int(np.ceil((box.x + box.width) * width)))
    bottom = min(height, int(np.ceil((box.y + box.height) * height)))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _restored(changed: Image.Image, image: Image.Image, boxes: tuple[Box, ...]) -> Image.Image:
    """The insides of the boxes as they were."""
    for box in boxes:
        area = _pixels(box, image.size)
        changed.paste(image.crop(area), area[:2])
    return changed
