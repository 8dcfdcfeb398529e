"""Pictures on their way: from the outbox's crop to two objects on the air, and their receipts.

Promises
- A picture that is begun lives in the state with all its bytes, and its outbox item is put off for
  as long as the outbox lets it; so a reboot goes on with the next symbol. (A state that is lost
  costs airtime: the daemon lets the item go again.) The item is stored when the base has the
  preview, and the refinement too or given up.
- At most `HELD` are begun at once. A new sighting's preview makes room for itself: the oldest
  refinement is given up, or the oldest preview goes back to the outbox.
- An unanswered poll puts all pictures off, at doubling intervals until the base is heard.

Does not decide what goes first; see `policy.py`.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from firmware.trap.outbox import Item
from firmware.trap.outbox_claim import LONGEST_WAIT_S
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.air import Air
from firmware.trap.uplink.lora.encode import Encoded, Encoder
from firmware.trap.uplink.lora.job import Fate, Job, Sending
from firmware.trap.uplink.lora.policy import What, least_wanted, symbol_size
from firmware.trap.uplink.lora.queue import Queue
from firmware.trap.uplink.lora.state import State
from firmware.trap.uplink.lora.transfer import Frame, Transfer
from firmware.trap.uplink.schedule import backoff_s
from firmware.wire.ids import ItemId
from firmware.wire.objects import (
    CODE_RLC,
    MANIFEST_BYTES,
    SYMBOL_HEAD_BYTES,
    Done,
    Manifest,
    ManifestWanted,
    Need,
    ObjectRefused,
    Symbol,
    digest_of,
    pack_manifest,
    pack_symbol,
)
from firmware.wire.packet import MANIFEST, SYMBOL
from firmware.wire.rlc import MOST_SYMBOLS, source_count
from firmware.wire.rlc import Encoder as Code

log = logging.getLogger(__name__)

PRIORITIES = (2, 2)
HELD = 6
MOST_SYMBOL_BYTES = 255
AGAIN_S = 3600.0
_KINDS: tuple[What, What] = ("preview", "refinement")


@dataclass(frozen=True)
class PictureFrame:
    """The next frame of an item's object at `place`."""

    item: ItemId
    place: int
    frame: Frame
    port: int
    payload_bytes: int


