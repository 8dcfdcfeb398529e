"""What a command means for the unit. Pure: orders and a command in, orders and an answer out.

Promises that a number is judged once: the same number again is answered as before, a lower one is
refused, and neither has an effect. A command has one of three ends, and what a power cut in between
makes of it follows from that:

    threshold, interval, mute, unmute   number, answer and effect are one write: exactly once
    frame                               the number, `begun`, then the pictures, then the answer:
                                        begun again after the cut, and a picture put twice is one
    reboot                              number and answer, then the reboot: at most once; and the
                                        cut is a reboot of its own

A unit that does not know the time cannot judge an expiry: it takes the command and says so.
"""

from collections.abc import Container
from dataclasses import replace

from firmware.trap.commands.orders import Mute, Orders
from firmware.wire.commands import Command, CommandResult, Outcome, Reason
from firmware.wire.records import Clock

GRACE_S = 20.0
"""A mute or reboot comes so much later, so that its answer can leave before."""


def judge(
    command: Command, orders: Orders, labels: Container[str], now_s: float, clock: Clock
) -> CommandResult | None:
    """The answer to a command that is not to be carried out: one judged before, one that came too
    late, or one that this unit does not do. None for one that is."""
    known = orders.answer(command.number)
    if known is not None:
        return known
    if command.number <= orders.highest:
        return result(command, now_s, "refused", "stale")
    if clock != "unsynced" and command.expires_s is not None and now_s > command.expires_s:
        return result(command, now_s, "expired", "expired")
    if not command.in_range:
        return result(command, now_s, "refused", "out_of_range")
    if command.label is not None and command.label not in labels:
        return result(command, now_s, "refused", "no_such_label")
    return None


def in_force(command: Command, orders: Orders, now_s: float) -> Orders:
    """The orders with what the command sets; the same for one that sets nothing."""
    match command.action:
        case "threshold":
            others = {n: v for n, v in orders.thresholds.items() if n != command.label}
            if command.label is not None and command.value is not None:
                others[command.label] = command.value
            return replace(orders, thresholds=others)
        case "interval":
            return replace(orders, interval_s=command.seconds)
        case "mute" if command.seconds is not None:
            return replace(orders, mute=Mute(now_s + GRACE_S, command.seconds))
        case "unmute":
            return replace(orders, mute=None)
    return orders


def result(
    command: Command,
    now_s: float,
    outcome: Outcome,
    reason: Reason = "",
    clock: Clock | None = None,
) -> CommandResult:
    """An answer to the command, decided now by a clock of this quality."""
    ignored = clock == "unsynced" and command.expires_s is not None
    return CommandResult(command.unit, command.number, int(now_s), outcome, reason, ignored)
