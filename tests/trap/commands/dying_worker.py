"""Commanders that die: `python -m tests.trap.commands.dying_worker MODE FOLDER`, JSON on stdout.

`kill`: a process hears one command after another, each time to be killed one durable step later
than the last (before and after each write of the orders, each put into the outbox, each reboot);
then it comes again, as the broker would have it. `crowd`: four processes hear the same commands at
once, each in an order of its own.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.trap.commands import orders
from firmware.trap.outbox import Outbox
from firmware.wire.commands import Command
from tests.trap.commands.rig import Rig, archived, order

CROWD, COMMANDS = 4, 24


class Doom:
    """Kills the process at a durable step; `left` before it."""

    def __init__(self) -> None:
        self.left = -1

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def doomed(*arguments: Any, **named: Any) -> Any:
            self._step()
            result = call(*arguments, **named)
            self._step()
            return result

        return doomed

    def _step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def reboot_into(log: Path) -> Callable[[], None]:
    def reboot() -> None:
        with log.open("a") as file:
            file.write("x")

    return reboot


def forked(work: Callable[[], None]) -> bool:
    """Whether a child that does this lives to the end."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def live(folder: Path, command: Command, doom: Doom) -> None:
    """One run of the process: it starts, hears the command, and goes on for a while."""
    rig = Rig(folder, reboot=doom.around(reboot_into(folder / "reboots")))
    rig.commander.step()
    rig.hear(command)
    rig.run(60)
    rig.close()


def kill(folder: Path, command: Command) -> dict[str, Any]:
    """Die at every step there is; then what is left."""
    doom = Doom()
    monkey: Any = orders
    monkey.write_file = doom.around(monkey.write_file)
    Outbox.put = doom.around(Outbox.put)  # type: ignore[method-assign]
    deaths = 0
    for step in range(100):
        place = folder / str(step)
        place.mkdir()
        archived(place, 5)
        doom.left = step
        if forked(lambda place=place: live(place, command, doom)):  # type: ignore[misc]
            break
        deaths += 1
        doom.left = -1
        assert forked(lambda place=place: live(place, command, doom))  # type: ignore[misc]
    return {"deaths": deaths, "left": [state(folder / str(n)) for n in range(deaths)]}


def state(place: Path) -> dict[str, Any]:
    rig = Rig(place)
    reboots = place / "reboots"
    found = {
        "answers": [(a.number, a.outcome, a.reason) for a in rig.answers()],
        "frames": len(rig.sent("frame")),
        "thresholds": dict(rig.orders.thresholds),
        "begun": rig.orders.begun is not None,
        "reboots": len(reboots.read_text()) if reboots.exists() else 0,
    }
    rig.close()
    return found


def crowd(folder: Path) -> dict[str, Any]:
    """All at once; then what is left."""
    archived(folder, 5)
    heard = [
        order(n, "threshold", label="tiger", value=n / 100) if n % 3 else
        order(n, "frame", sighting=5) for n in range(1, COMMANDS + 1)
    ]  # fmt: skip

    def member(seed: int) -> None:
        mine = heard * 2
        random.Random(seed).shuffle(mine)
        rig = Rig(folder)
        for command in mine:
            rig.hear(command)
        rig.close()

    children = []
    for seed in range(CROWD):
        child = os.fork()
        if child == 0:
            member(seed)
            os._exit(0)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return {"ends": ends} | state(folder)


if __name__ == "__main__":
    mode, place = sys.argv[1], Path(sys.argv[2])
    told = {
        "frame": order(7, "frame", sighting=5),
        "threshold": order(7, "threshold", label="tiger", value=0.3),
        "reboot": order(7, "reboot"),
    }
    print(json.dumps(crowd(place) if mode == "crowd" else kill(place, told[mode])))  # noqa: T201
