"""A clock that stands still until told otherwise, so that tests of hours take no time.

Promises: `monotonic` never goes back; `now` is wall time and may be stepped as NTP, a dead RTC
battery or a person would. Does not wake anybody: who waits on it moves it.
"""


class VirtualClock:
    """`now`, `monotonic` and `wait` have the shapes of time.time, time.monotonic, Event.wait."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._wall_s = start_s
        self._running_s = 0.0

    def now(self) -> float:
        """Unix seconds UTC, as far as this clock knows."""
        return self._wall_s

    def monotonic(self) -> float:
        """Seconds since the clock was made; steps of the wall do not touch it."""
        return self._running_s

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"time cannot advance by {seconds} s; to set it back use step_wall")
        self._wall_s += seconds
        self._running_s += seconds

    def step_wall(self, seconds: float) -> None:
        """Sets the wall clock forward or back while no time passes."""
        self._wall_s += seconds

    def wait(self, seconds: float) -> None:
        """Returns at once, with the clock moved on by as much as a real wait would take."""
        self.advance(max(0.0, seconds))
