"""What the base may tell a unit to do, and what the unit answers: JSON for MQTT, bytes for LoRa.

    action      arguments         the unit
    frame       sighting, index   sends the full picture(s) of a sighting; without an index, all
    threshold   label, value      believes this verdict from this probability on; no value: config's
    interval    seconds           reports its health so often; without it, as its config says
    reboot                        reboots
    mute        seconds           transmits nothing for so long, on no link; capture goes on
    unmute                        transmits again

Packed command, at most 21 bytes, big-endian; what follows byte 15 depends on the action:

    0      form, 0x13                  frame      sighting u32 | index u8 (0: all)
    1-2    unit                        threshold  label u8 | value u16 in 1/1000 (0xFFFF: config's)
    3-6    number                      interval   seconds u32 (0: config's)
    7      action, 1..6 as above       mute       seconds u32
    8-11   issued, unix seconds UTC
    12-15  expires, likewise (0: never)

Packed answer, 13 bytes:

    0      form, 0x14
    1-2    unit
    3-6    number of the command
    7-10   when it was decided, unix seconds UTC
    11     outcome (1 done, 2 refused, 3 expired) | 0x80: its expiry was ignored
    12     reason, its place in REASONS

A command's number is higher than that of every earlier command to the same unit: `ids.rising` of
the last one. On MQTT the broker's rights keep others from commanding; on LoRa the packet's tag
does. Says nothing of what a unit then does: `trap/commands/execute.py` does.
"""

import re
import struct
from dataclasses import dataclass
from typing import Literal, get_args

from firmware.wire.errors import WireError
from firmware.wire.ids import MAX_INDEX, MAX_SIGHTING, format_unit, parse_unit
from firmware.wire.records import matches, within

