"""Who passes in front of a virtual camera, and how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal[
    "leopard", "tiger", "deer", "wild_boar", "fox", "raccoon_dog", "hare", "human", "empty"
]
KINDS: tuple[Kind, ...] = (
    "leopard", "tiger", "deer", "wild_boar", "fox", "raccoon_dog", "hare", "human", "empty",
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """One passage in front of a camera; `empty` is a branch swaying in the wind."""

    kind: Kind
    individual: int = 0
    distance_m: float = 4.0
    start_x: float = 0.5  # where the body's middle is at first, as a share of the frame's width
    heading: Literal["left", "right"] = "right"
    speed_m_s: float = 0.9
    yaw_deg: float = 0.0  # positive: walks away from the camera, negative: towards it

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is unknown; use one of {', '.join(KINDS)}")
        if not 1.2 <= self.distance_m <= 30:
            raise ValueError(f"distance_m {self.distance_m} is outside 1.2..30")
        if abs(self.yaw_deg) > 60:
            raise ValueError(f"yaw_deg {self.yaw_deg} is outside -60..60")

    @property
    def flank(self) -> str:
        return self.heading


def visitors(
    rng: np.random.Generator, leopards: int = 4, leopard_share: float = 0.4
) -> Iterator[Visit]:
    """Endless plausible visits to one camera: a few known leopards among prey, people and wind."""
    others = tuple(kind for kind in KINDS if kind != "leopard")
    weights = np.array([0.06 if kind in ("tiger", "human") else 0.16 for kind in others])
    while True:
        kind: Kind = "leopard"
        if rng.random() >= leopard_share:
            kind = others[rng.choice(len(others), p=weights / weights.sum())]
        heading: Literal["left", "right"] = "left" if rng.random() < 0.5 else "right"
        start_x = rng.uniform(0.25, 0.55)
        yield Visit(
            kind,
            int(rng.integers(leopards if kind == "leopard" else 1000)),
            distance_m=float(rng.uniform(2.6, 7.0)),
            start_x=float(start_x if heading == "right" else 1 - start_x),
            heading=heading,
            speed_m_s=float(rng.uniform(0.5, 1.2)),
            yaw_deg=float(rng.uniform(-30, 30)),
        )
