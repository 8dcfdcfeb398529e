"""Detection rates per 100 trap-nights, with 95 % intervals that say how they were made. Pure.

    bootstrap   over deployments: 2000 resamples, with the events and nights of each. Animals come
                in runs and cameras differ, which this interval shows and a Poisson one does not;
                with events at fewer than 5 deployments it would be too narrow
    poisson     exact (Garwood): then
    none        below one trap-night there is no rate

The same input gives the same interval: the resampling starts from a fixed seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
LEAST_PLACES = 5
LEAST_NIGHTS = 1.0
RESAMPLES = 2000
PER_NIGHTS = 100.0


@dataclass(frozen=True)
class Rate:
    """Events per 100 trap-nights. `method`: poisson, bootstrap or none."""

    events: int
    nights: float
    rate: float
    low: float
    high: float
    method: str


def detection_rate(events: Sequence[int], nights: Sequence[float]) -> Rate:
    """The rate over deployments, of each its number of events and its trap-nights."""
    total, effort = sum(events), float(sum(nights))
    if effort < LEAST_NIGHTS:
        return Rate(total, effort, 0.0, 0.0, 0.0, "none")
    if sum(e > 0 and n > 0 for e, n in zip(events, nights, strict=True)) >= LEAST_PLACES:
        low, high = _bootstrap(np.asarray(events, float), np.asarray(nights, float))
        method = "bootstrap"
    else:
        low, high = (bound / effort for bound in poisson_interval(total))
        method = "poisson"
    per = PER_NIGHTS
    return Rate(total, effort, total / effort * per, low * per, high * per, method)


def poisson_interval(count: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a Poisson mean after `count` events."""
    from scipy.special import gammaincinv

    tail = (1 - level) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))


def _bootstrap(
    events: np.ndarray[tuple[int], np.dtype[np.float64]],
    nights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> tuple[float, float]:
    events, nights = events[nights > 0], nights[nights > 0]
    chosen = np.random.default_rng(1).integers(0, len(nights), (RESAMPLES, len(nights)))
    rates = events[chosen].sum(axis=1) / nights[chosen].sum(axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(rates, (tail, 1 - tail))
    return float(low), float(high)
