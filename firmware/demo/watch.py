"""Waits for a demo to finish, and shows what happens meanwhile.

Promises an end: delivered, failed (a daemon has ended that should not have, or nothing has moved
for too long), or interrupted. Looks at processes, logs and outboxes only; judges no delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from firmware import loop
from firmware.demo.processes import Child
from firmware.trap.outbox import Outbox

POLL_S = 0.25
PATIENCE_S = 120.0
OUTBOX_BYTES = 2 * 10**9

Outcome = Literal["delivered", "failed", "interrupted"]


@dataclass(frozen=True)
class Unit:
    """A virtual unit's processes and its outbox file."""

    id: str
    outbox: Path
    uplink: Child
    capture: Child


def outbox_of(unit: Unit) -> Outbox:
    """The unit's outbox, open; a context manager."""
    return Outbox(unit.outbox, OUTBOX_BYTES)


def watch(
    servers: Sequence[Child], units: Sequence[Unit], told: Child | None, console: Console,
    events: loop.Events,
) -> Outcome:  # fmt: skip
    """Until all captures have ended and their outboxes are empty, or `Stop` interrupts. What `told`
    (the base) stores meanwhile is shown item by item."""
    watcher = _Watcher(servers, units, told, console, events)
    loop.run(watcher.step, events)
    return watcher.outcome


class _Watcher:
    def __init__(
        self,
        servers: Sequence[Child],
        units: Sequence[Unit],
        told: Child | None,
        console: Console,
        events: loop.Events,
    ) -> None:
        self.outcome: Outcome = "interrupted"
        self._units, self._console, self._events = units, console, events
        self._daemons = [*servers, *(unit.uplink for unit in units)]
        self._shown = dict.fromkeys((unit.id for unit in units), 0)
        self._told, self._told_count = told, 0
        self._moved: list[int] = []
        self._still_s = 0.0

    def step(self, event: Any | None) -> float:
        """One look at everything."""
        for unit in self._units:
            self._show(unit)
        self._show_stored()
        captures = [unit.capture for unit in self._units]
        dead = [child for child in self._daemons if not child.alive]
        dead += [child for child in captures if child.process.poll()]
        if dead:
            self._end("failed", f"{dead[0].name} has ended: {dead[0].last_line()}")
        elif not any(child.alive for child in captures) and all(map(_is_empty, self._units)):
            self._end("delivered")
        elif self._stood_still():
            self._end("failed", f"nothing has moved for {PATIENCE_S:.0f} s")
        return POLL_S

    def _stood_still(self) -> bool:
        children = [*self._daemons, *(unit.capture for unit in self._units)]
        moved = [child.log.stat().st_size for child in children]
        self._still_s = self._still_s + POLL_S if moved == self._moved else 0.0
        self._moved = moved
        return self._still_s > PATIENCE_S

    def _show(self, unit: Unit) -> None:
        bursts = [e for e in unit.capture.events() if e.name in ("burst", "burst_lost")]
        for event in bursts[self._shown[unit.id] :]:
            values = event.values
            if event.name == "burst":
                self._console.print(
                    f"{unit.id} burst {values['sighting']}: {values['verdict']} "
                    f"(P(leopard) {values['leopard']}), {values['edge_to_queued_s']} s after motion"
                )
            else:
                self._console.print(f"{unit.id} burst lost: the camera gave no readable picture")
        self._shown[unit.id] = len(bursts)

    def _show_stored(self) -> None:
        if self._told is None:
            return
        stored = [event.values for event in self._told.events() if event.name == "stored"]
        for values in stored[self._told_count :]:
            self._console.print(f"  {values['item']} is at the base, {values['bytes']} bytes")
        self._told_count = len(stored)

    def _end(self, outcome: Outcome, complaint: str = "") -> None:
        self.outcome = outcome
        if complaint:
            self._console.print(complaint, style="bold red", soft_wrap=True)
        self._events.put(loop.Stop())


def _is_empty(unit: Unit) -> bool:
    with outbox_of(unit) as outbox:
        items = outbox.stats().items
    return not items["waiting"] and not items["sending"]
