"""Ctrl-C, SIGTERM and a closed terminal, noted rather than obeyed at once.

Promises that nothing is cut short between the start of a process and the note of it, nor while
processes are being ended: a signal does no more than put `Stop` on the queue that the demo waits
on, however often it comes. A signal that was ignored before (nohup) stays ignored; after one has
come the process is about to end, and further ones are ignored to its very end.
"""

import contextlib
import queue
import signal
from collections.abc import Iterator
from types import FrameType

from firmware import loop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The demo shall end."""


@contextlib.contextmanager
def interrupts() -> Iterator[loop.Events]:
    """The queue on which each of these signals puts `Stop`."""
    events = loop.Events()
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        events.put(loop.Stop())

    before = {n: signal.getsignal(n) for n in SIGNALS if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, note)
    try:
        yield events
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)


def pause(events: loop.Events, seconds: float) -> None:
    """Let this time pass. Raises Interrupted, at once, if the demo shall end."""
    with contextlib.suppress(queue.Empty):
        events.get(timeout=seconds)
        raise Interrupted