Action = Literal["frame", "threshold", "interval", "reboot", "mute", "unmute"]
ACTIONS: tuple[Action, ...] = get_args(Action)
Outcome = Literal["done", "refused", "expired"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
Reason = Literal[
    "",
    "stale",  # a command with a higher number was there first
    "expired",
    "no_broadband",  # full pictures do not go over LoRa
    "not_in_archive",  # no such sighting or picture on the card, or no longer
    "people",  # people may be on it, and no link is encrypted
    "no_such_label",  # the model has no such threshold
    "out_of_range",
    "no_room",  # the outbox is full of what is more important
    "switched_off",  # by the unit's config
    "failed",  # tried several times, and each time the process died or the card failed
]
REASONS: tuple[Reason, ...] = get_args(Reason)

LABELS = ("leopard", "tiger", "human", "vehicle", "other")
"""What a threshold can be set for; the place is the code."""
LEOPARD_LEAST, LEOPARD_MOST = 0.05, 0.95
"""A leopard's threshold stays within: at 0 every shadow is a leopard, at 1 none ever is."""
INTERVAL_LEAST_S, INTERVAL_MOST_S = 60, 7 * 86400
MUTE_MOST_S = 7 * 86400
"""A muted unit may hear nothing, `unmute` included: so it speaks again by itself in a week."""

COMMAND_FORM, ANSWER_FORM = 0x13, 0x14
MAX_COMMAND_BYTES = 21
_HEAD = struct.Struct(">BHIBII")
_ANSWER = struct.Struct(">BHIIBB")
_CONFIGS = 0xFFFF
_IGNORED = 0x80
_LABEL = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_ARGUMENTS = ("sighting", "index", "label", "value", "seconds")
_FORM = (
    ("expires_s", 1, MAX_SIGHTING), ("sighting", 0, MAX_SIGHTING), ("index", 1, MAX_INDEX),
    ("value", 0, 1), ("seconds", 1, MAX_SIGHTING),
)  # fmt: skip
_NEEDED: dict[Action, tuple[str, ...]] = {
    "frame": ("sighting",), "threshold": ("label",), "mute": ("seconds",),
}  # fmt: skip
_ALLOWED: dict[Action, tuple[str, ...]] = {
    "frame": ("sighting", "index"), "threshold": ("label", "value"), "interval": ("seconds",),
    "mute": ("seconds",),
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """One order to one unit. `issued_s`, `expires_s`: unix seconds UTC by the base's clock; the
    other fields are the action's arguments, and None where it takes none."""

    unit: str
    number: int
    action: Action
    issued_s: int
    expires_s: int | None = None
    sighting: int | None = None
    index: int | None = None
    label: str | None = None
    value: float | None = None
    seconds: int | None = None

    def __post_init__(self) -> None:
        parse_unit(self.unit)
        within("number", self.number, 1, MAX_SIGHTING)
        within("issued_s", self.issued_s, 0, MAX_SIGHTING)
        given = {name for name in _ARGUMENTS if getattr(self, name) is not None}
        if missing := sorted(set(_NEEDED.get(self.action, ())) - given):
            raise WireError(f"command {self.action} has no {missing[0]!r}")
        if excess := sorted(given - set(_ALLOWED.get(self.action, ()))):
            raise WireError(f"command {self.action} takes no {excess[0]!r}")
        for name, least, most in _FORM:
            value = getattr(self, name)
            if value is not None:
                within(name, value, least, most)
        if self.label is not None:
            matches("label", self.label, _LABEL)

    @property
    def in_range(self) -> bool:
        """Whether a unit does it. Stricter than the form, so that the unit answers a refusal."""
        match self.action:
            case "threshold" if self.value is not None and self.label == "leopard":
                return LEOPARD_LEAST <= self.value <= LEOPARD_MOST
            case "interval" if self.seconds is not None:
                return INTERVAL_LEAST_S <= self.seconds <= INTERVAL_MOST_S
            case "mute":
                return self.seconds is not None and self.seconds <= MUTE_MOST_S
        return True


@dataclass(frozen=True)
class CommandResult:
    """What became of the command with this number. `time_s`: unix seconds UTC of the decision by
    the unit's clock; `expiry_ignored`: the unit did not know the time, so it took it as valid."""

    unit: str
    number: int
    time_s: int
    outcome: Outcome
    reason: Reason = ""
    expiry_ignored: bool = False

    def __post_init__(self) -> None:
        parse_unit(self.unit)
        within("number", self.number, 1, MAX_SIGHTING)
        within("time_s", self.time_s, 0, MAX_SIGHTING)


def pack_command(command: Command) -> bytes:
    """For LoRa. Raises WireError for a label without a code; the value goes in thousandths."""
    head = _HEAD.pack(
        COMMAND_FORM, parse_unit(command.unit), command.number, ACTIONS.index(command.action) + 1,
        command.issued_s, command.expires_s or 0,
    )  # fmt: skip
    match command.action:
        case "frame":
            return head + struct.pack(">IB", command.sighting, command.index or 0)
        case "threshold":
            if command.label not in LABELS:
                raise WireError(f"label {command.label!r} has no code: only MQTT carries it")
            value = _CONFIGS if command.value is None else round(command.value * 1000)
            return head + struct.pack(">BH", LABELS.index(command.label), value)
        case "interval" | "mute":
            return head + struct.pack(">I", command.seconds or 0)
        case _:
            return head


def unpack_command(data: bytes) -> Command:
    """The inverse of `pack_command`. Raises WireError and nothing else."""
    if len(data) < _HEAD.size or data[0] != COMMAND_FORM:
        raise WireError(f"packed command of {len(data)} bytes is none of ours")
    _, unit, number, code, issued_s, expires_s = _HEAD.unpack_from(data)
    if not 1 <= code <= len(ACTIONS):
        raise WireError(f"command action code {code} is unknown")
    action, rest = ACTIONS[code - 1], data[_HEAD.size :]
    sighting = index = label = value = seconds = None
    match action:
        case "frame":
            sighting, index = _unpack(">IB", rest)
        case "threshold":
            place, thousandths = _unpack(">BH", rest)
            if place >= len(LABELS):
                raise WireError(f"threshold label code {place} is unknown")
            label = LABELS[place]
            value = None if thousandths == _CONFIGS else thousandths / 1000
        case "interval" | "mute":
            (seconds,) = _unpack(">I", rest)
        case _:
            _unpack(">", rest)
    return Command(
        format_unit(unit), number, action, issued_s, expires_s or None, sighting,
        index or None, label, value, seconds or None,
    )  # fmt: skip


def pack_answer(result: CommandResult) -> bytes:
    """For LoRa: 13 bytes that say all of it."""
    outcome = OUTCOMES.index(result.outcome) + 1 | (_IGNORED if result.expiry_ignored else 0)
    return _ANSWER.pack(
        ANSWER_FORM, parse_unit(result.unit), result.number, result.time_s, outcome,
        REASONS.index(result.reason),
    )  # fmt: skip


def unpack_answer(data: bytes) -> CommandResult:
    """The inverse of `pack_answer`. Raises WireError and nothing else."""
    if len(data) != _ANSWER.size or data[0] != ANSWER_FORM:
        raise WireError(f"packed answer of {len(data)} bytes is none of ours")
    _, unit, number, time_s, flags, reason = _ANSWER.unpack(data)
    outcome = flags & ~_IGNORED
    if not 1 <= outcome <= len(OUTCOMES) or reason >= len(REASONS):
        raise WireError(f"packed answer has outcome {outcome} and reason {reason}, both unknown")
    return CommandResult(
        format_unit(unit), number, time_s, OUTCOMES[outcome - 1], REASONS[reason],
        bool(flags & _IGNORED),
    )  # fmt: skip


def _unpack(form: str, data: bytes) -> tuple[int, ...]:
    try:
        return struct.unpack(form, data)
    except struct.error as error:
        raise WireError(f"packed command's arguments are {len(data)} bytes") from error
