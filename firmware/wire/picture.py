"""A picture on MQTT: a 34-byte head, then the file's bytes.

    0      form, 0x01 (no JPEG, WebP or AVIF file starts with it, so a bare file is recognised)
    1      content type: 1 image/jpeg, 2 image/webp, 3 image/avif
    2..33  SHA-256 of the file's bytes
    34..   the file's bytes

The same on MQTT 5 and 3.1.1; on MQTT 5 user properties `item`, `sha256` and the content-type
property repeat it for other subscribers. Does not look into the picture itself.
"""

import hashlib
from dataclasses import dataclass

from firmware.wire.errors import Damaged, WireError

FORM = 0x01
HEAD_BYTES = 34
CONTENT_TYPES = {1: "image/jpeg", 2: "image/webp", 3: "image/avif"}
_CODES = {name: code for code, name in CONTENT_TYPES.items()}


@dataclass(frozen=True)
class Picture:
    """The file's bytes, its content type, and the SHA-256 (hex) of the bytes."""

    content_type: str
    sha256: str
    body: bytes


def pack_picture(body: bytes, content_type: str) -> bytes:
    """Head and body. Raises WireError for a content type that the wire does not know."""
    if content_type not in _CODES:
        raise WireError(f"content type {content_type!r} is not one of {', '.join(_CODES)}")
    return bytes((FORM, _CODES[content_type])) + hashlib.sha256(body).digest() + body


def unpack_picture(payload: bytes) -> Picture:
    """The inverse of `pack_picture`. Raises WireError; Damaged when the hash does not match."""
    if len(payload) <= HEAD_BYTES or payload[0] != FORM:
        raise WireError("picture has no head: expected form byte 0x01 and 34 bytes before the file")
    content_type = CONTENT_TYPES.get(payload[1])
    if content_type is None:
        raise WireError(f"picture content type code {payload[1]} is unknown")
    body = payload[HEAD_BYTES:]
    digest = hashlib.sha256(body).digest()
    if digest != payload[2:HEAD_BYTES]:
        raise Damaged(f"picture hash is wrong: says {payload[2:6].hex()}, is {digest[:4].hex()}")
    return Picture(content_type, digest.hex(), body)
