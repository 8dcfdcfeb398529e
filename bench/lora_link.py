"""A link between one unit and its base for the LoRa benchmarks: real packets, virtual time.

Every payload is sealed, is on the air for as long as its frame takes, may be lost, and is opened
and held against a replay window at the other end. Each direction loses on its own, as the emulated
ether does. The listening between frames costs no airtime and is not counted.
"""

import random

from firmware.sim.channel_loss import LossKind, frame_loss
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.packet import (
    RECEIPT,
    Direction,
    derive_keys,
    overhead_bytes,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.replay import ReplayWindow

UNIT = 7
EPOCH = 1


class Link:
    """`frame_bytes`: the longest frame; `spent_s`: airtime of both directions so far."""

    def __init__(
        self, modulation: Modulation, frame_bytes: int, loss: float, kind: LossKind, seed: str
    ) -> None:
        self.frame_bytes = frame_bytes
        self.spent_s = 0.0
        self._modulation = modulation
        keys = derive_keys(bytes(32), UNIT)
        self._up = _Way(Direction.UP, keys.up)
        self._down = _Way(Direction.DOWN, keys.down)
        self._up_lost = frame_loss(random.Random(f"{seed} up"), loss, kind)
        self._down_lost = frame_loss(random.Random(f"{seed} down"), loss, kind)

    def up(self, port: int, payload: bytes) -> bytes | None:
        """What the base gets of it."""
        frame = self._send(self._up, port, payload)
        return None if self._up_lost() else self._up.open(frame)

    def down(self, payload: bytes) -> bytes | None:
        """What the unit gets of the base's answer."""
        frame = self._send(self._down, RECEIPT, payload)
        return None if self._down_lost() else self._down.open(frame)

    def payload_bytes(self, port: int) -> int:
        """The longest payload."""
        return self.frame_bytes - overhead_bytes(port)

    def _send(self, way: "_Way", port: int, payload: bytes) -> bytes:
        frame = way.seal(port, payload)
        assert len(frame) <= self.frame_bytes
        self.spent_s += airtime_s(self._modulation, len(frame))
        return frame


class _Way:
    """One direction: the sender's counter, and the receiver's window."""

    def __init__(self, direction: Direction, key: bytes) -> None:
        self._direction, self._key = direction, key
        self._counter, self._window = 0, ReplayWindow()

    def seal(self, port: int, payload: bytes) -> bytes:
        self._counter += 1
        return seal(self._key, self._direction, EPOCH, UNIT, port, self._counter, payload)

    def open(self, frame: bytes) -> bytes:
        counter = self._window.counter_of(parse_header(frame).counter_low)
        payload = unseal(self._key, self._direction, EPOCH, counter, frame)
        self._window = self._window.accept(counter)
        return payload
