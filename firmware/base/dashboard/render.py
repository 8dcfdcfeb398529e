"""Pictures as pages show them: small enough, and nothing in them but the picture.

What comes out is coded anew from pixels, or (`FULL`) copied without the segments that describe, so
no EXIF, position, comment or colour profile survives. `blurred` leaves a few dozen blocks of the
whole picture: that somebody is there, not who. Raises PictureError for what cannot be decoded.
"""

import io
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable

from PIL import Image, ImageFilter, ImageOps

from firmware.base.export.pictures import PictureError, bare

SIZES = {"small": 400, "medium": 1000, "large": 2000}
FULL = "full"
QUALITY = 82
BLOCKS = 20
CACHE_BYTES = 48 * 2**20


def render(body: bytes, size: str, *, blurred: bool) -> bytes:
    """The picture as JPEG. `size`: a name in SIZES, or FULL, which a blurred picture never is."""
    if size == FULL and not blurred:
        return bare(body)
    longest = SIZES.get(size, SIZES["large"])
    image = _opened(body, longest)
    image.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    if blurred:
        image = _blocks(image)
    out = io.BytesIO()
    plain = Image.frombytes("RGB", image.size, image.tobytes())
    plain.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _opened(body: bytes, longest: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=("JPEG", "WEBP", "AVIF")) as image:
                image.draft("RGB", (longest, longest))  # a JPEG need not be decoded in full
                return ImageOps.exif_transpose(image).convert("RGB")
    # Pillow names no set of errors for damaged files.
    except Exception as error:
        raise PictureError(f"picture cannot be decoded: {type(error).__name__}") from error


def _blocks(image: Image.Image) -> Image.Image:
    width, height = image.size
    scale = BLOCKS / max(width, height)
    few = (max(1, round(width * scale)), max(1, round(height * scale)))
    coarse = image.resize(few, Image.Resampling.BOX)
    return coarse.resize((width, height), Image.Resampling.BILINEAR).filter(
        ImageFilter.GaussianBlur(max(width, height) / BLOCKS / 3)
    )


class Cache:
    """Rendered pictures, the least used dropped first; may be shared by threads."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._held: OrderedDict[object, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], bytes]) -> bytes:
        """The picture of that key, made if it is not there."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = made
                self._bytes += len(made)
            while self._bytes > self._most:
                self._bytes -= len(self._held.popitem(last=False)[1])
        return made
