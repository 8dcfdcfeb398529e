"""Pictures over LoRa: an object's manifest, its symbols, and the receipts for everything.

Manifest (port MANIFEST), 29 bytes, big-endian as everything here:
    0      form, 0x01
    1..2   object        the unit's running number; tells objects in the air apart, no more
    3..6   sighting      the sighting that the picture belongs to
    7      index         0 preview, 1 refinement
    8      content type  as in wire/picture.py
    9..10  length        of the object in bytes
    11     symbol bytes  every symbol is as long as this, the last source symbol zero-padded
    12     code          1 = wire/rlc.py, with the digest as salt
    13..28 digest        the first 16 bytes of the object's SHA-256; to be checked before `Done`

Symbol (port SYMBOL), 4 bytes and the symbol:
    0..1   object
    2..3   index, its top bit set: an answer is wanted now (a poll)
    4..    the symbol; empty in a bare poll, which has nothing to say but the question

Receipts (port RECEIPT), one entry after another:
    1 | sighting 4               Stored           the base has committed the sighting
    2 | sighting 4 | reason 1    Rejected         it never will
    3 | object 2                 Done             the base has committed the object
    4 | object 2 | count 1       Need             that many more symbols are wanted
    5 | object 2 | held 1        ManifestWanted   no manifest yet; so many symbols are held
    6 | object 2                 ObjectRefused    send no more of this object

Does not say when each is sent: that is the uplink's and the gateway's business.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from firmware.wire.errors import WireError
from firmware.wire.picture import CONTENT_TYPES
from firmware.wire.rlc import MAX_INDEX, source_count

CODE_RLC = 1
FORM = 0x01
DIGEST_BYTES = 16
SYMBOL_HEAD_BYTES = 4
POLL = 0x8000

_MANIFEST = struct.Struct(">BHIBBHBB16s")
MANIFEST_BYTES = _MANIFEST.size
_CONTENT_CODES = {name: code for code, name in CONTENT_TYPES.items()}


def _fits(name: str, value: int, bits: int) -> None:
    if not 0 <= value < 1 << bits:
        raise WireError(f"{name} {value} is not a u{bits}")


@dataclass(frozen=True)
class Manifest:
    """What an object is: enough to put its symbols together and to know that they are right."""

    object: int
    sighting: int
    index: int
    content_type: str
    length: int
    symbol_bytes: int
    code: int
    digest: bytes

    def __post_init__(self) -> None:
        _fits("object number", self.object, 16)
        _fits("sighting number", self.sighting, 32)
        _fits("picture index", self.index, 8)
        _fits("length", self.length, 16)
        _fits("symbol size", self.symbol_bytes, 8)
        source_count(self.length, self.symbol_bytes)
        if self.content_type not in _CONTENT_CODES:
            raise WireError(f"content type {self.content_type!r} is not one the wire knows")
        if self.code != CODE_RLC:
            raise WireError(f"erasure code {self.code} is not {CODE_RLC}")
        if len(self.digest) != DIGEST_BYTES:
            raise WireError(f"digest of {len(self.digest)} bytes is not {DIGEST_BYTES}")


@dataclass(frozen=True)
class Symbol:
    """One symbol of an object; `poll` asks for an answer. Without data it is a bare poll."""

    object: int
    index: int
    poll: bool
    data: bytes

    def __post_init__(self) -> None:
        _fits("object number", self.object, 16)
        if not 0 <= self.index <= MAX_INDEX:
            raise WireError(f"symbol index {self.index} is not within 0..{MAX_INDEX}")
        if not self.data and not self.poll:
            raise WireError("symbol is empty and no poll")


@dataclass(frozen=True)
class Stored:
    """The base has committed the sighting."""

    sighting: int


@dataclass(frozen=True)
class Rejected:
    """The base will never take the sighting."""

    sighting: int
    reason_code: int


@dataclass(frozen=True)
class Done:
    """The base has committed the object."""

    object: int


@dataclass(frozen=True)
class Need:
    """So many more symbols are wanted, whichever they are."""

    object: int
    count: int


@dataclass(frozen=True)
class ManifestWanted:
    """Symbols of an object arrived whose manifest did not; `held` of them are kept."""

    object: int
    held: int = 0


@dataclass(frozen=True)
class ObjectRefused:
    """The base will never take the object."""

    object: int


Entry = Stored | Rejected | Done | Need | ManifestWanted | ObjectRefused

_ENTRIES: dict[int, tuple[type[Entry], struct.Struct]] = {
    1: (Stored, struct.Struct(">I")),
    2: (Rejected, struct.Struct(">IB")),
    3: (Done, struct.Struct(">H")),
    4: (Need, struct.Struct(">HB")),
    5: (ManifestWanted, struct.Struct(">HB")),
    6: (ObjectRefused, struct.Struct(">H")),
}
_TAGS = {kind: tag for tag, (kind, _) in _ENTRIES.items()}


def digest_of(data: bytes) -> bytes:
    """What a manifest says of the object's bytes."""
    return hashlib.sha256(data).digest()[:DIGEST_BYTES]


def pack_manifest(manifest: Manifest) -> bytes:
    """The 29 bytes."""
    _, *rest = astuple(manifest)
    rest[2] = _CONTENT_CODES[manifest.content_type]
    return _MANIFEST.pack(FORM, manifest.object, *rest)


def unpack_manifest(data: bytes) -> Manifest:
    """The inverse of `pack_manifest`. Raises WireError."""
    if len(data) != MANIFEST_BYTES or data[0] != FORM:
        raise WireError(f"manifest of {len(data)} bytes is not 29 that begin with 0x01")
    _, number, sighting, index, content, *rest = _MANIFEST.unpack(data)
    if content not in CONTENT_TYPES:
        raise WireError(f"content type code {content} in a manifest is unknown")
    return Manifest(number, sighting, index, CONTENT_TYPES[content], *rest)


def pack_symbol(symbol: Symbol) -> bytes:
    """Four bytes and the symbol's."""
    return struct.pack(">HH", symbol.object, symbol.index | POLL * symbol.poll) + symbol.data


def unpack_symbol(data: bytes) -> Symbol:
    """The inverse of `pack_symbol`. Raises WireError."""
    if len(data) < SYMBOL_HEAD_BYTES:
        raise WireError(f"symbol of {len(data)} bytes has no head of {SYMBOL_HEAD_BYTES}")
    number, index = struct.unpack_from(">HH", data)
    return Symbol(number, index & MAX_INDEX, index >= POLL, data[SYMBOL_HEAD_BYTES:])


def pack_receipts(entries: Iterable[Entry]) -> bytes:
    """One packet's receipts. Raises WireError for a number that does not fit its field."""
    packed = b""
    for entry in entries:
        tag = _TAGS[type(entry)]
        try:
            packed += bytes((tag,)) + _ENTRIES[tag][1].pack(*astuple(entry))
        except struct.error as error:
            raise WireError(f"receipt {entry} does not fit its fields: {error}") from error
    if not packed:
        raise WireError("receipts without an entry")
    return packed


def unpack_receipts(data: bytes) -> tuple[Entry, ...]:
    """The inverse of `pack_receipts`. Raises WireError."""
    entries: list[Entry] = []
    at = 0
    while at < len(data):
        kind, form = _ENTRIES.get(data[at], (None, None))
        if kind is None or form is None or at + 1 + form.size > len(data):
            raise WireError(f"receipts: no entry {data[at : at + 6].hex()} at byte {at}")
        entries.append(kind(*form.unpack_from(data, at + 1)))
        at += 1 + form.size
    if not entries:
        raise WireError("receipts without an entry")
    return tuple(entries)
