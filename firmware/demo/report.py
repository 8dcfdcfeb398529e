"""What happened in a run, from durable things and logs, and the tables that say so.

Promises that `delivered` compares what the capture daemons said they saw with what the base has on
its disk, name by name and hash by hash; nothing is taken from what the uplink believes.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Literal
from urllib.parse import unquote

from rich.box import SIMPLE_HEAD
from rich.table import Table

from firmware.demo.processes import Event
from firmware.trap.outbox import Row

MOST_BURSTS_LISTED = 60

Link = Literal["mqtt", "lora"]


@dataclass(frozen=True)
class Seen:
    """One burst as the capture daemon logged it. `source`: what the camera was shown; `edge_s`:
    unix seconds of the motion."""

    unit: str
    sighting: int
    source: str
    verdict: str
    leopard: float
    frames: int
    edge_s: float = 0.0


@dataclass(frozen=True)
class Trap:
    """One unit's run."""

    unit: str
    triggers: int
    bursts: list[Seen]
    lost_bursts: int
    queued: Sequence[Row]
    stored: Mapping[str, list[str]]  # item -> hashes at the base
    repeats: int
    delays_s: list[float] = field(default_factory=list)
    link: Link = "mqtt"
    stored_s: Mapping[str, float] = field(default_factory=dict)  # item -> when the base had it

    @property
    def expected(self) -> list[str]:
        """Every item that a leopard verdict calls for: the sighting, then its frames; by LoRa,
        then its preview and its better picture."""
        leopards = [seen for seen in self.bursts if seen.verdict == "leopard"]
        return [name for seen in leopards for name in _items_of(seen, self.link)]

    @property
    def missing(self) -> list[str]:
        """Leopard-positive items that the base does not have as they were queued. Pictures for
        LoRa are made of what was queued: of these, the items that the base has not at all."""
        sent = {str(row.id): row.sha256 for row in self.queued}
        return [item for item in self.expected if not self._arrived(item, sent.get(item))]

    def _arrived(self, item: str, sent: str | None) -> bool:
        stored = self.stored.get(item, [])
        return bool(stored) if "-preview-" in item else sent in stored

    @property
    def doubled(self) -> list[str]:
        """Items that the base has more than once."""
        return [item for item, hashes in self.stored.items() if len(hashes) > 1]

    @property
    def delivered(self) -> bool:
        """Whether every leopard-positive item arrived exactly once."""
        return not self.missing and not self.doubled


def read_trap(
    unit: str, pulses: int, capture: Iterable[Event], base: Iterable[Event], queued: Sequence[Row],
    database: Path, link: Link = "mqtt",
) -> Trap:  # fmt: skip
    """One unit's run from the logs of its capture daemon and of the base, its outbox and the
    base's database."""
    bursts, lost = _bursts(unit, capture)
    stored = _stored(database, unit)
    edges_s = {seen.sighting: seen.edge_s for seen in bursts}
    stored_s, repeats = {}, 0
    for event in base:
        item = event.values.get("item", "")
        if item.startswith(f"{unit}-"):
            if event.name == "stored":
                stored_s[item] = event.time_s
            repeats += event.name == "duplicate"
    delays_s = [
        at_s - edges_s[int(item.split("-")[1])]
        for item, at_s in stored_s.items()
        if int(item.split("-")[1]) in edges_s
    ]
    return Trap(unit, pulses, bursts, lost, queued, stored, repeats, delays_s,
                link, stored_s)  # fmt: skip


