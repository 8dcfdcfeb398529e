"""The receiver's memory of counters: every packet is taken once.

A packet carries the low 16 bits of a 32-bit counter. `counter_of` gives the whole one: the lowest
that ends in these bits and is not more than 63 below the highest seen. `accept` takes each counter
once, and none that is 64 or more below the highest; call it only after the tag held, or a forger
could move the window. One window for each unit, direction and epoch; the receiver persists it.

Does not bridge a gap of 65,473 packets or more that were never heard: a guess is then 65,536 too
low and the tag fails. A receiver may try `counter_of(low16) + 65536 * n`.
"""

from dataclasses import dataclass

from firmware.wire.errors import WireError
from firmware.wire.packet import MAX_COUNTER

WIDTH = 64


class Replayed(WireError):
    """A counter that was taken before, or is too old to know."""


@dataclass(frozen=True)
class ReplayWindow:
    """`highest` counter taken (-1: none); bit n of `seen` says that `highest - n` was taken."""

    highest: int = -1
    seen: int = 0

    def counter_of(self, low16: int) -> int:
        """The whole counter of a packet. Raises WireError past the last counter."""
        if not 0 <= low16 <= 0xFFFF:
            raise WireError(f"counter's low part {low16} is not within 0..65535")
        least = max(0, self.highest - WIDTH + 1)
        counter = least + (low16 - least) % 0x10000
        if counter > MAX_COUNTER:
            raise WireError(f"counter {counter} is past the last: the unit needs a new epoch")
        return counter

    def accept(self, counter: int) -> "ReplayWindow":
        """The window with this counter taken. Raises Replayed."""
        if not 0 <= counter <= MAX_COUNTER:
            raise WireError(f"counter {counter} is not within 0..{MAX_COUNTER}")
        if counter > self.highest:
            step = min(counter - self.highest, WIDTH)
            return ReplayWindow(counter, (self.seen << step | 1) & (1 << WIDTH) - 1)
        age = self.highest - counter
        if age >= WIDTH or self.seen >> age & 1:
            raise Replayed(f"counter {counter} was taken before, or is too old to know")
        return ReplayWindow(self.highest, self.seen | 1 << age)
