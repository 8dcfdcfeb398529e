"""The sighting record on the air: exactly 24 bytes before encryption, big-endian.

    0       version and type, 0x11
    1..2    unit
    3..6    sighting number
    7..10   unix seconds UTC, whole
    11      species: its position in SPECIES
    12      confidence in 1/250, 0..250
    13      individuals
    14      burst frames
    15      frames that follow (over another link)
    16..17  battery, mV; 0 = unknown
    18      temperature, whole degrees C, signed; -128 = unknown
    19      flags: bit 0 night, 1 low battery, 2 tamper, 3 people, 4..7 clock (rtc, ntp, gps, base,
            unsynced)
    20..23  model: the first four bytes of its file's SHA-256

`on_air` gives the sighting as these bytes can say it, so that the JSON that MQTT carries and the
JSON that the gateway rebuilds are the same bytes: a sighting that comes on both roads is one.
What does not fit is clipped and never refused, since a unit with a broken clock still saw the
animal: seconds past 2106 become the last there is, a species without a code `other_animal`.
Only a model that is not 8 hexadecimal digits raises WireError. A code that a newer unit sends and
this table does not know reads as `other_animal`.
"""

import re
import struct
from typing import get_args

from firmware.wire.errors import WireError
from firmware.wire.ids import format_unit, parse_unit
from firmware.wire.records import Clock, Sighting

# Appended to, never reordered: the position is the code. The model's labels come first.
SPECIES: tuple[str, ...] = (
    "leopard", "tiger", "small_cat", "bear", "wild_boar", "deer", "fox", "raccoon_dog",
    "badger_marten", "hare", "dog", "livestock", "bird", "other_animal", "empty", "human",
    "vehicle", "uncertain", "roe_deer", "sika_deer", "musk_deer", "goral", "lynx", "leopard_cat",
    "domestic_cat", "brown_bear", "black_bear", "wolf", "badger", "marten", "sable", "weasel",
    "otter", "squirrel", "horse", "cattle",
)  # fmt: skip

RECORD_BYTES = 24
FORM = 0x11
CONFIDENCE_STEPS = 250
_RECORD = struct.Struct(">BHIIBBBBBHbB4s")
_CODES = {name: code for code, name in enumerate(SPECIES)}
_OTHER = "other_animal"
_CLOCKS: tuple[Clock, ...] = get_args(Clock)
_NIGHT, _LOW_BATTERY, _TAMPER, _PEOPLE = 1, 2, 4, 8
_NO_TEMPERATURE = -128
_MODEL = re.compile(r"[0-9a-f]{8}", re.ASCII)


def on_air(sighting: Sighting) -> Sighting:
    """The sighting as 24 bytes can say it. Raises WireError for a malformed model id."""
    return unpack_sighting(pack_sighting(sighting))


def pack_sighting(sighting: Sighting) -> bytes:
    """The 24 bytes. Raises WireError for a malformed model id."""
    if _MODEL.fullmatch(sighting.model) is None:
        raise WireError(f"model {sighting.model[:20]!r} is not 8 hexadecimal digits")
    celsius = sighting.temperature_c
    flags = _NIGHT * sighting.night | _LOW_BATTERY * sighting.low_battery
    flags |= _TAMPER * sighting.tamper | _PEOPLE * sighting.people
    flags |= _CLOCKS.index(sighting.clock) << 4
    return _RECORD.pack(
        FORM,
        parse_unit(sighting.unit),
        sighting.sighting,
        min(int(sighting.time_s), 2**32 - 1),
        _CODES.get(sighting.species, _CODES[_OTHER]),
        round(sighting.confidence * CONFIDENCE_STEPS),
        sighting.individuals,
        sighting.burst_frames,
        sighting.frames,
        sighting.battery_mv or 0,
        _NO_TEMPERATURE if celsius is None else round(celsius),
        flags,
        bytes.fromhex(sighting.model),
    )


def unpack_sighting(data: bytes) -> Sighting:
    """The inverse of `pack_sighting`. Raises WireError."""
    if len(data) != RECORD_BYTES or data[0] != FORM:
        raise WireError(f"sighting of {len(data)} bytes is not 24 that begin with 0x11")
    fields = _RECORD.unpack(data)
    _, unit, number, second, species, confidence, individuals, burst, frames, *rest = fields
    battery_mv, celsius, flags, model = rest
    if confidence > CONFIDENCE_STEPS or flags >> 4 >= len(_CLOCKS):
        raise WireError(f"sighting says confidence {confidence}/250 and flags 0x{flags:02x}")
    return Sighting(
        unit=format_unit(unit),
        sighting=number,
        time_s=float(second),
        species=SPECIES[species] if species < len(SPECIES) else _OTHER,
        confidence=confidence / CONFIDENCE_STEPS,
        individuals=individuals,
        burst_frames=burst,
        night=bool(flags & _NIGHT),
        clock=_CLOCKS[flags >> 4],
        model=model.hex(),
        frames=frames,
        battery_mv=battery_mv or None,
        temperature_c=None if celsius == _NO_TEMPERATURE else float(celsius),
        low_battery=bool(flags & _LOW_BATTERY),
        tamper=bool(flags & _TAMPER),
        people=bool(flags & _PEOPLE),
    )
