"""A passive infrared sensor on a mock pin: scripts of pulses, and a player that drives the pin.

Promises pulses as an HC-SR501 module gives them: an output that stays high at least its hold
time, is prolonged by further motion (jumper on H), and is blind for a while after it falls. The
player drives a gpiozero mock pin, so edges reach the daemon through gpiozero as from a real pin; a
pin that is already high at start gives no edge. Does not model heat, range or lens.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

HOLD_S = 2.5  # HC-SR501, time trimmer near its lower stop
BLIND_S = 2.5  # HC-SR501, factory setting of the block time after the output falls


@dataclass(frozen=True, order=True)
class Pulse:
    """Seconds after the script's start at which the level goes high, and for how long."""

    at_s: float
    high_s: float


Script = tuple[Pulse, ...]


class Pin(Protocol):
    """The two methods of gpiozero's MockPin that stand for the wire."""

    def drive_high(self) -> None: ...

    def drive_low(self) -> None: ...


def regular(n: int, every_s: float, rng: np.random.Generator, jitter: float = 0.2) -> Script:
    """One animal after another: n pulses about `every_s` apart, the first after one interval."""
    shifts = rng.uniform(-jitter, jitter, n)
    return tuple(Pulse((i + 1 + float(shift)) * every_s, HOLD_S) for i, shift in enumerate(shifts))


def wind_storm(n: int, within_s: float, rng: np.random.Generator) -> Script:
    """Grass in the wind before a bare sensor: n short pulses at random times."""
    starts = np.sort(rng.uniform(0, within_s, n))
    highs = rng.uniform(0.005, 0.12, n)
    return tuple(Pulse(float(at), float(high)) for at, high in zip(starts, highs, strict=True))


def bounce(at_s: float, rng: np.random.Generator, contacts: int = 6) -> Script:
    """One edge through a bad contact: a few millisecond pulses, then a steady one."""
    starts = at_s + np.cumsum(rng.uniform(0.001, 0.006, contacts))
    chatter = tuple(Pulse(float(start), 0.0008) for start in starts)
    return (*chatter, Pulse(float(starts[-1]) + 0.004, HOLD_S))


def sensed(motion: Iterable[Pulse], hold_s: float = HOLD_S, blind_s: float = BLIND_S) -> Script:
    """What the module's output does when these movements happen before it."""
    out: list[Pulse] = []
    for move in sorted(motion):
        start, end = move.at_s, move.at_s + move.high_s
        if out and start <= out[-1].at_s + out[-1].high_s:  # retriggered: the output stays high
            last = out[-1]
            out[-1] = Pulse(last.at_s, max(last.high_s, end + hold_s - last.at_s))
            continue
        seeing_s = out[-1].at_s + out[-1].high_s + blind_s if out else -np.inf
        if end > seeing_s or start >= seeing_s:
            start = max(start, float(seeing_s))
            out.append(Pulse(start, end - start + hold_s))
    return tuple(out)


def edges(script: Iterable[Pulse]) -> list[tuple[float, bool]]:
    """(seconds, level) of every change; pulses that touch or overlap become one."""
    merged: list[Pulse] = []
    for pulse in sorted(script):
        if merged and pulse.at_s <= merged[-1].at_s + merged[-1].high_s:
            last = merged[-1]
            end_s = max(last.at_s + last.high_s, pulse.at_s + pulse.high_s)
            merged[-1] = Pulse(last.at_s, end_s - last.at_s)
        else:
            merged.append(pulse)
    return [edge for p in merged for edge in ((p.at_s, True), (p.at_s + p.high_s, False))]


class PirPlayer:
    """Plays a script on a pin: by `advance_to` under a virtual clock, or as a `with` block in
    real time from a thread of its own, which has ended when the block ends."""

    def __init__(
        self, script: Iterable[Pulse], pin: Pin, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._edges = edges(script)
        self._pin = pin
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._play, name="pir", daemon=True)

    @property
    def next_edge_s(self) -> float | None:
        """Script time of the next change, None when the script is over."""
        return self._edges[0][0] if self._edges else None

    def advance_to(self, script_s: float) -> int:
        """Drives every edge due by then; returns how many."""
        driven = 0
        while self._edges and self._edges[0][0] <= script_s:
            _, level = self._edges.pop(0)
            (self._pin.drive_high if level else self._pin.drive_low)()
            driven += 1
        return driven

    def wait_done(self, timeout_s: float) -> bool:
        """True once the whole script has been played by the thread."""
        return self._done.wait(timeout_s)

    def _play(self) -> None:
        start_s = self._monotonic()
        while (due_s := self.next_edge_s) is not None:
            if self._stop.wait(max(0.0, start_s + due_s - self._monotonic())):
                return
            self.advance_to(self._monotonic() - start_s)
        self._done.set()

    def __enter__(self) -> "PirPlayer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
