"""A commander on a bench: real orders file, archive and outbox in a folder; clocks set by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware.trap.capture.archive import Archive
from firmware.trap.capture.policy import Burst
from firmware.trap.capture.verdict import Verdict
from firmware.trap.commands.commander import Commander, Means
from firmware.trap.commands.orders import Orders, OrdersFile
from firmware.trap.outbox import Outbox
from firmware.wire.commands import Action, Command, CommandResult
from firmware.wire.records import Clock, dump_record, load_record

NOW_S = 1_800_000_000
LABELS = ("leopard", "tiger", "other")


def order(number: int, action: Action = "unmute", **arguments: Any) -> Command:
    return Command("T0007", number, action, NOW_S, **arguments)


def archived(folder: Path, sighting: int, *, people: bool = False, frames: int = 3) -> list[bytes]:
    """The pictures of a sighting that is on the card."""
    jpegs = [b"\xff\xd8 picture %d of %d" % (number, sighting) for number in range(frames)]
    verdict = Verdict("human" if people else "deer", 0.9, 0.1, people=people)
    burst = Burst("T0007", sighting, float(NOW_S), "ntp", False, jpegs, verdict, "0a1b2c3d")
    Archive(folder / "archive", 0, lambda: ()).store(burst)
    return jpegs


class Rig:
    """`rebooted` counts; `start` is what a restart of the process does."""

    def __init__(self, folder: Path, **means: Any) -> None:
        self.folder = folder
        self.now_s, self.clock_s = float(NOW_S), 50.0
        self.clock: Clock = "ntp"
        self.rebooted = 0
        self.outbox = Outbox(folder / "outbox.sqlite", 10**8)
        self.means = replace(
            Means(folder / "archive", self.outbox, False, lambda: LABELS, self._reboot), **means
        )
        self.start()

    def start(self) -> None:
        self.file = OrdersFile(self.folder)
        self.commander = Commander(
            "T0007", self.file, self.means, lambda: self.now_s, lambda: self.clock_s,
            lambda: self.clock,
        )  # fmt: skip

    def close(self) -> None:
        self.outbox.close()

    def hear(self, command: Command) -> CommandResult:
        """By MQTT; the answer that the file keeps then."""
        assert self.commander.hear_json(dump_record(command))
        answer = self.orders.answer(command.number)
        assert answer is not None
        return answer

    def run(self, seconds: float) -> None:
        """Step the commander whenever it wants to be."""
        end_s = self.clock_s + seconds
        for _ in range(1000):
            due_s = self.commander.step()
            if self.clock_s + due_s > end_s:
                self.now_s += end_s - self.clock_s
                self.clock_s = end_s
                return
            self.clock_s += due_s
            self.now_s += due_s
        raise AssertionError("the commander spins")

    @property
    def orders(self) -> Orders:
        return self.file.read()

    def sent(self, kind: str) -> list[str]:
        """Items of a kind in the outbox, in order."""
        return [str(row.id) for row in self.outbox.rows() if row.id.kind == kind]

    def answers(self) -> list[CommandResult]:
        """What the base will hear."""
        self.outbox.retry()
        items = self.outbox.claim(self.now_s, 1000)
        found = [load_record(i.body, CommandResult) for i in items if i.id.kind == "answer"]
        for item in items:
            self.outbox.later(item.id, self.now_s)
        return sorted(found, key=lambda answer: answer.number)

    def _reboot(self) -> None:
        self.rebooted += 1


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    return fail
