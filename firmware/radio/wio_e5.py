"""Wio-E5 (LoRa-E5), point to point in its test mode.

Traps of this dialect, all handled here
- Sending ends receiving. Receiving is answered line by line: a frame is a pair of lines.
- The coding rate is 4/5 and cannot be set.
- A restart is silent. It shows as ERROR(-12), test mode being forgotten, and while receiving not
  at all: so RadioWorker sets an idle modem up again from time to time.
- How long a frame may be in test mode is documented nowhere; 222 bytes is what LoRaWAN takes.
"""

import re

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Heard, RadioError, Tuning
from firmware.radio.wio_e5_at import (
    MOST_BYTES,
    NOT_IN_THIS_MODE,
    PATIENCE_S,
    Refused,
    WioE5At,
)
from firmware.wire.airtime import airtime_s


class WioE5Radio:
    """A `Radio`."""

    max_frame_bytes = MOST_BYTES

    def __init__(self, lines: SerialLines, patience_s: float = PATIENCE_S) -> None:
        self._lines, self._at = lines, WioE5At(lines, patience_s)
        self._tuning: Tuning | None = None
        self._ready = self._listening = False

    def tune(self, tuning: Tuning) -> None:
        """See `Radio`. Raises ValueError for a coding rate other than 4/5."""
        if tuning.modulation.coding_rate != 1:
            raise ValueError("a Wio-E5 in test mode has coding rate 4/5 only")
        self._tuning = tuning
        self._set_up()

    def send(self, frame: bytes) -> None:
        """See `Radio`."""
        if not 1 <= len(frame) <= MOST_BYTES:
            raise ValueError(f"frame of {len(frame)} bytes is not within 1..{MOST_BYTES}")
        if not self._ready:
            self._set_up()
        try:
            self._transmit(frame)
        except Refused as refusal:
            if refusal.code != NOT_IN_THIS_MODE:
                raise
            self._set_up()  # it restarted some time ago, and has sent nothing now
            self._transmit(frame)

    def receive(self, timeout_s: float) -> Heard | None:
        """See `Radio`."""
        until_s = self._lines.monotonic() + timeout_s
        try:
            if not self._at.heard:
                if not self._ready:
                    self._set_up()
                if not self._listening:
                    self._at.ask("AT+TEST=RXLRPKT", lambda text: text.upper() == "RXLRPKT")
                    self._listening = True
                self._at.listen(until_s)
        except RadioError:
            self._ready = False
            raise
        return self._at.heard.popleft() if self._at.heard else None

    def interrupt(self) -> None:
        """See `Radio`."""
        self._lines.interrupt()

    def close(self) -> None:
        """See `Radio`."""
        self._lines.close()

    def _set_up(self) -> None:
        if self._tuning is None:
            raise ValueError("tune comes first")
        how, power_dbm = self._tuning.modulation, self._tuning.power_dbm
        self._ready = self._listening = False
        self._at.wake()
        self._at.ask("AT+MODE=TEST", lambda text: text.upper() == "TEST")
        (answer,) = self._at.ask(
            f"AT+TEST=RFCFG,{_mhz(self._tuning.frequency_hz)},SF{how.spreading_factor},"
            f"{how.bandwidth_hz // 1000},{how.preamble_symbols},{how.preamble_symbols},"
            f"{power_dbm},ON,OFF,OFF"
        )
        wanted = rf"RFCFG F:{self._tuning.frequency_hz}\D.*SF{how.spreading_factor}\b"
        if re.match(wanted, answer, re.IGNORECASE) is None:
            raise RadioError(f"{self._lines.path}: the modem tuned itself to {answer} instead")
        self._ready = True

    def _transmit(self, frame: bytes) -> None:
        assert self._tuning is not None
        self._listening = False
        self._ready = False  # unless all goes well
        self._at.ask(
            f'AT+TEST=TXLRPKT, "{frame.hex().upper()}"',
            lambda text: text.upper() == "TX DONE",
            airtime_s(self._tuning.modulation, len(frame)),
        )
        self._ready = True


def _mhz(frequency_hz: int) -> str:
    whole, rest = divmod(frequency_hz, 1_000_000)
    return f"{whole}.{f'{rest:06d}'.rstrip('0') or '0'}"
