"""Frames lost for no reason that the channel knows: a share of them, evenly or in bursts.

Promises the share in the long run; says nothing about any single frame.
"""

import random
from collections.abc import Callable
from typing import Literal

LossKind = Literal["independent", "bursty"]
Lost = Callable[[], bool]
"""Asked once a frame: is this one lost?"""

MEAN_BURST = 4.0


def frame_loss(
    rng: random.Random, share: float, kind: LossKind = "independent", mean_burst: float = MEAN_BURST
) -> Lost:
    """`independent`: each frame alone. `bursty`: a Gilbert-Elliott channel that loses everything
    while bad, for `mean_burst` frames on average, and nothing while good."""
    if not 0 <= share < 1:
        raise ValueError(f"loss {share} is outside 0..1")
    if kind == "independent":
        return lambda: rng.random() < share
    if kind != "bursty":
        raise ValueError(f"loss kind {kind!r} is not `independent` or `bursty`")
    return _Bursty(rng, share, mean_burst)


class _Bursty:
    """Two states, stepped once a frame; it starts in either with its long-run share."""

    def __init__(self, rng: random.Random, share: float, mean_burst: float) -> None:
        # Bad for so long that going bad would have to be more likely than certain: longer bursts.
        mean_burst = max(mean_burst, share / (1 - share))
        self._rng = rng
        self._recovers = 1 / mean_burst
        self._fails = share / (1 - share) / mean_burst
        self._bad = rng.random() < share

    def __call__(self) -> bool:
        lost = self._bad
        if self._rng.random() < (self._recovers if self._bad else self._fails):
            self._bad = not self._bad
        return lost
