"""Who and what: unit ids and item ids, in text form.

A unit is `T0001`..`TFFFF` (u16, hexadecimal). A sighting number is a u32 that a unit never uses
twice: its upper 12 bits are the provisioning epoch (a re-flashed card gets the next one), its
lower 20 bits count. An item is one thing to deliver: `T0007-000123-frame-1`.

A health report's and an answer's number are no sighting's: an answer has its command's, a report
its own, and both rise with the clock (`rising`), so that who has lost the last one goes on above.

Does not promise that an item exists anywhere; only that its name is well formed.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from firmware.wire.errors import WireError

Kind = Literal["sighting", "preview", "frame", "health", "summary", "answer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OF_SIGHTINGS: tuple[Kind, ...] = ("sighting", "preview", "frame")
"""Of these kinds, the number of an item is a sighting's."""

EPOCH_BITS = 12
COUNT_BITS = 20
MAX_SIGHTING = 2**32 - 1
MAX_INDEX = 255

_UNIT = re.compile(r"T([0-9A-F]{4})", re.ASCII)
_ITEM = re.compile(r"(T[0-9A-F]{4})-([0-9]{6,10})-([a-z]+)-(0|[1-9][0-9]{0,2})", re.ASCII)


def parse_unit(text: str) -> int:
    """`T0007` -> 7. Raises WireError for anything but T0001..TFFFF."""
    match = _UNIT.fullmatch(text)
    if match is None or int(match[1], 16) == 0:
        raise WireError(f"unit id {text[:20]!r} is not T0001..TFFFF")
    return int(match[1], 16)


def format_unit(unit: int) -> str:
    """7 -> `T0007`. Raises WireError outside 1..65535."""
    if not 0 < unit <= 0xFFFF:
        raise WireError(f"unit number {unit} is not within 1..65535")
    return f"T{unit:04X}"


def first_sighting(epoch: int) -> int:
    """The first sighting number of a provisioning epoch (0..4095)."""
    if not 0 <= epoch < 2**EPOCH_BITS:
        raise WireError(f"epoch {epoch} is not within 0..{2**EPOCH_BITS - 1}")
    return epoch << COUNT_BITS


def rising(last: int, now_s: float) -> int:
    """The number after `last` (0: none is known): unix seconds, or one more where the clock is
    behind. Raises WireError when no u32 is left."""
    number = max(last + 1, int(now_s))
    if number > MAX_SIGHTING:
        raise WireError(f"no number is left after {last}: has a clock been wrong by decades?")
    return number


@dataclass(frozen=True, order=True)
class ItemId:
    """One thing to deliver. `sighting` is the number of the command or report where the item is no
    part of a sighting. `index` counts the frames of a sighting; 0 for single items."""

    unit: int
    sighting: int
    kind: Kind
    index: int = 0

    def __post_init__(self) -> None:
        format_unit(self.unit)
        if not 0 <= self.sighting <= MAX_SIGHTING:
            raise WireError(f"sighting number {self.sighting} is not a u32")
        if self.kind not in KINDS:
            raise WireError(f"item kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if not 0 <= self.index <= MAX_INDEX:
            raise WireError(f"item index {self.index} is not within 0..{MAX_INDEX}")

    def __str__(self) -> str:
        return f"{format_unit(self.unit)}-{self.sighting:06d}-{self.kind}-{self.index}"

    @classmethod
    def parse(cls, text: str) -> "ItemId":
        """The inverse of `str`. Raises WireError; accepts the canonical form only."""
        match = _ITEM.fullmatch(text)
        if match is None:
            raise WireError(f"item id {text[:40]!r} is not like T0007-000123-frame-1")
        kind = next((k for k in KINDS if k == match[3]), None)
        if kind is None:
            raise WireError(f"item kind {match[3][:20]!r} is not one of {', '.join(KINDS)}")
        item = cls(parse_unit(match[1]), int(match[2]), kind, int(match[4]))
        if str(item) != text:
            raise WireError(f"item id {text[:40]!r} is not in canonical form ({item})")
        return item
