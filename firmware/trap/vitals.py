"""What the machine says of itself: uptime, disk, temperature, battery. Reads only.

Where a thing cannot be read, it is unknown (None, or 0 for what must be a number); a health report
with gaps is better than none.
"""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
_MOST_MV = 65535


@dataclass(frozen=True)
class Vitals:
    """`battery_mv`: of the first battery or charger that the kernel knows."""

    uptime_s: float
    disk_free_bytes: int
    cpu_c: float | None
    battery_mv: int | None


def read_vitals(data_dir: Path, root: Path = ROOT) -> Vitals:
    """As things are now; `root` is where /proc and /sys are looked for."""
    millidegrees = _first_number(root, "sys/class/thermal/thermal_zone*/temp")
    return Vitals(
        uptime_s=_first_number(root, "proc/uptime") or 0.0,
        disk_free_bytes=_free_bytes(data_dir),
        cpu_c=None if millidegrees is None else millidegrees / 1000,
        battery_mv=battery_mv(root),
    )


def battery_mv(root: Path = ROOT) -> int | None:
    """The battery's voltage, where the kernel knows one."""
    microvolts = _first_number(root, "sys/class/power_supply/*/voltage_now")
    if microvolts is None or not 0 < microvolts <= _MOST_MV * 1000:
        return None
    return round(microvolts / 1000)


def _first_number(root: Path, pattern: str) -> float | None:
    for file in sorted(root.glob(pattern)):
        try:
            return float(file.read_text().split()[0])
        except (OSError, ValueError, IndexError):  # a sensor that is asleep or gone
            continue
    return None


def _free_bytes(path: Path) -> int:
    try:
        stat = os.statvfs(path)
    except OSError:
        return 0
    return stat.f_bavail * stat.f_frsize
