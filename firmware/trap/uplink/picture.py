"""The animal's crop as the two pictures that go over LoRa: a WebP preview, an AVIF refinement.

Promises: never more bytes than asked for; the same crop gives the same bytes; nothing but pixels in
any byte that goes out (no EXIF, GPS, ICC profile, XMP or comment: what goes into an encoder is a
fresh picture made of numbers). At most `PREVIEW_TRIES` small encodes for the preview and
`REFINEMENT_TRIES` for the refinement, which on a small Pi takes a second or two each.

The preview is WebP, because AVIF's container alone takes 340 bytes: as large as it can be at the
least quality that is worth looking at, then as good as the bytes allow. The refinement starts from
the quality that did for the last one of this camera and goes by the secant on the logarithm of the
bytes, which is nearly a straight line in AVIF's quality.

Does not decide which crop, nor whether its people may be shown: capture does.
"""

import io
import math
from dataclasses import dataclass

from PIL import Image

MOST_PIXELS = 4_000_000
"""Of a crop; capture makes them with a tenth of it."""

PREVIEW_SIDES = (160, 128, 96, 80, 64, 48, 32, 24)
PREVIEW_FLOOR, PREVIEW_BEST = 20, 90
PREVIEW_TRIES = len(PREVIEW_SIDES) + 4
REFINEMENT_TRIES = 3
LEAST_REFINEMENT_BYTES = 800
SMALLEST_REFINEMENT_SIDE, LARGEST_REFINEMENT_SIDE = 160, 640
FIRST_QUALITY = 40.0
_PIXELS_PER_BYTE = 15.0  # 320 x 240 at 5 kB: where AVIF still looks like the animal
_SLOPE = 0.035  # of the logarithm of the bytes in the quality, typically
_AIM, _SURE = 0.95, 0.85  # parts of the budget to aim at; when nothing has fitted yet


class PictureError(Exception):
    """No picture for the air can be made of the crop: why."""


def pixels_of(crop: bytes) -> Image.Image:
    """The crop's pixels and nothing else of it. Raises PictureError."""
    try:
        with Image.open(io.BytesIO(crop)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise PictureError(f"has {image.width} x {image.height} pixels, which are no crop")
            return Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"is damaged: {error}") from error


def preview(image: Image.Image, most_bytes: int) -> bytes:
    """A WebP of at most so many bytes. Raises PictureError where none is that small."""
    for side in PREVIEW_SIDES:
        small = _within(image, side)
        best = _webp(small, PREVIEW_FLOOR)
        if len(best) <= most_bytes:
            return _finest(small, best, most_bytes)
    raise PictureError(f"gives no preview of {most_bytes} bytes")


def _finest(image: Image.Image, best: bytes, most_bytes: int) -> bytes:
    """By bisection between the floor, whose bytes are `best`, and the best quality."""
    low, high = PREVIEW_FLOOR, PREVIEW_BEST
    for _ in range(PREVIEW_TRIES - len(PREVIEW_SIDES)):
        middle = (low + high + 1) // 2
        found = _webp(image, middle)
        if len(found) <= most_bytes:
            low, best = middle, found
        else:
            high = middle - 1
        if low >= high:
            break
    return best


@dataclass
class Refiner:
    """Of one camera: remembers the quality that did for the last picture."""

    speed: int = 6
    quality: float = FIRST_QUALITY

    def refine(self, image: Image.Image, most_bytes: int) -> bytes | None:
        """An AVIF of at most so many bytes, or None where three tries gave none."""
        if most_bytes < LEAST_REFINEMENT_BYTES:
            return None
        picture = _within(image, refinement_side(image, most_bytes))
        tried: list[tuple[float, int]] = []
        best: bytes | None = None
        quality = self.quality
        for _ in range(REFINEMENT_TRIES):
            found = _avif(picture, round(quality), self.speed)
            tried.append((round(quality), len(found)))
            if len(found) <= most_bytes and (best is None or len(found) > len(best)):
                best, self.quality = found, quality
            if best is not None and len(best) >= 0.9 * most_bytes:
                break
            following = next_quality(tried, most_bytes, _SURE if best is None else _AIM)
            if round(following) in {at for at, _ in tried}:
                break
            quality = following
        if best is None:
            self.quality = quality
        return best


def refinement_side(image: Image.Image, most_bytes: int) -> int:
    """The longer side: as many pixels as the bytes can show."""
    width, height = image.size
    ratio = max(width, height) / min(width, height)
    side = math.sqrt(_PIXELS_PER_BYTE * most_bytes * ratio)
    return int(min(max(side, SMALLEST_REFINEMENT_SIDE), LARGEST_REFINEMENT_SIDE)) // 8 * 8


def next_quality(tried: list[tuple[float, int]], most_bytes: int, aim: float) -> float:
    """By the secant through the last two tries as (quality, bytes), by the usual slope through
    one; within 1..95."""
    quality, size_bytes = tried[-1]
    slope = _SLOPE
    if len(tried) > 1 and tried[-2][0] != quality:
        slope = math.log(size_bytes / tried[-2][1]) / (quality - tried[-2][0])
        slope = min(max(slope, _SLOPE / 3), _SLOPE * 3)
    return min(max(quality + math.log(aim * most_bytes / size_bytes) / slope, 1.0), 95.0)


def _within(image: Image.Image, side: int) -> Image.Image:
    """Shrunk, if it is larger, so that its longer side is that long."""
    width, height = image.size
    scale = side / max(width, height)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _webp(image: Image.Image, quality: int) -> bytes:
    return _saved(image, "WEBP", quality=quality, method=6)


def _avif(image: Image.Image, quality: int, speed: int) -> bytes:
    return _saved(image, "AVIF", quality=quality, speed=speed, subsampling="4:2:0", max_threads=1)


def _saved(image: Image.Image, form: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, exif=b"", icc_profile=b"", xmp=b"", **how)
    return file.getvalue()
