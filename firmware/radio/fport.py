"""A LoRaWAN device as a `Radio`, so that RadioWorker can own it: a frame is its FPort and payload.

The first byte of a frame is the FPort, the rest the payload, both ways. `tune` joins, as the device
brings its own tuning. Signal strength is unknown here (NaN); the network server knows it.
"""

import math

from firmware.radio.port import Heard, Lorawan, Tuning


class FportRadio:
    """A `Radio` over a `Lorawan`."""

    def __init__(self, lorawan: Lorawan) -> None:
        self._lorawan = lorawan
        self.max_frame_bytes = 1 + lorawan.max_payload_bytes()

    def tune(self, tuning: Tuning) -> None:
        """Joins, where that is not done."""
        self._lorawan.join()

    def send(self, frame: bytes) -> None:
        """One uplink, unconfirmed: receipts come from the base, not from the network."""
        self._lorawan.send(frame[0], frame[1:])

    def receive(self, timeout_s: float) -> Heard | None:
        """See `Radio`. Class A: nothing comes but after an uplink."""
        came = self._lorawan.receive(timeout_s)
        if came is None:
            return None
        return Heard(bytes([came.port]) + came.payload, math.nan, math.nan)

    def interrupt(self) -> None:
        """See `Radio`."""
        self._lorawan.interrupt()

    def close(self) -> None:
        """See `Radio`."""
        self._lorawan.close()
