"""A `Radio` straight on the air, without a modem, a serial port and their delays in between.

Promises what `firmware.radio.port.Radio` does, by the rules of the Ether that it is attached to,
at the same `speed`. `unplug` makes every call raise RadioGone until `plug`.
"""

import queue
import threading

from firmware.radio.port import Heard, RadioGone, Tuning
from firmware.sim.modem import Air


class EtherRadio:
    """One on each name. Also serves as what RadioWorker opens: `lambda: radio`."""

    max_frame_bytes = 250

    def __init__(self, air: Air, name: str, speed: float = 1.0) -> None:
        self._speed, self._name = speed, name
        self._inbox: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self._gone = threading.Event()
        self._tuning: Tuning | None = None
        self._station = air.attach(name, self._inbox.put)

    def tune(self, tuning: Tuning) -> None:
        """See `Radio`."""
        self._check()
        self._tuning = tuning
        self._station.listen(tuning.frequency_hz, tuning.modulation)

    def send(self, frame: bytes) -> None:
        """See `Radio`."""
        self._check()
        if not 1 <= len(frame) <= self.max_frame_bytes:
            raise ValueError(f"frame of {len(frame)} bytes is not within 1..{self.max_frame_bytes}")
        if self._tuning is None:
            raise ValueError("tune comes first")
        self._gone.wait(self._station.transmit(frame, self._tuning) / self._speed)
        self._check()

    def receive(self, timeout_s: float) -> Heard | None:
        """See `Radio`."""
        self._check()
        try:
            heard = (
                self._inbox.get(timeout=timeout_s) if timeout_s > 0 else self._inbox.get_nowait()
            )
        except queue.Empty:
            heard = None
        self._check()
        return heard

    def interrupt(self) -> None:
        """See `Radio`."""
        self._inbox.put(None)

    def close(self) -> None:
        """See `Radio`. `tune` opens it again, as the name stays attached."""
        if self._tuning is not None:
            self._station.listen(self._tuning.frequency_hz, None)

    def unplug(self) -> None:
        """As a modem that is pulled out."""
        self._gone.set()
        self._inbox.put(None)

    def plug(self) -> None:
        """Put back."""
        self._gone.clear()

    def _check(self) -> None:
        if self._gone.is_set():
            raise RadioGone(f"{self._name} is unplugged")
