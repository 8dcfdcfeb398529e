"""The outboxes of a unit's links, as the capture daemon fills them.

Promises that a burst's alert is in every outbox before anything else of it is put, and that an
outbox which fails (full, read-only, corrupt beyond repair) keeps nothing from the other one. Over
LoRa goes, beside the alert, one crop of the animal, and never a picture with people on it.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Literal

from PIL import Image

from firmware.trap.capture.camera import Rgb
from firmware.trap.capture.policy import Burst, Put, items, preview
from firmware.trap.outbox import Outbox, OutboxError, State
from firmware.trap.settings import TrapSettings
from firmware.wire.ids import OF_SIGHTINGS

LinkName = Literal["mqtt", "lora"]
CROP_SIDE, CROP_QUALITY = 640, 85


class Queues:
    """By link. `encrypted`: whether the MQTT link hides what it carries."""

    def __init__(
        self, outboxes: Mapping[LinkName, Outbox], now: Callable[[], float], *, encrypted: bool
    ) -> None:
        self._outboxes, self._now, self._encrypted = outboxes, now, encrypted

    @classmethod
    @contextmanager
    def of(cls, settings: TrapSettings, now: Callable[[], float]) -> Iterator["Queues"]:
        """Those that the settings have links for."""
        unit, most_bytes = settings.unit, settings.outbox.max_mb * 10**6
        outboxes: dict[LinkName, Outbox] = {}
        with ExitStack() as stack:
            if settings.mqtt is not None:
                outboxes["mqtt"] = stack.enter_context(Outbox(unit.outbox, most_bytes))
            if settings.lora is not None:
                outboxes["lora"] = stack.enter_context(Outbox(unit.lora_outbox, most_bytes))
            encrypted = settings.mqtt is not None and settings.mqtt.encrypted
            yield cls(outboxes, now, encrypted=encrypted)

    def put(
        self,
        burst: Burst,
        table: Mapping[str, tuple[str, ...]],
        crop: Callable[[], bytes | None],
        queued: Callable[[], object] = lambda: None,
    ) -> dict[LinkName, OutboxError]:
        """Everything of a burst, each item committed in its turn; what failed. Again with the same
        burst changes nothing. `crop` gives the animal's JPEG and is asked only after the alerts;
        `queued` is called when all the alerts that can be are in."""
        broadband = "mqtt" in self._outboxes
        puts = items(burst, table, encrypted=self._encrypted, broadband=broadband)
        failed: dict[LinkName, OutboxError] = {}
        for link in self._outboxes:
            self._put(link, puts[:1], failed)
        queued()
        if puts and "lora" in self._outboxes and "lora" not in failed:
            self._put("lora", preview(burst, crop), failed)
        if "mqtt" in self._outboxes and "mqtt" not in failed:
            self._put("mqtt", puts[1:], failed)
        return failed

    def ids(self, *states: State) -> set[int]:
        """Sightings of which something is in one of these states, of all without any. Raises
        OutboxError."""
        found = (item for outbox in self._outboxes.values() for item in outbox.ids(*states))
        return {item.sighting for item in found if item.kind in OF_SIGHTINGS}

    def _put(self, link: LinkName, puts: list[Put], failed: dict[LinkName, OutboxError]) -> None:
        outbox = self._outboxes[link]
        try:
            for put in puts:
                outbox.put(put.id, put.body, put.content_type, put.priority, self._now())
        except OutboxError as error:
            failed[link] = error


def crop_jpeg(pixels: Rgb | None) -> bytes | None:
    """A crop as a JPEG of at most `CROP_SIDE` pixels a side, made of pixels and nothing else."""
    if pixels is None:
        return None
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((CROP_SIDE, CROP_SIDE), Image.Resampling.LANCZOS)
    image.save(file, "JPEG", quality=CROP_QUALITY)
    return file.getvalue()
