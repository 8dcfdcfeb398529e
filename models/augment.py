"""Views of a training image as a camera trap might have taken it.

Promises uint8 [224, 224, 3] for any picture, never upside down, squashed as the unit squashes.
The marks that sit on the training frames (painted-out strips above boxes, timestamps, logos) are
covered at random and put on pictures of every class, so that they say nothing about the class.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from models.manifest import Box
from models.measure import Array
from models.runtime import SIDE

Random = np.random.Generator
LEAST_ROOM = 0.3  # of a frame's side, beside its animals, to stand for an empty frame
STRIP_ABOVE = 0.1  # of the height: where a label was painted out above a box
RESTYLED = 0.5  # of the views of a colour picture
Pixels = Array


@dataclass(frozen=True)
class Picture:
    """A decoded image with what is known about it."""

    image: Image.Image
    boxes: tuple[Box, ...]
    inside_only: bool  # a drawn box is on it: show only the inside of the box
    may_shrink: bool  # a subject that fills the picture may be pasted small into a scene


def training_view(picture: Picture, scenes: Sequence[Image.Image], random: Random) -> Pixels:
    """One random view; `scenes` are empty frames to paste into (may be empty)."""
    image = _framing(picture, scenes, random)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if random.random() < RESTYLED and not is_grey(np.asarray(image)):
        image = restyled(image, random)
    if random.random() < 0.6:
        image = marked(image, random)
    return spoiled(look(np.asarray(image, np.float32), random), random)


def empty_view(picture: Picture, random: Random) -> Pixels | None:
    """A view of the same frame beside its animals; None where they leave no room."""
    left = min(box.x for box in picture.boxes)
    right = max(box.x + box.width for box in picture.boxes)
    top = min(box.y for box in picture.boxes)
    sides = [Box(0, 0, left, 1), Box(right, 0, 1 - right, 1), Box(0, 0, 1, top - STRIP_ABOVE)]
    roomy = [side for side in sides if min(side.width, side.height) > LEAST_ROOM]
    if not roomy or picture.inside_only:
        return None
    part = crop(picture.image, roomy[random.integers(len(roomy))], -0.03, None)
    return training_view(Picture(part, (), False, False), (), random)


def _framing(picture: Picture, scenes: Sequence[Image.Image], random: Random) -> Image.Image:
    choice = random.random()
    if picture.inside_only:
        return crop(picture.image, picture.boxes[0], -0.06, random)
    if not picture.boxes:
        if picture.may_shrink and scenes and choice < 0.2:
            return paste(picture.image, scenes[random.integers(len(scenes))], random)
        return random_part(picture.image, random, least=0.35 if choice < 0.5 else 0.7)
    box = picture.boxes[random.integers(len(picture.boxes))]
    if choice < 0.35:
        return random_part(picture.image, random, least=0.85)
    if choice < 0.5 and scenes:
        part = crop(picture.image, box, -0.04, random)
        return paste(part, scenes[random.integers(len(scenes))], random)
    if choice < 0.6:
        return partial(crop(picture.image, box, -0.04, random), random)
    return crop(picture.image, box, float(random.choice([-0.04, 0.05, 0.15, 0.3, 0.6])), random)


def crop(image: Image.Image, box: Box, margin: float, random: Random | None) -> Image.Image:
    """The box grown by `margin` of its size on each side, jittered, cut at the frame's edge."""
    jitter = random.uniform(-0.04, 0.04, 4) if random is not None else np.zeros(4)
    left = box.x - (margin + jitter[0]) * box.width
    top = box.y - (margin + jitter[1]) * box.height
    right = box.x + box.width * (1 + margin + jitter[2])
    bottom = box.y + box.height * (1 + margin + jitter[3])
    width, height = image.size
    x0, y0 = max(0, int(left * width)), max(0, int(top * height))
    x1, y1 = min(width, int(np.ceil(right * width))), min(height, int(np.ceil(bottom * height)))
    return image.crop((x0, y0, max(x1, x0 + 2), max(y1, y0 + 2)))


def random_part(image: Image.Image, random: Random, least: float) -> Image.Image:
    """A random rectangle of `least`..1 of each side."""
    (width, height), (sx, sy) = image.size, random.uniform(least, 1, 2)
    w, h = max(2, int(width * sx)), max(2, int(height * sy))
    x, y = random.integers(0, width - w + 1), random.integers(0, height - h + 1)
    return image.crop((int(x), int(y), int(x + w), int(y + h)))


