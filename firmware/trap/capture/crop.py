"""Where something moved: a box around it, from a burst and the last empty frames of one camera.

Promises at most one box a frame, and None when there is no honest answer: nothing moved, or
everything did (the camera was knocked, the lamp came on, heavy snow). Works on small grey copies:

1. background: the per-pixel median of the last empties, or of the burst itself without them;
2. brightness and gain of the frame are fitted to the background, so that a lamp that warms up or
   an exposure that steps is no motion;
3. the blurred difference counts where it stands out of the frame's own noise, out of how much
   that pixel varies in the background frames (a branch that always sways), and out of the furthest
   it has been in the empties (the same branch, still now but blown about before);
4. specks are eroded away (snow), the rest is joined into blobs; the strongest compact one wins.

Does not know what moved, and does not track it from frame to frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
from PIL import Image

from firmware.trap.capture.blobs import Blob, find_blobs
from firmware.trap.capture.camera import Rgb

Grey = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

WIDTH, HEIGHT = 192, 108  # of the grey copies, about: 1/40 of the frame is still 5 pixels wide
INPUT, ROOM = 224, 1.4
NOISES = 6.0  # a difference counts from this many standard deviations of the frame's noise,
FLOOR = 6.0  # and from this many grey levels,
SWAY = 3.0  # above this many median deviations of the pixel itself,
REACH = 2.5  # and above its largest deviation where that is so many times the frame's usual one
SPARSE = 7  # every so many pixels are enough to tell gain, offset and noise by
FITTING = 0.7  # of the pixels tell gain and offset; the animal may be among the others
TEXTURE = 9.0  # grey levels squared: about the variance that noise alone gives
UNLIKE = 6.0  # grey levels of median difference: this is not the same scene any more
EVERYWHERE = 0.3  # a larger share of moving pixels is the camera or the light, not an animal
LEAST_AREA = 0.0008  # of the frame; smaller blobs are specks
MANY = 6  # so many blobs are weather, unless one of them is
STANDS_OUT = 6.0  # times as strong as the median one
MARGIN = 0.25  # of the box's side, added on each side
LEAST_SIDE = 0.12  # of the frame's height
PART = 0.6  # of the frame's width and height


@dataclass(frozen=True)
class Box:
    """A part of a frame, in fractions of its width and height, 0..1."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Background:
    """What a fixed camera sees without the animal: the scene, and by how many grey levels each
    pixel may differ from it beyond noise."""

    scene: Grey
    sway: Grey

    @classmethod
    def of(cls, greys: Sequence[Grey]) -> "Background | None":
        """From the burst itself, animal and all. Fewer than two frames tell nothing."""
        if len(greys) < 2:
            return None
        scene = _median(greys)
        if len(greys) == 2:
            return cls(scene, np.zeros_like(scene))
        return cls(scene, SWAY * _median([np.abs(grey - scene) for grey in greys]))

    @classmethod
    def of_empties(cls, greys: Sequence[Grey]) -> "Background | None":
        """From earlier frames without an animal: whatever moved in one of them may do so again."""
        found = cls.of(greys)
        if found is None:
            return None
        largest = _blur(np.max([np.abs(grey - found.scene) for grey in greys], axis=0))
        usual = float(np.median(largest.ravel()[::SPARSE]))
        return cls(found.scene, found.sway + np.where(largest > REACH * usual, largest, 0))


def motion_boxes(frames: Sequence[Grey], empties: Sequence[Grey]) -> list[Box | None]:
    """A box for each frame of a burst, or None. `empties`: earlier frames of the same fixed
    camera. Both as `grey_of` gives them; empties of another shape are left out."""
    if len({grey.shape for grey in frames}) != 1:
        return [None for _ in frames]
    before = Background.of_empties([grey for grey in empties if grey.shape == frames[0].shape])
    during = Background.of(frames)
    return [_box_of(grey, before, during) for grey in frames]


def parts() -> list[Box]:
    """Six overlapping parts of a frame, for a picture without others to tell motion by."""
    lefts, tops = (0.0, (1 - PART) / 2, 1 - PART), (0.0, 1 - PART)
    return [Box(left, top, left + PART, top + PART) for top in tops for left in lefts]


