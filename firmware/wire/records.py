"""JSON records: the sighting, the unit's status, the base's receipt, and the form of all others.

Each record is one JSON object of at most 4 KiB with exactly the fields of its dataclass, by the
same names. A missing field with a default takes it; an unknown field is ignored, so that a newer
unit can talk to an older base; a wrong type or value raises `WireError`. NaN and infinity are
refused.
"""

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from firmware.wire.errors import WireError
from firmware.wire.ids import MAX_SIGHTING, ItemId, parse_unit

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_RECORD_BYTES = 4096

Clock = Literal["rtc", "ntp", "gps", "base", "unsynced"]
State = Literal["online", "offline", "sleeping"]
Outcome = Literal["stored", "rejected"]

_LABEL = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
R = TypeVar("R")


@dataclass(frozen=True)
class Sighting:
    """What a unit saw in one burst.

    `time_s`: unix seconds UTC of the PIR edge by the unit's clock, whose quality is `clock`;
    `confidence`: calibrated probability of `species`, 0..1; `individuals`: most seen in one frame;
    `model`: first 8 hex digits of the model file's SHA-256; `frames`: pictures that will follow;
    `people`: a person or vehicle is on them, whatever the species.
    """

    unit: str
    sighting: int
    time_s: float
    species: str
    confidence: float
    individuals: int
    burst_frames: int
    night: bool
    clock: Clock
    model: str
    frames: int = 0
    battery_mv: int | None = None
    temperature_c: float | None = None
    low_battery: bool = False
    tamper: bool = False
    people: bool = False

    def __post_init__(self) -> None:
        parse_unit(self.unit)
        within("sighting", self.sighting, 0, MAX_SIGHTING)
        within("time_s", self.time_s, 0, 2**33)
        matches("species", self.species, _LABEL)
        within("confidence", self.confidence, 0, 1)
        within("individuals", self.individuals, 0, 255)
        within("burst_frames", self.burst_frames, 0, 255)
        within("frames", self.frames, 0, 255)
        within("battery_mv", self.battery_mv or 0, 0, 65535)
        within("temperature_c", self.temperature_c or 0, -127, 127)


@dataclass(frozen=True)
class Status:
    """Whether a unit is awake; `until_s` says when a sleeping one means to be back."""

    unit: str
    state: State
    time_s: float
    until_s: float | None = None

    def __post_init__(self) -> None:
        parse_unit(self.unit)
        within("time_s", self.time_s, 0, 2**33)


@dataclass(frozen=True)
class Receipt:
    """The base has committed (or will never take) these bytes under this name."""

    item: str
    sha256: str
    outcome: Outcome
    reason: str = ""

    def __post_init__(self) -> None:
        ItemId.parse(self.item)
        matches("sha256", self.sha256, _SHA256)
        within("length of reason", len(self.reason), 0, 400)


def dump_record(record: "DataclassInstance") -> bytes:
    """The record as compact JSON."""
    return json.dumps(dataclasses.asdict(record), separators=(",", ":"), allow_nan=False).encode()


def load_record(payload: bytes, kind: type[R]) -> R:
    """One record of the given class. Raises WireError and nothing else."""
    if len(payload) > MAX_RECORD_BYTES:
        raise WireError(f"record of {len(payload)} bytes is over the limit of {MAX_RECORD_BYTES}")
    try:
        raw = json.loads(payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"record is not valid JSON: {error}") from error
    return record_from(raw, kind)


def record_from(raw: object, kind: type[R]) -> R:
    """One record of the given class, from parsed JSON. Raises WireError and nothing else."""
    if not isinstance(raw, dict):
        raise WireError(f"record is a JSON {type(raw).__name__}, not an object")
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy does not know that classes hash
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in raw:
            values[field.name] = _typed(field.name, raw[field.name], hints[field.name])
        elif field.default is dataclasses.MISSING:
            raise WireError(f"record has no field {field.name!r}")
    return kind(**values)


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """A class's field types; working them out is half the cost of reading a record."""
    return get_type_hints(kind)


def _typed(name: str, value: Any, hint: Any) -> Any:
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    for option in options:
        if get_origin(option) is Literal:
            if isinstance(value, str) and value in get_args(option):
                return value
        elif option is float and type(value) in (int, float):
            return _finite(name, value)
        elif (option is NoneType and value is None) or type(value) is option:
            return value
    raise WireError(f"field {name!r} has a value of the wrong type: {str(value)[:40]!r}")


def _finite(name: str, value: int | float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WireError(f"field {name!r} is not a finite number")
    return number


def _refuse_constant(text: str) -> float:
    raise WireError(f"{text} is not allowed in a record")


def within(name: str, value: float, least: float, most: float) -> None:
    """Raises WireError unless the field lies between the two."""
    if not least <= value <= most:
        raise WireError(f"field {name!r} is {value}, not within {least}..{most}")


def matches(name: str, value: str, pattern: re.Pattern[str]) -> None:
    """Raises WireError unless all of the field is of the form."""
    if pattern.fullmatch(value) is None:
        raise WireError(f"field {name!r} is {value[:40]!r}, which is not of the form allowed")
