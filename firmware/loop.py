"""The only loop. Promises that a daemon's `step` is called when it asked to be, or at once when an
event comes, until `Stop`; SIGTERM and SIGINT are a `Stop`, and a second one exits at once.

Does not catch what `step` raises: an unknown error ends the process, and systemd restarts it.
"""

import os
import queue
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import Any


class Stop:
    """The event that ends the loop after the current step."""


Events = queue.SimpleQueue[Any]
"""What a daemon waits on. `put` is safe in a signal handler and in a gpiozero callback."""


def run(step: Callable[[Any | None], float | None], events: Events) -> None:
    """Call `step(event or None)`; it does one thing and returns the seconds until it wants to be
    called again without an event, or None to wait for the next event."""
    due_s: float | None = 0.0
    while True:
        try:
            event = events.get(timeout=due_s)
        except queue.Empty:
            event = None
        if isinstance(event, Stop):
            return
        due_s = step(event)


def stop_on_signals(events: Events) -> AbstractContextManager[object]:
    """Within the context, SIGTERM and SIGINT put `Stop`; the second one exits at once."""
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        events.put(Stop())

    stack = ExitStack()
    for number in (signal.SIGTERM, signal.SIGINT):
        stack.callback(signal.signal, number, signal.signal(number, handle))
    return stack
