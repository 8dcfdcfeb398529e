"""Carries out what the base commands, whichever link brings it. Start reading at `hear_json`.

Promises
- A command is judged once, by its number (`execute.py`), and the judgement is on the card before
  the link may forget the command. One that cannot be kept (full or read-only card) is not
  forgotten: the broker and the gateway bring it again.
- The answer follows: into the MQTT outbox, where the unit has one, and back to the LoRa link as a
  packet for each packet that brings the command. An answer that did not get into the outbox before
  a power cut gets there at the next start.
- Pictures of people leave only over an encrypted link, as in `capture/policy.py`.
- A command over which the process dies is tried `MOST_ATTEMPTS` times, and then answered `failed`.
- The unit's config file is never written, and other units' commands are not looked at.

Several processes may each have one: `orders.py` keeps them apart.
"""

import logging
import math
import subprocess
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.trap.commands.execute import GRACE_S, in_force, judge, result
from firmware.trap.commands.orders import Begun, Orders, OrdersFile
from firmware.trap.commands.pictures import find_pictures
from firmware.trap.outbox import Outbox, OutboxError, OutboxFull
from firmware.wire.commands import Command, CommandResult, Reason, pack_answer, unpack_command
from firmware.wire.errors import WireError
from firmware.wire.ids import ItemId, parse_unit
from firmware.wire.records import Clock, dump_record, load_record

log = logging.getLogger(__name__)

ANSWER_PRIORITY = 1
PICTURE_PRIORITY = 2
"""As a leopard's: behind every alert, before the pictures that nobody has asked for."""
MOST_ATTEMPTS = 3
AGAIN_S = 60.0
REBOOT_LIMIT_S = 30.0


@dataclass(frozen=True)
class Means:
    """What a unit can carry out a command with. `outbox`: MQTT's, None on a unit with LoRa alone;
    `encrypted`: what is in it leaves encrypted; `labels`: what the running model has thresholds
    for; `reboot`: may raise OSError or subprocess.SubprocessError; None where it is not allowed."""

    archive: Path
    outbox: Outbox | None
    encrypted: bool
    labels: Callable[[], Container[str]]
    reboot: Callable[[], None] | None


def rebooter(program: Sequence[str]) -> Callable[[], None] | None:
    """Runs the configured program, None for an empty one."""
    if not program:
        return None

    def reboot() -> None:
        subprocess.run(program, check=True, timeout=REBOOT_LIMIT_S)

    return reboot


