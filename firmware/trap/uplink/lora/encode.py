"""From the animal's crop to the two pictures that go on the air, beside the loop.

Encoding a refinement takes seconds on a small Pi, and an alert must not wait for it: a thread does
it, one crop at a time. An encoder promises one `Encoded` for each `start`, at once or as an event.
"""

import threading
from dataclasses import dataclass
from typing import Protocol

from firmware.loop import Events, Stop
from firmware.trap.outbox import Item
from firmware.trap.settings import Lora
from firmware.trap.uplink.picture import PictureError, Refiner, pixels_of, preview
from firmware.wire.ids import ItemId

WEBP, AVIF = "image/webp", "image/avif"


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


class ThreadEncoder:
    """An `Encoder` whose results are events. A bug in it ends the daemon, as one anywhere does."""

    def __init__(self, events: Events, how: Lora) -> None:
        self._events, self._how = events, how
        self._refiner = Refiner(how.avif_speed)

    def start(self, item: Item, *, refinement: bool) -> None:
        """See `Encoder`."""
        work = threading.Thread(
            target=self._work, args=(item, refinement), name="encode", daemon=True
        )
        work.start()

    def _work(self, item: Item, refinement: bool) -> None:
        result: Encoded | Stop = Stop()
        try:
            result = encode(item, self._how, self._refiner, refinement=refinement)
        finally:
            self._events.put(result)


def encode(item: Item, how: Lora, refiner: Refiner, *, refinement: bool) -> Encoded:
    """The pictures of one crop."""
    try:
        image = pixels_of(item.body)
        pictures = [(WEBP, preview(image, how.preview_bytes))]
    except PictureError as error:
        return Encoded(item.id, (), f"the crop {error}")
    better = refiner.refine(image, how.refinement_bytes) if refinement else None
    if better is not None:
        pictures.append((AVIF, better))
    return Encoded(item.id, tuple(pictures))
