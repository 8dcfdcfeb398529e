"""What picamera2 gives the adapter, on a virtual clock: a stream with a pace, requests that must be
released, an exposure that needs frames to find itself, and a light estimate that the lamp spoils.

Behaves like the part where it matters: a request that nobody releases is a buffer the camera does
not have; the call that would wait for ever raises here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firmware.sim.clock import VirtualClock

CONVERGES_IN = 4  # frames
LAMP_LUX = 60.0


@dataclass
class FakeSwitch:
    """A pin; `log` keeps what it was told."""

    is_on: bool = False
    log: list[str] = field(default_factory=list)

    def on(self) -> None:
        self.is_on = True
        self.log.append("on")

    def off(self) -> None:
        self.is_on = False
        self.log.append("off")


@dataclass
class World:
    """The scene before the camera. `broken`: what the driver says to every call, if anything."""

    clock: VirtualClock
    lux: float = 500.0
    lamp: FakeSwitch = field(default_factory=FakeSwitch)
    ircut: FakeSwitch = field(default_factory=FakeSwitch)
    broken: str = ""
    opened: int = 0


class FakeRequest:
    """One completed frame; `refs` as in picamera2."""

    def __init__(self, device: "FakePicamera2", metadata: dict[str, Any], grey: int) -> None:
        self.refs, self._device, self._metadata, self._grey = 1, device, metadata, grey

    def acquire(self) -> None:
        assert self.refs > 0, "acquired after its last release"
        self.refs += 1

    def release(self) -> None:
        assert self.refs > 0, "released more often than acquired"
        self.refs -= 1
        if self.refs == 0:
            self._device.free_buffers += 1

    def get_metadata(self) -> dict[str, Any]:
        assert self.refs > 0, "read after its release"
        return self._metadata

    def make_array(self, name: str) -> Any:
        assert self.refs > 0, "read after its release"
        width, height = self._device.config[name]["size"]
        if self._device.config[name]["format"] == "BGR888":
            return np.full((height, width, 3), self._grey, np.uint8)
        planes = np.full((height * 3 // 2, width + 64), 128, np.uint8)  # rows are padded
        planes[:height] = self._grey
        return planes


class FakePicamera2:
    """The calls that the adapter uses."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fail()
        world.opened += 1
        self.config: dict[str, Any] = {}
        self.pre_callback: Callable[[FakeRequest], None] | None = None
        self.started = self.closed = False
        self.free_buffers = 0
        self._frame_s = 0.0
        self._unconverged = 0
        self._lit = False

    def create_preview_configuration(self, **wanted: Any) -> dict[str, Any]:
        return wanted

    def configure(self, config: dict[str, Any]) -> None:
        self.config = config
        self.free_buffers = config["buffer_count"]
        self.set_controls(config["controls"])

    def set_controls(self, controls: dict[str, Any]) -> None:
        least_us, most_us = controls["FrameDurationLimits"]
        assert least_us <= most_us
        self._frame_s = least_us / 1e6

    def start(self) -> None:
        self._fail()
        self.started, self._unconverged = True, CONVERGES_IN

    def stop(self) -> None:
        self.started = False

    def close(self) -> None:
        assert self.free_buffers == self.config["buffer_count"], "closed with requests held"
        self.closed = True

    def capture_request(self, flush: bool | None = None) -> FakeRequest:
        """The next frame; with `flush` the one after, whose exposure begins only now."""
        if flush:
            self._next().release()
        return self._next()

    def stream(self, seconds: float) -> None:
        """What the camera's own thread does while nobody asks."""
        end_s = self._world.clock.monotonic() + seconds
        while self._world.clock.monotonic() < end_s:
            self._next().release()

    def _next(self) -> FakeRequest:
        self._fail()
        assert self.started, "asked for a frame before start"
        assert self.free_buffers > 0, "no buffer left: this would wait for ever"
        self.free_buffers -= 1
        self._world.clock.advance(self._frame_s)
        lit = self._world.lamp.is_on
        if lit is not self._lit:
            self._lit, self._unconverged = lit, CONVERGES_IN
        self._unconverged = max(self._unconverged - 1, 0)
        metadata = {
            "SensorTimestamp": round(self._world.clock.monotonic() * 1e9),
            "Lux": self._world.lux + LAMP_LUX * lit,
            "AeLocked": self._unconverged == 0,
        }
        request = FakeRequest(self, metadata, 120 if self._unconverged == 0 else 250)
        if self.pre_callback is not None:
            self.pre_callback(request)
        return request

    def _fail(self) -> None:
        if self._world.broken:
            raise RuntimeError(self._world.broken)
