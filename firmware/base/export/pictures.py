"""Pictures without anything but the picture: no EXIF, XMP, IPTC, comment, thumbnail or trailer.

A JPEG keeps its pixels bit for bit: its segments are copied, but for those that only describe. What
is no plain JPEG (WebP, AVIF, one that is turned by its metadata or damaged) is decoded and written
as JPEG anew. Raises PictureError for what cannot be decoded; nothing else escapes.
"""

import io
import struct
import warnings

from PIL import Image, ImageOps

SUFFIX, CONTENT_TYPE = ".jpg", "image/jpeg"
QUALITY = 92
_ORIENTATION = 0x0112
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP14, _APP15, _COMMENT = 0xE0, 0xEE, 0xEF, 0xFE
_STANDALONE = (0x01, *range(0xD0, 0xD8))  # TEM and the restart markers carry no length


class PictureError(ValueError):
    """A picture that cannot be read, so that it cannot be told what is in it."""


def bare(body: bytes) -> bytes:
    """The picture as a JPEG file that holds the picture alone."""
    if body.startswith(b"\xff\xd8\xff") and not _turned(body):
        try:
            return _segments(body)
        except (struct.error, IndexError, ValueError):
            pass  # damaged in its structure: decoding it may still give half a leopard
    return _anew(body)


def _segments(body: bytes) -> bytes:
    """The JPEG up to its end, without the segments that describe it."""
    out, at = bytearray(b"\xff\xd8"), 2
    while True:
        if body[at] != 0xFF:
            raise ValueError("no marker where one must be")
        while body[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = body[at + 1]
        if marker == _EOI:
            return bytes(out) + b"\xff\xd9"
        if marker in _STANDALONE or marker in (0x00, _SOI):
            raise ValueError("a marker that cannot stand here")
        (length,) = struct.unpack_from(">H", body, at + 2)
        segment = body[at : at + 2 + length]
        if length < 2 or len(segment) != 2 + length:
            raise ValueError("a segment that is cut short")
        if not _describes(marker, segment[4:]):
            out += segment
        at += 2 + length
        if marker == _SOS:
            end = _scan_end(body, at)
            out += body[at:end]
            at = end


def _describes(marker: int, content: bytes) -> bool:
    """Whether the segment can be left out. Colours need a plain JFIF head and Adobe's flag."""
    if marker == _APP0:
        return not (content.startswith(b"JFIF\x00") and len(content) == 14)
    if marker == _APP14:
        return not (content.startswith(b"Adobe") and len(content) == 12)
    return _APP0 < marker <= _APP15 or marker == _COMMENT


def _scan_end(body: bytes, at: int) -> int:
    """Where the coded data end: at the next marker that is no part of them."""
    while True:
        at = body.index(b"\xff", at)
        if body[at + 1] != 0x00 and body[at + 1] not in _STANDALONE:
            return at
        at += 2


def _turned(body: bytes) -> bool:
    """Whether its metadata say that it is to be shown turned."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=("JPEG",)) as image:
                return bool(image.getexif().get(_ORIENTATION, 1) != 1)
    # Pillow names no set of errors for damaged files.
    except Exception:  # noqa: BLE001
        return True


def _anew(body: bytes) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=("JPEG", "WEBP", "AVIF")) as image:
                upright = ImageOps.exif_transpose(image).convert("RGB")
                plain = Image.frombytes("RGB", upright.size, upright.tobytes())
    # Pillow names no set of errors for damaged files.
    except Exception as error:
        raise PictureError(f"picture cannot be decoded: {type(error).__name__}") from error
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
