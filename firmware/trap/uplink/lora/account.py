"""Airtime spent, and the clock that it is counted by.

Promises that a frame is in the ledger and on the card before anybody can send it, and that an
hour's airtime is never under-counted: the clock (*ledger time*) follows the monotonic one, goes on
after a restart where it was last kept, and a frame counts from the latest moment at which it can
have begun. The wall clock has no part in it.
"""

import math
from collections.abc import Callable

from firmware.trap.uplink.lora.job import Job
from firmware.trap.uplink.lora.policy import Room
from firmware.trap.uplink.lora.state import Saved, State
from firmware.wire.ledger import WINDOW_S

TICK_S = 300.0


class Account:
    """Of one band. Every method but `used_s` may raise StateError where it says that it keeps."""

    def __init__(self, state: State, saved: Saved, monotonic: Callable[[], float]) -> None:
        self._state, self._monotonic = state, monotonic
        self._ledger = saved.ledger
        self._ahead_s = saved.clock_s - monotonic()
        self._kept_s = saved.clock_s

    def at_s(self) -> float:
        """Ledger time now."""
        return self._ahead_s + self._monotonic()

    def used_s(self) -> float:
        """Airtime in the hour that ends now."""
        return self._ledger.used_s(self.at_s())

    def room(self, limit_s: float, reserve: float) -> Room:
        """What may be spent; `reserve` is the share of it that is kept for alerts."""
        return Room(self._ledger, limit_s, limit_s * reserve)

    def enter(self, airtime_s: float, moved: tuple[Job, int] | None) -> None:
        """Keep: a frame is about to be sent, and what it moves on."""
        at_s = self.at_s()
        ledger = self._ledger.after(at_s, airtime_s)
        self._state.enter(ledger, at_s, moved)
        self._ledger, self._kept_s = ledger, at_s

    def over(self) -> float:
        """The last frame is not in the air any more, and was until now at the latest. The time."""
        at_s = self.at_s()
        self._ledger = self._ledger.ended(at_s)
        return at_s

    def keep(self) -> None:
        """Keep the clock, so that a reboot loses little of what was waited."""
        at_s = self.at_s()
        self._state.tick(self._ledger, at_s)
        self._kept_s = at_s

    def tick(self) -> None:
        """Keep the clock now and then, as long as anything hangs on it."""
        if self.tick_s() <= 0.0:
            self.keep()

    def tick_s(self) -> float:
        """Seconds until `tick` has something to do; infinite when nothing hangs on the clock."""
        if not self._ledger.entries or self._kept_s > self._ledger.end_s + WINDOW_S:
            return math.inf
        return max(0.0, self._kept_s + TICK_S - self.at_s())
