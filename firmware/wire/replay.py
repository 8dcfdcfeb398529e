"""The receiver's memory of counters: every packet is taken once.

A packet carries the low 16 bits of a 32-bit counter. `counter_of` gives the whole one: the lowest
that ends in these bits and is not more than 63 below the highest seen. `accept` takes each counter
once, and none that is 64 or more below the highest; call it only after the tag held, or a forger
could move the window. One window for each unit, direction and epoch; the receiver persists it.

After a gap of 65,473 packets or more that were never heard (each restart of a sender is one of up
to 256), or with a memory that was lost, `counter_of` is too low by a multiple of 65,536 and the tag
fails; `guesses` gives those too, for packets whose tag is long enough to be tried against many.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from firmware.wire.errors import WireError
from firmware.wire.packet import MAX_COUNTER

WIDTH = 64
GAPS = 16
"""Guesses for one packet: a million packets that nobody heard, or 4,000 restarts."""


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

    def guesses(self, low16: int, count: int = GAPS) -> Iterator[int]:
        """The counters that a packet may have, the likeliest first; none past the last one."""
        least = max(0, self.highest - WIDTH + 1)
        first = least + (low16 - least) % 0x10000
        yield from range(first, min(first + count * 0x10000, MAX_COUNTER + 1), 0x10000)

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
