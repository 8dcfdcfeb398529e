"""A modem on the virtual air with the events of `radio.worker.RadioWorker`, and no thread.

Promises what the worker promises of `send`: each ends as one `Sent` when the frame is over, in
order. Hands on nothing but frames that name its own unit: others hold its demodulator all the same,
and a unit would put them aside after a look at the same two bytes.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from firmware.radio.port import Heard, Tuning
from firmware.radio.worker import Received, Sent
from firmware.sim.ether import Ether, Station
from firmware.sim.timeline import Timeline

Log = Callable[[str, int, float, float], None]
"""Told of each frame: radio, carrier in Hz, start in s, airtime in s."""


class VirtualRadio:
    """`deliver` gets the events, at their time."""

    def __init__(
        self, name: str, unit: int, tuning: Tuning, ether: Ether, timeline: Timeline, log: Log,
        deliver: Callable[[Sent | Received], None],
    ) -> None:  # fmt: skip
        self._unit_bytes = unit.to_bytes(2, "big")
        self._tuning, self._timeline, self._log, self._deliver = tuning, timeline, log, deliver
        self._station: Station = ether.attach(name, self._hear)
        self._station.listen(tuning.frequency_hz, tuning.modulation)
        self._orders: deque[tuple[bytes, int]] = deque()
        self.airtime_s = 0.0

    def send(self, frame: bytes, token: int) -> None:
        """Sent as soon as what was asked before is over."""
        self._orders.append((frame, token))
        if len(self._orders) == 1:
            self._transmit()

    def close(self) -> None:
        """Deaf from now on."""
        self._station.listen(self._tuning.frequency_hz, None)

    def _transmit(self) -> None:
        frame, token = self._orders[0]
        now_s = self._timeline.monotonic()
        airtime_s = self._station.transmit(frame, self._tuning)
        self.airtime_s += airtime_s
        self._log(self._station.name, self._tuning.frequency_hz, now_s, airtime_s)
        self._timeline.at(now_s + airtime_s, partial(self._over, token))

    def _over(self, token: int) -> None:
        self._orders.popleft()
        if self._orders:
            self._transmit()
        self._deliver(Sent(token))

    def _hear(self, heard: Heard) -> None:
        if heard.frame[1:3] == self._unit_bytes:
            self._deliver(Received(heard))
