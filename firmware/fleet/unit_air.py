"""A unit's way through the simulated air: the real seal on a virtual radio.

An `Air` as `trap.uplink.lora.air` wants it, point to point. Counters and the replay window are kept
in memory; nothing of a unit survives its block.
"""

import math
from typing import Any

from firmware.fleet.virtual_radio import VirtualRadio
from firmware.radio.worker import Received, Sent
from firmware.trap.settings import Lora
from firmware.trap.uplink.lora import air
from firmware.wire.airtime import airtime_s
from firmware.wire.errors import WireError
from firmware.wire.ledger import WINDOW_S
from firmware.wire.packet import (
    RECEIPT,
    Direction,
    Keys,
    overhead_bytes,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.replay import ReplayWindow

EPOCH = 0
ANSWER_BYTES = 20  # a receipt or two


class UnitAir:
    """`radio` is set once it exists: it needs to know whom to tell, and that is behind us."""

    radio: VirtualRadio

    def __init__(self, unit: int, how: Lora, keys: Keys) -> None:
        self._unit, self._keys = unit, keys
        self._modulation = how.tuning.modulation
        self._frame_bytes = how.frame_bytes
        duty_cycle = how.band.duty_cycle
        self.limit_s = math.inf if duty_cycle is None else duty_cycle * WINDOW_S
        self.answer_s = airtime_s(self._modulation, ANSWER_BYTES + overhead_bytes(RECEIPT))
        self.window_s = how.receipt_window_s + self.answer_s
        self._counter = 0
        self._window = ReplayWindow()

    @property
    def spreading_factor(self) -> int:
        """See `Air`."""
        return self._modulation.spreading_factor

    def payload_bytes(self, port: int) -> int:
        """See `Air`."""
        return max(0, self._frame_bytes - overhead_bytes(port))

    def airtime_s(self, port: int, payload_bytes: int) -> float:
        """See `Air`."""
        return airtime_s(self._modulation, payload_bytes + overhead_bytes(port))

    def send(self, port: int, payload: bytes, token: int) -> None:
        """See `Air`."""
        frame = seal(self._keys.up, Direction.UP, EPOCH, self._unit, port, self._counter, payload)
        self._counter += 1
        self.radio.send(frame, token)

    def take(self, event: Any) -> air.AirEvent | None:
        """See `Air`."""
        match event:
            case Sent():
                return air.Sent(event.token)
            case Received():
                return self._open(event.heard.frame)
            case air.Up():
                return event
        return None

    def close(self) -> None:
        """See `Air`."""
        self.radio.close()

    def _open(self, frame: bytes) -> air.Heard | air.Ignored:
        try:
            header = parse_header(frame)
            counter = self._window.counter_of(header.counter_low)
            payload = unseal(self._keys.down, Direction.DOWN, EPOCH, counter, frame)
            self._window = self._window.accept(counter)
        except WireError:
            return air.Ignored("forged")  # our own direction, from a neighbour with our number
        return air.Heard(header.port, payload)
