"""What a model file says about itself: the `.json` beside the `.tflite`.

Promises that a sidecar which loads is complete and sane (types, ranges, labels), and that the
model file has the hash that it names. Does not open the model; `classifier.py` does.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import firmware

NEEDED_LABELS = ("leopard", "empty")
RESIZE = "squash-bilinear"
_LABEL = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)  # what a sighting record takes as a species


class ModelError(Exception):
    """A model that will not be used: which file, what is wrong with it, what to do."""


@dataclass(frozen=True)
class Sigmoid:
    """Calibration of one independent label: p = sigmoid(logit / temperature + bias)."""

    temperature: float
    bias: float


@dataclass(frozen=True)
class Sidecar:
    """One model's contract with the firmware.

    `labels` in the order of the output; those in `independent` are yes/no each, the rest share one
    softmax with `temperature`; `thresholds`: leopard, tiger, human, vehicle, other; `sha256` hex.
    """

    name: str
    version: str
    file: Path
    sha256: str
    width: int
    height: int
    labels: tuple[str, ...]
    temperature: float
    independent: Mapping[str, Sigmoid]
    thresholds: Mapping[str, float]

    @property
    def id(self) -> str:
        """The first 8 hex digits of the model file's hash: how a sighting names its model."""
        return self.sha256[:8]


def load_sidecar(model: Path) -> Sidecar:
    """The sidecar of a model file, after checking the file's hash. Raises ModelError."""
    path = model.with_suffix(".json")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        content = model.read_bytes()
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path}: is not JSON: {error}; install the model again") from error
    try:
        sidecar = _parse(raw, model)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{path}: {reason}; install the model again") from error
    if raw["file"] != model.name:
        raise ModelError(f"{path}: describes {raw['file']!r}, not {model.name!r}")
    if (digest := hashlib.sha256(content).hexdigest()) != sidecar.sha256:
        raise ModelError(
            f"{model}: SHA-256 is {digest[:8]}…, its sidecar says {sidecar.sha256[:8]}…: the file "
            "is damaged or belongs to another sidecar; install the model again"
        )
    return sidecar


def _parse(raw: Any, model: Path) -> Sidecar:
    needed = str(raw["minimum_firmware"])
    if _version(needed) > _version(firmware.__version__):
        raise ValueError(f"needs firmware {needed}, this is {firmware.__version__}: update first")
    shape = raw["input"]
    wanted = {"dtype": "uint8", "colour": "RGB", "resize": RESIZE}
    for key, value in wanted.items():
        if shape[key] != value:
            raise ValueError(f"input.{key} is {shape[key]!r}, this firmware gives {value!r}")
    labels = tuple(str(label["name"]) for label in raw["labels"])
    if len(set(labels)) != len(labels) or not set(NEEDED_LABELS) <= set(labels):
        raise ValueError(f"labels must be unique and have {' and '.join(NEEDED_LABELS)}")
    for label in labels:
        if _LABEL.fullmatch(label) is None:
            raise ValueError(f"label {label!r} must be of a-z and _, 32 at most")
    calibration = raw["calibration"]
    independent = {
        name: Sigmoid(
            _positive(calibration["independent"][name]["temperature"]),
            _finite(calibration["independent"][name]["bias"]),
        )
        for name in raw["independent"]
    }
    if not set(independent) <= set(labels) - set(NEEDED_LABELS):
        raise ValueError("independent labels must be among the labels, leopard and empty not")
    thresholds = {name: float(value) for name, value in raw["thresholds"].items()}
    for name in ("leopard", "tiger", "other", *independent, *thresholds):
        if not 0 <= thresholds[name] <= 1:
            raise ValueError(f"thresholds.{name} is {thresholds[name]}, must be within 0..1")
    return Sidecar(
        name=str(raw["name"]),
        version=str(raw["version"]),
        file=model,
        sha256=str(raw["sha256"]).lower(),
        width=int(_positive(shape["width"])),
        height=int(_positive(shape["height"])),
        labels=labels,
        temperature=_positive(calibration["temperature"]),
        independent=independent,
        thresholds=thresholds,
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} must be a finite number")
    return number


def _positive(value: Any) -> float:
    number = _finite(value)
    if number <= 0:
        raise ValueError(f"{value!r} must be a positive number")
    return number
