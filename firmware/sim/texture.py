"""Fields of float32 over pixels or skin, and what coats, forests and light all do with them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, and a cubic without corners between."""
    t = ((value - low) / (high - low)).clip(0, 1)
    result: Array = t * t * (3 - 2 * t)
    return result


def enlarge(field: Array, shape: tuple[int, ...]) -> Array:
    """Bicubic resize of a 2-D field to shape (rows, columns)."""
    resized = Image.fromarray(field).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.float32)


def value_noise(rng: np.random.Generator, shape: tuple[int, ...], cell: float) -> Array:
    """Smooth noise of about unit amplitude whose features are `cell` pixels wide."""
    rows = max(2, int(shape[0] / cell) + 2)
    columns = max(2, int(shape[1] / cell) + 2)
    return enlarge(rng.uniform(-1, 1, (rows, columns)).astype(np.float32), shape)
