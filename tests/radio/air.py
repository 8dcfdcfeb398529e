"""An air without loss or time: a frame is heard by every station that listens to it, at once."""

import threading
from collections.abc import Callable

from firmware.radio.port import Heard, Tuning
from firmware.wire.airtime import Modulation, airtime_s

RSSI_DBM, SNR_DB = -77.0, 9.0


class QuickAir:
    """`on_air` keeps every frame that was sent, as (sender, frame)."""

    def __init__(self) -> None:
        self._stations: dict[str, QuickStation] = {}
        self._lock = threading.Lock()
        self.on_air: list[tuple[str, bytes]] = []

    def attach(self, name: str, hear: Callable[[Heard], None]) -> "QuickStation":
        station = QuickStation(self, name, hear)
        with self._lock:
            self._stations[name] = station
        return station

    def carry(self, sender: "QuickStation", frame: bytes, tuning: Tuning) -> None:
        wanted = (tuning.frequency_hz, tuning.modulation.spreading_factor)
        with self._lock:
            self.on_air.append((sender.name, frame))
            others = [s for s in self._stations.values() if s is not sender and s.ear == wanted]
        for station in others:
            station.hear(Heard(frame, RSSI_DBM, SNR_DB))


class QuickStation:
    """What a modem holds of the air."""

    def __init__(self, air: QuickAir, name: str, hear: Callable[[Heard], None]) -> None:
        self._air, self.name, self.hear = air, name, hear
        self.ear: tuple[int, int] | None = None

    def listen(self, frequency_hz: int, modulation: Modulation | None) -> None:
        self.ear = None if modulation is None else (frequency_hz, modulation.spreading_factor)

    def transmit(self, frame: bytes, tuning: Tuning) -> float:
        self._air.carry(self, frame, tuning)
        return airtime_s(tuning.modulation, len(frame))
