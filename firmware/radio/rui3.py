"""RAK3172 and its kin (RUI3 firmware), point to point.

Traps of this dialect, all handled here
- In receive mode it refuses to send and to be tuned (AT_BUSY_ERROR): `AT+PRECV=0` goes first. It
  may also start in receive mode. 65534 means receive until told otherwise; each frame sent ends it.
- `AT+NWM` restarts the module, and after any restart it has forgotten that it was receiving.
- The sync word is set to 1424 (private), as a Wio-E5 in test mode uses it; old firmware that does
  not know the command keeps its own, and then hears only modems like itself.
- RUI3's own encryption has a 64-bit key and protects nothing against change: it is not used.
"""

import logging
from collections import deque

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Heard, RadioBusy, RadioError, Tuning
from firmware.radio.rui3_at import (
    MOST_BYTES,
    P2P,
    PATIENCE_S,
    Refused,
    Restarted,
    Rui3At,
    parse_heard,
    plain,
)
from firmware.wire.airtime import airtime_s

log = logging.getLogger(__name__)

SYNC_WORD = "1424"
BUSY_TRIES = 3
_MOST_HEARD = 64


class Rui3Radio:
    """A `Radio`."""

    max_frame_bytes = MOST_BYTES

    def __init__(self, lines: SerialLines, patience_s: float = PATIENCE_S) -> None:
        self._lines, self._patience_s = lines, patience_s
        self._at = Rui3At(lines, patience_s)
        self._tuning: Tuning | None = None
        self._ready = self._listening = False
        self._heard: deque[Heard] = deque(maxlen=_MOST_HEARD)

    def tune(self, tuning: Tuning) -> None:
        """See `Radio`."""
        self._tuning = tuning
        self._set_up()

    def send(self, frame: bytes) -> None:
        """See `Radio`."""
        if not 1 <= len(frame) <= MOST_BYTES:
            raise ValueError(f"frame of {len(frame)} bytes is not within 1..{MOST_BYTES}")
        if not self._ready:
            self._set_up()
        try:
            self._start(frame)
            self._finish(len(frame))
        except RadioBusy:
            raise
        except RadioError:
            self._ready = False
            raise

    def receive(self, timeout_s: float) -> Heard | None:
        """See `Radio`."""
        until_s = self._lines.monotonic() + timeout_s
        while not self._heard:
            try:
                if not self._ready:
                    self._set_up()
                if not self._listening:
                    self._at.command("AT+PRECV=65534")
                    self._listening = True
                event = self._at.event(until_s, interruptible=True)
            except Restarted as error:
                log.warning("modem_restarted port=%s during=%s", self._lines.path, error)
                self._ready = False
                continue
            except RadioError:
                self._ready = False
                raise
            if event is None:
                break
            self._note(event)
        return self._heard.popleft() if self._heard else None

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
        self._at.wake(P2P)
        self._at.command("AT+PRECV=0")
        self._at.command(
            f"AT+P2P={self._tuning.frequency_hz}:{how.spreading_factor}:{how.bandwidth_hz // 1000}"
            f":{how.coding_rate - 1}:{how.preamble_symbols}:{power_dbm}"
        )
        try:
            self._at.command(f"AT+SYNCWORD={SYNC_WORD}")
        except Refused as refusal:
            log.warning("sync_word_kept port=%s reason=%s", self._lines.path, refusal)
        self._ready = True

    def _start(self, frame: bytes) -> None:
        for attempt in range(BUSY_TRIES):
            try:
                if self._listening or attempt:
                    self._at.command("AT+PRECV=0")
                    self._listening = False
                for event in self._at.start(f"AT+PSEND={frame.hex().upper()}"):
                    self._note(event)
                return
            except RadioBusy:
                if attempt == BUSY_TRIES - 1:
                    raise
                self._note_until(self._lines.monotonic() + self._patience_s / 8)

    def _finish(self, size_bytes: int) -> None:
        assert self._tuning is not None
        wait_s = airtime_s(self._tuning.modulation, size_bytes) + self._patience_s
        if not self._note_until(self._lines.monotonic() + wait_s, "TXP2PDONE"):
            raise RadioError(f"{self._lines.path}: no TXP2P DONE within {wait_s:.1f} s")

    def _note_until(self, until_s: float, wanted: str = "") -> bool:
        """Whether the wanted event came; frames heard meanwhile are kept."""
        while (event := self._at.event(until_s)) is not None:
            if wanted and plain(event).startswith(wanted):
                return True
            self._note(event)
        return False

    def _note(self, event: str) -> None:
        heard = parse_heard(event)
        if heard is not None:
            self._heard.append(heard)
