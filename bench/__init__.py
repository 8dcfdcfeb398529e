"""Benchmarks: every figure beside a bare baseline of the same run, so that it is a ratio.

`make bench` prints a table and writes JSON. Nothing here is a test: a slow machine is no bug.
A bench module offers `run() -> list[Result]`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One figure. `ratio` is value to baseline in the direction that `bar` speaks of; `bar` is
    text such as `<= 1.25` or `>= 0.7`, compared with the ratio, or with the value where there
    is no baseline."""

    name: str
    value: float
    unit: str
    bar: str = ""
    baseline: float | None = None
    baseline_name: str = ""

    @property
    def ratio(self) -> float | None:
        """Value over baseline, None without one."""
        return None if not self.baseline else self.value / self.baseline

    @property
    def met(self) -> bool | None:
        """Whether the bar holds; None where there is none."""
        if not self.bar:
            return None
        sign, limit = self.bar.split()
        figure = self.value if self.ratio is None else self.ratio
        return figure <= float(limit) if sign == "<=" else figure >= float(limit)
