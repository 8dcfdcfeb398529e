"""How far the unit's clock can be trusted, from what the system says of it. Does not set it."""

from pathlib import Path

from firmware.wire.records import Clock

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
RTC = Path("/dev/rtc0")


def clock_quality(synchronised: Path = SYNCHRONISED, rtc: Path = RTC) -> Clock:
    """`ntp` once systemd-timesyncd has set the time since boot; else `rtc` where there is one."""
    if synchronised.exists():
        return "ntp"
    return "rtc" if rtc.exists() else "unsynced"
