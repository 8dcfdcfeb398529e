"""Cameras without a lens: a folder of pictures, rendered visits, and parts that fail.

Promises the shape the capture daemon asks for: `burst(frames, interval_s)` gives one frame at once
and then one per interval, and `close()`. The frame type is the daemon's: `make_frame` builds it, so
nothing of the field unit is imported here. A picture that cannot be decoded raises OSError with its
path; the next burst goes on with the next picture. Waiting is the caller's `wait`.
"""

import io
import itertools
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from firmware.sim.card import find_bursts
from firmware.sim.scene import Site, Visit, film, jpeg

Rgb = NDArray[np.uint8]
F = TypeVar("F")
MakeFrame = Callable[[bytes, Rgb, float, bool], F]  # JPEG, pixels, unix seconds UTC, night
Wait = Callable[[float], object]  # Event.wait, or a virtual clock's

_MOST_PIXELS = 120_000_000
_ENOUGH_PX = 1600  # the model's copy of a larger picture is reduced to this


class BurstCamera(Protocol[F]):
    """What every camera here is."""

    def burst(self, frames: int, interval_s: float) -> list[F]: ...

    def close(self) -> None: ...


class FolderCamera(Generic[F]):
    """Replays somebody's card, one burst per trigger; `card.py` says what belongs together.

    In order of name, or shuffled by `rng`; after the last comes the first again. `last` holds the
    pictures of the latest burst. Raises FileNotFoundError when there is no picture in `path`.
    """

    def __init__(
        self, path: Path, make_frame: MakeFrame[F], now: Callable[[], float], wait: Wait,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.bursts = find_bursts(path)
        if rng is not None:
            self.bursts = [self.bursts[i] for i in rng.permutation(len(self.bursts))]
        self.last: tuple[Path, ...] = ()
        self._next = itertools.cycle(self.bursts)
        self._make_frame, self._now, self._wait = make_frame, now, wait

    def burst(self, frames: int, interval_s: float) -> list[F]:
        """As many frames as the burst on the card has, at most `frames`. Raises OSError."""
        self.last = next(self._next)[:frames]
        taken = []
        for number, path in enumerate(self.last):
            if number:
                self._wait(interval_s)
            content, pixels = read(path)
            taken.append(self._make_frame(content, pixels, self._now(), is_grey(pixels)))
        return taken

    def close(self) -> None:
        """Holds nothing open."""


class RenderedCamera(Generic[F]):
    """Renders the next visit for every trigger; when visits run out, a branch sways in the wind.

    `night` tells from the time whether the lamp is on. `last` is the visit of the latest burst.
    """

    def __init__(
        self, site: Site, visits: Iterable[Visit], night: Callable[[float], bool],
        make_frame: MakeFrame[F], now: Callable[[], float], wait: Wait, rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.last: Visit | None = None
        self._site, self._visits, self._night, self._rng = site, iter(visits), night, rng
        self._make_frame, self._now, self._wait = make_frame, now, wait

    def burst(self, frames: int, interval_s: float) -> list[F]:
        visit = self.last = next(self._visits, Visit("empty"))
        night = self._night(self._now())
        taken = []
        shots = film(self._site, visit, night, frames, interval_s, self._rng)
        for number, shot in enumerate(shots):
            if number:
                self._wait(interval_s)
            pixels = np.asarray(shot.image, dtype=np.uint8)
            taken.append(self._make_frame(jpeg(shot.image), pixels, self._now(), night))
        return taken

    def close(self) -> None:
        """Holds nothing open."""


class BlackCamera(Generic[F]):
    """A dead lens or a frozen shutter: frames come in time, and nothing is on them."""

    def __init__(
        self, make_frame: MakeFrame[F], now: Callable[[], float], wait: Wait,
        size: tuple[int, int] = (1280, 720),
    ) -> None:  # fmt: skip
        self._make_frame, self._now, self._wait = make_frame, now, wait
        self._image = Image.new("RGB", size)

    def burst(self, frames: int, interval_s: float) -> list[F]:
        pixels = np.asarray(self._image, dtype=np.uint8)
        taken = []
        for number in range(frames):
            if number:
                self._wait(interval_s)
            taken.append(self._make_frame(jpeg(self._image), pixels, self._now(), True))
        return taken

    def close(self) -> None:
        """Holds nothing open."""


class HangingCamera(Generic[F]):
    """Every `every`-th burst keeps its caller for `hang_s`, as a stuck driver does, then fails."""

    def __init__(self, camera: BurstCamera[F], hang_s: float, wait: Wait, every: int = 1) -> None:
        self._camera, self._hang_s, self._wait = camera, hang_s, wait
        self._turns = itertools.cycle([False] * (every - 1) + [True])

    def burst(self, frames: int, interval_s: float) -> list[F]:
        if next(self._turns):
            self._wait(self._hang_s)
            raise OSError(f"camera: no frame within {self._hang_s} s")
        return self._camera.burst(frames, interval_s)

    def close(self) -> None:
        self._camera.close()


class RaisingCamera(Generic[F]):
    """Every `every`-th burst fails at once, as a loose ribbon cable does."""

    def __init__(self, camera: BurstCamera[F], every: int = 1) -> None:
        self._camera = camera
        self._turns = itertools.cycle([False] * (every - 1) + [True])

    def burst(self, frames: int, interval_s: float) -> list[F]:
        if next(self._turns):
            raise OSError("camera: the sensor does not answer")
        return self._camera.burst(frames, interval_s)

    def close(self) -> None:
        self._camera.close()


def read(path: Path) -> tuple[bytes, Rgb]:
    """A picture's JPEG bytes and RGB pixels; what is not an RGB or grey JPEG is made one."""
    content = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # own limit below
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise OSError(f"{image.width} x {image.height} pixels are too many")
                as_is = image.format == "JPEG" and image.mode in ("RGB", "L")
                if as_is:
                    image.draft("RGB", (_ENOUGH_PX, _ENOUGH_PX))
                picture = ImageOps.exif_transpose(_rgb(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise OSError(f"{path}: cannot be decoded: {error}") from error
    stored = content if as_is else jpeg(picture)
    picture.thumbnail((_ENOUGH_PX, _ENOUGH_PX))
    return stored, np.asarray(picture, dtype=np.uint8)


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of any mode; 16-bit grey is scaled, which Pillow's own conversion would clip."""
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.float32)
        image = Image.fromarray((wide / 257).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def is_grey(pixels: Rgb) -> bool:
    """True for a picture taken by infrared light: its three channels say the same."""
    few = pixels[::8, ::8].astype(np.int16)
    return bool((few.max(axis=2) - few.min(axis=2)).mean() < 3)
