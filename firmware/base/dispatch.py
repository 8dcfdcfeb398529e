"""Sends commands to units, from the book that they were written into (command.py).

Promises that a command is published when it has been issued and the broker is there, and again
while its unit has not answered: when the connection comes back, and when its unit is heard of
(which may be minutes or weeks later) and the last time was `AGAIN_S` ago. Saying it again is
harmless: a unit does a command once. A broker that refuses is told as an ERROR.

Does not decide anything, and its failures are not the receiver's.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from firmware.base.command import BookError, CommandBook
from firmware.base.mqtt import Down, Taken, Up
from firmware.base.store import Arrival
from firmware.wire.commands import Command, CommandResult
from firmware.wire.errors import WireError
from firmware.wire.ids import parse_unit
from firmware.wire.records import dump_record, load_record
from firmware.wire.topics import command_topic, parse_status_topic, parse_up_topic

log = logging.getLogger(__name__)

AGAIN_S = 60.0
LOOK_S = 1.0
"""So often somebody else's writing into the book is looked for, while there is a connection."""

_Key = tuple[int, int]  # unit and number


class Link(Protocol):
    """What is needed of a connection to the broker; mqtt.py has it."""

    def order(self, topic: str, payload: bytes) -> int: ...

    def settled(self) -> None: ...


class Dispatcher:
    """Beside the receiver in its loop, on the connection that `use` was last called with."""

    def __init__(
        self, book: CommandBook, now: Callable[[], float], elapsed: Callable[[], float]
    ) -> None:
        self._book, self._now, self._elapsed = book, now, elapsed
        self._link: Link | None = None
        self._up = False
        self._open: dict[_Key, Command] = {}
        self._said_s: dict[_Key, float] = {}
        self._waiting: dict[int, _Key] = {}  # by the message's number in this connection
        self._heard_s: dict[int, float] = {}
        self._look_at_s = elapsed()
        self._stale = True  # the book has what `_open` does not
        self._told = False

    def use(self, link: Link) -> None:
        """A new connection, which is not up yet."""
        self._link, self._up = link, False

    def stored(self, arrivals: Sequence[Arrival]) -> None:
        """The store has committed these: their units are there, and some have answered."""
        for arrival in arrivals:
            unit, answer = _from(arrival)
            if unit is not None:
                self._heard_s[unit] = self._elapsed()
            if answer is not None:
                self._answered(answer)

    def step(self, event: object) -> float | None:
        """Take in the event and send what is due; the seconds until the next look."""
        match event:
            case Up() if event.link is self._link:
                self._up, self._look_at_s = True, self._elapsed()
                self._said_s.clear()
                self._waiting.clear()
            case Down() if event.link is self._link:
                self._link, self._up = None, False
            case Taken() if event.link is self._link:
                self._taken(event)
        if not self._up:
            return None
        try:
            self._look()
            self._send()
            self._told = False
        except (BookError, WireError) as error:
            self._tell(error)
        return LOOK_S

    def _look(self) -> None:
        if self._elapsed() < self._look_at_s:
            return
        self._look_at_s = self._elapsed() + LOOK_S
        self._stale = self._book.changed() or self._stale
        if self._stale:
            issued = self._book.open_commands(self._now())
            self._stale = False
            self._open = {(parse_unit(command.unit), command.number): command for command in issued}

    def _send(self) -> None:
        now_s = self._elapsed()
        for key, command in self._open.items():
            said_s = self._said_s.get(key)
            due = said_s is None or (
                now_s - said_s >= AGAIN_S and self._heard_s.get(key[0], said_s) > said_s
            )
            expired = command.expires_s is not None and command.expires_s <= self._now()
            if due and not expired and self._link is not None:
                self._said_s[key] = now_s
                mid = self._link.order(command_topic(key[0]), dump_record(command))
                self._waiting[mid] = key
                log.info("command_sent unit=%s number=%d action=%s", command.unit, command.number,
                         command.action)  # fmt: skip

    def _taken(self, event: Taken) -> None:
        key = self._waiting.pop(event.mid, None)
        if key is None or self._link is None:
            return
        self._link.settled()
        if event.refused is not None:
            log.error("command_refused number=%d reason=%s", key[1], event.refused)
            return
        try:
            self._book.taken(*key, self._now())
        except BookError as error:
            self._tell(error)

    def _answered(self, answer: CommandResult) -> None:
        key = (parse_unit(answer.unit), answer.number)
        self._open.pop(key, None)
        log.info("command_answered unit=%s number=%d outcome=%s reason=%s",
                 answer.unit, answer.number, answer.outcome, answer.reason)  # fmt: skip
        try:
            self._book.answered(*key)
        except BookError as error:  # then it is said again some time, and answered as before
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            log.error("book_failing error=%s", ascii(str(error)))
        self._told = True


def _from(arrival: Arrival) -> tuple[int | None, CommandResult | None]:
    """Whose message it is, and the answer that it is, if it is one."""
    try:
        if arrival.topic.endswith("/status"):
            return parse_status_topic(arrival.topic), None
        item = parse_up_topic(arrival.topic)
        answer = load_record(arrival.body, CommandResult) if item.kind == "answer" else None
        return item.unit, answer
    except WireError:
        return None, None
