"""Child processes of the demo: started apart from the terminal's signals, ended without remains.

Promises that `Children.stop` leaves none of them: SIGTERM to all, five seconds, then SIGKILL.
Each writes its log to a file of its own, which is also how the demo reads what happened: a line of
`event key=value` is an interface.
"""

import datetime
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_TIMEOUT_S = 5.0
_PAIR = re.compile(r"([a-z_]+)=(\S*)")
_LINE = re.compile(r"(?P<at>\S+ \S+)Z (?P<level>[A-Z]+) (?P<event>[a-z_]+)(?P<rest>.*)")


@dataclass(frozen=True)
class Event:
    """One line of a log."""

    name: str
    level: str
    time_s: float
    values: dict[str, str]


@dataclass
class Child:
    """One process and its log."""

    name: str
    command: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes]
    _events: list[Event] = field(default_factory=list)
    _read_bytes: int = 0

    def events(self) -> Sequence[Event]:
        """Every event it has logged so far, over all its lives; not the line it is writing."""
        with self.log.open("rb") as file:
            file.seek(self._read_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole + newline)
        self._events += _parse(whole.decode(errors="replace"))
        return self._events

    def last_line(self) -> str:
        """The end of its log, which says why it has ended."""
        return (self.log.read_text(errors="replace").splitlines() or ["it said nothing"])[-1]

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None


@dataclass
class Children:
    """All processes of one run."""

    directory: Path
    all: list[Child] = field(default_factory=list)

    def start(self, name: str, *arguments: str) -> Child:
        """Run `python -m <arguments>` with its log in the directory."""
        command = (sys.executable, "-m", *arguments)
        log = self.directory / f"{name}.log"
        child = Child(name, command, log, _spawn(command, log))
        self.all.append(child)
        return child

    def restart(self, child: Child) -> None:
        """Start a dead child again, as systemd would."""
        child.process = _spawn(child.command, child.log)

    def stop(self) -> None:
        """End them all, last started first."""
        for child in reversed(self.all):
            if child.alive:
                child.process.send_signal(signal.SIGTERM)
        for child in self.all:
            try:
                child.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def _parse(log: str) -> Iterator[Event]:
    for line in log.splitlines():
        if match := _LINE.fullmatch(line):
            at = datetime.datetime.fromisoformat(f"{match['at']}+00:00")
            values = dict(_PAIR.findall(match["rest"]))
            yield Event(match["event"], match["level"], at.timestamp(), values)


def _spawn(command: tuple[str, ...], log: Path) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C reaches the demo alone and it can end in order."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
