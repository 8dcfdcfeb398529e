"""The air point to point: our own packets, sealed and counted, over a modem of ours.

Promises
- Every frame has a counter that this epoch has never used; where none can be given that is certain
  to be new, CounterLost ends the process before anything is sent.
- Only what the base sealed with this unit's key is heard, each packet once: the replay window is on
  the card before anybody acts on the packet. All else is `Ignored`: other units' frames, forged,
  replayed and damaged ones.

What was recorded from the air before a lost `lora.sqlite` would be heard once more; commands have
numbers of their own against that (`trap/commands`), and the receipt of a sighting is true for ever.
That of a picture names an object's number, and a new file begins with any of 65,536: who plays back
old ones then may end a picture that the base has not got. A unit whose card was damaged on purpose
needs a new epoch.
"""

from typing import Any, Protocol

from firmware.radio.counter import CounterError, CounterLost, Counters
from firmware.radio.settings import LoraModem
from firmware.radio.worker import NotSent as WorkerNotSent
from firmware.radio.worker import RadioDown, RadioUp, RadioWorker, Received
from firmware.radio.worker import Sent as WorkerSent
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.air import (
    AirEvent,
    AirRefused,
    Down,
    Heard,
    Ignored,
    NotSent,
    Sent,
    Up,
)
from firmware.wire.airtime import airtime_s
from firmware.wire.errors import WireError
from firmware.wire.ledger import WINDOW_S
from firmware.wire.packet import (
    COMMAND,
    RECEIPT,
    Direction,
    Forged,
    Keys,
    overhead_bytes,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.replay import Replayed, ReplayWindow

ANSWER_BYTES = 24  # of the longest receipts or command that is usual
TURN_S = 0.1  # what the base's modem needs to turn from hearing to sending


class Windows(Protocol):
    """Where the replay window is kept. Both may raise StateError."""

    def window(self, epoch: int) -> ReplayWindow: ...

    def keep_window(self, epoch: int, window: ReplayWindow) -> None: ...


class P2pAir:
    """An `Air`; `close` closes the worker, the rest is whoever opened it's."""

    def __init__(
        self,
        worker: RadioWorker,
        how: Lora,
        unit: int,
        epoch: int,
        keys: Keys,
        counters: Counters,
        windows: Windows,
    ) -> None:
        self._worker, self._unit, self._epoch, self._keys = worker, unit, epoch, keys
        self._counters, self._windows = counters, windows
        self._window = windows.window(epoch)
        self._modulation = how.tuning.modulation
        self._frame_bytes = how.frame_bytes
        self.spreading_factor = how.spreading_factor
        self.limit_s = limit_s(how)
        self.answer_s = TURN_S + self.airtime_s(RECEIPT, ANSWER_BYTES)
        self.window_s = how.receipt_window_s + self.answer_s

    def payload_bytes(self, port: int) -> int:
        """See `Air`."""
        return max(0, self._frame_bytes - overhead_bytes(port))

    def airtime_s(self, port: int, payload_bytes: int) -> float:
        """See `Air`."""
        return airtime_s(self._modulation, payload_bytes + overhead_bytes(port))

    def send(self, port: int, payload: bytes, token: int) -> None:
        """See `Air`. Raises CounterLost too."""
        if len(payload) > self.payload_bytes(port):
            raise AirRefused(
                f"{len(payload)} bytes on port {port} are too many for this modulation"
            )
        try:
            counter = self._counters.take()
        except CounterLost:
            raise
        except CounterError as error:
            raise AirRefused(str(error)) from error
        frame = seal(self._keys.up, Direction.UP, self._epoch, self._unit, port, counter, payload)
        self._worker.send(frame, token)

    def take(self, event: Any) -> AirEvent | None:
        """See `Air`. Raises StateError where the replay window cannot be kept."""
        match event:
            case Received(heard):
                return self._heard(heard.frame)
            case _:
                return of_worker(event)

    def close(self) -> None:
        """See `Air`."""
        self._worker.close()

    def _heard(self, frame: bytes) -> Heard | Ignored:
        try:
            header = parse_header(frame)
            if header.unit != self._unit:
                return Ignored("other_unit")
            if header.port not in (RECEIPT, COMMAND):
                return Ignored("not_for_units")
            payload, window = self._opened(header.counter_low, frame)
        except Forged:
            return Ignored("forged")
        except Replayed:
            return Ignored("replayed")
        except WireError:
            return Ignored("malformed")
        self._windows.keep_window(self._epoch, window)
        self._window = window
        return Heard(header.port, payload)

    def _opened(self, counter_low: int, frame: bytes) -> tuple[bytes, ReplayWindow]:
        """What the base sealed, and the window with it. Raises Forged, Replayed."""
        for counter in self._window.guesses(counter_low):
            try:
                payload = unseal(self._keys.down, Direction.DOWN, self._epoch, counter, frame)
            except Forged:
                continue
            return payload, self._window.accept(counter)
        raise Forged("no counter of the base's fits the packet")


def of_worker(event: Any) -> AirEvent | None:
    """What the radio's thread says, but for what it has heard."""
    match event:
        case RadioUp():
            return Up()
        case RadioDown(reason):
            return Down(reason)
        case WorkerSent(token):
            return Sent(token)
        case WorkerNotSent(token, reason, _):
            return NotSent(token, reason)
    return None


def limit_s(modem: LoraModem) -> float:
    """Airtime that the band allows in any hour."""
    duty_cycle = modem.band.duty_cycle
    return float("inf") if duty_cycle is None else duty_cycle * WINDOW_S
