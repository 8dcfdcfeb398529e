"""A LoRa packet, point to point: a clear header, AES-128-CCM, a counter that never repeats.

    0      0x40 | port     the top two bits are the version, 1; the port says what the payload is
    1..2   unit            big-endian, as everything here
    3..4   counter         its low 16 bits; the receiver knows the rest (wire/replay.py)
    5..    ciphertext      as long as the payload
    ..     tag             8 bytes; 4 on SYMBOL

    nonce (13 bytes) = direction 1 (0 up, 1 down) | unit 4 | counter 4 | epoch 2 | two zero bytes
    associated data  = the five bytes of the header

Each unit has two keys, one for each direction, by HKDF-SHA256 from one master secret; a nonce is
used once because the sender never takes a counter twice in an epoch. LoRaWAN carries the same
payloads by FPort = port, without this layer.

The short tag on symbols: a forger who may try any number of frames gets one past the tag in about
2^32 tries, which at one frame a second is a century; it then spoils at most one object, whose
SHA-256 is checked before anything is stored, and the object is sent again. It may also have moved
the receiver's window so far ahead that the unit needs a new epoch. Everything that is believed by
itself (a sighting, a receipt, a command, a manifest) has 8 bytes.

Does not remember counters: `unseal` alone takes a replay. Ask a ReplayWindow after the tag held.
"""

from dataclasses import dataclass
from enum import Enum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firmware.wire.errors import WireError

SIGHTING = 1
SYMBOL = 2
HEALTH = 3
MANIFEST = 4
RECEIPT = 10
COMMAND = 11
PORTS = (SIGHTING, SYMBOL, HEALTH, MANIFEST, RECEIPT, COMMAND)

VERSION = 0x40
HEADER_BYTES = 5
KEY_BYTES = 16
MAX_COUNTER = 2**32 - 1


class Forged(WireError):
    """A packet that was not sealed with this key for this unit, direction, epoch and counter."""


class Direction(Enum):
    """Up is from the unit to the base."""

    UP = 0
    DOWN = 1


@dataclass(frozen=True)
class Keys:
    """One unit's keys, 16 bytes each: what it seals with, and what it opens with."""

    up: bytes
    down: bytes


@dataclass(frozen=True)
class Header:
    """What a packet says of itself before its tag was checked: believe none of it."""

    unit: int
    port: int
    counter_low: int


def derive_keys(master: bytes, unit: int) -> Keys:
    """The unit's keys. Raises ValueError for a master secret under 16 bytes."""
    if len(master) < KEY_BYTES:
        raise ValueError(f"master secret of {len(master)} bytes is under {KEY_BYTES}")
    name = _unit(unit).to_bytes(2, "big")
    return Keys(_derived(master, b"rosette-lora-1 up" + name),
                _derived(master, b"rosette-lora-1 down" + name))  # fmt: skip


def parse_header(frame: bytes) -> Header:
    """The clear header. Raises WireError."""
    if not frame or frame[0] & 0xC0 != VERSION or frame[0] & 0x3F not in PORTS:
        raise WireError(f"frame begins with {frame[:1].hex() or 'nothing'}: no packet of ours")
    port = frame[0] & 0x3F
    if len(frame) < overhead_bytes(port):
        raise WireError(f"packet of {len(frame)} bytes is under {overhead_bytes(port)}")
    unit = _unit(int.from_bytes(frame[1:3], "big"))
    return Header(unit, port, int.from_bytes(frame[3:5], "big"))


def seal(
    key: bytes, direction: Direction, epoch: int, unit: int, port: int, counter: int, payload: bytes
) -> bytes:
    """The packet. Raises WireError for a port, unit, epoch or counter that the wire has not."""
    if port not in PORTS:
        raise WireError(f"port {port} is not one of {PORTS}")
    nonce = _nonce(direction, epoch, unit, counter)
    low = counter & 0xFFFF
    header = bytes((VERSION | port,)) + unit.to_bytes(2, "big") + low.to_bytes(2, "big")
    return header + _cipher(key, _tag_bytes(port)).encrypt(nonce, payload, header)


def unseal(key: bytes, direction: Direction, epoch: int, counter: int, frame: bytes) -> bytes:
    """The payload. Raises Forged when the tag does not hold, WireError when it is no packet."""
    header = parse_header(frame)
    if counter & 0xFFFF != header.counter_low:
        raise Forged(f"packet's counter ends in {header.counter_low}, not as {counter}")
    nonce = _nonce(direction, epoch, header.unit, counter)
    try:
        return _cipher(key, _tag_bytes(header.port)).decrypt(
            nonce, frame[HEADER_BYTES:], frame[:HEADER_BYTES]
        )
    except InvalidTag as error:
        raise Forged(f"packet of unit {header.unit} on port {header.port} is forged") from error


def overhead_bytes(port: int) -> int:
    """What a packet on this port is longer than its payload."""
    return HEADER_BYTES + _tag_bytes(port)


def _tag_bytes(port: int) -> int:
    return 4 if port == SYMBOL else 8


def _nonce(direction: Direction, epoch: int, unit: int, counter: int) -> bytes:
    if not 0 <= epoch <= 0xFFFF:
        raise WireError(f"epoch {epoch} is not within 0..65535")
    if not 0 <= counter <= MAX_COUNTER:
        raise WireError(f"counter {counter} is not within 0..{MAX_COUNTER}")
    wide = _unit(unit).to_bytes(4, "big") + counter.to_bytes(4, "big")
    return bytes((direction.value,)) + wide + epoch.to_bytes(2, "big") + bytes(2)


def _unit(unit: int) -> int:
    if not 0 < unit <= 0xFFFF:
        raise WireError(f"unit number {unit} is not within 1..65535")
    return unit


def _derived(master: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(master)


def _cipher(key: bytes, tag_bytes: int) -> AESCCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"key of {len(key)} bytes is not {KEY_BYTES}")
    return AESCCM(key, tag_length=tag_bytes)
