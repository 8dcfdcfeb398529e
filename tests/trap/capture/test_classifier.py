"""The classifier seam: what it loads, what it refuses, and that its numbers are probabilities."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tfl

from firmware.trap.capture.classifier import RUNTIMES, Classifier, ModelError, shipped_model
from firmware.trap.settings import DEFAULT_POLICY, ClassifierSettings
from tests.trap.capture.tiny_model import BLUE, GREY, LABELS, ORANGE, Shape, sidecar, write_model


def flat(colour: tuple[int, int, int]) -> Any:
    return np.full((60, 80, 3), colour, np.uint8)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_both_runtimes_find_the_leopard(tiny: Path, runtime: str) -> None:
    pytest.importorskip(RUNTIMES[runtime], reason=f"{runtime} is not installed")
    classifier = Classifier(tiny, ClassifierSettings(runtime=runtime, threads=1))
    orange, grey = classifier.scores([flat(ORANGE), flat(GREY)])
    assert classifier.runtime == runtime
    assert LABELS[orange.argmax()] == "leopard" and orange[0] > 0.9
    assert LABELS[grey.argmax()] == "empty"


def test_exclusive_labels_sum_to_one_and_a_person_stands_apart(classifier: Classifier) -> None:
    (scores,) = classifier.scores([flat(BLUE)])
    assert scores[:15].sum() == pytest.approx(1)
    assert scores[LABELS.index("human")] > 0.9
    assert scores[LABELS.index("empty")] > 0.9


def test_calibration_follows_the_sidecar(tmp_path: Path) -> None:
    plain = Classifier(write_model(tmp_path))
    logits = plain.logits(plain.prepare(flat(ORANGE)))
    raw = sidecar(tmp_path / "rosette.tflite")
    raw["calibration"]["temperature"] = 4.0
    (tmp_path / "rosette.json").write_text(json.dumps(raw))
    (scores,) = Classifier(tmp_path / "rosette.tflite").scores([flat(ORANGE)])
    powers = np.exp(logits[:15] / 4.0)
    assert scores[:15] == pytest.approx(powers / powers.sum())
    vehicle = LABELS.index("vehicle")
    assert scores[vehicle] == pytest.approx(1 / (1 + np.exp(-(logits[vehicle] / 2.0 - 1.0))))


def test_a_view_of_any_size_is_squashed_to_the_input(classifier: Classifier) -> None:
    for shape in ((1, 1, 3), (7, 900, 3), (224, 224, 3)):
        assert classifier.prepare(np.zeros(shape, np.uint8)).shape == (1, 224, 224, 3)


def test_thresholds_of_the_config_go_over_the_sidecars(tiny: Path) -> None:
    classifier = Classifier(tiny, ClassifierSettings(thresholds={"leopard": 0.2}))
    assert classifier.thresholds["leopard"] == 0.2 and classifier.thresholds["tiger"] == 0.5


def test_a_threshold_for_an_unknown_label_is_refused(tiny: Path) -> None:
    with pytest.raises(ModelError, match="no 'lepard'; there are leopard"):
        Classifier(tiny, ClassifierSettings(thresholds={"lepard": 0.2}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sha256": "0" * 64}, "SHA-256 is .*its sidecar says 00000000"),
        ({"minimum_firmware": "99.0"}, "needs firmware 99.0"),
        ({"file": "other.tflite"}, "describes 'other.tflite'"),
        ({"labels": [{"name": "leopard"}, {"name": "empty"}], "independent": []},
         r"output has shape \(1, 17\), its sidecar means \(1, 2\)"),
        ({"labels": [{"name": "cat"}]}, "leopard and empty"),
        ({"input": {"width": 192, "height": 192, "dtype": "uint8", "colour": "RGB",
                    "resize": "squash-bilinear"}}, r"input has shape \(1, 224, 224, 3\)"),
        ({"input": {"width": 224, "height": 224, "dtype": "float32", "colour": "RGB",
                    "resize": "squash-bilinear"}}, "input.dtype is 'float32'"),
        ({"calibration": {"temperature": 0, "independent": {}}, "independent": []},
         "positive number"),
        ({"thresholds": {"leopard": 2}}, "must be within 0..1"),
        ({"thresholds": {}}, "has no 'leopard'"),
        ({"labels": 3}, "not iterable"),
        ({"labels": [{"name": "leopard"}, {"name": "empty"}, {"name": "wild boar"}],
          "independent": []}, "label 'wild boar'"),
        ({"thresholds": {"leopard": 0.5, "tiger": 0.5, "human": 0.5, "vehicle": 0.5, "other": 0.5,
                         "deer": float("nan")}}, "thresholds.deer is nan"),
        ({"calibration": {"temperature": 1.0, "independent": {
            "human": {"temperature": 1.0, "bias": float("nan")},
            "vehicle": {"temperature": 1.0, "bias": 0.0}}}}, "must be a finite number"),
    ],
)  # fmt: skip
def test_a_sidecar_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        Classifier(write_model(tmp_path, **changes))


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (Shape(outputs=16), r"output has shape \(1, 16\), its sidecar means \(1, 17\)"),
        (Shape(side=96), r"input has shape \(1, 96, 96, 3\)"),
        (Shape(input_type=tfl.TensorType.INT8), "input is int8, not uint8|does not run"),
    ],
)
def test_a_model_that_does_not_fit_its_sidecar_is_refused(
    tmp_path: Path, shape: Shape, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        Classifier(write_model(tmp_path, shape))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "rosette.tflite"
    model.write_bytes(b"not a flatbuffer" * 100)
    model.with_suffix(".json").write_text(json.dumps(sidecar(model)))
    with pytest.raises(ModelError, match="does not run"):
        Classifier(model)


def test_a_missing_model_or_sidecar_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.json: cannot be read: No such file"):
        Classifier(tmp_path / "gone.tflite")
    (tmp_path / "gone.json").write_text("{")
    with pytest.raises(ModelError, match=r"gone\.json: is not JSON|gone\.tflite: cannot be read"):
        Classifier(tmp_path / "gone.tflite")


def test_a_missing_delegate_is_a_clear_error(tiny: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.so"):
        Classifier(tiny, ClassifierSettings(delegate=Path("/nowhere.so")))


def test_the_shipped_model_loads_on_both_runtimes_and_has_the_policys_labels() -> None:
    for runtime in RUNTIMES:
        pytest.importorskip(RUNTIMES[runtime], reason=f"{runtime} is not installed")
        classifier = Classifier(shipped_model(), ClassifierSettings(runtime=runtime))
        assert set(DEFAULT_POLICY) | {"empty"} <= set(classifier.sidecar.labels)
