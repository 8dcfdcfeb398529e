"""What a radio is to the rest of the firmware: two shapes, and three ways to fail.

`Radio` sends and hears raw LoRa frames (point to point). `Lorawan` sends payloads into a LoRaWAN
network. Both are driven by one thread at a time; only `interrupt` may come from another.

Promises of every implementation
- `send` returns when the frame is in the air and over, never before. If it raises, the frame may
  have gone out all the same (a modem that dies in the middle tells nobody), so what is sent again
  must be the same bytes or carry a new counter. RadioBusy alone says that nothing went out.
- `receive` gives what was heard, in order; what is heard between two calls waits, up to a bound.
  While `send` runs the radio is deaf. What comes may be forged or damaged: the caller checks it.
- Nothing but RadioError leaves a call, whatever bytes the modem says. After a RadioError the next
  call sets the modem up again as far as needed; after RadioGone only opening it again helps.

Promises nothing about duty cycle or dwell time: who sends keeps the ledger.

Modems on a serial line only. A bare SX126x on SPI was considered, as a maintained library would
make it a third dialect; none qualifies (checked 2026-11): LoRaRF drives it but has had no release
since 2022, switches low data rate optimisation off by default (wrong for SF11 and SF12 at 125 kHz)
and needs RPi.GPIO, which does not know a Pi 5; Adafruit's rfm and rfm9x are maintained but know
the SX127x only; the package `sx126x` speaks to Ebyte's UART modules, which choose the framing
themselves, so the time on air cannot be accounted for.
"""

from dataclasses import dataclass
from typing import Protocol

from firmware.wire.airtime import Modulation


class RadioError(Exception):
    """The radio did not do what it was asked; says what was asked and what came back."""


class RadioBusy(RadioError):
    """It cannot just now, and did nothing. Try later."""


class RadioGone(RadioError):
    """Unplugged, or the port is somebody else's. Close it and open again."""


@dataclass(frozen=True)
class Tuning:
    """Where and how to send and listen. Both sides of a link need the same but for the power."""

    frequency_hz: int
    modulation: Modulation
    power_dbm: int


@dataclass(frozen=True)
class Heard:
    """One frame from the air, and how well it was heard."""

    frame: bytes
    rssi_dbm: float
    snr_db: float


class Radio(Protocol):
    """Point to point. `max_frame_bytes` is what the modem can carry; the law may allow less."""

    max_frame_bytes: int

    def tune(self, tuning: Tuning) -> None:
        """Sets the modem up, also after it was reset; comes before everything else."""

    def send(self, frame: bytes) -> None:
        """Sends 1..max_frame_bytes bytes; ValueError for other lengths."""

    def receive(self, timeout_s: float) -> Heard | None:
        """The next frame, or None when the time is over or somebody interrupted."""

    def interrupt(self) -> None:
        """From any thread: the receive under way, or else the next one, returns soon."""

    def close(self) -> None:
        """Lets go of the port. Raises nothing."""


@dataclass(frozen=True)
class Downlink:
    """What a LoRaWAN network sent to us on a port."""

    port: int
    payload: bytes


class Lorawan(Protocol):
    """A class A device. The network's own encryption and counters are the modem's business."""

    def join(self) -> None:
        """Returns once joined; RadioError when the network did not answer."""

    def send(self, port: int, payload: bytes, *, confirmed: bool = False) -> None:
        """Returns once sent and both receive windows are over. Confirmed: RadioError unless the
        network acknowledged. RadioBusy while the modem keeps its own duty cycle."""

    def receive(self, timeout_s: float) -> Downlink | None:
        """The next downlink, or None. Class A: new ones come only during `send`."""

    def interrupt(self) -> None:
        """As for Radio."""

    def max_payload_bytes(self) -> int:
        """The longest payload at the present data rate."""

    def close(self) -> None:
        """As for Radio."""
