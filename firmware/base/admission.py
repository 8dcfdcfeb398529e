"""Which messages the base lets in. Pure: a message goes in, an `Arrival` or `Refused` comes out.

Promises that nothing but `Refused` escapes, whatever the bytes; that what is admitted has a known
topic, its own unit's content, a body with the hash it announced, and, for a picture, a file of the
type it says with bounded dimensions. Who may write to which topic is the broker's business
(deploy/mosquitto.acl); here only content and topic are held against each other.

Does not decode pictures: one cut short by the sender is admitted, for half a leopard is a leopard.
"""

import hashlib
import io
import re
import warnings
from dataclasses import dataclass
from typing import Literal

from PIL import Image, features

from firmware.base.store import Arrival
from firmware.wire.commands import CommandResult
from firmware.wire.errors import Damaged, WireError
from firmware.wire.health import Health
from firmware.wire.ids import ItemId, Kind, format_unit
from firmware.wire.picture import CONTENT_TYPES, FORM, HEAD_BYTES, unpack_picture
from firmware.wire.records import MAX_RECORD_BYTES, Sighting, Status, load_record
from firmware.wire.topics import PICTURES, parse_status_topic, parse_up_topic

JSON = "application/json"
Reason = Literal["qos", "topic", "oversized", "picture", "record", "mismatch", "damaged"]

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OF_SIGHTINGS = ("sighting", "summary")
_FORMATS = {"image/jpeg": "JPEG", "image/webp": "WEBP", "image/avif": "AVIF"}


@dataclass(frozen=True)
class Message:
    """What the broker gave us. `user`: MQTT 5 user properties; `content_type`: its property."""

    topic: str
    payload: bytes
    qos: int = 1
    user: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None


@dataclass(frozen=True)
class Limits:
    """The largest picture that is let in."""

    max_item_bytes: int
    max_pixels: int


