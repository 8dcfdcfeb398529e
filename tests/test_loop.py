"""The loop: events at once, steps when due, Stop ends it, a second signal exits."""

import os
import queue
import signal
import subprocess
import sys
from typing import Any

from firmware.loop import Events, Stop, run, stop_on_signals


def test_step_is_called_first_without_an_event_then_with_each_event_in_order() -> None:
    events: Events = queue.SimpleQueue()
    seen: list[Any] = []

    def step(event: Any | None) -> float | None:
        seen.append(event)
        if event is None:
            for item in ("edge", "receipt", Stop()):
                events.put(item)
        return None

    run(step, events)
    assert seen == [None, "edge", "receipt"]


def test_step_is_called_again_when_it_asked_to_be() -> None:
    events: Events = queue.SimpleQueue()
    calls = []

    def step(event: Any | None) -> float:
        calls.append(event)
        if len(calls) == 3:
            events.put(Stop())
        return 0.0

    run(step, events)
    assert calls == [None, None, None]


def test_sigterm_puts_stop_and_handlers_are_restored_afterwards() -> None:
    events: Events = queue.SimpleQueue()
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals(events):
        os.kill(os.getpid(), signal.SIGTERM)
        assert isinstance(events.get(timeout=5), Stop)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_exits_at_once_even_when_the_step_hangs() -> None:
    program = (
        "import os, queue, signal, threading\n"
        "from firmware.loop import run, stop_on_signals\n"
        "events = queue.SimpleQueue()\n"
        "def step(event):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    threading.Event().wait()\n"
        "with stop_on_signals(events):\n"
        "    run(step, events)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=20)
    assert done.returncode == 128 + signal.SIGTERM
