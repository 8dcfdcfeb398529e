"""One thread that owns a Radio, so that a daemon keeps to its loop.

Promises
- Listens whenever it does not send. What it hears becomes `Received` in `events`.
- Each `send` ends as exactly one `Sent` or `NotSent` with its token, in the order of the calls.
  While the radio is down that is a `NotSent` at once: nothing waits here to be sent later.
- A radio that fails is closed and opened again, after 1 s, 2 s, 4 s, ... at most 30 s; `RadioDown`
  and `RadioUp` say so. `RadioUp` comes first of all, once the radio is open and tuned.
- Sets the modem up again every few minutes in which nothing happened, as one that was reset
  without a word would stay deaf for ever.
- After `close` returns, the port is free and no more events come.
- An error that no radio promises (a bug) stops the daemon's loop, so that systemd starts it again.

It sleeps until something is heard or asked; it polls nothing.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from firmware.loop import Events, Stop
from firmware.radio.port import Heard, Radio, RadioError, RadioGone, Tuning

RETRY_LEAST_S = 1.0
RETRY_MOST_S = 30.0
IDLE_S = 300.0


@dataclass(frozen=True)
class Sent:
    """The frame of this `send` was in the air until just now."""

    token: int


@dataclass(frozen=True)
class NotSent:
    """The frame of this `send` was refused, or nobody knows. `gone`: there is no radio now."""

    token: int
    reason: str
    gone: bool


@dataclass(frozen=True)
class Received:
    """A frame was heard."""

    heard: Heard


@dataclass(frozen=True)
class RadioUp:
    """Open, tuned, and listening."""


@dataclass(frozen=True)
class RadioDown:
    """Not any more, or still not: it is tried again without being asked."""

    reason: str


@dataclass(frozen=True)
class _Order:
    frame: bytes
    token: int


def retry_s(failures: int, least_s: float, most_s: float) -> float:
    """The wait after so many failures in a row: doubled with each, up to the limit."""
    return min(least_s * 2.0 ** min(max(failures, 1) - 1, 30), most_s)


class RadioWorker:
    """Starts at once. `send` and `close` are for the daemon's thread."""

    def __init__(
        self,
        open: Callable[[], Radio],
        tuning: Tuning,
        events: Events,
        *,
        retry_least_s: float = RETRY_LEAST_S,
        retry_most_s: float = RETRY_MOST_S,
        idle_s: float = IDLE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._tuning, self._events = open, tuning, events
        self._retry_least_s, self._retry_most_s = retry_least_s, retry_most_s
        self._idle_s, self._monotonic = idle_s, monotonic
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._lock = threading.Lock()  # around which radio is to be interrupted
        self._radio: Radio | None = None
        self._thread = threading.Thread(target=self._run, name="radio", daemon=True)
        self._thread.start()

    def send(self, frame: bytes, token: int) -> None:
        """Sends the frame as soon as what was asked before is done. The answer is an event."""
        if not self._thread.is_alive():
            raise RuntimeError("the radio's thread has ended")
        self._orders.put(_Order(frame, token))
        self._interrupt()

    def close(self) -> None:
        """Frees the port; what was asked and not begun ends as NotSent."""
        self._closing.set()
        self._orders.put(None)  # ends a wait between two attempts to open
        self._interrupt()
        self._thread.join()

    def _interrupt(self) -> None:
        with self._lock:
            if self._radio is not None:
                self._radio.interrupt()

    def _run(self) -> None:
        failures = 0
        try:
            while not self._closing.is_set():
                failures = self._live(failures)
                self._refuse_for(retry_s(failures, self._retry_least_s, self._retry_most_s))
            self._refuse_for(0.0)
        finally:
            if not self._closing.is_set():
                self._events.put(Stop())

    def _live(self, failures: int) -> int:
        """Opens the radio and serves until that fails: the failures in a row then."""
        radio: Radio | None = None
        try:
            radio = self._open()
            radio.tune(self._tuning)
            failures = 0
            self._serve(radio)
        except RadioError as error:
            failures += 1
            self._events.put(RadioDown(str(error)))
        finally:
            with self._lock:
                self._radio = None
            if radio is not None:
                radio.close()
        return failures

    def _serve(self, radio: Radio) -> None:
        """Until it is closed or fails."""
        with self._lock:
            self._radio = radio
        self._events.put(RadioUp())
        while not self._closing.is_set():
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                self._listen(radio)
            else:
                if order is not None:
                    self._transmit(radio, order)

    def _listen(self, radio: Radio) -> None:
        began_s = self._monotonic()
        heard = radio.receive(self._idle_s)
        if heard is not None:
            self._events.put(Received(heard))
        elif self._monotonic() - began_s >= self._idle_s:
            radio.tune(self._tuning)

    def _transmit(self, radio: Radio, order: _Order) -> None:
        try:
            radio.send(order.frame)
        except RadioGone as error:
            self._events.put(NotSent(order.token, str(error), gone=True))
            raise
        except RadioError as error:
            self._events.put(NotSent(order.token, str(error), gone=False))
        else:
            self._events.put(Sent(order.token))

    def _refuse_for(self, wait_s: float) -> None:
        """No radio: every order ends at once. Returns when the time is over, or on closing."""
        until_s = self._monotonic() + wait_s
        while True:
            left_s = 0.0 if self._closing.is_set() else max(0.0, until_s - self._monotonic())
            try:
                order = self._orders.get(timeout=left_s) if left_s else self._orders.get_nowait()
            except queue.Empty:
                return
            if order is not None:
                self._events.put(NotSent(order.token, "no radio", gone=True))
