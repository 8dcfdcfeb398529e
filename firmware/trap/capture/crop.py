"""Where something moved: a box around it, from a burst and the last empty frames of one camera.

Promises at most one box a frame, and None when there is no honest answer: nothing moved, or
everything did (the camera was knocked, the lamp came on, heavy snow). Works on small grey copies:

1. background: the per-pixel median of the last empties, or of the burst itself without them;
2. brightness and gain of the frame are fitted to the background, so that a lamp that warms up or
   an exposure that steps is no motion;
3. the blurred difference counts where it stands out of the frame's own noise and out of how much
   that pixel varies in the background frames (a branch that always sways);
4. specks are eroded away (snow), the rest is joined into blobs; the strongest compact one wins.

Does not know what moved, and does not track it from frame to frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from firmware.trap.capture.blobs import Blob, find_blobs
from firmware.trap.capture.camera import Rgb

Grey = npt.NDArray[np.float32]

WIDTH = 192  # of the grey copies: an animal of 1/40 of the frame's width is still 5 pixels
NOISES = 6.0  # a difference counts from this many standard deviations of the frame's noise,
FLOOR = 6.0  # and from this many grey levels,
SWAY = 3.0  # above this many median deviations of the pixel itself
FITTING = 0.7  # of the pixels tell gain and offset; the animal may be among the others
TEXTURE = 9.0  # grey levels squared: about the variance that noise alone gives
UNLIKE = 6.0  # grey levels of median difference: this is not the same scene any more
EVERYWHERE = 0.3  # a larger share of moving pixels is the camera or the light, not an animal
LEAST_AREA = 0.0008  # of the frame; smaller blobs are specks
MANY = 6  # so many blobs are weather, unless one of them is
STANDS_OUT = 4.0  # times as strong as the median one
MARGIN = 0.25  # of the box's side, added on each side
LEAST_SIDE = 0.12  # of the frame's height


@dataclass(frozen=True)
class Box:
    """A part of a frame, in fractions of its width and height, 0..1."""

    left: float
    top: float
    right: float
    bottom: float


def motion_boxes(frames: Sequence[Rgb], empties: Sequence[Rgb]) -> list[Box | None]:
    """A box for each frame, or None. `empties`: earlier frames of the same fixed camera."""
    greys = [_grey(frame) for frame in frames]
    known = [grey for grey in map(_grey, empties) if grey.shape == greys[0].shape] if greys else []
    burst = greys if len({grey.shape for grey in greys}) == 1 else []
    return [_box_of(grey, known, burst) for grey in greys]


def shrink(frame: Rgb) -> Rgb:
    """All that is needed of an empty frame, to keep: `WIDTH` wide."""
    height, width = frame.shape[:2]
    size = (WIDTH, max(round(WIDTH * height / width), 8))
    if (width, height) == size:
        return frame
    image = Image.fromarray(frame).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(image)


def cut(frame: Rgb, box: Box) -> Rgb:
    """The part of the frame that the box covers; never without a pixel."""
    height, width = frame.shape[:2]
    left, top = int(box.left * width), int(box.top * height)
    right, bottom = int(np.ceil(box.right * width)), int(np.ceil(box.bottom * height))
    return frame[top : max(bottom, top + 1), left : max(right, left + 1)]


def _box_of(grey: Grey, empties: Sequence[Grey], burst: Sequence[Grey]) -> Box | None:
    """Against the empties first; where everything differs from them, against the burst alone: a
    camera that was knocked an hour ago is still while the animal walks."""
    for stack in (empties, burst):
        if len(stack) < 2:
            continue
        mask, strength = _moving(grey, np.stack(stack))
        if mask.mean() > EVERYWHERE:
            continue
        blob = _winner(find_blobs(mask, strength), mask.size)
        if blob is not None:
            return _with_margin(blob, grey.shape)
        if stack is empties:
            return None
    return None


def _moving(grey: Grey, stack: Grey) -> tuple[npt.NDArray[np.bool_], Grey]:
    """(mask of what moved, blurred difference) against a stack of background frames."""
    background = np.median(stack, axis=0)
    sway = np.median(np.abs(stack - background), axis=0) if len(stack) > 2 else 0.0
    difference = np.abs(_blur(_matched(grey, background) - background))
    typical = float(np.median(difference))
    if typical > UNLIKE:
        return np.ones(grey.shape, bool), difference
    threshold = max(FLOOR, NOISES * 1.4826 * typical) + SWAY * sway
    return _opened(difference > threshold), difference


def _matched(grey: Grey, background: Grey) -> Grey:
    """The frame with its gain and offset fitted to the background: by the medians first, then
    twice by least squares over the pixels that fit best. Where these have no texture to tell the
    gain by, it stays near 1."""
    gain, offset = 1.0, float(np.median(background) - np.median(grey))
    for _ in range(2):
        residual = np.abs(gain * grey + offset - background)
        fits = residual <= np.quantile(residual, FITTING)
        x, y = grey[fits], background[fits]
        covariance = float(((x - x.mean()) * (y - y.mean())).mean())
        gain = (covariance + TEXTURE) / (float(x.var()) + TEXTURE)
        offset = float(y.mean()) - gain * float(x.mean())
    return np.asarray(gain * grey + offset, np.float32)


def _winner(blobs: Sequence[Blob], pixels: int) -> Blob | None:
    """The blob with the most difference in it, weighted by how full its box is: a body fills
    half of its box, a branch or a streak of snow little of it."""
    large = [blob for blob in blobs if blob.area >= LEAST_AREA * pixels]
    best = max(large, key=_weight, default=None)
    if best is None or len(large) < MANY:
        return best
    middle = median(_weight(blob) for blob in large)
    return best if _weight(best) > STANDS_OUT * middle else None


def _weight(blob: Blob) -> float:
    return blob.strength * blob.fill


def _with_margin(blob: Blob, shape: tuple[int, ...]) -> Box:
    """The blob's box, widened towards a square and by the margin, moved into the frame."""
    height, width = shape
    longest = max(blob.right - blob.left, blob.bottom - blob.top)
    sides = []
    for low, high, limit in ((blob.left, blob.right, width), (blob.top, blob.bottom, height)):
        side = max((high - low), 0.7 * longest) * (1 + 2 * MARGIN)
        side = min(max(side, LEAST_SIDE * height), limit)
        start = min(max((low + high - side) / 2, 0), limit - side)
        sides.append((start / limit, (start + side) / limit))
    (left, right), (top, bottom) = sides
    return Box(left, top, right, bottom)


def _grey(frame: Rgb) -> Grey:
    return np.asarray(Image.fromarray(shrink(frame)).convert("L"), np.float32)


def _blur(grey: Grey) -> Grey:
    """Mean over 3 x 3 pixels: halves sensor noise and edges that move by less than a pixel."""
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, np.float32)


def _opened(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Without specks thinner than 3 pixels, then grown so that legs join their body."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    opened = image.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MaxFilter(5))
    return np.asarray(opened) > 0
