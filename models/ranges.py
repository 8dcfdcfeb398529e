"""The int8 range of every activation: measured once, then trained with, then written.

Promises ranges that hold zero exactly, from pictures of which half are night-infrared camera-trap
frames. `Rounding` puts the rounding of the int8 file into the float network while it trains, so
that the weights learn to live with it (Jacob et al. 2018, section 3): the exporter then writes the
very ranges that were trained with.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.augment import crop, is_grey
from models.backbone import MobileNet, to_input, weight_scale
from models.manifest import Example
from models.measure import Array
from models.runtime import squash

Scale = tuple[float, int]  # step and zero point of an int8 tensor

CALIBRATION_IMAGES = 200
TAIL = 1e-4  # share of values beyond each end of an activation's range
STRIDE = 7  # of the values looked at; prime to every layer's width
RELU6_RANGE = (0.0, 6.0)
PIXELS: Scale = (1 / 127.5, -1)  # uint8 pixels fit the input exactly
NAME = "ranges.json"  # in the work folder


def calibration_pixels(examples: Sequence[Example], seed: int = 0) -> list[Array]:
    """Squashed frames and crops: half night-infrared camera traps, half anything."""
    random = np.random.default_rng(seed)
    night = [e for e in examples if e.camera_trap and is_grey(_pixels(e, cropped=False))]
    half = CALIBRATION_IMAGES // 2
    chosen = [night[i] for i in random.integers(0, len(night), half)]
    chosen += [examples[i] for i in random.integers(0, len(examples), half)]
    return [_pixels(e, cropped=bool(e.boxes) and i % 2 == 0) for i, e in enumerate(chosen)]


def _pixels(example: Example, cropped: bool) -> Array:
    with Image.open(example.path) as image:
        return squash(crop(image, example.boxes[0], 0.15, None) if cropped else image)


def activation_scales(network: MobileNet, pixels: Sequence[Array]) -> dict[int, Scale]:
    """Step and zero point of every activation, from the tails of its values."""
    lows: dict[int, list[float]] = {}
    highs: dict[int, list[float]] = {}
    clipped = _clipped(network)

    def watch(number: int, value: torch.Tensor) -> torch.Tensor:
        if number not in clipped:
            flat = np.sort(value.flatten().numpy()[::STRIDE])
            cut = int(flat.size * TAIL)
            lows.setdefault(number, []).append(float(flat[cut]))
            highs.setdefault(number, []).append(float(flat[-1 - cut]))
        return value

    with torch.inference_mode():
        for picture in pixels:
            network(to_input(picture[None]), watch)
    scales = {number: scale_of(min(lows[number]), max(highs[number])) for number in lows}
    scales |= {number: scale_of(*RELU6_RANGE) for number in clipped}
    scales[network.entry] = PIXELS
    return scales


def _clipped(network: MobileNet) -> set[int]:
    """The tensors that a ReLU6 keeps within its own range."""
    convolutions = ((step, network.layer_of(step)) for step in network.steps)
    return {step.output for step, layer in convolutions if layer is not None and layer.relu}


def scale_of(low: float, high: float) -> Scale:
    """The asymmetric int8 scale of a range, which is made to hold zero exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255 or 1e-8
    return step, round(-128 - low / step)


def save_scales(scales: dict[int, Scale], folder: Path) -> None:
    (folder / NAME).write_text(json.dumps(sorted((n, *scale) for n, scale in scales.items())))


def load_scales(folder: Path) -> dict[int, Scale] | None:
    """The ranges that a run trained with; None where it did not."""
    path = folder / NAME
    if not path.exists():
        return None
    return {number: (step, zero) for number, step, zero in json.loads(path.read_text())}


class Rounding:
    """What the int8 file will do to activations and weights, with gradients as if it did not."""

    def __init__(self, scales: dict[int, Scale]):
        self.scales = scales

    def activation(self, number: int, value: torch.Tensor) -> torch.Tensor:
        """A `Watch`: clamped to the tensor's range and rounded to its steps."""
        step, zero = self.scales[number]
        if (step, zero) != scale_of(*RELU6_RANGE):  # a ReLU6 has clamped already
            value = value.clamp((-128 - zero) * step, (127 - zero) * step)
        return _to_steps(value, step)

    def weight(self, value: torch.Tensor) -> torch.Tensor:
        """Rounded per output channel, as `backbone.rounded_weight`."""
        return _to_steps(value, weight_scale(value.detach())[:, None, None, None])


def _to_steps(value: torch.Tensor, step: float | torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = _Round.apply(value, step)  # type: ignore[no-untyped-call]
    return result


class _Round(torch.autograd.Function):
    """Rounds to whole steps; its gradient is that of the identity."""

    @staticmethod
    def forward(context: Any, value: torch.Tensor, step: float | torch.Tensor) -> torch.Tensor:
        return (value / step).round_().mul_(step)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        return gradients[0], None
