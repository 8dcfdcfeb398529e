"""Which edges of the PIR become a burst: debounce, quiet period, and a limit per sliding hour.

Promises that grass in the wind cannot drain the battery, and that every ignored edge is counted by
reason. Times are monotonic seconds, so a wall clock that steps by years changes nothing; no clock
and no waiting here.
"""

from collections import Counter, deque
from typing import Literal

from firmware.trap.settings import Pir

HOUR_S = 3600.0
Ignored = Literal["bounce", "quiet", "rate"]


class Trigger:
    """The policy's state. `ignored` counts by reason."""

    def __init__(self, settings: Pir) -> None:
        self._settings = settings
        self._last_edge_s = -HOUR_S
        self._quiet_until_s = -HOUR_S
        self._bursts_s: deque[float] = deque(maxlen=settings.bursts_per_hour)
        self.ignored: Counter[Ignored] = Counter()

    def edge(self, at_s: float) -> Ignored | None:
        """None: take a burst now. Else why not."""
        reason = self._why_not(at_s)
        self._last_edge_s = max(at_s, self._last_edge_s)
        if reason is None:
            self._bursts_s.append(at_s)
        else:
            self.ignored[reason] += 1
        return reason

    def burst_over(self, at_s: float) -> None:
        """The quiet period runs from the end of a burst; edges from during it fall into it too."""
        self._quiet_until_s = at_s + self._settings.quiet_s

    def quiet_left_s(self, at_s: float) -> float:
        """Seconds until an edge would be taken again, as far as the quiet period goes; 0 if now."""
        return max(self._quiet_until_s - at_s, 0.0)

    def _why_not(self, at_s: float) -> Ignored | None:
        if at_s - self._last_edge_s < self._settings.debounce_s:
            return "bounce"
        if at_s < self._quiet_until_s:
            return "quiet"
        full = len(self._bursts_s) == self._settings.bursts_per_hour
        return "rate" if full and at_s - self._bursts_s[0] < HOUR_S else None
