"""RAK3172 and its kin (RUI3 firmware) on LoRaWAN, class A.

The module keeps keys, counters and a duty cycle of its own, which holds for its joins too (nobody
else counts them), and answers AT_BUSY_ERROR while it waits for that or for a receive window.
Adaptive data rate is off: the scheduler above must know what fits a frame. US915 and CN470 join on
the module's own channel mask.
"""

import logging
from collections import deque

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Downlink, RadioBusy, RadioError
from firmware.radio.rui3_at import (
    LORAWAN,
    MOST_BYTES,
    PATIENCE_S,
    Refused,
    Restarted,
    Rui3At,
    parse_downlink,
    plain,
)
from firmware.radio.settings import LorawanDevice
from firmware.wire.regions import Region

log = logging.getLogger(__name__)

BANDS = {"CN470": 1, "RU864": 2, "EU868": 4, "US915": 5, "KR920": 7, "AS923": 8}
JOIN_ATTEMPTS, JOIN_INTERVAL_S = 3, 10
UPLINK_S = 12.0  # the longest uplink, RX1, RX2 and the longest downlink in them
_MOST_CAME = 64


class Rui3Lorawan:
    """A `Lorawan`. `data_rate` is the number of one that the region has."""

    def __init__(
        self, lines: SerialLines, region: Region, data_rate: int, device: LorawanDevice,
        app_key: bytes, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._lines, self._at = lines, Rui3At(lines, patience_s)
        self._region, self._data_rate = region, data_rate
        self._device, self._app_key = device, app_key
        self._joined = False
        self._came: deque[Downlink] = deque(maxlen=_MOST_CAME)

    def join(self) -> None:
        """See `Lorawan`. A module that is joined as this device already stays so."""
        self._joined = False
        self._at.wake(LORAWAN)
        if not self._is_joined():
            self._identify()
            for event in self._at.start(f"AT+JOIN=1:0:{JOIN_INTERVAL_S}:{JOIN_ATTEMPTS}"):
                self._note(event)
            self._await("JOINED", "JOINFAILED", (JOIN_ATTEMPTS + 1) * JOIN_INTERVAL_S)
        self._at.command("AT+ADR=0")
        self._at.command(f"AT+DR={self._data_rate}")
        self._joined = True

    def send(self, port: int, payload: bytes, *, confirmed: bool = False) -> None:
        """See `Lorawan`."""
        most = self.max_payload_bytes()
        if not 1 <= port <= 223 or not 1 <= len(payload) <= most:
            raise ValueError(f"port {port}, {len(payload)} bytes: not within 1..223, 1..{most}")
        try:
            self._start(port, payload, confirmed)
            good = "SENDCONFIRMEDOK" if confirmed else "TXDONE"
            self._await(good, "SENDCONFIRMEDFAILED", UPLINK_S)
        except RadioBusy:
            raise
        except RadioError:
            self._joined = False  # to be looked at before the next one
            raise

    def receive(self, timeout_s: float) -> Downlink | None:
        """See `Lorawan`."""
        until_s = self._lines.monotonic() + timeout_s
        while not self._came:
            try:
                event = self._at.event(until_s, interruptible=True)
            except Restarted:
                self._joined = False
                continue
            if event is None:
                break
            self._note(event)
        return self._came.popleft() if self._came else None

    def interrupt(self) -> None:
        """See `Lorawan`."""
        self._lines.interrupt()

    def max_payload_bytes(self) -> int:
        """See `Lorawan`."""
        rate = self._region.data_rates[self._data_rate]
        assert rate is not None
        return min(rate.max_payload_bytes, MOST_BYTES)

    def close(self) -> None:
        """See `Lorawan`."""
        self._lines.close()

    def _start(self, port: int, payload: bytes, confirmed: bool) -> None:
        command = f"AT+SEND={port}:{payload.hex().upper()}"
        for last in (False, True):
            if not self._joined:
                self.join()
            try:
                self._at.command(f"AT+CFM={confirmed:d}")
                for event in self._at.start(command):
                    self._note(event)
                return
            except Refused as refusal:  # it restarted some time ago, and has sent nothing now
                self._joined = False
                if last or refusal.answer != "AT_NO_NETWORK_JOINED":
                    raise

    def _is_joined(self) -> bool:
        joined = _value(self._at.command("AT+NJS=?")) == "1"
        return joined and _value(self._at.command("AT+DEVEUI=?")) == self._device.dev_eui.upper()

    def _identify(self) -> None:
        self._at.command(f"AT+BAND={BANDS[self._region.name]}")
        try:
            self._at.command("AT+DCS=1")
        except Refused as refusal:  # older firmware has it always on, or not in this region
            log.warning("duty_cycle_unset port=%s reason=%s", self._lines.path, refusal)
        self._at.command("AT+NJM=1")
        self._at.command(f"AT+DEVEUI={self._device.dev_eui.upper()}")
        self._at.command(f"AT+APPEUI={self._device.join_eui.upper()}")
        self._at.command(f"AT+APPKEY={self._app_key.hex().upper()}")

    def _await(self, good: str, bad: str, timeout_s: float) -> None:
        until_s = self._lines.monotonic() + timeout_s
        while (event := self._at.event(until_s)) is not None:
            if plain(event).startswith(good):
                return
            if plain(event).startswith(bad):
                raise RadioError(f"{self._lines.path}: the modem says {event}")
            self._note(event)
        raise RadioError(f"{self._lines.path}: no {good} within {timeout_s:g} s")

    def _note(self, event: str) -> None:
        downlink = parse_downlink(event)
        if downlink is not None:
            self._came.append(downlink)


def _value(said: list[str]) -> str:
    """Of `AT+NJS=1`, as newer firmware answers, or a bare `1`."""
    return said[-1].rpartition("=")[2].strip().upper() if said else ""
