"""The classifier: pictures in, calibrated probabilities out, on whichever TFLite runtime is there.

Promises that a classifier which was made works: the sidecar, hash, shapes, types, labels and
firmware version fit, and one inference has run (tflite-runtime 2.14 imports beside numpy 2 and
fails only then). Everything else is a `ModelError`. Does not decide anything: `verdict.py` does.

Runtimes: ai-edge-litert (`litert`) is measured several times faster on quantised networks than
tflite-runtime 2.14 (`tflite`), which is for machines where litert has no wheel. The two give the
same labels, not the same bytes.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import firmware
from firmware.trap.capture.camera import Rgb
from firmware.trap.capture.sidecar import ModelError, Sidecar, load_sidecar
from firmware.trap.settings import ClassifierSettings

__all__ = ["RUNTIMES", "Classifier", "ModelError", "Scores", "shipped_model"]

Scores = npt.NDArray[np.float64]
"""Calibrated probabilities, shape (labels,), in the order of the sidecar's labels."""

RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}
_CHANNELS = 3
_DEFAULTS = ClassifierSettings()


def shipped_model() -> Path:
    """The model that comes with the firmware: in an installed wheel, or in a checkout."""
    package = Path(firmware.__file__).parent
    places = (package / "models", package.parent / "models")
    for place in places:
        if (place / "rosette.tflite").is_file():
            return place / "rosette.tflite"
    raise ModelError(
        f"rosette.tflite is in neither {places[0]} nor {places[1]}: install the firmware again, "
        "or name a model in classifier.model"
    )


class Classifier:
    """One loaded model; `settings.model` is not looked at. Raises ModelError.

    `thresholds`: the sidecar's, with those of the settings over them.
    """

    def __init__(self, model: Path, settings: ClassifierSettings = _DEFAULTS) -> None:
        self.sidecar: Sidecar = load_sidecar(model)
        self.thresholds = _thresholds(self.sidecar, settings)
        self.runtime, module = _import_runtime(settings.runtime)
        try:
            self._interpreter = _interpreter(module, model, settings)
            self._check_shapes(model)
            self._exclusive = np.array(
                [name not in self.sidecar.independent for name in self.sidecar.labels]
            )
            self.scores([np.full((8, 8, _CHANNELS), 128, np.uint8)])
        except (RuntimeError, ValueError, SystemError, ImportError, OSError) as error:
            raise ModelError(
                f"{model}: does not run on {RUNTIMES[self.runtime]}: {error}; "
                "if numpy is named, tflite-runtime needs numpy < 2"
            ) from error

    def scores(self, views: Sequence[Rgb]) -> list[Scores]:
        """Calibrated probabilities of each view, uint8 (height, width, 3), any size."""
        return [self._calibrate(self.logits(self.prepare(view))) for view in views]

    def prepare(self, view: Rgb) -> Rgb:
        """The view squashed to the network's input, as in training: uint8 (1, h, w, 3)."""
        size = (self.sidecar.width, self.sidecar.height)
        image = Image.fromarray(view)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(image)[np.newaxis]

    def logits(self, batch: Rgb) -> Scores:
        """One bare inference: dequantised outputs, shape (labels,)."""
        self._interpreter.set_tensor(self._input["index"], batch)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"])[0]
        scale, zero = self._output["quantization"]
        return np.asarray((raw.astype(np.float64) - zero) * scale)

    def _calibrate(self, logits: Scores) -> Scores:
        """Softmax over the exclusive labels, a sigmoid for each independent one."""
        exponents = np.exp((logits - logits[self._exclusive].max()) / self.sidecar.temperature)
        scores = np.asarray(exponents / exponents[self._exclusive].sum())
        for name, sigmoid in self.sidecar.independent.items():
            at = self.sidecar.labels.index(name)
            scores[at] = 1 / (1 + np.exp(-(logits[at] / sigmoid.temperature + sigmoid.bias)))
        return scores

    def _check_shapes(self, model: Path) -> None:
        """Holds the file to its sidecar: one input, one output, shapes and types."""
        inputs, outputs = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{model}: has {len(inputs)} inputs and {len(outputs)} outputs, not 1")
        self._input: dict[str, Any] = inputs[0]
        self._output: dict[str, Any] = outputs[0]
        _hold(model, "input", inputs[0], (1, self.sidecar.height, self.sidecar.width, _CHANNELS),
              (np.uint8,))  # fmt: skip
        _hold(model, "output", outputs[0], (1, len(self.sidecar.labels)), (np.uint8, np.int8))
        if not outputs[0]["quantization"][0] > 0:
            raise ModelError(f"{model}: output has no quantisation scale: convert it again")


def _hold(
    model: Path, what: str, tensor: dict[str, Any], shape: tuple[int, ...], types: tuple[Any, ...]
) -> None:
    found = tuple(int(side) for side in tensor["shape"])
    if found != shape:
        raise ModelError(f"{model}: {what} has shape {found}, its sidecar means {shape}")
    if tensor["dtype"] not in types:
        names = " or ".join(np.dtype(kind).name for kind in types)
        raise ModelError(f"{model}: {what} is {np.dtype(tensor['dtype']).name}, not {names}")


def _thresholds(sidecar: Sidecar, settings: ClassifierSettings) -> Mapping[str, float]:
    if unknown := settings.thresholds.keys() - sidecar.thresholds.keys():
        known = ", ".join(sidecar.thresholds)
        raise ModelError(f"classifier.thresholds: no {sorted(unknown)[0]!r}; there are {known}")
    return dict(sidecar.thresholds) | settings.thresholds


def _import_runtime(wanted: str) -> tuple[str, ModuleType]:
    names = tuple(RUNTIMES) if wanted == "auto" else (wanted,)
    missing = []
    for name in names:
        try:
            return name, importlib.import_module(RUNTIMES[name])
        except ImportError as error:
            missing.append(f"{name} ({error})")
    raise ModelError(
        f"no TFLite runtime: {', '.join(missing)}; install ai-edge-litert or tflite-runtime"
    )


def _interpreter(module: ModuleType, model: Path, settings: ClassifierSettings) -> Any:
    library = settings.delegate
    if library is not None and not library.is_file():
        raise ModelError(f"classifier.delegate: {library} is not a file")
    interpreter = module.Interpreter(
        model_path=str(model),
        num_threads=settings.threads,
        experimental_delegates=None if library is None else [module.load_delegate(str(library))],
    )
    interpreter.allocate_tensors()
    return interpreter