class Pictures:
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
        jobs: tuple[Job, ...],
    ) -> None:
        self._queue, self._state, self._air, self._how = queue, state, air, how
        self._encoder, self._now, self._rng = encoder, now, rng
        self._jobs = {job.item: job for job in jobs}
        self._codes: dict[int, Code] = {}
        self._encoding: Item | None = None
        self._ready: Encoded | None = None
        self._silences = 0
        self._due_s = 0.0
        self._loose, self._refinement = True, True  # a job is over; the last answer to `tend`
        self.counts: Counter[str] = Counter()

    def begun(self) -> set[ItemId]:
        """The items that are on their way."""
        return set(self._jobs)

    # From the outbox into the state

    def claim(self, *, refinement: bool) -> bool:
        """Take the next crop out of the outbox and have it encoded. Whether it is, at once."""
        if self._encoding is not None:
            return False
        full = len(self._jobs) >= HELD
        for item in self._queue.claim(self._now(), 1, None, PRIORITIES, fresh=full):
            job = self._jobs.get(item.id)
            if job is not None:  # its wait was over before we were
                wait_s = LONGEST_WAIT_S if job.sha256 == item.sha256 else AGAIN_S
                self._queue.later(item.id, self._now() + wait_s)
            elif item.id.kind != "preview":
                self._queue.rejected(item.id, f"a {item.id.kind} does not go over LoRa")
            else:
                self._encoding = item
                self._ready = self._encoder.start(item, refinement=refinement)
        return self._ready is not None

    def put_back(self) -> None:
        """The process ends: the crop being encoded is due again."""
        if self._encoding is not None:
            self._queue.later(self._encoding.id, self._now())

    def encoded(self, result: Encoded) -> None:
        """The encoder is done."""
        if self._encoding is not None and self._encoding.id == result.item:
            self._ready = result

    def tend(self, *, refinement: bool = True) -> None:
        """Finish what the card did not let us finish before; without `refinement`, this data rate
        carries none, and those whose preview is over are given up."""
        if self._ready is None and not self._loose and refinement == self._refinement:
            return
        if self._ready is not None and self._encoding is not None:
            self._begin(self._encoding, self._ready)
            self._encoding = self._ready = None
        for job in list(self._jobs.values()):
            if job.place == 1 and not refinement:
                self._keep(self._ended(job, 1, "given_up"))
            if self._jobs[job.item].place is None:
                self._settle(self._jobs[job.item])
        self._loose, self._refinement = False, refinement

    def _begin(self, item: Item, result: Encoded) -> None:
        if not result.pictures:
            self._queue.rejected(item.id, f"no picture for the air: {result.why}")
            return
        cut = [self._cut(item.id, *found) for found in enumerate(result.pictures)]
        objects = tuple(sending for sending in cut if sending is not None)
        if cut[0] is None:  # at this data rate; another time there may be a faster one
            self._queue.later(item.id, self._now() + AGAIN_S)
            return
        while len(self._jobs) >= HELD:
            self._make_room()
        job = Job(item.id, item.sha256, objects)
        self._state.begin(job)
        self._jobs[item.id] = job
        self._queue.later(item.id, self._now() + LONGEST_WAIT_S)
        sizes = " ".join(str(len(sending.data)) for sending in objects)
        log.info("picture_begun item=%s bytes=%r", item.id, sizes)

    def _cut(self, item: ItemId, index: int, picture: tuple[str, bytes]) -> Sending | None:
        """The object, cut into symbols as long as the air takes; None where that is too many."""
        content_type, data = picture
        most = min(self._air.payload_bytes(SYMBOL) - SYMBOL_HEAD_BYTES, MOST_SYMBOL_BYTES)
        size = symbol_size(len(data), most, MOST_SYMBOLS)
        if size is None or self._air.payload_bytes(MANIFEST) < MANIFEST_BYTES:
            return None
        manifest = Manifest(
            self._state.next_object(), item.sighting, index, content_type, len(data), size,
            CODE_RLC, digest_of(data),
        )  # fmt: skip
        return Sending(manifest, data, Transfer.begin(source_count(len(data), size)))

    def _make_room(self) -> None:
        jobs = list(self._jobs.values())
        job = jobs[least_wanted([(job.item.sighting, job.shown) for job in jobs])]
        if job.shown:
            if job.place is not None:
                self._keep(self._ended(job, job.place, "given_up"))
            self._settle(self._jobs[job.item])
            return
        self._state.end(job.item)
        del self._jobs[job.item]
        self._queue.retry(job.item)
        self.counts["pictures_put_back"] += 1

    # What goes on the air

    def wants(
        self, *, preview: bool, refinement: bool
    ) -> Iterator[tuple[What, PictureFrame, float]]:
        """(what, which, due) of each picture's next frame. One whose turn it is not has had no
        answer to its last poll, and asks again."""
        for job in list(self._jobs.values()):
            place = job.place
            if place is None or not (preview, refinement)[place]:
                continue
            sending = self._fitting(job, place)
            if sending is None:
                continue
            frame = sending.transfer.frame() or Frame(poll=True)
            port, size = _size(sending.manifest, frame)
            yield _KINDS[place], PictureFrame(job.item, place, frame, port, size), self._due_s

    def _fitting(self, job: Job, place: int) -> Sending | None:
        """The object, cut anew where the data rate has changed or its symbols have run out."""
        sending = job.objects[place]
        fits = sending.manifest.symbol_bytes + SYMBOL_HEAD_BYTES <= self._air.payload_bytes(SYMBOL)
        if fits and not sending.transfer.exhausted:
            return sending
        again = self._cut(
            job.item, sending.manifest.index, (sending.manifest.content_type, sending.data)
        )
        if again is not None:
            changed = job.with_object(place, again)
            self._state.begin(changed)
            self._jobs[job.item] = changed
        elif place == 1:
            self._keep(self._ended(job, place, "given_up"))
        return again

    def payload(self, which: PictureFrame) -> bytes:
        """What goes on the air."""
        sending = self._jobs[which.item].objects[which.place]
        if which.frame.manifest:
            return pack_manifest(sending.manifest)
        number, at = sending.manifest.object, which.frame.index
        if at is None:
            return pack_symbol(Symbol(number, 0, True, b""))
        return pack_symbol(Symbol(number, at, which.frame.poll, self._code(sending).symbol(at)))

    def _code(self, sending: Sending) -> Code:
        manifest = sending.manifest
        if manifest.object not in self._codes:
            if len(self._codes) > 2 * HELD:
                self._codes.clear()
            code = Code(sending.data, manifest.symbol_bytes, manifest.digest)
            self._codes[manifest.object] = code
        return self._codes[manifest.object]

    def after(self, which: PictureFrame) -> tuple[Job, int]:
        """The job as it is once this frame was sent."""
        job = self._jobs[which.item]
        sending = job.objects[which.place]
        moved = Sending(sending.manifest, sending.data, sending.transfer.sent(), sending.fate)
        return job.with_object(which.place, moved), which.place

    def went(self, job: Job) -> None:
        """The state has it so: its frame is going out."""
        self._jobs[job.item] = job

    # What comes back

    def unanswered(self, at_s: float) -> None:
        """A poll was sent and nothing came in time."""
        self._silences += 1
        self._due_s = at_s + backoff_s(
            self._silences, self._how.retry_least_s, self._how.retry_most_s, self._rng
        )

    def heard(self, at_s: float) -> None:
        """The base is there."""
        self._silences, self._due_s = 0, min(self._due_s, at_s)

    def receipt(self, entry: Done | Need | ManifestWanted | ObjectRefused) -> bool:
        """Take in what the base says of an object; False when we know of none."""
        found = self._find(entry.object)
        if found is None:
            return False
        job, place = found
        transfer = job.objects[place].transfer
        match entry:
            case Done():
                self._keep(self._ended(job, place, "done"))
            case ObjectRefused():
                self._keep(self._ended(job, place, "given_up"))
            case Need(_, symbols):
                lacks = min(symbols, transfer.count)
                self._move(job, place, transfer.need(lacks))
            case ManifestWanted(_, held):
                self._move(job, place, transfer.manifest_wanted(held))
        self.tend(refinement=self._refinement)
        return True

    def object_of(self, which: PictureFrame) -> int | None:
        """The number of the object that the frame is of."""
        job = self._jobs.get(which.item)
        return None if job is None else job.objects[which.place].manifest.object

    def _find(self, number: int) -> tuple[Job, int] | None:
        for job in self._jobs.values():
            place = job.place_of(number)
            if place is not None and job.objects[place].fate == "going":
                return job, place
        return None

    def _ended(self, job: Job, place: int, fate: Fate) -> Job:
        self.counts[f"{_KINDS[place]}s_{fate}"] += 1
        manifest = job.objects[place].manifest
        log.info("object_%s item=%s index=%d bytes=%d symbols=%d", fate, job.item, place,
                 manifest.length, job.objects[place].transfer.next_index)  # fmt: skip
        return job.ended(place, fate)

    def _move(self, job: Job, place: int, transfer: Transfer) -> None:
        self._keep(job.with_object(place, replace(job.objects[place], transfer=transfer)))

    def _keep(self, job: Job) -> None:
        self._state.progress(job)
        self._jobs[job.item] = job
        self._loose = True

    def _settle(self, job: Job) -> None:
        if job.shown:
            self._queue.stored(job.item, job.sha256)
        else:
            self._queue.rejected(job.item, "the base refuses the picture", job.sha256)
        self._state.end(job.item)
        del self._jobs[job.item]


def _size(manifest: Manifest, frame: Frame) -> tuple[int, int]:
    if frame.manifest:
        return MANIFEST, MANIFEST_BYTES
    return SYMBOL, SYMBOL_HEAD_BYTES + (manifest.symbol_bytes if frame.index is not None else 0)
