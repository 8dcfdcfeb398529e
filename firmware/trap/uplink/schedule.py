"""How long to wait after failures. Pure: the random numbers come in."""

import random

_MOST_DOUBLINGS = 40  # far past any cap; keeps 2**n a sane float


def backoff_s(failures: int, least_s: float, most_s: float, rng: random.Random) -> float:
    """The wait after so many failures in a row (1 or more): `least_s`, doubled with each, at most
    `most_s`; of that a random part between half and all, so that the units that one broker's fall
    cut off do not come back in the same second."""
    doublings = min(max(failures, 1) - 1, _MOST_DOUBLINGS)
    return min(least_s * 2.0**doublings, most_s) * rng.uniform(0.5, 1.0)
