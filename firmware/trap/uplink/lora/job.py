"""A picture on its way over the air: one item of the outbox as one or two objects.

Object 0 is the preview, object 1 (if there is one) the refinement. The outbox's item ends as stored
when the preview is done and the refinement is done or given up. Pure.
"""

from dataclasses import dataclass, replace
from typing import Literal

from firmware.trap.uplink.lora.transfer import Transfer
from firmware.wire.ids import ItemId
from firmware.wire.objects import Manifest

Fate = Literal["going", "done", "given_up"]


@dataclass(frozen=True)
class Sending:
    """One object: what it is, its bytes, how far it has come, and how it ended."""

    manifest: Manifest
    data: bytes
    transfer: Transfer
    fate: Fate = "going"


@dataclass(frozen=True)
class Job:
    """`item` and `sha256` name the outbox's item; `objects` are in the order in which they go."""

    item: ItemId
    sha256: str
    objects: tuple[Sending, ...]

    @property
    def place(self) -> int | None:
        """Of the object that goes now; None when nothing is left to send."""
        for at, sending in enumerate(self.objects):
            if sending.fate == "going":
                return at
        return None

    @property
    def shown(self) -> bool:
        """Whether the base has the preview."""
        return self.objects[0].fate == "done"

    def place_of(self, number: int) -> int | None:
        """Of the object with this number."""
        for at, sending in enumerate(self.objects):
            if sending.manifest.object == number:
                return at
        return None

    def with_object(self, place: int, sending: Sending) -> "Job":
        """With this object in place of the one there."""
        objects = (*self.objects[:place], sending, *self.objects[place + 1 :])
        return Job(self.item, self.sha256, objects)

    def ended(self, place: int, fate: Fate) -> "Job":
        """With this object at its end; without a preview there is no point in a refinement."""
        job = self.with_object(place, replace(self.objects[place], fate=fate))
        if place == 0 and fate == "given_up":
            for later in range(1, len(self.objects)):
                job = job.with_object(later, replace(job.objects[later], fate="given_up"))
        return job
