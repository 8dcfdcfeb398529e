"""How a unit is: JSON for MQTT, 24 bytes for LoRa, and the same values in both.

    0      form, 0x12
    1-2    unit
    3-6    number of the report, by `ids.rising`: unix seconds where the clock allows
    7      clock << 5 (0 rtc, 1 ntp, 2 gps, 3 base, 4 unsynced) | 0x10: the number is the time
    8      uptime in minutes, rough          12-13  battery in mV (0: unknown)
    9      disk free in 16 MB, rough         14     CPU temperature in C, int8 (-128: unknown)
    10     items waiting, rough              15-16  firmware: 4, 6, 6 bits (0: unknown)
    11     ... and their 10 kB, rough        17-20  model id (0: unknown)
    21     bursts, rough
    22     ... and of these empty, rough
    23     minutes since the last burst, rough (0xFF: none known)

"Rough" is one byte, rounded down (rough.py). `on_air` rounds a report in this way before it goes
anywhere, so that the JSON that a gateway makes of the 24 bytes has the SHA-256 of the unit's own.

Receivers should go by when a report came: a unit's clock may be wrong, and `time_s` is None when
it was behind an earlier report's.
"""

import re
import struct
from dataclasses import dataclass
from typing import get_args

from firmware.wire.errors import WireError
from firmware.wire.ids import MAX_SIGHTING, format_unit, parse_unit
from firmware.wire.records import Clock, matches, within
from firmware.wire.rough import MOST, from_code, to_code

FORM = 0x12
HEALTH_BYTES = 24
CLOCKS: tuple[Clock, ...] = get_args(Clock)
DISK_STEP_MB, WAITING_STEP_KB = 16, 10

_LAYOUT = struct.Struct(">BHIBBBBBHbHIBBB")
_TIME_KNOWN = 0x10
_NO_TEMPERATURE = -128
_NEVER = 0xFF
_LONGEST_MIN = from_code(_NEVER - 1)
_FIRMWARE = re.compile(r"|([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{1,2})", re.ASCII)
_MODEL = re.compile(r"|[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True)
class Health:
    """One report.

    `time_s`: unix seconds UTC by the unit's clock; `waiting`, `waiting_kb`: what the outbox holds
    for the base; `bursts`, `empty`: since the last report that may have left the unit; `quiet_min`:
    minutes since the last burst; `firmware` and `model` are empty where the unit does not know.
    """

    unit: str
    number: int
    time_s: int | None
    clock: Clock
    uptime_min: int
    disk_free_mb: int
    waiting: int
    waiting_kb: int
    bursts: int = 0
    empty: int = 0
    quiet_min: int | None = None
    battery_mv: int | None = None
    cpu_c: int | None = None
    firmware: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        parse_unit(self.unit)
        within("number", self.number, 1, MAX_SIGHTING)
        within("time_s", self.time_s or 0, 0, MAX_SIGHTING)
        for name in ("uptime_min", "disk_free_mb", "waiting", "waiting_kb", "bursts", "empty"):
            within(name, getattr(self, name), 0, 2**53)
        within("quiet_min", self.quiet_min or 0, 0, 2**53)
        within("battery_mv", self.battery_mv or 0, 0, 65535)
        within("cpu_c", self.cpu_c or 0, -127, 127)
        matches("firmware", self.firmware, _FIRMWARE)
        matches("model", self.model, _MODEL)


def on_air(health: Health) -> Health:
    """As the 24 bytes will say it. Does not change what has been through here."""
    return unpack_health(pack_health(health))


def pack_health(health: Health) -> bytes:
    """For LoRa: 24 bytes, see the module."""
    clock = CLOCKS.index(health.clock) << 5
    return _LAYOUT.pack(
        FORM, parse_unit(health.unit), health.number,
        clock | (_TIME_KNOWN if health.time_s == health.number else 0),
        to_code(health.uptime_min), to_code(health.disk_free_mb // DISK_STEP_MB),
        to_code(health.waiting), to_code(health.waiting_kb // WAITING_STEP_KB),
        health.battery_mv or 0, _NO_TEMPERATURE if health.cpu_c is None else health.cpu_c,
        _pack_firmware(health.firmware), int(health.model or "0", 16),
        to_code(health.bursts), to_code(health.empty),
        _NEVER if health.quiet_min is None else to_code(min(health.quiet_min, _LONGEST_MIN)),
    )  # fmt: skip


def unpack_health(data: bytes) -> Health:
    """The inverse of `pack_health`. Raises WireError and nothing else."""
    if len(data) != HEALTH_BYTES or data[0] != FORM:
        raise WireError(f"packed health report of {len(data)} bytes is none of ours")
    (
        _, unit, number, flags, uptime, disk, waiting, waiting_size, battery_mv, cpu_c, version,
        model, bursts, empty, quiet,
    ) = _LAYOUT.unpack(data)  # fmt: skip
    if flags >> 5 >= len(CLOCKS) or flags & 0x0F:
        raise WireError(f"packed health report has the unknown flags 0x{flags:02x}")
    return Health(
        format_unit(unit), number, number if flags & _TIME_KNOWN else None, CLOCKS[flags >> 5],
        from_code(uptime), from_code(disk) * DISK_STEP_MB,
        from_code(waiting), from_code(waiting_size) * WAITING_STEP_KB,
        from_code(bursts), from_code(empty), None if quiet == _NEVER else from_code(quiet),
        battery_mv or None, None if cpu_c == _NO_TEMPERATURE else cpu_c,
        _unpack_firmware(version), f"{model:08x}" if model else "",
    )  # fmt: skip


def _pack_firmware(text: str) -> int:
    if not text:
        return 0
    major, minor, patch = (int(part) for part in text.split("."))
    return min(major, 15) << 12 | min(minor, 63) << 6 | min(patch, 63)


def _unpack_firmware(code: int) -> str:
    return f"{code >> 12}.{code >> 6 & 63}.{code & 63}" if code else ""


assert _LAYOUT.size == HEALTH_BYTES and to_code(MOST) == _NEVER
