"""From the LoRa outbox to the base's receipt, within the law. Start at `LoraUplink.step`.

Promises
- Never more airtime in any hour than the air's limit, across reboots and clock steps: a frame is
  in the ledger and on the card before it is sent (`account.py`).
- After each frame the choice is made anew (`policy.py`): a new alert waits behind at most one frame
  of a picture and, where that asked for an answer, until the answer or the window for it is over.
- A sighting or picture ends only by the base's receipt; silence, a modem's "done" and a radio that
  is gone mean later. Receipts that are repeated, late or about nothing known change nothing. A
  sighting that the base has by the other link too is just answered at once.
- What is not from the base is ignored and counted (`counts`); the air sees to that.
- Muted (`Hooks.silent_s`), it transmits nothing at all.
- It sleeps until the outbox's bell rings (`trap/bell.py`), and while the air is up it looks every
  `idle_s` all the same.

The same class runs on a unit and in the simulated fleet; clocks, randomness, queue, state, air and
encoder come in. Times inside are ledger time.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firmware.trap.outbox import OutboxError
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.account import Account
from firmware.trap.uplink.lora.air import (
    Air,
    AirRefused,
    Down,
    Heard,
    Ignored,
    NotSent,
    Sent,
    Up,
)
from firmware.trap.uplink.lora.cargo import Cargo, Which, asks
from firmware.trap.uplink.lora.encode import Encoded, Encoder
from firmware.trap.uplink.lora.policy import Candidate, choose
from firmware.trap.uplink.lora.queue import Queue
from firmware.trap.uplink.lora.state import State, StateCorrupt, StateError
from firmware.trap.uplink.schedule import backoff_s
from firmware.wire.errors import WireError
from firmware.wire.objects import unpack_receipts
from firmware.wire.packet import COMMAND, RECEIPT

log = logging.getLogger(__name__)

IDLE_S = 5.0
LAW_S = 3600.0
GAP = 0.5
"""Between two frames of a picture a random pause, up to this part of the frame: two units whose
frames collide would else collide to the last."""


@dataclass(frozen=True)
class Hooks:
    """What else the unit does on this link. `on_command` takes a command's payload and gives the
    answer to send, if any; `silent_s`: for how long nothing may be transmitted; `battery_mv`: None
    when nobody knows."""

    on_command: Callable[[bytes], bytes | None] = lambda payload: None
    silent_s: Callable[[], float] = lambda: 0.0
    battery_mv: Callable[[], int | None] = lambda: None


@dataclass(frozen=True)
class _Out:
    """The frame that the air has now."""

    token: int
    which: Which
    airtime_s: float


class LoraUplink:
    """`step` is for `loop.run`; its events are the air's and the encoder's."""

    def __init__(
        self,
        queue: Queue,
        state: State,
        air: Air,
        how: Lora,
        encoder: Encoder,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        rng: random.Random,
        hooks: Hooks = Hooks(),
        idle_s: float = IDLE_S,
    ) -> None:
        self._queue, self._air, self._how, self._rng = queue, air, how, rng
        self._hooks, self._idle_s = hooks, idle_s
        saved = state.load()
        self.account = Account(state, saved, monotonic)
        self.cargo = Cargo(queue, state, air, how, encoder, now, rng, hooks.battery_mv, saved.jobs)
        self.counts: Counter[str] = Counter()
        self._up = False
        self._tokens = 0
        self._out: _Out | None = None
        self._refusals = 0  # by the modem, in a row
        self._asked: Which | None = None
        self._listen_until_s = 0.0
        self._gap_until_s = 0.0
        self._look_s = 0.0
        self._law_due_s = 0.0  # when to say again that the law makes us wait
        self._wait_s = math.inf  # for what there is to send, as of the last choice
        self._failures = 0
        self._told: set[str] = set()

    def step(self, event: Any | None) -> float | None:
        """Take in the event, do what is due, and say when the next thing is. See `loop.run`."""
        try:
            self._hear(event)
            self._give_up_listening()
            self._claim()
            self._send()
            self.account.tick()
        except (OutboxError, StateError) as error:
            self._failures += 1
            self._tell("lora_card_failing", str(error))
            return self._backoff_s(self._failures)
        self._failures = 0
        self._told.discard("lora_card_failing")
        return self._next_s()

    def close(self) -> None:
        """What is out is due again at the next start; let go of the modem."""
        try:
            self.cargo.put_back()
            self.cargo.pictures.put_back()
            self.account.keep()
        except (
            OutboxError,
            StateError,
            StateCorrupt,
        ) as error:
            # What is out stays `sending`, and the next start finds it as a dead sender's.
            self._tell("lora_card_failing", str(error))
        self._air.close()

    # What comes in

    def _hear(self, event: Any | None) -> None:
        if isinstance(event, Encoded):
            self.cargo.pictures.encoded(event)
            self._look_s = 0.0
            return
        match None if event is None else self._air.take(event):
            case Up():
                self._up, self._look_s = True, 0.0
                self._told.discard("radio_down")
                log.info("air_up sf=%d", self._air.spreading_factor)
            case Down(reason):
                self._went_down(reason)
            case Sent(token):
                self._sent(token)
            case NotSent(token, reason):
                self._not_sent(token, reason)
            case Heard(port, payload):
                self._heard(port, payload)
            case Ignored(why):
                self.counts[why] += 1
                log.debug("frame_ignored reason=%s count=%d", why, self.counts[why])

    def _went_down(self, reason: str) -> None:
        if self._up or "radio_down" not in self._told:
            log.warning("air_down reason=%r", reason)
        self._told.add("radio_down")
        if self._out is not None:
            self.account.over()
        self._up, self._out, self._asked = False, None, None
        self.cargo.put_back()

    def _sent(self, token: int) -> None:
        out = self._out
        if out is None or out.token != token:
            return
        self._out, self._refusals = None, 0
        at_s = self.account.over()
        self.counts["sent"] += 1
        if asks(out.which) and self.cargo.waits_for(out.which):
            self._asked = out.which
            self._listen_until_s = at_s + self._air.window_s
        self._gap_until_s = at_s + self._rng.uniform(0, GAP) * out.airtime_s
        self.cargo.sent(out.which)

    def _not_sent(self, token: int, reason: str) -> None:
        """It may have gone out all the same, so it stays in the ledger."""
        out = self._out
        if out is None or out.token != token:
            return
        self._out = None
        at_s = self.account.over()
        self.counts["not_sent"] += 1
        log.warning("frame_not_sent reason=%r", reason)
        self._refusals += 1
        self._gap_until_s = at_s + self._backoff_s(self._refusals)
        self.cargo.refused(out.which, self._gap_until_s)

    def _heard(self, port: int, payload: bytes) -> None:
        if port == COMMAND:
            answer = self._hooks.on_command(payload)
            if answer is not None:
                self.cargo.notes.answer(answer)
            return
        try:
            if port != RECEIPT:
                raise WireError(f"port {port} is not for units")
            entries = unpack_receipts(payload)
        except WireError as error:
            self.counts["malformed"] += 1
            log.warning("downlink_ignored reason=%r", str(error))
            return
        for entry in entries:
            answered = self._asked is not None and self.cargo.answers(entry, self._asked)
            if not self.cargo.receipt(entry):
                self.counts["unknown"] += 1
                log.info("receipt_unknown entry=%r", entry)
            if answered:
                self._asked = None
        at_s = self.account.at_s()
        self.cargo.heard(at_s)
        self._gap_until_s = at_s + self._air.answer_s  # a command may follow
        self._look_s = 0.0

    # What is due

    def _give_up_listening(self) -> None:
        at_s = self.account.at_s()
        if self._asked is None or at_s < self._listen_until_s:
            return
        self.counts["unanswered"] += 1
        self.cargo.unanswered(self._asked, at_s)
        self._asked, self._look_s = None, 0.0

    def _claim(self) -> None:
        if not self._up:
            return
        if self._queue.changed():
            self._look_s = 0.0
        self.cargo.tend()
        at_s = self.account.at_s()
        if at_s >= self._look_s:
            self._look_s = self.cargo.claim(at_s)

    def _send(self) -> None:
        self._wait_s = math.inf
        if not self._up or self._out is not None or self._asked is not None:
            return
        self._wait_s = self._hooks.silent_s()
        if self._wait_s > 0:
            return
        at_s = self.account.at_s()
        room = self.account.room(self._air.limit_s, self._how.alert_reserve)
        choice = choose(self.cargo.candidates(self._gap_until_s), room, at_s)
        self._wait_s = choice.wait_s
        if choice.send is not None:
            self._transmit(choice.send)
        elif choice.law and at_s >= self._law_due_s:
            self._law_due_s = at_s + LAW_S
            log.info("airtime_used used_s=%.1f limit_s=%.1f wait_s=%.0f",
                     self.account.used_s(), self._air.limit_s, choice.wait_s)  # fmt: skip

    def _transmit(self, chosen: Candidate[Which]) -> None:
        """Into the ledger, onto the card, and only then into the air."""
        which = chosen.ref
        port, payload, moved = self.cargo.load(which)
        self.account.enter(chosen.airtime_s, moved)
        if moved is not None:
            self.cargo.pictures.went(moved[0])
        self._tokens += 1
        self._out = _Out(self._tokens, which, chosen.airtime_s)
        self.counts[chosen.what] += 1
        try:
            self._air.send(port, payload, self._tokens)
        except AirRefused as error:
            self._not_sent(self._tokens, str(error))

    # Small parts of the above

    def _backoff_s(self, failures: int) -> float:
        return backoff_s(failures, self._how.retry_least_s, self._how.retry_most_s, self._rng)

    def _tell(self, event: str, reason: str) -> None:
        """An ERROR, once until it is over: somebody must come."""
        if event not in self._told:
            log.error("%s reason=%r", event, reason)
        self._told.add(event)

    def _next_s(self) -> float | None:
        at_s = self.account.at_s()
        waits = [self.account.tick_s()]
        if self._up:
            waits += [self._look_s - at_s, self._idle_s]
            if self._asked is not None:
                waits.append(self._listen_until_s - at_s)
            elif self._out is None:
                waits.append(self._wait_s)
        least_s = min(waits)
        return None if math.isinf(least_s) else max(0.0, least_s)