def summary(traps: Sequence[Trap]) -> Table:
    """A row a trap: was everything delivered, once, and how fast."""
    table = Table(title="Delivered", box=SIMPLE_HEAD, padding=0)
    for name in ("trap", "triggers", "bursts", "leopard", "queued", "stored\nat base", "duplicates",
                 "sent\nagain", "mean s", "worst s"):  # fmt: skip
        table.add_column(name, justify="left" if name == "trap" else "right", overflow="fold")
    for trap in traps:
        delays = trap.delays_s
        table.add_row(
            trap.unit, str(trap.triggers), str(len(trap.bursts)),
            str(sum(seen.verdict == "leopard" for seen in trap.bursts)), str(len(trap.queued)),
            str(len(trap.stored)), str(len(trap.doubled)), str(trap.repeats),
            f"{fmean(delays):.2f}" if delays else "-", f"{max(delays):.2f}" if delays else "-",
        )  # fmt: skip
    table.caption = "mean s, worst s: from the motion edge until the base had committed an item"
    return table


def arrivals(traps: Sequence[Trap]) -> Table:
    """When each leopard's alert and pictures were at the base."""
    table = Table(title="Leopards by LoRa", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("trap", "sighting", "alert", "preview", "refinement"):
        table.add_column(name, justify="left" if name == "trap" else "right")
    for trap in traps:
        for seen in trap.bursts:
            if seen.verdict == "leopard":
                late = [trap.stored_s.get(item) for item in _items_of(seen, "lora")]
                cells = ["-" if at is None else f"{at - seen.edge_s:.1f} s" for at in late]
                table.add_row(trap.unit, str(seen.sighting), *cells)
    table.caption = "from the motion until the base had it; one crop makes both pictures"
    return table


def verdicts(traps: Sequence[Trap]) -> Table:
    """What was shown and what the classifier said: each burst, or counts if there are many."""
    bursts = [seen for trap in traps for seen in trap.bursts]
    table = Table(title="Verdicts", box=SIMPLE_HEAD, pad_edge=False)
    if len(bursts) <= MOST_BURSTS_LISTED:
        for name in ("trap", "sighting", "shown", "verdict", "P(leopard)"):
            table.add_column(name, overflow="fold")
        for seen in bursts:
            table.add_row(seen.unit, str(seen.sighting), seen.source, seen.verdict,
                          f"{seen.leopard:.2f}")  # fmt: skip
    else:
        for name in ("verdict", "bursts"):
            table.add_column(name)
        for verdict, count in Counter(seen.verdict for seen in bursts).most_common():
            table.add_row(verdict, str(count))
    return table


def _items_of(seen: Seen, link: Link) -> list[str]:
    head = f"{seen.unit}-{seen.sighting:06d}"
    if link == "lora":
        return [f"{head}-sighting-0", f"{head}-preview-0", f"{head}-preview-1"]
    return [f"{head}-sighting-0"] + [f"{head}-frame-{n}" for n in range(1, seen.frames + 1)]


def _bursts(unit: str, events: Iterable[Event]) -> tuple[list[Seen], int]:
    bursts: list[Seen] = []
    source, lost = "", 0
    for event in events:
        values = event.values
        if event.name == "shown":
            source = unquote(values["source"])
        elif event.name == "burst_lost":
            lost += 1
        elif event.name == "burst":
            bursts.append(_seen(unit, source, event))
    return bursts, lost


def _seen(unit: str, source: str, burst: Event) -> Seen:
    values = burst.values
    edge_s = burst.time_s - float(values["edge_to_queued_s"])
    return Seen(unit, int(values["sighting"]), source, values["verdict"],
                float(values["leopard"]), int(values["frames"]), edge_s)  # fmt: skip


def _stored(database: Path, unit: str) -> dict[str, list[str]]:
    """What the base has of a unit: item -> hashes. Nothing when the base ended before it had made
    its tables."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
        ) as db:
            items = db.execute(
                "SELECT sighting, kind, idx, sha256 FROM item WHERE unit = ?", (unit,)
            ).fetchall()
    except sqlite3.OperationalError:
        return {}
    stored: dict[str, list[str]] = {}
    for sighting, kind, index, sha256 in items:
        stored.setdefault(f"{unit}-{sighting:06d}-{kind}-{index}", []).append(sha256)
    return stored
