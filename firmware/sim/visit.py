"""Who passes in front of a virtual camera, and how."""

from dataclasses import dataclass
from typing import Literal

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