class Refused(Exception):
    """A message that is not let in. With an `item` it never will be, and its unit may be told;
    `sha256` is then what the unit said of the body, else what the body has."""

    def __init__(
        self, reason: Reason, detail: str, item: ItemId | None = None, sha256: str = ""
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.item = item
        self.sha256 = sha256


class _Mismatch(WireError):
    """Two parts of one message contradict each other."""


class _Oversized(WireError):
    """More bytes or pixels than the limit."""


@dataclass(frozen=True)
class _Named:
    """What a record of a kind that we do not know says of itself, whatever else is in it."""

    unit: str
    sighting: int


def admit(message: Message, received_s: float, limits: Limits) -> Arrival:
    """The message as the store takes it. Raises Refused and nothing else."""
    if message.qos == 0:
        raise Refused("qos", "sent with QoS 0, which the broker may lose: QoS 1 is needed")
    if message.topic.endswith("/status"):
        return _admit_status(message, received_s)
    try:
        item = parse_up_topic(message.topic)
    except WireError as error:
        raise Refused("topic", str(error)) from error
    try:
        if item.kind in PICTURES:
            arrival = _picture(message, received_s, limits)
        else:
            arrival = _record(message, received_s, item)
        _check_properties(message, item, arrival)
    except Damaged as error:  # no answer: the unit has the right bytes and sends them again
        raise Refused("damaged", str(error)) from error
    except WireError as error:
        raise Refused(_reason(error, item), str(error), item, _announced(message)) from error
    return arrival


def _admit_status(message: Message, received_s: float) -> Arrival:
    try:
        unit = parse_status_topic(message.topic)
    except WireError as error:
        raise Refused("topic", str(error)) from error
    try:
        status = load_record(message.payload, Status)
        _check_same("unit", status.unit, format_unit(unit))
    except WireError as error:
        raise Refused(_reason(error, None), str(error)) from error
    return _arrival(message, received_s, JSON, message.payload)


def _picture(message: Message, received_s: float, limits: Limits) -> Arrival:
    size_bytes = len(message.payload) - HEAD_BYTES
    if size_bytes > limits.max_item_bytes:
        raise _Oversized(f"picture of {size_bytes} bytes is over {limits.max_item_bytes}")
    picture = unpack_picture(message.payload)
    check_picture(picture.body, picture.content_type, limits.max_pixels)
    kind = picture.content_type
    return Arrival(message.topic, received_s, kind, picture.sha256, picture.body)


def _record(message: Message, received_s: float, item: ItemId) -> Arrival:
    if len(message.payload) > MAX_RECORD_BYTES:
        raise _Oversized(f"record of {len(message.payload)} bytes is over {MAX_RECORD_BYTES}")
    unit, number = _named(message.payload, item.kind)
    _check_same("unit", unit, format_unit(item.unit))
    _check_same("sighting" if item.kind in _OF_SIGHTINGS else "number", number, item.sighting)
    return _arrival(message, received_s, JSON, message.payload)


def _named(payload: bytes, kind: Kind) -> tuple[str, int]:
    """Unit and number that the record itself says, all of it being as it should."""
    match kind:
        case "sighting":
            sighting = load_record(payload, Sighting)
            return sighting.unit, sighting.sighting
        case "health":
            health = load_record(payload, Health)
            return health.unit, health.number
        case "answer":
            answer = load_record(payload, CommandResult)
            return answer.unit, answer.number
        case _:
            other = load_record(payload, _Named)
            return other.unit, other.sighting


def _arrival(message: Message, received_s: float, content_type: str, body: bytes) -> Arrival:
    return Arrival(message.topic, received_s, content_type, hashlib.sha256(body).hexdigest(), body)


def _check_properties(message: Message, item: ItemId, arrival: Arrival) -> None:
    """MQTT 5 properties repeat what the topic and the body say, for other readers."""
    truth = {"item": str(item), "sha256": arrival.sha256}
    for name, value in message.user:
        _check_same(f"property {name}", value, truth.get(name, value))
    if message.content_type is not None:
        _check_same("content type", message.content_type, arrival.content_type)


def check_picture(body: bytes, content_type: str, max_pixels: int) -> None:
    """That the file's head is of this type and its dimensions are bounded; nothing is decoded.
    Raises WireError."""
    form = _FORMATS[content_type]
    if not _has_magic(body, form):
        raise WireError(f"picture says {content_type}, but does not begin like one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes and metadata; the size is judged below
            if form == "AVIF" and not features.check("avif"):
                return  # an older Pillow cannot read it, and the picture is not to blame
            with Image.open(io.BytesIO(body), formats=(form,)) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise _Oversized(str(error)) from error
    # Pillow names no set of errors for damaged files, and one picture must not end the receiver.
    except Exception as error:
        raise WireError(f"picture cannot be read as {form}: {type(error).__name__}") from error
    if width * height > max_pixels:
        raise _Oversized(f"picture of {width} x {height} pixels is over {max_pixels} pixels")


def _has_magic(body: bytes, form: str) -> bool:
    match form:
        case "JPEG":
            return body.startswith(b"\xff\xd8\xff")
        case "WEBP":
            return body[:4] == b"RIFF" and body[8:12] == b"WEBP"
        case _:
            return body[4:12] in (b"ftypavif", b"ftypavis")


def _check_same(name: str, said: object, truth: object) -> None:
    if said != truth:
        raise _Mismatch(f"{name} says {str(said)[:80]!r}, but it is {truth!r}")


def _reason(error: WireError, item: ItemId | None) -> Reason:
    if isinstance(error, _Mismatch):
        return "mismatch"
    if isinstance(error, _Oversized):
        return "oversized"
    return "picture" if item is not None and item.kind in PICTURES else "record"


def _announced(message: Message) -> str:
    """The hash by which the unit knows what it sent."""
    for name, value in message.user:
        if name == "sha256" and _SHA256.fullmatch(value):
            return value
    head = message.payload[:HEAD_BYTES]
    if len(head) == HEAD_BYTES and head[0] == FORM and head[1] in CONTENT_TYPES:
        return head[2:].hex()
    return hashlib.sha256(message.payload).hexdigest()
