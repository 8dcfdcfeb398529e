"""Somebody's picture file as pixels for the model.

Promises RGB uint8 of at most about `ENOUGH` pixels a side for JPEG (decoded at reduced scale, so
that 50 megapixels cost little), or a `PictureError` that says which file and what is wrong. 16-bit
grey is scaled to 8, CMYK and palettes are converted, a rotation in the EXIF data is applied.
A JPEG that ends too early is an error, never a half-grey picture.
"""

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from firmware.trap.capture.camera import Rgb

ENOUGH = 1600
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})
# What Pillow is known to raise for damaged pictures and damaged EXIF data.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, TypeError, AttributeError, LookupError,
           ArithmeticError, struct.error)  # fmt: skip
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")


class PictureError(Exception):
    """A file that gives no picture: which, and why."""


def read_picture(path: Path) -> tuple[bytes, Rgb]:
    """The file's bytes and its pixels, uint8 (height, width, 3). Raises PictureError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content, decode(content)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error


def decode(content: bytes) -> Rgb:
    """The pixels of a picture file. Raises PictureError, without the file's name."""
    if not content:
        raise PictureError("is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                image.draft("RGB", (ENOUGH, ENOUGH))
                return np.asarray(_eight_bit(ImageOps.exif_transpose(image)).convert("RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise PictureError("is not a picture of a known format") from error
    except _DAMAGE as error:
        raise PictureError(f"is damaged: {error}") from error


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode not in _SIXTEEN_BITS:
        return image
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise PictureError(f"has grey values {values.min()}..{values.max()}, more than 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))
