"""The duty-cycle ledger: what was sent, and when the next frame may go. Exact over every hour.

A rule such as 1 % of an hour allows 36 s of airtime in *every* window of 3600 s, wherever it
begins. A token bucket does not keep it (a full bucket and its refill are twice the limit), and
"99 times the airtime of silence after each frame" keeps it but wastes the day of a unit that has
one picture to send. So the ledger keeps each frame's start and airtime and looks at the window
that ends with the new frame: no window that holds any of it can hold more.

Times are *ledger time*: seconds that never go back. They advance with the monotonic clock while
the process runs and stand still while it does not: after a restart they go on from `end_s`. Two
frames are then never further apart in the ledger than they were on the air, so that a reboot, a
dead battery or a clock that jumps can make a unit wait too long, never too short. The wall clock
is not used. One ledger for each band; enter a frame, durably, before it is sent.

Does not store itself, and does not know the limit: that is the region's.
"""

import math
from dataclasses import dataclass

WINDOW_S = 3600.0


@dataclass(frozen=True)
class Ledger:
    """(start_s, airtime_s) of each frame that a window can still reach, oldest first."""

    entries: tuple[tuple[float, float], ...] = ()

    @property
    def end_s(self) -> float:
        """When the last frame entered ends; ledger time goes on from here after a restart."""
        return sum(self.entries[-1]) if self.entries else 0.0

    def after(self, start_s: float, airtime_s: float) -> "Ledger":
        """With one more frame. A start before the last frame's end counts as that end: one radio
        sends one frame at a time, so it is the ledger's time that is behind."""
        if not airtime_s > 0 or not math.isfinite(start_s + airtime_s):
            raise ValueError(f"frame at {start_s} s of {airtime_s} s cannot be entered")
        start_s = max(start_s, self.end_s)
        gone = 0
        while gone < len(self.entries) and sum(self.entries[gone]) <= start_s - WINDOW_S:
            gone += 1
        return Ledger((*self.entries[gone:], (start_s, airtime_s)))

    def ended(self, now_s: float) -> "Ledger":
        """The last frame was on the air until now at the latest: it counts from the latest moment
        at which it can have begun."""
        start_s, airtime_s = self.entries[-1]
        return Ledger((*self.entries[:-1], (max(start_s, now_s - airtime_s), airtime_s)))

    def used_s(self, now_s: float) -> float:
        """Airtime in the hour that ends now, and of a frame still on the air all of it."""
        since_s = now_s - WINDOW_S
        return sum(min(air_s, max(0.0, start + air_s - since_s)) for start, air_s in self.entries)

    def wait_s(self, now_s: float, airtime_s: float, limit_s: float) -> float:
        """How long until a frame of this airtime keeps every hour within the limit: 0.0 = it may
        go now, infinity = it is longer than the limit. Whole milliseconds, rounded up: who waits
        that long may send then."""
        room_s = limit_s - airtime_s
        if room_s < 0:
            return math.inf
        now_s = max(now_s, self.end_s)
        for start_s, spent_s in reversed(self.entries):
            if spent_s > room_s:
                # The window may begin where just `room_s` of this frame is left in it.
                begin_s = start_s + spent_s - room_s
                late_s = begin_s - (now_s + airtime_s - WINDOW_S)
                # Up to a millisecond, but half a nanosecond is floating point, not airtime.
                return max(0.0, math.ceil(round(late_s * 1000, 6)) / 1000)
            room_s -= spent_s
        return 0.0
