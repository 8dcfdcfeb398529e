"""What the capture daemon needs of a camera: one burst of frames.

Adapters: `picamera.py` (picamera2, warm and cold) and, in `firmware/sim/camera.py`, a folder of
real bursts and rendered scenes. An adapter promises full-resolution JPEG bytes as they will be
stored, and the same picture decoded for the model; it does not judge what is on it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]


class CameraError(Exception):
    """The camera gave no usable frame. Tree: CameraError > CameraHung."""


class CameraHung(CameraError):
    """The camera gave nothing within its time; only a restart of the process frees it."""


@dataclass(frozen=True)
class Frame:
    """One picture.

    `jpeg`: the file as it will be stored; `rgb`: uint8 (height, width, 3), as large as it can be
    had, for crops; `small`: the same reduced, where the camera has it at no cost;
    `time_s`: unix seconds UTC of the exposure; `night`: lit by the IR lamp, so grey;
    `settled`: False for the first frames after a cold start, whose exposure is not to be trusted.
    """

    jpeg: bytes
    rgb: Rgb
    time_s: float
    night: bool
    settled: bool = True
    small: Rgb | None = None


class Camera(Protocol):
    """A burst of `frames` pictures `interval_s` apart, each best given as soon as it is taken: the
    daemon judges one while the next is on its way. Raises CameraError; may be called again."""

    def burst(self, frames: int, interval_s: float) -> Iterable[Frame]: ...

    def close(self) -> Any: ...
