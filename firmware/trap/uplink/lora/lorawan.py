"""The air through a LoRaWAN network: the same payloads by FPort, the network's own encryption.

Class A: what the network has for us comes right after one of our frames, so an answer to a question
rides mostly behind the next one. Asking again is how we listen.

The modem keeps the duty cycle of its own stack as well, and refuses what is over it; our ledger is
for the region's default channels together, so it may wait longer than the law asks, never less.
"""

from typing import Any

from firmware.radio.worker import RadioWorker, Received
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora.air import AirEvent, AirRefused, Heard, Ignored
from firmware.trap.uplink.lora.p2p import of_worker
from firmware.wire.airtime import airtime_s
from firmware.wire.ledger import WINDOW_S
from firmware.wire.packet import COMMAND, RECEIPT

FRAME_BYTES = 13
"""What LoRaWAN puts around a payload."""
AFTER_S = 0.3  # `Sent` comes after both receive windows; what was heard in them, a little later


class LorawanAir:
    """An `Air` over a worker whose frames are an FPort and a payload. `close` closes it."""

    answer_s = 0.0
    window_s = AFTER_S

    def __init__(self, worker: RadioWorker, how: Lora) -> None:
        self._worker = worker
        self._modulation = how.tuning.modulation
        rate = how.plan.data_rates[how.data_rate]
        self._payload_bytes = 0 if rate is None else rate.max_payload_bytes
        self.spreading_factor = how.spreading_factor
        cycles = [how.plan.band_of(channel).duty_cycle for channel in how.plan.channels_hz]
        limits = [cycle * WINDOW_S for cycle in cycles if cycle is not None]
        self.limit_s = min(limits, default=float("inf"))

    def payload_bytes(self, port: int) -> int:
        """See `Air`."""
        return self._payload_bytes

    def airtime_s(self, port: int, payload_bytes: int) -> float:
        """See `Air`."""
        return airtime_s(self._modulation, payload_bytes + FRAME_BYTES)

    def send(self, port: int, payload: bytes, token: int) -> None:
        """See `Air`."""
        if len(payload) > self._payload_bytes:
            raise AirRefused(f"{len(payload)} bytes are too many for this data rate")
        self._worker.send(bytes((port,)) + payload, token)

    def take(self, event: Any) -> AirEvent | None:
        """See `Air`."""
        if not isinstance(event, Received):
            return of_worker(event)
        frame = event.heard.frame
        if not frame or frame[0] not in (RECEIPT, COMMAND):
            return Ignored("not_for_units")
        return Heard(frame[0], frame[1:])

    def close(self) -> None:
        """See `Air`."""
        self._worker.close()
