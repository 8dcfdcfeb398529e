"""The Pi's camera by picamera2, with its IR lamp and IR-cut filter.

Promises bursts at the wanted interval, judged by the sensor's own time stamps; day or night from
the camera's own light estimate, taken while the lamp is off; the lamp off again after every burst;
frames marked as unsettled until the exposure has found itself after a start or a change of light.
An error closes the camera, and the next burst opens it anew. A camera that hangs hangs `burst`:
the daemon has the deadline.

    warm    streaming all the time; by day a burst begins with the frame before the edge
    cold    opened per burst, closed after it: saves power, and its first frame is unsettled

Written against picamera2 0.3.3x. Its names are by memory order: `BGR888` gives red first.
`main` becomes the JPEG, without metadata, and the crops; `lores` (YUV 4:2:0, full range) is the
whole frame for the model.
"""

import io
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from PIL import Image

from firmware.trap.capture.camera import CameraError, Frame, Rgb
from firmware.trap.capture.light import Light
from firmware.trap.settings import CameraSettings

FRAME_S = 0.2  # between frames of the waiting stream, and the longest exposure
FAST_FRAME_S = 1 / 30  # where the exposure must find itself: after a cold start or by lamplight
LOOK_FRAMES = 3
SETTLE_FRAMES = 6  # after a start or a change of light, where the camera does not say itself
BUFFERS = 5
LORES_WIDTH = 512  # for the whole frame; crops are cut from `main`
AE_CONVERGED = 2  # libcamera.controls.AeStateEnum.Converged
_ALIGN = 64  # bytes: rows of `lores` then have no padding on any Pi


class Switch(Protocol):
    """A lamp or a filter's coil; gpiozero's OutputDevice is one."""

    def on(self) -> Any: ...

    def off(self) -> Any: ...


class PiCamera:
    """`open_device()` gives a Picamera2 or something that behaves like it; `boot_s()` is the
    clock of its time stamps (CLOCK_BOOTTIME). The IR-cut switch is on when the filter is out."""

    def __init__(
        self,
        settings: CameraSettings,
        open_device: Callable[[], Any],
        now: Callable[[], float],
        boot_s: Callable[[], float],
        lamp: Switch | None = None,
        ircut: Switch | None = None,
    ) -> None:
        self._settings, self._open_device = settings, open_device
        self._now, self._boot_s, self._lamp, self._ircut = now, boot_s, lamp, ircut
        self._light = Light(settings.night_lux)
        self._device: Any = None
        # Warm: the last frame of the stream, held for the pre-roll. Whoever gets it out of the
        # queue owns it: the camera's thread or the burst's.
        self._held: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._unsettled = 0  # frames that are still not to be trusted
        if settings.mode == "warm":
            with self._guarded():
                self._start()

    def burst(self, frames: int, interval_s: float) -> Iterator[Frame]:
        """Each frame as soon as it is taken. Raises CameraError; the next call opens the camera
        anew."""
        try:
            with self._guarded():
                yield from self._burst(frames, interval_s)
        finally:
            if self._lamp is not None:
                self._lamp.off()
            if self._settings.mode == "cold":
                self.close()

    def close(self) -> None:
        """Stops the stream and gives the camera back. May be called again."""
        device, self._device = self._device, None
        if device is not None:
            device.pre_callback = None
            while (held := self._take_held()) is not None:
                held.release()
            device.stop()
            device.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """picamera2 and libcamera raise RuntimeError for nearly everything."""
        try:
            yield
        except (RuntimeError, OSError, ValueError, KeyError, IndexError) as error:
            self._abandon()
            raise CameraError(
                f"the camera: {error}; is its cable seated and no other program using it?"
            ) from error

    def _abandon(self) -> None:
        try:
            self.close()
        except (RuntimeError, OSError):
            self._device = None

    def _start(self) -> None:
        device = self._device = self._open_device()
        config = device.create_preview_configuration(
            main={"size": (self._settings.width, self._settings.height), "format": "BGR888"},
            lores={"size": lores_size(self._settings), "format": "YUV420"},
            buffer_count=BUFFERS,
            controls=_pace(FRAME_S if self._settings.mode == "warm" else FAST_FRAME_S),
        )
        device.configure(config)
        device.pre_callback = self._on_frame
        device.start()
        self._unsettled = SETTLE_FRAMES

    def _on_frame(self, request: Any) -> None:
        """In picamera2's thread, for each frame. Warm: hold on to it instead of the one before."""
        self._unsettled = max(self._unsettled - 1, 0)
        if self._settings.mode == "cold":
            return
        previous = self._take_held()
        request.acquire()
        self._held.put(request)
        if previous is not None:
            previous.release()

    def _take_held(self) -> Any:
        try:
            return self._held.get_nowait()
        except queue.Empty:
            return None

    def _burst(self, frames: int, interval_s: float) -> Iterator[Frame]:
        if self._device is None:
            self._start()
        first = self._first()
        relit = first is None
        taken, due_s = 0, 0.0
        while taken < frames:
            request = first or self._device.capture_request()
            first = None
            try:
                metadata = request.get_metadata()
                at_s = metadata["SensorTimestamp"] / 1e9
                if at_s < due_s - FRAME_S / 2:
                    continue
                frame = self._frame(request, metadata)
            finally:
                request.release()
            yield frame
            taken, due_s = taken + 1, at_s + interval_s
        if relit and self._settings.mode == "warm":
            self._device.set_controls(_pace(FRAME_S))

    def _first(self) -> Any:
        """By day the first frame, ours to release; warm, it is the one before the edge. At night
        and at dawn None: the light is set for the frames to come."""
        request = self._take_held() or self._look()
        was_night = self._light.night
        self._light.see(request.get_metadata().get("Lux"))
        if not self._light.night and not was_night:
            return request
        request.release()
        self._set_light(self._light.night)
        return None

    def _look(self) -> Any:
        """A frame whose light estimate is good for something: not the very first ones."""
        for _ in range(LOOK_FRAMES - 1):
            self._device.capture_request().release()
        return self._device.capture_request()

    def _set_light(self, night: bool) -> None:
        for switch in (self._ircut, self._lamp):
            if switch is not None:
                (switch.on if night else switch.off)()
        self._device.set_controls(_pace(FAST_FRAME_S))
        self._device.capture_request(flush=True).release()  # nothing exposed before the change
        self._unsettled = SETTLE_FRAMES

    def _frame(self, request: Any, metadata: dict[str, Any]) -> Frame:
        settled = self._unsettled == 0 or _converged(metadata)
        age_s = self._boot_s() - metadata["SensorTimestamp"] / 1e9
        small = rgb_of(request.make_array("lores"), lores_size(self._settings))
        full = request.make_array("main")
        time_s = self._now() - max(age_s, 0.0)
        return Frame(self._jpeg(full), full, time_s, self._light.night, settled, small)

    def _jpeg(self, pixels: Rgb) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=self._settings.jpeg_quality)
        return file.getvalue()


