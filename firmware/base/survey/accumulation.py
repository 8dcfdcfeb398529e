"""How the number of species grows with effort, and how many there may be. Pure.

The curve is the expected number of species in `n` of the sampling units (camera-days), exact over
all ways to choose them (Colwell et al. 2004); the richness is Chao2 with the bias correction, and
its interval log-normal (Chao 1987).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Richness:
    """Species seen, and an estimate of all there are with its 95 % interval."""

    seen: int
    estimate: float
    low: float
    high: float


def curve(units: int, incidence: Mapping[str, int], at: Sequence[int]) -> list[float]:
    """Expected species in so many of the `units`. `incidence`: units in which each was seen."""
    return [
        sum(1 - _missed(units, count, size) for count in incidence.values() if count)
        for size in at
    ]  # fmt: skip


def steps(units: int, most: int = 100) -> list[int]:
    """Sizes at which to draw the curve: at most so many, both ends among them."""
    if units <= most:
        return list(range(units + 1))
    return sorted({round(units * step / most) for step in range(most + 1)})


def chao2(units: int, incidence: Mapping[str, int]) -> Richness:
    """The richness from how many species were seen in one and in two units only."""
    counts = [count for count in incidence.values() if count]
    seen, once, twice = len(counts), counts.count(1), counts.count(2)
    if units < 2 or not once:
        return Richness(seen, float(seen), float(seen), float(seen))
    share = (units - 1) / units
    unseen = share * once * (once - 1) / (2 * (twice + 1))
    variance = (
        share * once * (once - 1) / (2 * (twice + 1))
        + share**2 * once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + share**2 * once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )
    if unseen <= 0:
        return Richness(seen, float(seen), float(seen), float(seen))
    spread = math.exp(1.96 * math.sqrt(math.log(1 + variance / unseen**2)))
    return Richness(seen, seen + unseen, seen + unseen / spread, seen + unseen * spread)


def _missed(units: int, count: int, size: int) -> float:
    """The chance that none of `size` units drawn is one of the `count` with the species."""
    if size > units - count:
        return 0.0
    return math.exp(_log_choose(units - count, size) - _log_choose(units, size))


def _log_choose(of: int, size: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(size + 1) - math.lgamma(of - size + 1)