def thumbnail(picture: Rgb) -> Rgb:
    """The picture at a whole fraction of its size, still `ROOM` times the model's input or more:
    what is left to squash then costs a fraction, and moves scores no more than a JPEG does."""
    height, width = picture.shape[:2]
    factors = (max(int(width / (INPUT * ROOM)), 1), max(int(height / (INPUT * ROOM)), 1))
    return picture if factors == (1, 1) else np.asarray(Image.fromarray(picture).reduce(factors))


def grey_of(picture: Rgb) -> Grey:
    """The small grey copy that motion is looked for in: about `WIDTH` by `HEIGHT` pixels."""
    height, width = picture.shape[:2]
    factors = (max(round(width / WIDTH), 1), max(round(height / HEIGHT), 1))
    return np.asarray(Image.fromarray(picture).reduce(factors).convert("L"), np.float32)


def cut(frame: Rgb, box: Box) -> Rgb:
    """The part of the frame that the box covers; never without a pixel."""
    height, width = frame.shape[:2]
    left, top = int(box.left * width), int(box.top * height)
    right, bottom = int(np.ceil(box.right * width)), int(np.ceil(box.bottom * height))
    part = frame[top : max(bottom, top + 1), left : max(right, left + 1)]
    return np.ascontiguousarray(part)  # Pillow takes many times as long over one with strides


def _box_of(grey: Grey, before: Background | None, during: Background | None) -> Box | None:
    """Against the empties first; where everything differs from them, against the burst alone: a
    camera that was knocked an hour ago is still while the animal walks."""
    for background in (before, during):
        if background is None:
            continue
        mask, difference = _moving(grey, background)
        if mask.mean() <= EVERYWHERE:
            blob = _winner(find_blobs(mask, difference), mask.size)
            return None if blob is None else _with_margin(blob, grey.shape)
    return None


def _moving(grey: Grey, background: Background) -> tuple[Mask, Grey]:
    """(mask of what moved, blurred difference) against a background."""
    difference = np.abs(_blur(_matched(grey, background.scene) - background.scene))
    typical = float(np.median(difference.ravel()[::SPARSE]))
    if typical > UNLIKE:
        return np.ones(grey.shape, bool), difference
    threshold = max(FLOOR, NOISES * 1.4826 * typical) + background.sway
    return _opened(difference > threshold), difference


def _matched(grey: Grey, background: Grey) -> Grey:
    """The frame with its gain and offset fitted to the background: by the medians first, then
    twice by least squares over the pixels that fit best. Where these have no texture to tell the
    gain by, it stays near 1."""
    few, same = grey.ravel()[::SPARSE], background.ravel()[::SPARSE]
    gain, offset = 1.0, float(np.median(same) - np.median(few))
    for _ in range(2):
        residual = np.abs(gain * few + offset - same)
        fits = residual <= np.quantile(residual, FITTING)
        x, y = few[fits], same[fits]
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


def _median(frames: Sequence[Grey]) -> Grey:
    """Per pixel. A bubble sort of whole frames: for a handful of them ten times as fast as
    numpy's median, which sorts each pixel."""
    ordered = list(frames)
    for last in range(len(ordered) - 1, 0, -1):
        for at in range(last):
            low = np.minimum(ordered[at], ordered[at + 1])
            ordered[at + 1] = np.maximum(ordered[at], ordered[at + 1])
            ordered[at] = low
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _blur(grey: Grey) -> Grey:
    """Mean over 3 x 3 pixels: halves sensor noise and edges that move by less than a pixel."""
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, np.float32)


def _opened(mask: Mask) -> Mask:
    """Without specks thinner than 3 pixels, then grown so that legs join their body."""
    return _grown(~_grown(~mask, 1), 2)


def _grown(mask: Mask, by: int) -> Mask:
    """Every pixel with a True one within `by` rows and columns."""
    for _ in range(by):
        for _ in range(2):  # rows, then columns by the transposed view
            wider = mask.copy()
            wider[:-1] |= mask[1:]
            wider[1:] |= mask[:-1]
            mask = wider.T
    return mask
