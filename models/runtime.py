"""A TFLite file as a function from pixels to numbers, on either runtime.

For measuring only; the unit's own seam is in `firmware`.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.measure import Array

SIDE = 224
MODULES = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}

Network = Callable[[Array], Array]  # uint8 pixels [224, 224, 3] to a vector


def installed() -> list[str]:
    """The runtimes that are here; tflite-runtime has no wheel past Python 3.11."""
    return [name for name, module in MODULES.items() if importlib.util.find_spec(module)]


class Interpreter:
    """Runs uint8 [side, side, 3] through the file; returns the dequantised output vector."""

    def __init__(self, path: Path, runtime: str = "litert", threads: int = 1, side: int = SIDE):
        self._interpreter = _open(path, runtime, threads)
        if side != SIDE:
            number = self._interpreter.get_input_details()[0]["index"]
            self._interpreter.resize_tensor_input(number, [1, side, side, 3])
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def __call__(self, pixels: Array) -> Array:
        self._interpreter.set_tensor(self._input["index"], pixels[None])
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero = self._output["quantization"]
        result: Array = (raw.astype(np.float32) - zero) * scale if scale else raw
        return result


def _open(path: Path, runtime: str, threads: int) -> Any:
    if runtime == "litert":
        from ai_edge_litert.interpreter import Interpreter as LiteRt

        return LiteRt(model_path=str(path), num_threads=threads)
    from tflite_runtime.interpreter import Interpreter as Tflite

    return Tflite(model_path=str(path), num_threads=threads)


def squash(image: Image.Image) -> Array:
    """What the unit does to a frame or a crop before it classifies it."""
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
