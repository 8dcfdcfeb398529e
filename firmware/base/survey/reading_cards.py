"""A card's sightings into the store, beside what came by radio.

Promises that nothing is stored twice: an item is known by its name and its bytes, and a record that
came by radio stands, since the card knows no more. A few sightings are one commit, so an import
that was cut short is simply started again, and the second one tells the same as one that was not.
What the radio had missed stays on record (`road` in the survey's observations).

Pictures of empty bursts stay on the card unless asked for: they are most of it. Their records are
taken, because they say that the unit worked.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from firmware.base.admission import Limits, Message, Refused, admit
from firmware.base.store import Arrival, Store
from firmware.base.survey.book import Survey
from firmware.base.survey.card import (
    CardError,
    Folder,
    Kept,
    folders,
    frames,
    read_file,
    read_verdict,
)
from firmware.base.survey.derive import CARD_JSON
from firmware.base.survey.reading import Reader
from firmware.base.survey.statements import EMPTY, PEOPLE, CardRead, PeopleSeen, Statement
from firmware.wire.ids import ItemId, Kind, parse_unit
from firmware.wire.picture import pack_picture
from firmware.wire.records import dump_record
from firmware.wire.topics import up_topic

TOGETHER = 50  # sightings whose records are one commit
UNKNOWN = "unknown"  # the verdict of a sighting that a power cut left half written

log = logging.getLogger(__name__)

Progress = Callable[[Sequence[Folder], int], Iterable[Folder]]


@dataclass
class Brought:
    """What a card held and what of it was new. `missed`: the sightings of which no record had come
    by radio; `on_card` and `new_pictures` count; `bad`: files that could not be read or taken."""

    on_card: Counter[str] = field(default_factory=Counter)
    missed: list[Kept] = field(default_factory=list)
    new_pictures: int = 0
    bad: list[str] = field(default_factory=list)


def read_card(
    card: Path, survey: Survey, store: Store, limits: Limits, who: str, now_s: float,
    *, empties: bool = False, progress: Progress = lambda folders, _: folders,
) -> Brought:  # fmt: skip
    """Take everything in. Raises StoreError, after which it may be called again."""
    importer = _Importer(survey, store, limits, who, now_s, empties)
    found: list[Folder] = []
    for one in folders(card):
        if isinstance(one, CardError):
            importer.warn(one)
        else:
            found.append(one)
    with Reader(survey.data_dir) as reader:
        waiting: list[Folder] = []
        for folder in progress(found, len(found)):
            waiting.append(folder)
            if len(waiting) == TOGETHER:
                importer.take(waiting, reader)
                waiting = []
        importer.take(waiting, reader)
    brought = importer.brought
    if found:
        survey.state(
            [CardRead(str(card.resolve())[:500], len(found), len(brought.missed),
                      brought.new_pictures, len(brought.bad))],
            who, now_s,
        )  # fmt: skip
    return brought


class _Importer:
    """One run over one card."""

    def __init__(
        self, survey: Survey, store: Store, limits: Limits, who: str, now_s: float, empties: bool
    ) -> None:
        self._survey, self._store, self._limits = survey, store, limits
        self._who, self._now_s, self._empties = who, now_s, empties
        self.brought = Brought()

    def warn(self, problem: Exception | str) -> None:
        """One bad thing, told once."""
        self.brought.bad.append(str(problem))
        log.warning("card_bad what=%s", problem)

    def take(self, some: Sequence[Folder], reader: Reader) -> None:
        """Some sightings: their records, what these say of people, and only then the pictures."""
        kept: dict[Folder, Kept] = {}
        for folder in some:
            try:
                kept[folder] = read_verdict(folder)
            except CardError as error:
                self.warn(error)
        self._take_records(kept, reader)
        self._note(list(kept.values()), reader)
        for folder in some:
            label = kept[folder].record.species if folder in kept else UNKNOWN
            self.brought.on_card[label] += 1
            if label != EMPTY or self._empties:
                self._take_pictures(folder)

    def _take_records(self, kept: Mapping[Folder, Kept], reader: Reader) -> None:
        """Those of which no record has come yet."""
        arrivals = []
        for folder, one in kept.items():
            if _known(one, reader) is None:
                try:
                    arrival = self._admitted(folder, "sighting", 0, dump_record(one.record))
                    arrivals.append(replace(arrival, content_type=CARD_JSON))
                except CardError as error:
                    self.warn(error)
        if arrivals:
            self._store.put(arrivals)
            self._survey.catch_up()

    def _note(self, kept: Sequence[Kept], reader: Reader) -> None:
        """What the radio had missed, and on which pictures there are people."""
        seen: list[Statement] = []
        for one in kept:
            known = _known(one, reader)
            if known is None:
                continue  # refused above, and told
            number, road = known
            if road == "card":
                self.brought.missed.append(one)
            beside = one.people and one.record.species not in PEOPLE
            if beside and not reader.people_seen(number):
                seen.append(PeopleSeen(number))
        self._survey.state(seen, self._who, self._now_s)

    def _take_pictures(self, folder: Folder) -> None:
        arrivals = []
        try:
            for index, path in frames(folder):
                try:
                    body = read_file(path, self._limits.max_item_bytes)
                    arrivals.append(
                        self._admitted(folder, "frame", index, pack_picture(body, "image/jpeg"))
                    )
                except CardError as error:
                    self.warn(error)
        except CardError as error:
            self.warn(error)
        if arrivals:
            outcomes = self._store.put(arrivals)
            self.brought.new_pictures += sum(outcome != "duplicate" for outcome in outcomes)

    def _admitted(self, folder: Folder, kind: Kind, index: int, payload: bytes) -> Arrival:
        """As if it had come by radio. Raises CardError."""
        item = ItemId(parse_unit(folder.unit), folder.sighting, kind, index)
        try:
            return admit(Message(up_topic(item), payload), self._now_s, self._limits)
        except Refused as error:
            raise CardError(f"{folder.path}: {item} cannot be taken: {error}") from error


def _known(one: Kept, reader: Reader) -> tuple[int, str] | None:
    record = one.record
    return reader.record_of(record.unit, record.sighting, record.time_s)
