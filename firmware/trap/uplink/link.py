"""What the uplink daemon needs of a link, and what it hears from one.

A link promises: `open` returns at once, and each session that it opens ends in exactly one `Down`,
before or after an `Up`; what happens on it comes as events of that session. It does not promise
that anything sent arrives, nor that a silent link is dead: only `Answer` means something.
"""

from dataclasses import dataclass
from typing import Protocol

from firmware.trap.outbox import Item


class LinkRefused(Exception):
    """The link cannot carry this item as things are; another time it may."""


@dataclass(frozen=True)
class Up:
    """The session is open: items may be sent, and answers will be heard."""

    session: int


@dataclass(frozen=True)
class Down:
    """The session is over, or never came to be. `denied`: trying again will not help by itself."""

    session: int
    reason: str
    denied: bool = False


@dataclass(frozen=True)
class Refused:
    """What `send` gave this token for was turned away and has not been delivered."""

    session: int
    token: int
    reason: str


@dataclass(frozen=True)
class Unheard:
    """What `send` gave this token for reached a broker that has nobody to give it to: no receipt
    will come of it."""

    session: int
    token: int


@dataclass(frozen=True)
class Answer:
    """The base says something about an item: a receipt record, not yet looked at."""

    session: int
    payload: bytes


@dataclass(frozen=True)
class Ordered:
    """The base commands something: a command record, not yet looked at. It comes again with a later
    session unless `forget` is called."""

    session: int
    token: int
    payload: bytes


LinkEvent = Up | Down | Refused | Unheard | Answer


class Link(Protocol):
    """One way to the base."""

    def open(self) -> int:
        """Begin a new session, give up an old one, and return the new one's number."""

    def send(self, item: Item) -> int:
        """Hand over the item; the token names it in `Refused` and `Unheard`. Raises LinkRefused, or
        WireError for an item that no session will ever carry."""

    def forget(self, ordered: Ordered) -> None:
        """The command is kept, or never will be: it need not come again."""

    def close(self, until_s: float | None = None) -> None:
        """Say goodbye, for good or until then (unix seconds), and end the session; may take a few
        seconds. `open` may follow."""
