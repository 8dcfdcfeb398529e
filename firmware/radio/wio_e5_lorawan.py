"""Wio-E5 (LoRa-E5) on LoRaWAN, class A.

The module keeps keys, counters and a duty cycle of its own. Adaptive data rate is off: the
scheduler above must know what fits a frame. Which regions a module knows depends on its firmware;
one that it does not know is a RadioError that says so.
"""

import re
from collections import deque

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Downlink, RadioBusy, RadioError
from firmware.radio.settings import LorawanDevice
from firmware.radio.wio_e5_at import MOST_BYTES, PATIENCE_S, Refused, WioE5At, parse_downlink
from firmware.wire.regions import Region

JOIN_S = 20.0
UPLINK_S = 12.0  # the longest uplink, RX1, RX2 and the longest downlink in them
_MOST_CAME = 64
_NOT_JOINED = "Please join network first"
_OVER = re.compile(rf"Done|{_NOT_JOINED}|Length error.*|DR error.*", re.IGNORECASE)


class WioE5Lorawan:
    """A `Lorawan`. `data_rate` is the number of one that the region has."""

    def __init__(
        self, lines: SerialLines, region: Region, data_rate: int, device: LorawanDevice,
        app_key: bytes, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._lines, self._at = lines, WioE5At(lines, patience_s)
        self._region, self._data_rate = region, data_rate
        self._device, self._app_key = device, app_key
        self._joined = False
        self._came: deque[Downlink] = deque(maxlen=_MOST_CAME)

    def join(self) -> None:
        """See `Lorawan`. A module that this process has joined stays so."""
        self._at.wake()
        if self._joined:
            return
        self._identify()
        said = self._at.ask(
            "AT+JOIN", lambda text: text.lower() in ("done", "joined already"), JOIN_S
        )
        if not any(text.lower() in ("network joined", "joined already") for text in said):
            raise RadioError(f"{self._lines.path}: no network answers: {'; '.join(said)}")
        self._joined = True

    def send(self, port: int, payload: bytes, *, confirmed: bool = False) -> None:
        """See `Lorawan`."""
        most = self.max_payload_bytes()
        if not 1 <= port <= 223 or not 1 <= len(payload) <= most:
            raise ValueError(f"port {port}, {len(payload)} bytes: not within 1..223, 1..{most}")
        command = f'AT+{"C" if confirmed else ""}MSGHEX="{payload.hex().upper()}"'
        said = self._exchange(port, command)
        if said[-1] == _NOT_JOINED:  # it restarted some time ago, and has sent nothing now
            self._joined = False
            said = self._exchange(port, command)
        self._judge(said, confirmed)

    def receive(self, timeout_s: float) -> Downlink | None:
        """See `Lorawan`."""
        if not self._came:
            self._at.listen(self._lines.monotonic() + timeout_s)
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

    def _identify(self) -> None:
        self._at.ask("AT+MODE=LWOTAA")
        try:
            self._at.ask(f"AT+DR={self._region.name}")
        except Refused as refusal:
            raise RadioError(f"this modem does not know {self._region.name}: {refusal}") from None
        self._at.ask(f'AT+ID=DevEui,"{self._device.dev_eui.upper()}"')
        self._at.ask(f'AT+ID=AppEui,"{self._device.join_eui.upper()}"')
        self._at.ask(f'AT+KEY=APPKEY,"{self._app_key.hex().upper()}"')
        self._at.ask("AT+ADR=OFF")
        self._at.ask(f"AT+DR={self._data_rate}")

    def _exchange(self, port: int, command: str) -> list[str]:
        if not self._joined:
            self.join()
        try:
            self._at.ask(f"AT+PORT={port}")
            return self._at.ask(command, lambda text: _OVER.fullmatch(text) is not None, UPLINK_S)
        except RadioBusy:
            raise
        except RadioError:
            self._joined = False
            raise

    def _judge(self, said: list[str], confirmed: bool) -> None:
        """What became of an uplink. Downlinks that came with it are kept."""
        for text in said:
            downlink = parse_downlink(text)
            if downlink is not None:
                self._came.append(downlink)
        if said[-1].lower() != "done":
            self._joined = False
            raise RadioError(f"{self._lines.path}: the modem says {said[-1]}")
        if confirmed and not any(text.lower() == "ack received" for text in said):
            raise RadioError(f"{self._lines.path}: the network did not acknowledge")
