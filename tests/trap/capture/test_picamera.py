"""The Pi's camera adapter against a stream that behaves, on a virtual clock."""

import dataclasses
import io
import itertools

import numpy as np
import pytest
from PIL import Image

from firmware.sim.clock import VirtualClock
from firmware.trap.capture.camera import CameraError, Frame
from firmware.trap.capture.light import Light
from firmware.trap.capture.picamera import PiCamera, lores_size, rgb_of
from firmware.trap.settings import CameraSettings
from tests.trap.capture.fake_picamera2 import FakePicamera2, World

SMALL = CameraSettings(width=640, height=360)
COLD = dataclasses.replace(SMALL, mode="cold")


class Bench:
    """A camera on its world; `device` is the one it opened last."""

    def __init__(self, settings: CameraSettings = SMALL, lux: float = 500.0) -> None:
        self.world = World(VirtualClock(), lux)
        self.device: FakePicamera2
        clock = self.world.clock
        self.camera = PiCamera(
            settings, self._open, clock.now, clock.monotonic, self.world.lamp, self.world.ircut
        )
        if settings.mode == "warm":
            self.device.stream(3.0)

    def _open(self) -> FakePicamera2:
        self.device = FakePicamera2(self.world)
        return self.device

    def burst(self, frames: int, interval_s: float) -> list[Frame]:
        return list(self.camera.burst(frames, interval_s))


def test_a_warm_burst_begins_with_the_frame_before_the_edge() -> None:
    bench = Bench()
    edge_s = bench.world.clock.now()
    frames = bench.burst(3, 0.5)
    times = [frame.time_s - edge_s for frame in frames]
    assert times == pytest.approx([0.0, 0.4, 0.8], abs=0.21) and times[0] <= 0
    assert all(b - a >= 0.39 for a, b in itertools.pairwise(times))
    assert all(frame.settled and not frame.night for frame in frames)


def test_frames_are_jpegs_of_the_full_size_and_small_pixels_for_the_model() -> None:
    (frame,) = Bench().burst(1, 0.5)
    with Image.open(io.BytesIO(frame.jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (640, 360))
        assert not image.getexif()
    assert frame.rgb.shape == (360, 640, 3) and frame.small is not None
    assert frame.small.shape == (180, 320, 3)
    assert np.abs(frame.small.astype(int) - 120).max() <= 1


def test_a_hundred_bursts_leave_no_request_unreleased() -> None:
    bench = Bench()
    for number in range(100):
        bench.world.lux = 500.0 if number % 3 else 1.0
        bench.burst(3, 0.5)
        bench.device.stream(1.0)
    bench.camera.close()
    assert bench.device.closed and bench.world.opened == 1


def test_at_night_the_lamp_is_on_for_the_burst_alone() -> None:
    bench = Bench(lux=1.0)
    frames = bench.burst(3, 0.5)
    assert bench.world.lamp.log == ["on", "off"] and bench.world.ircut.log == ["on"]
    assert [frame.night for frame in frames] == [True] * 3
    assert [frame.settled for frame in frames] == [False, True, True]


def test_the_lamps_own_light_is_not_taken_for_day() -> None:
    bench = Bench(lux=1.0)
    for _ in range(4):
        assert all(frame.night for frame in bench.burst(3, 0.5))
        bench.device.stream(2.0)


def test_after_a_night_burst_the_stream_is_slow_again() -> None:
    bench = Bench(lux=1.0)
    bench.burst(1, 0.5)
    before_s = bench.world.clock.monotonic()
    bench.device.capture_request().release()
    assert bench.world.clock.monotonic() - before_s == pytest.approx(0.2)


def test_dawn_puts_the_filter_back() -> None:
    bench = Bench(lux=1.0)
    bench.burst(1, 0.5)
    bench.world.lux = 100.0
    bench.device.stream(2.0)
    (frame,) = bench.burst(1, 0.5)
    assert not frame.night and not bench.world.ircut.is_on and not bench.world.lamp.is_on


def test_a_cold_camera_is_open_for_the_burst_alone_and_says_which_frames_are_unsettled() -> None:
    bench = Bench(COLD)
    assert bench.world.opened == 0
    frames = bench.burst(3, 0.5)
    assert bench.world.opened == 1 and bench.device.closed
    assert [frame.settled for frame in frames] == [False, True, True]
    bench.burst(1, 0.5)
    assert bench.world.opened == 2


def test_a_cold_camera_finds_the_night() -> None:
    frames = Bench(COLD, lux=1.0).burst(3, 0.5)
    assert [(f.night, f.settled) for f in frames] == [(True, False), (True, True), (True, True)]


def test_an_error_closes_the_camera_and_the_next_burst_opens_it_anew() -> None:
    bench = Bench(lux=1.0)
    bench.world.broken = "Camera frontend has timed out!"
    with pytest.raises(CameraError, match=r"frontend has timed out.*cable"):
        bench.burst(3, 0.5)
    assert not bench.world.lamp.is_on
    with pytest.raises(CameraError):
        bench.burst(3, 0.5)
    bench.world.broken = ""
    assert len(bench.burst(3, 0.5)) == 3 and bench.world.opened == 2


def test_a_missing_camera_is_a_camera_error_at_once() -> None:
    world = World(VirtualClock(), broken="No camera number 0 found")
    with pytest.raises(CameraError, match="No camera number 0"):
        PiCamera(SMALL, lambda: FakePicamera2(world), world.clock.now, world.clock.monotonic)


def test_the_models_picture_has_the_frames_aspect_and_aligned_rows() -> None:
    for width, height in ((2304, 1296), (4608, 2592), (640, 480), (9152, 6944), (320, 240)):
        small = lores_size(CameraSettings(width=width, height=height))
        assert small[0] % 64 == 0 and small[1] % 4 == 0 and small[0] <= width
        assert small[0] / small[1] == pytest.approx(width / height, rel=0.04)


def test_yuv_planes_with_padded_rows_become_the_right_colours() -> None:
    width, height, stride = 64, 32, 128
    red = Image.new("RGB", (1, 1), (250, 30, 40)).convert("YCbCr").getpixel((0, 0))
    assert isinstance(red, tuple)
    planes = np.full((height * 3 // 2, stride), 7, np.uint8)
    planes[:height, :width] = red[0]
    chroma = planes[height:].reshape(2, height // 2, stride // 2)
    chroma[0, :, : width // 2], chroma[1, :, : width // 2] = red[1], red[2]
    pixels = rgb_of(planes, (width, height))
    assert pixels.shape == (height, width, 3)
    assert np.abs(pixels.astype(int) - (250, 30, 40)).max() <= 3


def test_dusk_does_not_switch_back_and_forth() -> None:
    light = Light(night_lux=8.0)
    assert [light.see(lux) for lux in (9, 7.9, 9, 15, 9, 16.1, 15, 8.1)] == [
        False, True, True, True, True, False, False, False,
    ]  # fmt: skip
    assert light.see(None) is False
