"""Ctrl-C, SIGTERM and a closed terminal, noted rather than obeyed at once.

Promises that nothing is cut short between the start of a process and the note of it, nor while
processes are being ended: a signal does no more than put `Stop` on the queue that the demo waits
on, however often it comes. A signal that was ignored before (nohup) stays ignored.
"""

import contextlib
import queue
import signal
from collections.abc import Iterator

from firmware import loop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """The demo shall end."""


@contextlib.contextmanager
def interrupts() -> Iterator[loop.Events]:
    """The queue on which each of these signals puts `Stop`."""
    events = loop.Events()
    with contextlib.ExitStack() as stack:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before = signal.signal(number, lambda *_: events.put(loop.Stop()))
                stack.callback(signal.signal, number, before)
        yield events


def pause(events: loop.Events, seconds: float) -> None:
    """Let this time pass. Raises Interrupted, at once, if the demo shall end."""
    with contextlib.suppress(queue.Empty):
        events.get(timeout=seconds)
        raise Interrupted
