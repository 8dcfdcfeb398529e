"""`rosette base command`: a person's words into a command, and its unit's answer into a line.

Promises that words which no unit would obey are told at once, and that a line about a command says
what became of it. Waits only as long as it is told to.
"""

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware import loop
from firmware.base.command import WHY, CommandBook, Issued, find_issued
from firmware.wire.commands import (
    INTERVAL_LEAST_S,
    INTERVAL_MOST_S,
    LEOPARD_LEAST,
    LEOPARD_MOST,
    MUTE_MOST_S,
    Action,
    Command,
)

LOOK_S = 0.2
CONFIGS = "config"
"""In place of a value: as the unit's config has it."""
USAGE: dict[Action, str] = {
    "frame": "SIGHTING [PICTURE]",
    "threshold": f"LABEL PROBABILITY|{CONFIGS}",
    "interval": f"DURATION|{CONFIGS}",
    "reboot": "",
    "mute": "DURATION",
    "unmute": "",
}
_SIGHTING = re.compile(r"(?:T[0-9A-F]{4}-)?([0-9]{1,10})", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class BadWords(ValueError):
    """Words that are no command; what would be."""


def arguments(action: Action, words: tuple[str, ...]) -> dict[str, Any]:
    """The command's arguments. Raises BadWords."""
    match action, words:
        case "frame", (sighting,):
            return {"sighting": _sighting(sighting)}
        case "frame", (sighting, picture) if picture.isdecimal():
            return {"sighting": _sighting(sighting), "index": int(picture)}
        case "threshold", (label, value):
            return {"label": label, "value": None if value == CONFIGS else _probability(value)}
        case "interval", (duration,):
            return {"seconds": None if duration == CONFIGS else seconds(duration)}
        case "mute", (duration,):
            return {"seconds": seconds(duration)}
        case (("reboot" | "unmute"), ()):
            return {}
    raise BadWords(f"give it as: {action} {USAGE[action]}".rstrip())


def seconds(text: str) -> int:
    """`90`, `90s`, `5m`, `2h` or `7d`. Raises BadWords."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise BadWords(f"{text!r} is no duration such as 90s, 30m, 12h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def check(command: Command) -> None:
    """Raises BadWords for a command that every unit refuses."""
    if not command.in_range:
        raise BadWords(
            f"out of range: leopard's threshold is {LEOPARD_LEAST}..{LEOPARD_MOST}, an interval "
            f"{INTERVAL_LEAST_S} s to {INTERVAL_MOST_S // 86400}d, a mute at most "
            f"{MUTE_MOST_S // 86400}d"
        )


def give(
    data_dir: Path,
    unit: str,
    action: Action,
    words: tuple[str, ...],
    now_s: float,
    valid_s: float,
) -> Command:
    """The command, kept and numbered; the receiver sends it. Raises BadWords, WireError (both:
    nothing was kept) and BookError."""
    told = arguments(action, words)
    check(Command(unit, 1, action, 0, **told))
    with CommandBook(data_dir) as book:
        return book.issue(unit, action, told, now_s, valid_s)


def wait_for(
    data_dir: Path, command: Command, elapsed: Callable[[], float], wait_s: float, *, answer: bool
) -> Issued:
    """How it stands when the unit has answered (or, without `answer`, when the broker has taken
    it), or when the time is over or somebody interrupts. Raises BookError."""
    events, until_s = loop.Events(), elapsed() + wait_s
    found: list[Issued] = []

    def step(event: object) -> float:
        issued = find_issued(data_dir, command)
        found[:] = [issued]
        done = issued.answer is not None or (issued.taken and not answer)
        if done or elapsed() >= until_s:
            events.put(loop.Stop())
        return LOOK_S

    with loop.stop_on_signals(events):
        loop.run(step, events)
    return found[0] if found else find_issued(data_dir, command)


def text(issued: Issued) -> str:
    """One line about a command."""
    command = issued.command
    given = datetime.datetime.fromtimestamp(command.issued_s, datetime.UTC)
    told = (command.label, command.value, command.seconds, command.sighting, command.index)
    words = " ".join([command.action, *(f"{word}" for word in told if word is not None)])
    return f"{given:%Y-%m-%dT%H:%M:%SZ}  {command.unit} {command.number}  {words}: {_state(issued)}"


def _state(issued: Issued) -> str:
    if issued.answer is None:
        return "sent, no answer yet" if issued.taken else "not sent yet"
    answer = issued.answer
    why = f": {WHY[answer.reason]}" if WHY[answer.reason] else ""
    clock = " (the unit does not know the time)" if answer.expiry_ignored else ""
    return f"{answer.outcome}{why}{clock}"


def _sighting(text: str) -> int:
    match = _SIGHTING.fullmatch(text)
    if match is None:
        raise BadWords(f"{text!r} is no sighting's number such as 123 or T0007-000123")
    return int(match[1])


def _probability(text: str) -> float:
    try:
        return round(float(text), 3)
    except ValueError as error:
        raise BadWords(f"{text!r} is no probability such as 0.6") from error
