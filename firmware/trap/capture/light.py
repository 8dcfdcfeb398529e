"""Day or night, from the camera's light estimate. Pure.

Promises that dusk does not switch the lamp back and forth: night begins below `night_lux`, day
again only above `DAY_FACTOR` times that.
"""

DAY_FACTOR = 2.0


class Light:
    """`night` as of the last estimate; day until the first."""

    def __init__(self, night_lux: float) -> None:
        self._night_lux = night_lux
        self.night = False

    def see(self, lux: float | None) -> bool:
        """Whether it is night. `lux` must be measured with the lamp off; None changes nothing."""
        if lux is not None:
            limit = self._night_lux * (DAY_FACTOR if self.night else 1.0)
            self.night = lux < limit
        return self.night
