"""What is done about a verdict: which items go into the outbox, and in which order.

Promises that the alert comes first, and that a picture with a person or vehicle on it goes only
over an encrypted link. Pure: bytes in, items out.

    alert    the sighting record
    frames   the same record, then the pictures of the burst
    count    nothing is sent; the archive keeps the verdict, as it does for every burst

The record has the values that its 24 bytes for LoRa can say, so that it is the same bytes on every
road and the base knows it again. Over LoRa, for a leopard with nobody beside it, a crop follows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from firmware.trap.capture.verdict import LEOPARD, Verdict
from firmware.wire.alert import on_air
from firmware.wire.ids import ItemId, parse_unit
from firmware.wire.records import Clock, Sighting, dump_record

ALERT_PRIORITY = {LEOPARD: 0}
OTHER_ALERT_PRIORITY = 1
FRAME_PRIORITY = {LEOPARD: 2}
OTHER_FRAME_PRIORITY = 3
PREVIEW_PRIORITY = 2
RECORD_TYPE, FRAME_TYPE = "application/json", "image/jpeg"


@dataclass(frozen=True)
class Burst:
    """One burst as the outbox and the archive need it. `time_s`: of the edge, by the unit's
    clock of quality `clock`; `jpegs`: the files as the camera gave them; `model`: its id."""

    unit: str
    sighting: int
    time_s: float
    clock: Clock
    night: bool
    jpegs: Sequence[bytes]
    verdict: Verdict
    model: str


@dataclass(frozen=True)
class Put:
    """One item for the outbox."""

    id: ItemId
    body: bytes
    content_type: str
    priority: int


def items(
    burst: Burst,
    table: Mapping[str, tuple[str, ...]],
    *,
    encrypted: bool,
    broadband: bool = True,
) -> list[Put]:
    """What to put, in order, the alert first. A verdict without a row in the table gets nothing;
    without `broadband` there is no link for frames."""
    actions = table.get(burst.verdict.label, ())
    hidden = not broadband or (burst.verdict.people and not encrypted)
    pictures = list(burst.jpegs) if "frames" in actions and not hidden else []
    if not broadband and "frames" in actions:
        actions = (*actions, "alert")
    if "alert" not in actions and not pictures:
        return []
    record = dump_record(_sighting(burst, len(pictures)))
    label = burst.verdict.label
    alert = ALERT_PRIORITY.get(label, OTHER_ALERT_PRIORITY)
    frame = FRAME_PRIORITY.get(label, OTHER_FRAME_PRIORITY)
    unit = parse_unit(burst.unit)
    head = Put(ItemId(unit, burst.sighting, "sighting"), record, RECORD_TYPE, alert)
    return [head] + [
        Put(ItemId(unit, burst.sighting, "frame", number), jpeg, FRAME_TYPE, frame)
        for number, jpeg in enumerate(pictures, 1)
    ]


def preview(burst: Burst, crop: Callable[[], bytes | None]) -> list[Put]:
    """The crop for LoRa, where there is one and it may go."""
    shown = burst.verdict.label == LEOPARD and not burst.verdict.people
    jpeg = crop() if shown else None
    if jpeg is None:
        return []
    item = ItemId(parse_unit(burst.unit), burst.sighting, "preview")
    return [Put(item, jpeg, FRAME_TYPE, PREVIEW_PRIORITY)]


def _sighting(burst: Burst, frames: int) -> Sighting:
    seen = Sighting(
        unit=burst.unit,
        sighting=burst.sighting,
        time_s=max(burst.time_s, 0.0),
        species=burst.verdict.label,
        confidence=burst.verdict.confidence,
        individuals=burst.verdict.individuals,
        burst_frames=len(burst.jpegs),
        night=burst.night,
        clock=burst.clock,
        model=burst.model,
        frames=frames,
        people=burst.verdict.people,
    )
    return on_air(seen)