def open_camera(settings: CameraSettings) -> PiCamera:
    """The camera of this Pi, its lamp and filter on the configured pins. Raises CameraError."""
    from gpiozero import OutputDevice

    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CameraError(f"picamera2 ({error}): apt install python3-picamera2") from error
    pins = (settings.lamp_pin, settings.ircut_pin)
    lamp, ircut = (None if pin is None else OutputDevice(pin) for pin in pins)
    now = time.time  # noqa: TID251 - the adapter's entry point
    return PiCamera(settings, Picamera2, now, _boot_s, lamp, ircut)


def _pace(least_s: float) -> dict[str, tuple[int, int]]:
    """Microseconds. The longest stays the same, so that exposures at night may be as long."""
    return {"FrameDurationLimits": (round(least_s * 1e6), round(FRAME_S * 1e6))}


def _converged(metadata: dict[str, Any]) -> bool:
    """Exposure has settled, by the name that libcamera has for it: before 0.5, and since."""
    return bool(metadata.get("AeLocked", False)) or metadata.get("AeState") == AE_CONVERGED


def lores_size(settings: CameraSettings) -> tuple[int, int]:
    """Width and height for the model: half the frame or `LORES_WIDTH`, with the frame's aspect."""
    width = min(settings.width // 2, LORES_WIDTH) // _ALIGN * _ALIGN
    return width, max(round(width * settings.height / settings.width / 4) * 4, 4)


def rgb_of(planes: Rgb, size: tuple[int, int]) -> Rgb:
    """YUV 4:2:0 planes as picamera2 gives them, (height * 3/2, stride), to (height, width, 3)."""
    width, height = size
    stride = planes.shape[1]
    chroma = planes[height : height * 3 // 2].reshape(2, height // 2, stride // 2)
    bands = [Image.fromarray(planes[:height, :width])]
    bands += [Image.fromarray(plane[:, : width // 2]).resize(size) for plane in chroma]
    return np.asarray(Image.merge("YCbCr", bands).convert("RGB"))


def _boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
