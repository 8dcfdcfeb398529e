"""Daemon 2: the MQTT uplink as a process; what it does is `uplink.py`'s. Start reading at `run`.

Promises one sender per outbox, and that the broker keeps a command until it has been obeyed.
"""

import math
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from queue import SimpleQueue

from firmware import loop
from firmware.loop import Events
from firmware.trap import settings
from firmware.trap.bell import Bell
from firmware.trap.duties import Duties
from firmware.trap.outbox import Outbox
from firmware.trap.uplink.link import LinkEvent, Ordered
from firmware.trap.uplink.mqtt import MqttLink
from firmware.trap.uplink.sender import OnlySender, this_boot
from firmware.trap.uplink.uplink import Uplink
from firmware.wire.ids import parse_unit


def run(
    trap: settings.TrapSettings, now: Callable[[], float], events: Events | None = None
) -> None:
    """Deliver until SIGTERM or SIGINT. `now` gives unix seconds. Raises OutboxError when the outbox
    cannot be opened or has a sender already."""
    if trap.mqtt is None:
        raise ValueError("the config has no section [mqtt]: add it, or take --link lora")
    events = SimpleQueue() if events is None else events
    unit = parse_unit(trap.unit.id)
    with ExitStack() as stack:
        stack.enter_context(loop.stop_on_signals(events))
        outbox = stack.enter_context(Outbox(trap.unit.outbox, trap.outbox.max_mb * 10**6))
        sender = stack.enter_context(OnlySender(trap.unit.outbox, this_boot()))
        link = MqttLink(trap.mqtt, unit, events, now)
        stack.enter_context(Bell(trap.unit.outbox, events))
        duties = stack.enter_context(Duties.of(trap, now, time.monotonic))
        uplink = Uplink(
            outbox, link, trap.uplink, unit, now, time.monotonic, random.Random(), duties.silent_s
        )  # fmt: skip
        outbox.release(now(), rebooted=sender.rebooted)

        def step(event: LinkEvent | Ordered | None) -> float:
            if isinstance(event, Ordered):
                if duties.hear_json(event.payload):
                    link.forget(event)
                event = None
            wait_s = uplink.step(event)
            return min(math.inf if wait_s is None else wait_s, duties.step())

        loop.run(step, events)
        uplink.close()
