"""What is said once and not answered: health reports, and answers to commands.

A health report that has been on the air is over, heard or not: the next one says the same and
more, and a receipt for it would cost the base's airtime. It is the one kind of item that does not
end by a receipt. Of several that wait, the newest goes and the others are over with it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from firmware.trap.outbox import Item
from firmware.trap.outbox_claim import LEAST_IMPORTANT
from firmware.trap.uplink.lora.policy import What
from firmware.trap.uplink.lora.queue import Queue
from firmware.wire.errors import WireError
from firmware.wire.health import Health, pack_health
from firmware.wire.packet import COMMAND, HEALTH
from firmware.wire.records import load_record

PRIORITIES = (3, LEAST_IMPORTANT)
AT_ONCE = 16
ANSWERS = 8


@dataclass(frozen=True)
class NoteFrame:
    """A payload for a port, and the items that are over once it was on the air."""

    port: int
    payload: bytes
    items: tuple[Item, ...] = ()


class Notes:
    """`since_s` of a report is when we took it, in ledger time."""

    def __init__(self, queue: Queue, now: Callable[[], float]) -> None:
        self._queue, self._now = queue, now
        self._report: tuple[NoteFrame, float] | None = None
        self._answers: deque[NoteFrame] = deque(maxlen=ANSWERS)

    def claim(self, at_s: float) -> None:
        """Take the reports that wait."""
        if self._report is not None:
            return
        good: list[tuple[Item, bytes]] = []
        for item in self._queue.claim(self._now(), AT_ONCE, None, PRIORITIES):
            try:
                if item.id.kind != "health":
                    raise WireError(f"a {item.id.kind} is no health report")
                good.append((item, pack_health(load_record(item.body, Health))))
            except WireError as error:
                self._queue.rejected(item.id, f"cannot be sent over LoRa: {error}")
        if good:
            good.sort(key=lambda found: found[0].id.sighting)
            items = tuple(item for item, _ in good)
            self._report = NoteFrame(HEALTH, good[-1][1], items), at_s

    def answer(self, payload: bytes) -> None:
        """Say this soon, once; the oldest of too many is forgotten, as its command comes again."""
        self._answers.append(NoteFrame(COMMAND, payload))

    def wants(self) -> Iterator[tuple[What, NoteFrame, float]]:
        """(what, which, since when) of each."""
        if self._answers:
            yield "answer", self._answers[0], 0.0
        if self._report is not None:
            yield "health", *self._report

    def sent(self, frame: NoteFrame) -> None:
        """It was on the air."""
        for item in frame.items:
            self._queue.stored(item.id, item.sha256)
        if self._report is not None and self._report[0] is frame:
            self._report = None
        if self._answers and self._answers[0] is frame:
            self._answers.popleft()

    def put_back(self) -> None:
        """There is no air: the reports are due again at once."""
        if self._report is None:
            return
        for item in self._report[0].items:
            self._queue.later(item.id, self._now())
        self._report = None
