"""One unit of a simulated fleet: the real LoRa uplink on virtual ports.

At data rates that never carry a picture none is put into the outbox, where it would only wait.
The pictures are random bytes of realistic size, for nobody looks at them; encoding takes `ENCODE_S`
of virtual time, an assumption for a small Pi. An event is in the outbox the moment it is seen: what
the capture daemon needs from the PIR's edge to its commit is not in the latencies.
"""

import hashlib
import math
import random
from functools import partial
from pathlib import Path
from typing import Any

from firmware.fleet.scenario import Site
from firmware.fleet.unit_air import UnitAir
from firmware.fleet.virtual_radio import Log, VirtualRadio
from firmware.radio.settings import LOW_TO_HZ
from firmware.sim.ether import Ether
from firmware.sim.timeline import Timeline
from firmware.trap.outbox import Item
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.air import Up
from firmware.trap.uplink.lora.encode import Encoded
from firmware.trap.uplink.lora.memory import MemoryQueue, MemoryState
from firmware.trap.uplink.lora.policy import pictures_ever
from firmware.trap.uplink.lora.uplink import LoraUplink
from firmware.wire.alert import on_air
from firmware.wire.ids import ItemId, Kind, format_unit
from firmware.wire.packet import Keys
from firmware.wire.records import Sighting, dump_record

EPOCH_S = 1_800_000_000.0  # unix time at the start of the timeline
ENCODE_S = 5.0
TURN_S = 0.001  # of the loop; in no time at all, a wait too short to count would never end
ALERT_PRIORITY, PREVIEW_PRIORITY = 0, 2


def settings_of(site: Site, region: str) -> Lora:
    """The config file that such a unit would have."""
    low = site.tuning.frequency_hz < LOW_TO_HZ
    tuning = site.tuning
    return Lora(
        port=Path("/dev/null"), region=region, variant="L" if low else "H",
        frequency_hz=tuning.frequency_hz, spreading_factor=tuning.modulation.spreading_factor,
        power_dbm=tuning.power_dbm, key_file=Path("/dev/null"),
        licensed=True,  # what the law wants beside airtime and power is not simulated
    )  # fmt: skip


def pictures_due(how: Lora) -> tuple[bool, bool]:
    """Whether (previews, refinements) are sent at this unit's data rate at all."""
    return pictures_ever(how, how.spreading_factor)


class Unit:
    """Put up and switched on."""

    def __init__(
        self, site: Site, region: str, keys: Keys, ether: Ether, timeline: Timeline, log: Log,
        rng: random.Random,
    ) -> None:  # fmt: skip
        self.site, self.how = site, settings_of(site, region)
        self._timeline, self._rng = timeline, rng
        self._queue = MemoryQueue()
        self._wakes = 0
        air = UnitAir(site.unit, self.how, keys)
        air.radio = self._radio = VirtualRadio(
            site.name, site.unit, site.tuning, ether, timeline, log, self._poke
        )
        self._uplink = LoraUplink(
            self._queue, MemoryState(rng.randrange(0x10000)), air, self.how, self, self._now,
            timeline.monotonic, rng, idle_s=math.inf,
        )  # fmt: skip
        timeline.at(timeline.monotonic(), partial(self._poke, Up()))

    @property
    def airtime_s(self) -> float:
        """Sent so far."""
        return self._radio.airtime_s

    @property
    def waiting(self) -> bool:
        """Whether anything is left to deliver."""
        return len(self._queue) > 0

    def see(self, number: int) -> None:
        """A leopard: an alert and the animal's crop, as capture puts them into the outbox, whose
        bell wakes the daemon."""
        sighting = on_air(Sighting(
            format_unit(self.site.unit), number, self._now(), "leopard", self._rng.random(), 1, 3,
            night=True, clock="gps", model="00000000",
        ))  # fmt: skip
        self._put("sighting", number, dump_record(sighting), "application/json", ALERT_PRIORITY)
        if pictures_due(self.how)[0]:
            crop = b"crop %d" % number
            self._put("preview", number, crop, "image/jpeg", PREVIEW_PRIORITY)
        self._timeline.at(self._timeline.monotonic(), self._poke)

    def start(self, item: Item, *, refinement: bool) -> None:
        """See `Encoder`: the pictures come as an event."""
        sizes = [("image/webp", self.how.preview_bytes)]
        if refinement:
            sizes.append(("image/avif", self.how.refinement_bytes))
        pictures = tuple(
            (kind, _noise(f"{item.id} {place}", int(most * self._rng.uniform(0.8, 1.0))))
            for place, (kind, most) in enumerate(sizes)
        )
        done = Encoded(item.id, pictures)
        self._timeline.at(self._timeline.monotonic() + ENCODE_S, partial(self._poke, done))

    def _put(self, kind: Kind, number: int, body: bytes, content_type: str, priority: int) -> None:
        item = ItemId(self.site.unit, number, kind)
        self._queue.put(item, body, content_type, priority, self._now())

    def _now(self) -> float:
        return EPOCH_S + self._timeline.monotonic()

    def _poke(self, event: Any = None) -> None:
        """One turn of the daemon's loop."""
        due_s = self._uplink.step(event)
        self._wakes += 1
        if due_s is not None:
            at_s = self._timeline.monotonic() + max(due_s, TURN_S)
            self._timeline.at(at_s, partial(self._wake, self._wakes))

    def _wake(self, wakes: int) -> None:
        """Unless something has happened since."""
        if wakes == self._wakes:
            self._poke()


def _noise(name: str, size: int) -> bytes:
    return hashlib.shake_128(name.encode()).digest(size)
