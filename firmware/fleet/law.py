"""Does the fleet keep the law? An oracle over all that was on the air; it knows no ledger.

Promises to find a sliding hour with too much airtime of one radio in one band, if there is one: the
airtime within an hour is largest in a window that begins where a frame begins or ends where one
ends, and all of those are looked at.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate

from firmware.wire.regions import Band, Region

HOUR_S = 3600.0
_TINY_S = 1e-6  # sums of thousands of floats

Frame = tuple[str, int, float, float]
"""(radio, carrier in Hz, start in s, airtime in s)"""


def violations(region: Region, frames: Iterable[Frame]) -> list[str]:
    """What was against the law, in words; empty when nothing was."""
    broken: list[str] = []
    sent: defaultdict[tuple[str, Band], list[tuple[float, float]]] = defaultdict(list)
    for radio, frequency_hz, start_s, airtime_s in frames:
        band = region.band_of(frequency_hz)
        sent[radio, band].append((start_s, start_s + airtime_s))
        if band.dwell_s is not None and airtime_s > band.dwell_s + _TINY_S:
            broken.append(f"{radio} sent for {airtime_s:.3f} s at {start_s:.3f} s")
    for (radio, band), times in sent.items():
        if band.duty_cycle is None:
            continue
        most_s, at_s = busiest_hour(sorted(times))
        if most_s > band.duty_cycle * HOUR_S + _TINY_S:
            broken.append(
                f"{radio} sent {most_s:.3f} s within the hour from {at_s:.3f} s, allowed are"
                f" {band.duty_cycle * HOUR_S:g} s"
            )
    return broken


def busiest_hour(times: list[tuple[float, float]]) -> tuple[float, float]:
    """(airtime, begin) of the fullest hour. `times`: (start, end), in order, not overlapping."""
    starts, ends = [start for start, _ in times], [end for _, end in times]
    before = [0.0, *accumulate(end - start for start, end in times)]  # airtime up to each start

    def until(moment_s: float) -> float:
        """Airtime before this moment."""
        count = bisect_right(starts, moment_s)
        spent = before[count]
        return spent - max(0.0, ends[count - 1] - moment_s) if count else 0.0

    begins = [*starts, *(end - HOUR_S for end in ends)]
    return max(((until(b + HOUR_S) - until(b), b) for b in begins), default=(0.0, 0.0))
