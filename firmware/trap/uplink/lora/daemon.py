"""Daemon 3: the LoRa uplink as a process. Start reading at `run`; what it does is `uplink.py`'s.

Promises one sender per outbox, and to end where it cannot send safely: no key, counters lost, or
an outbox that another uplink works on. Beside the outbox it keeps, in the data directory,
`lora.sqlite` (ledger, pictures on their way, replay window) and `lora.counter`; see
`radio/counter.py` for why a lost counter needs provisioning anew.
"""

import math
import random
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from queue import SimpleQueue
from typing import Any

from firmware import loop
from firmware.loop import Events
from firmware.radio.counter import CounterError, Counters, start_epoch
from firmware.radio.fport import FportRadio
from firmware.radio.key_file import KeyUnusable, make_key, read_app_key, read_keys
from firmware.radio.open import open_lorawan, open_radio
from firmware.radio.port import Radio
from firmware.radio.worker import RadioWorker
from firmware.trap.bell import Bell
from firmware.trap.duties import Duties
from firmware.trap.outbox import Outbox, OutboxError
from firmware.trap.settings import Lora, TrapSettings
from firmware.trap.uplink.lora.air import Air
from firmware.trap.uplink.lora.encode import ThreadEncoder
from firmware.trap.uplink.lora.lorawan import LorawanAir
from firmware.trap.uplink.lora.p2p import P2pAir, limit_s
from firmware.trap.uplink.lora.state import StateCorrupt, StateError, StateFile
from firmware.trap.uplink.lora.uplink import Hooks, LoraUplink
from firmware.trap.uplink.sender import OnlySender, this_boot
from firmware.trap.vitals import battery_mv
from firmware.wire.ids import parse_unit
from firmware.wire.packet import Keys

FATAL = (KeyUnusable, CounterError, StateError, StateCorrupt, OutboxError, OSError, ValueError)
"""What `run` may raise that a person has to see to."""


COUNTER_FILE = "lora.counter"


class NoLora(ValueError):
    """The config has no section `lora`."""


def run(
    trap: TrapSettings,
    now: Callable[[], float],
    events: Events | None = None,
    open_modem: Callable[[], Radio] | None = None,
) -> None:
    """Deliver until SIGTERM or SIGINT. `now` gives unix seconds; `open_modem` is for another radio
    than the settings' own. Raises `FATAL`."""
    how = trap.lora
    if how is None:
        raise NoLora("the config has no section [lora]: add it, or take --link mqtt")
    events = SimpleQueue() if events is None else events
    with ExitStack() as stack:
        stack.enter_context(loop.stop_on_signals(events))
        outbox = stack.enter_context(Outbox(trap.unit.lora_outbox, trap.outbox.max_mb * 10**6))
        sender = stack.enter_context(OnlySender(trap.unit.lora_outbox, this_boot()))
        stack.enter_context(Bell(trap.unit.lora_outbox, events))
        duties = stack.enter_context(Duties.of(trap, now, time.monotonic))
        state, air = _open(trap, how, events, open_modem, stack)
        uplink = LoraUplink(
            outbox, state, air, how, ThreadEncoder(events, how), now, time.monotonic,
            random.Random(), Hooks(duties.hear_packet, duties.silent_s, battery_mv),
        )  # fmt: skip
        stack.callback(uplink.close)
        for item in set(outbox.ids("waiting")) - uplink.cargo.pictures.begun():
            if item.kind == "preview":  # put off for a state that has been lost since
                outbox.retry(item)
        outbox.release(now(), rebooted=sender.rebooted)  # after that: who retries trusts

        def step(event: Any | None) -> float:
            wait_s = uplink.step(event)
            return min(math.inf if wait_s is None else wait_s, duties.step())

        loop.run(step, events)


def begin(trap: TrapSettings) -> None:
    """What a unit needs before it first sends point to point: its secret, unless it is there, and
    the counters of its epoch. Raises `FATAL`; CounterLost where that epoch was begun before."""
    how = trap.lora
    if how is None or how.mode != "p2p" or how.key_file is None:
        raise NoLora("only mode p2p with a lora.key_file has a key and counters to begin")
    if not how.key_file.exists():
        make_key(how.key_file)
    read_keys(how.key_file, parse_unit(trap.unit.id))
    start_epoch(trap.unit.data_dir / COUNTER_FILE, trap.unit.epoch)


def _open(
    trap: TrapSettings,
    how: Lora,
    events: Events,
    open_modem: Callable[[], Radio] | None,
    stack: ExitStack,
) -> tuple[StateFile, Air]:
    """The state and the air. A state that is new although counters were used has forgotten what
    was sent in the last hour."""
    file, folder = trap.unit.data_dir / "lora.sqlite", trap.unit.data_dir
    if how.mode == "lorawan":
        state = stack.enter_context(closing(StateFile(file, 0.0, doubtful=False)))
        if how.lorawan is not None:
            read_app_key(how.lorawan.app_key_file)  # say so now, not in the radio's thread
        opened = open_modem or (lambda: FportRadio(open_lorawan(how)))
        return state, LorawanAir(RadioWorker(opened, how.tuning, events), how)
    unit = parse_unit(trap.unit.id)
    keys = _keys(how, unit)
    counters = stack.enter_context(closing(Counters(folder / COUNTER_FILE, trap.unit.epoch)))
    full_s = 0.0 if math.isinf(limit_s(how)) else limit_s(how)
    state = stack.enter_context(closing(StateFile(file, full_s, doubtful=counters.used)))
    worker = RadioWorker(open_modem or (lambda: open_radio(how)), how.tuning, events)
    return state, P2pAir(worker, how, unit, counters.epoch, keys, counters, state)


def _keys(how: Lora, unit: int) -> Keys:
    if how.key_file is None:
        raise KeyUnusable("lora.key_file is missing: mode p2p needs it")
    return read_keys(how.key_file, unit)
