"""From the animal's crop to the two pictures that go on the air, beside the loop.

Encoding a refinement takes seconds on a small Pi, and an alert must not wait for it: a thread does
it, one crop at a time. An encoder promises one `Encoded` for each `start`, at once or as an event.
"""

from dataclasses import dataclass
from typing import Protocol

from firmware.trap.outbox import Item
from firmware.wire.ids import ItemId


@dataclass(frozen=True)
class Encoded:
    """The pictures of an item as (content type, bytes), preview first. Without any: why."""

    item: ItemId
    pictures: tuple[tuple[str, bytes], ...]
    why: str = ""


class Encoder(Protocol):
    """Makes pictures for the air."""

    def start(self, item: Item, *, refinement: bool) -> Encoded | None:
        """Begin on the item's crop; with `refinement`, both pictures. The result, or None when it
        will come as an event."""