class Commander:
    """One per uplink process. `now`: unix seconds; `monotonic`: seconds that never step; `clock`:
    how far `now` can be trusted."""

    def __init__(
        self,
        unit: str,
        file: OrdersFile,
        means: Means,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        clock: Callable[[], Clock],
    ) -> None:
        self._unit, self._file, self._means = unit, file, means
        self._now, self._monotonic, self._clock = now, monotonic, clock
        self._settle_due_s = monotonic()  # what an earlier process left is settled at the start
        self._reboot_owed = False  # until the answer is in the outbox
        self._reboot_due_s = math.inf
        self._told = False

    def hear_json(self, payload: bytes) -> bool:
        """A command record from MQTT. Whether the broker may forget it."""
        return self._hear(lambda: load_record(payload, Command))[0]

    def hear_packet(self, payload: bytes) -> bytes | None:
        """A packed command from LoRa. The packed answer, to be sent; None when there is none."""
        answer = self._hear(lambda: unpack_command(payload))[1]
        return None if answer is None else pack_answer(answer)

    def silent_s(self) -> float:
        """For how long nothing may be transmitted."""
        return self._file.read().silent_s(self._now())

    def step(self) -> float:
        """Do what is due; the seconds until something is, `inf` for nothing."""
        if self._monotonic() >= self._reboot_due_s:
            self._reboot_due_s = math.inf
            self._reboot()
        if self._monotonic() >= self._settle_due_s:
            self._settle_due_s = math.inf
            self._settle()
        return max(0.0, min(self._settle_due_s, self._reboot_due_s) - self._monotonic())

    def _hear(self, parse: Callable[[], Command]) -> tuple[bool, CommandResult | None]:
        try:
            command = parse()
        except WireError as error:
            log.warning("command_ignored reason=%r", str(error))
            return True, None
        if command.unit != self._unit:
            log.warning("command_ignored reason=other_unit unit=%s", command.unit)
            return True, None
        try:
            answer = self._take(command)
        except (OSError, OutboxError) as error:
            self._tell(error)
            return False, None
        self._told = False
        return True, answer

    def _take(self, command: Command) -> CommandResult:
        """Judge it, carry it out, keep the answer. Raises OSError or OutboxError when that cannot
        be kept; what was begun then is finished later."""
        with self._file.alone() as orders:
            orders = self._finish(orders)
            labels = self._means.labels()
            answer = judge(command, orders, labels, self._now(), self._clock())
            fresh = answer is None
            if answer is None:
                answer = self._carry_out(command, orders, attempts=0)
            elif orders.answer(command.number) is None:
                self._file.change(orders.answered(answer))
        log.info("command number=%d action=%s outcome=%s reason=%s first=%s", command.number,
                 command.action, answer.outcome, answer.reason, fresh)  # fmt: skip
        self._reboot_owed |= fresh and command.action == "reboot" and answer.outcome == "done"
        self._put(answer)
        self._all_answered()
        return answer

    def _carry_out(self, command: Command, orders: Orders, attempts: int) -> CommandResult:
        """All but the reboot itself; on return the answer and the effect are on the card."""
        reason: Reason = ""
        match command.action:
            case "frame":
                self._file.change(replace(orders, begun=Begun(command, attempts + 1)))
                reason = self._pictures(command)
            case "reboot" if self._means.reboot is None:
                reason = "switched_off"
        now_s = self._now()
        answer = result(command, now_s, "refused" if reason else "done", reason, self._clock())
        self._file.change(in_force(command, orders, now_s).answered(answer))
        return answer

    def _finish(self, orders: Orders) -> Orders:
        """What a process that died, or a card that was full, has left half done."""
        if orders.begun is None:
            return orders
        command, attempts = orders.begun.command, orders.begun.attempts
        log.warning("command_resumed number=%d attempts=%d", command.number, attempts)
        if attempts < MOST_ATTEMPTS:
            answer = self._carry_out(command, orders, attempts)
        else:
            log.error("command_failed number=%d attempts=%d", command.number, attempts)
            answer = result(command, self._now(), "refused", "failed", self._clock())
            self._file.change(orders.answered(answer))
        return orders.answered(answer)

    def _pictures(self, command: Command) -> Reason:
        """Put the pictures into the outbox; why not. Raises OSError, OutboxError."""
        outbox, sighting = self._means.outbox, command.sighting or 0
        if outbox is None:
            return "no_broadband"
        found = find_pictures(self._means.archive, self._unit, sighting)
        wanted = {n: f for n, f in found.files.items() if command.index in (None, n)}
        if not wanted:
            return "not_in_archive"
        if found.people and not self._means.encrypted:
            return "people"
        try:
            for number, file in wanted.items():
                item = ItemId(parse_unit(self._unit), sighting, "frame", number)
                outbox.put(item, file.read_bytes(), "image/jpeg", PICTURE_PRIORITY, self._now())
                outbox.retry(item)  # it may be there already, put off or rejected
        except OutboxFull:
            return "no_room"
        except FileNotFoundError:  # the archive made room this very moment
            return "not_in_archive"
        return ""

    def _settle(self) -> None:
        """Finish what was begun, and put every answer into the outbox; those that were there once
        are not sent again."""
        try:
            with self._file.alone() as orders:
                orders = self._finish(orders)
            for answer in orders.answers:
                self._put(answer)
            self._all_answered()
        except (OSError, OutboxError) as error:
            self._tell(error)

    def _all_answered(self) -> None:
        if self._reboot_owed:
            self._reboot_owed, self._reboot_due_s = False, self._monotonic() + GRACE_S

    def _put(self, answer: CommandResult) -> None:
        if self._means.outbox is None:
            return
        item = ItemId(parse_unit(self._unit), answer.number, "answer")
        self._means.outbox.put(
            item, dump_record(answer), "application/json", ANSWER_PRIORITY, self._now()
        )

    def _tell(self, error: Exception) -> None:
        """An ERROR, once until it is over, and another try in a while."""
        if not self._told:
            log.error("command_not_kept reason=%r", str(error))
        self._told = True
        self._settle_due_s = self._monotonic() + AGAIN_S

    def _reboot(self) -> None:
        if self._means.reboot is None:
            return
        log.warning("rebooting reason=command")
        try:
            self._means.reboot()
        except (OSError, subprocess.SubprocessError) as error:
            log.error("reboot_failed reason=%r", str(error))  # noqa: TRY400 - says all
