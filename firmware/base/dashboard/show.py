"""How values look on pages; template filters. Times are UTC and say so on every page."""

import datetime
from collections.abc import Callable


def time(at_s: float) -> str:
    """`2026-11-24 16:49`."""
    return f"{_utc(at_s):%Y-%m-%d %H:%M}"


def seconds(at_s: float) -> str:
    """`2026-11-24 16:49:07`."""
    return f"{_utc(at_s):%Y-%m-%d %H:%M:%S}"


def iso(at_s: float) -> str:
    """For machines."""
    return f"{_utc(at_s):%Y-%m-%dT%H:%M:%SZ}"


def percent(share: float) -> str:
    """`97 %`, with a space that does not break."""
    return f"{share * 100:.0f}\u00a0%"


def size(megabytes: float) -> str:
    """`850 MB`, `29.3 GB`."""
    return f"{megabytes:.0f}\u00a0MB" if megabytes < 1000 else f"{megabytes / 1000:.1f}\u00a0GB"


def ago(seconds_: float) -> str:
    """`40 s`, `12 min`, `5 h`, `3 d`: international signs, no words."""
    for unit_s, sign in ((86400 * 2, "d"), (3600 * 2, "h"), (120, "min")):
        if seconds_ >= unit_s:
            whole = {"d": 86400, "h": 3600, "min": 60}[sign]
            return f"{seconds_ / whole:.0f}\u00a0{sign}"
    return f"{max(seconds_, 0):.0f}\u00a0s"


FILTERS: dict[str, Callable[[float], str]] = {
    "time": time, "seconds": seconds, "iso": iso, "percent": percent, "size": size, "ago": ago,
}  # fmt: skip


def _utc(at_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC)
