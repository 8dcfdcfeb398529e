"""The shipped model file and its sidecar keep the promises that the unit relies on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from models.labels import EXCLUSIVE_COUNT, INDEPENDENT, LABELS
from models.runtime import Interpreter

Pixels = npt.NDArray[np.uint8]
MODELS = Path(__file__).parents[2] / "models"
MODEL = MODELS / "rosette.tflite"


@pytest.fixture(scope="module")
def sidecar() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MODELS / "rosette.json").read_text())
    return content


def test_the_sidecar_names_this_very_file(sidecar: dict[str, Any]) -> None:
    assert sidecar["file"] == MODEL.name
    assert sidecar["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()


def test_the_file_is_at_most_four_megabytes() -> None:
    assert MODEL.stat().st_size <= 4_000_000


def test_the_sidecar_lists_the_labels_in_the_order_of_the_outputs(sidecar: dict[str, Any]) -> None:
    assert tuple(label["name"] for label in sidecar["labels"]) == LABELS
    assert tuple(sidecar["independent"]) == INDEPENDENT == LABELS[EXCLUSIVE_COUNT:]
    for label in sidecar["labels"]:
        assert label["taxon"]
        assert 0 <= label["train_camera_trap"] <= label["train_images"]


def test_calibration_and_thresholds_are_usable_numbers(sidecar: dict[str, Any]) -> None:
    calibration = sidecar["calibration"]
    assert calibration["temperature"] > 0
    assert all(calibration["independent"][name]["temperature"] > 0 for name in INDEPENDENT)
    assert set(sidecar["thresholds"]) == {"leopard", "tiger", "human", "vehicle", "other"}
    assert all(0 < value < 1 for value in sidecar["thresholds"].values())


def test_the_card_is_about_this_version(sidecar: dict[str, Any]) -> None:
    title = (MODELS / "README.md").read_text().splitlines()[0]
    assert title == f"# Model card: {sidecar['name']} {sidecar['version']}"


@pytest.mark.parametrize("runtime", ["ai_edge_litert", "tflite_runtime"])
def test_the_file_takes_uint8_pixels_and_gives_quantised_logits(runtime: str) -> None:
    interpreter = pytest.importorskip(f"{runtime}.interpreter").Interpreter(str(MODEL))
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (list(taken["shape"]), taken["dtype"]) == ([1, 224, 224, 3], np.uint8)
    assert (list(given["shape"]), given["dtype"]) == ([1, len(LABELS)], np.uint8)
    assert given["quantization"][0] > 0


def test_both_runtimes_name_the_same_label(frames_dir: Path) -> None:
    pytest.importorskip("tflite_runtime.interpreter")
    images = sorted((frames_dir / "images").rglob("*.jpg"))[::60]
    litert, tflite = Interpreter(MODEL, "litert"), Interpreter(MODEL, "tflite")
    same = [
        litert(p)[:EXCLUSIVE_COUNT].argmax() == tflite(p)[:EXCLUSIVE_COUNT].argmax()
        for p in map(squashed, images)
    ]
    assert np.mean(same) >= 0.97


def squashed(path: Path) -> Pixels:
    with Image.open(path) as image:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    return np.asarray(small)
