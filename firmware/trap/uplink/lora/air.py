"""What the LoRa uplink needs of the air, and what it hears from it.

An air promises: what `take` gives as `Heard` comes from the base, and has not been given before
(point to point by our tags and replay window, on LoRaWAN by the network's); each `send` ends as one
`Sent` or `NotSent` with its token, unless a `Down` comes first. It does not promise that anything
sent arrives, and keeps no account of airtime: who sends does.
"""

from dataclasses import dataclass
from typing import Any, Protocol


class AirRefused(Exception):
    """The air cannot carry it now, and nothing was sent: why."""


@dataclass(frozen=True)
class Up:
    """Frames may be sent, and will be heard."""


@dataclass(frozen=True)
class Down:
    """No radio, or no network; `Up` comes by itself when there is one."""

    reason: str


@dataclass(frozen=True)
class Sent:
    """The payload that `send` got this token for was in the air until just now."""

    token: int


@dataclass(frozen=True)
class NotSent:
    """It was not, or nobody knows."""

    token: int
    reason: str


@dataclass(frozen=True)
class Heard:
    """The base said this on this port."""

    port: int
    payload: bytes


@dataclass(frozen=True)
class Ignored:
    """Something was heard that is not for us, or not from the base: why, in one word."""

    why: str


AirEvent = Up | Down | Sent | NotSent | Heard | Ignored


class Air(Protocol):
    """One way through the air. `limit_s`: airtime allowed in any hour, infinite where there is no
    such law; `window_s`: so long after `Sent` an answer may still be heard; `answer_s`: so long
    after one a second may, at once behind it."""

    limit_s: float
    window_s: float
    answer_s: float

    @property
    def spreading_factor(self) -> int:
        """Of what is sent now."""

    def payload_bytes(self, port: int) -> int:
        """The longest payload that can go on this port now; 0 for none."""

    def airtime_s(self, port: int, payload_bytes: int) -> float:
        """How long such a payload is on the air, everything around it included."""

    def send(self, port: int, payload: bytes, token: int) -> None:
        """Returns at once. Raises AirRefused."""

    def take(self, event: Any) -> AirEvent | None:
        """What an event of the loop means; None when it is nothing of the air's."""

    def close(self) -> None:
        """Lets go of the modem."""