def partial(image: Image.Image, random: Random) -> Image.Image:
    """Half to most of an animal, as at the edge of a frame."""
    width, height = image.size
    keep = random.uniform(0.5, 0.85)
    x = 0 if random.random() < 0.5 else int(width * (1 - keep))
    return image.crop((x, 0, x + max(2, int(width * keep)), height))


def paste(animal: Image.Image, scene: Image.Image, random: Random) -> Image.Image:
    """The animal, smaller and with soft edges, somewhere in an empty scene of like brightness."""
    scene = random_part(scene, random, least=0.6).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    size = SIDE * random.uniform(0.3, 0.85)
    stretch = float(np.clip(animal.width / animal.height, 0.5, 2.0)) ** 0.5
    w, h = (int(np.clip(size * f, 16, SIDE)) for f in (stretch, 1 / stretch))
    animal = animal.convert("RGB").resize((w, h), Image.Resampling.BILINEAR)
    if is_grey(np.asarray(animal)) or random.random() < 0.3:
        scene, animal = (i.convert("L").convert("RGB") for i in (scene, animal))
    gap = float(np.asarray(animal).mean() - np.asarray(scene).mean())
    scene = Image.fromarray(np.clip(np.asarray(scene) + gap * 0.7, 0, 255).astype(np.uint8))
    mask = Image.new("L", (w, h), 0)
    edge = max(1, min(w, h) // 10)
    ImageDraw.Draw(mask).rounded_rectangle((edge, edge, w - edge, h - edge), edge * 3, fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(edge * 0.7))
    spot = (int(random.integers(0, SIDE - w + 1)), int(random.integers(0, SIDE - h + 1)))
    scene.paste(animal, spot, mask)
    return scene


def is_grey(pixels: Pixels) -> bool:
    """No colour to speak of: an infrared frame."""
    sample = pixels[::8, ::8].astype(np.int16)
    return float(np.abs(sample - sample.mean(-1, keepdims=True)).mean()) < 4.0


def marked(image: Image.Image, random: Random) -> Image.Image:
    """Covers or fakes a timestamp, a painted-out strip or a logo."""
    image = image.copy()
    for make in random.permutation(np.array([_timestamp, _strip, _logo, _border]))[
        : random.integers(1, 3)
    ]:
        make(image, random)
    return image


def _timestamp(image: Image.Image, random: Random) -> None:
    height = int(random.integers(8, 20))
    y = SIDE - height if random.random() < 0.8 else 0
    draw = ImageDraw.Draw(image)
    if random.random() < 0.5:  # cover whatever is there with the rows next to it
        source = y - height if y else height
        image.paste(image.crop((0, source, SIDE, source + height)), (0, y))
    elif random.random() < 0.3:
        draw.rectangle((0, y, SIDE, y + height), fill=_grey(random))
    if random.random() < 0.6:
        day, month, hour, minute, second = random.integers(10, [29, 13, 24, 60, 60])
        text = f"{month}/{day}/20{random.integers(10, 26)} {hour}:{minute}:{second}  {minute - 10}C"
        font = ImageFont.load_default(size=float(random.uniform(7, 14)))
        draw.text((int(random.integers(0, 110)), y + 1), text, fill=_grey(random), font=font)


def _strip(image: Image.Image, random: Random) -> None:
    """A blurred strip, as painting-out leaves it."""
    w, h = int(random.integers(20, 120)), int(random.integers(6, 22))
    x, y = int(random.integers(0, SIDE - w)), int(random.integers(0, SIDE - h))
    part = image.crop((x, y, x + w, y + h))
    across = part.resize((w, 1) if random.random() < 0.5 else (max(1, w // 12), max(1, h // 8)))
    image.paste(across.resize((w, h), Image.Resampling.BILINEAR), (x, y))


def _logo(image: Image.Image, random: Random) -> None:
    w, h = int(random.integers(10, 60)), int(random.integers(6, 30))
    x, y = random.choice([2, SIDE - w - 2]), random.choice([2, SIDE - h - 2])
    ImageDraw.Draw(image).rectangle((int(x), int(y), int(x) + w, int(y) + h), fill=_grey(random))


def _border(image: Image.Image, random: Random) -> None:
    """The dark rounded edge of a scanned slide, as one source has it around every picture."""
    width = float(random.uniform(1, 4))
    mask = Image.new("L", image.size, 255)
    inner = (width, width, SIDE - width, SIDE - width)
    ImageDraw.Draw(mask).rounded_rectangle(inner, random.uniform(0, 10), fill=0)
    image.paste((int(random.integers(0, 30)),) * 3, (0, 0), mask)


def restyled(image: Image.Image, random: Random) -> Image.Image:
    """A colour photo as another source would have published it: thumbnail, JPEG, colours, border.

    Sources differ in these, and in which animals they hold; so they must say nothing of the animal.
    """
    small = (int(random.integers(110, SIDE)), int(random.integers(90, SIDE)))
    image = image.resize(small, Image.Resampling.BICUBIC)
    image = _through_jpeg(image, int(random.integers(50, 95))).convert("RGB")
    image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    image = ImageEnhance.Color(image).enhance(float(random.uniform(0.6, 1.7)))
    if random.random() < 0.6:
        _border(image, random)
    return image


def _grey(random: Random) -> tuple[int, int, int]:
    level = int(random.choice([0, 255, random.integers(0, 256)]))
    return (level, level, level)


def look(pixels: Pixels, random: Random) -> Pixels:
    """Light: for many pictures the grey of an infrared lamp, for the rest odd colours."""
    grey = is_grey(pixels)
    if not grey and random.random() < 0.45:
        weights = random.dirichlet([2.0, 2.0, 2.0]).astype(np.float32)
        pixels = np.repeat((pixels @ weights)[..., None], 3, axis=2)
        if random.random() < 0.7:
            pixels = lamp(pixels, random)
    elif not grey:
        pixels = pixels * random.uniform(0.85, 1.15, 3).astype(np.float32)
    elif random.random() < 0.3:
        pixels = lamp(pixels, random)
    if random.random() < 0.1:
        pixels = snow(pixels, random)
    return _developed(np.clip(pixels, 0, 255).astype(np.uint8), random)


def _developed(pixels: Pixels, random: Random) -> Pixels:
    """Gamma, contrast and brightness, by table."""
    levels = (np.arange(256) / 255) ** np.exp(random.normal(0, 0.3))
    middle = levels[int(pixels[::4, ::4].mean())]
    contrast, light = np.exp(random.normal(0, 0.2)), random.normal(0, 0.06)
    levels = np.clip((levels - middle) * contrast + middle + light, 0, 1) * 255
    result: Pixels = levels.astype(np.uint8)[pixels]
    return result


_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE


def lamp(pixels: Pixels, random: Random) -> Pixels:
    """Bright where the lamp points, black far away; near things bloom."""
    x, y, width = random.uniform(0.2, 0.8), random.uniform(0.35, 0.9), random.uniform(0.25, 0.8)
    distance = (_COLUMNS - x) ** 2 + ((_ROWS - y) * random.uniform(0.6, 1.4)) ** 2
    gain = random.uniform(0.05, 0.4) + random.uniform(0.8, 1.9) * np.exp(-distance / width**2)
    lit: Pixels = pixels * gain[..., None].astype(np.float32)
    if random.random() < 0.12:
        bright = Image.fromarray(np.clip(lit - 200, 0, 255).astype(np.uint8))
        lit = lit + np.asarray(bright.filter(ImageFilter.GaussianBlur(6)), np.float32) * 3
    return lit


def snow(pixels: Pixels, random: Random) -> Pixels:
    """Flakes near the lens."""
    flakes = Image.new("L", (SIDE, SIDE), 0)
    draw = ImageDraw.Draw(flakes)
    for x, y, r in zip(*random.uniform(0, SIDE, (2, 25)), random.uniform(0.5, 4, 25), strict=True):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=int(random.integers(90, 255)))
    blurred = np.asarray(flakes.filter(ImageFilter.GaussianBlur(1.5)), np.float32)
    result: Pixels = np.maximum(pixels, blurred[..., None])
    return result


def spoiled(pixels: Pixels, random: Random) -> Pixels:
    """Blur, noise and JPEG, each now and then."""
    image = Image.fromarray(pixels)
    if random.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.8)))
    elif random.random() < 0.15:
        image = _motion_blur(image, random)
    elif random.random() < 0.3:  # few pixels on the animal to start with
        small = int(random.integers(56, 180))
        image = image.resize((small, small), Image.Resampling.BILINEAR)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if random.random() < 0.4:
        shape = (SIDE, SIDE, 1 if random.random() < 0.7 else 3)
        noise = random.standard_normal(shape, np.float32) * np.float32(random.uniform(2, 18))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    if random.random() < 0.3:
        image = _through_jpeg(image, int(random.integers(25, 85)))
    return np.asarray(image.convert("RGB"))


def _motion_blur(image: Image.Image, random: Random) -> Image.Image:
    shifts = range(-int(random.integers(1, 6)), int(random.integers(1, 6)) + 1)
    pixels = np.asarray(image, np.float32)
    mean = np.mean([np.roll(pixels, shift, axis=1) for shift in shifts], axis=0)
    return Image.fromarray(mean.astype(np.uint8))


def _through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)
