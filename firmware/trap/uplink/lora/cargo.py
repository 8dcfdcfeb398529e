"""All that wants to go on the air: alerts, pictures and notes under one roof.

Brings their frames into one shape, takes from the outbox what may go at this moment, and hands the
base's receipts to whom they concern. Which frame goes first is `policy.py`'s business, and when it
goes `uplink.py`'s.
"""

import logging
import math
import random
from collections.abc import Callable, Iterator

from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.air import Air
from firmware.trap.uplink.lora.alerts import AlertFrame, Alerts
from firmware.trap.uplink.lora.encode import Encoder
from firmware.trap.uplink.lora.job import Job
from firmware.trap.uplink.lora.notes import NoteFrame, Notes
from firmware.trap.uplink.lora.pictures import PictureFrame, Pictures
from firmware.trap.uplink.lora.policy import Candidate, Moment, pictures_allowed, pictures_ever
from firmware.trap.uplink.lora.queue import Queue
from firmware.trap.uplink.lora.state import State
from firmware.wire.objects import Entry, Rejected, Stored
from firmware.wire.packet import SIGHTING

log = logging.getLogger(__name__)

LOOK_S = 30.0
"""How soon to look again for what is due and could not be taken."""

Which = AlertFrame | PictureFrame | NoteFrame


class Cargo:
    """Times are ledger time but for `now`, which is the outbox's."""

    def __init__(
        self,
        queue: Queue,
        state: State,
        air: Air,
        how: Lora,
        encoder: Encoder,
        now: Callable[[], float],
        rng: random.Random,
        battery_mv: Callable[[], int | None],
        jobs: tuple[Job, ...],
    ) -> None:
        self._queue, self._air, self._how, self._now = queue, air, how, now
        self._battery_mv = battery_mv
        self.alerts = Alerts(queue, how, now, rng)
        self.pictures = Pictures(queue, state, air, how, encoder, now, rng, jobs)
        self.notes = Notes(queue, now)

    def tend(self) -> None:
        """What the card or the data rate has left to finish."""
        self.pictures.tend(refinement=pictures_ever(self._how, self._air.spreading_factor)[1])

    def claim(self, at_s: float) -> float:
        """Take from the outbox what may go; when to look again, unless something happens."""
        self.alerts.claim(at_s)
        preview, refinement = pictures_allowed(self._how, self._moment())
        while preview and self.pictures.claim(refinement=refinement):
            self.tend()
        self.notes.claim(at_s)
        due_s = self._queue.next_due_s(self._now())
        look_s = math.inf if due_s is None else at_s + (due_s or LOOK_S)
        probe_s = self.alerts.next_s()
        return look_s if probe_s is None or probe_s <= at_s else min(look_s, probe_s)

    def put_back(self) -> None:
        """There is no air: nothing is being sent."""
        self.alerts.put_back()
        self.notes.put_back()

    def candidates(self, gap_until_s: float) -> Iterator[Candidate[Which]]:
        """Every frame that wants to go; pictures and notes leave the gap."""
        air = self._air
        for what, alert, size, due_s in self.alerts.wants():
            airtime_s = air.airtime_s(SIGHTING, size)
            yield Candidate(what, alert, airtime_s, alert.sighting, due_s)
        for what, note, since_s in self.notes.wants():
            airtime_s = air.airtime_s(note.port, len(note.payload))
            yield Candidate(what, note, airtime_s, due_s=gap_until_s, waits_since_s=since_s)
        preview, refinement = pictures_allowed(self._how, self._moment())
        if not preview:
            return
        for what, picture, due_s in self.pictures.wants(preview=preview, refinement=refinement):
            airtime_s = air.airtime_s(picture.port, picture.payload_bytes)
            due_s = max(due_s, gap_until_s)
            yield Candidate(what, picture, airtime_s, picture.item.sighting, due_s)

    def load(self, which: Which) -> tuple[int, bytes, tuple[Job, int] | None]:
        """(port, payload, what it moves on in the state) of a frame."""
        match which:
            case AlertFrame():
                return SIGHTING, self.alerts.payload(which), None
            case NoteFrame(port, payload):
                return port, payload, None
            case PictureFrame():
                return which.port, self.pictures.payload(which), self.pictures.after(which)

    def sent(self, which: Which) -> None:
        """The frame was on the air."""
        if isinstance(which, AlertFrame):
            self.alerts.sent(which)
        elif isinstance(which, NoteFrame):
            self.notes.sent(which)

    def refused(self, which: Which, due_s: float) -> None:
        """The modem did not take the frame; not again before `due_s`."""
        if isinstance(which, AlertFrame):
            self.alerts.refused(which, due_s)

    def unanswered(self, which: Which, at_s: float) -> None:
        """The frame asked, and no answer came in time."""
        if isinstance(which, AlertFrame):
            self.alerts.unanswered(which, at_s)
        elif isinstance(which, PictureFrame):
            self.pictures.unanswered(at_s)

    def receipt(self, entry: Entry) -> bool:
        """What the base says; False where it is about nothing that we know."""
        if isinstance(entry, Stored | Rejected):
            return self.alerts.receipt(entry)
        return self.pictures.receipt(entry)

    def waits_for(self, which: Which) -> bool:
        """Whether an answer to this frame is still of use: a late one may have come meanwhile."""
        if isinstance(which, AlertFrame):
            return self.alerts.is_out(which)
        return isinstance(which, PictureFrame) and self.pictures.object_of(which) is not None

    def answers(self, entry: Entry, asked: Which) -> bool:
        """Whether that is the answer to what this frame asked. Ask before `receipt`."""
        if isinstance(entry, Stored | Rejected):
            return asked == AlertFrame(entry.sighting)
        return isinstance(asked, PictureFrame) and self.pictures.object_of(asked) == entry.object

    def heard(self, at_s: float) -> None:
        """The base is there."""
        self.alerts.heard(at_s)
        self.pictures.heard(at_s)

    def _moment(self) -> Moment:
        hour = self._now() % 86400 / 3600
        return Moment(self._air.spreading_factor, self._battery_mv(), hour)


def asks(which: Which) -> bool:
    """Whether the base answers this frame."""
    return isinstance(which, AlertFrame) or (isinstance(which, PictureFrame) and which.frame.poll)
