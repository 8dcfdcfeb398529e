"""Temperatures and thresholds from the validation images, and the sidecar that carries them.

Promises that no test image has a say. Everything is fitted on the outputs of the int8 file, on
fused whole-frame and crop views, plus training-like disturbed views of the same images, because
the clean validation set alone is too small to see one false alert in two hundred.

    python -m models.calibrate --frames DIR --work DIR --version X.Y.Z [--model FILE]
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.augment import look, marked, spoiled
from models.labels import EXCLUSIVE_COUNT, INDEPENDENT, LABEL_TABLE, LABELS, LEOPARD, LOOK_ALIKES
from models.manifest import Example, read_frames
from models.measure import Array
from models.rendered import TRAIN
from models.runtime import Network
from models.score import (
    Calibration,
    file_network,
    fused,
    logits_of,
    probabilities,
    views,
)

# Tolerated shares of validation views (most of them disturbed) that are called what they are not.
FALSE_ALERTS = 0.01
FALSE_LEOPARDS = 0.005
FALSE_LOOK_ALIKES = 0.09  # of the spotted look-alikes, which a person tells from a leopard at once
LEAST = 0.2  # of a threshold: below it nothing is believed
PRECISION = 0.9  # wanted of every other top-1 verdict that is not `uncertain`
DISTURBED_VIEWS = 4
TEMPERATURES = np.geomspace(0.4, 4.0, 60)
RECORD = "training.json"  # what `train` leaves in the work folder
MODEL = Path(__file__).with_name("rosette.tflite")
"""The shipped file; its sidecar has the same name with `.json`."""


def disturbed_logits(network: Network, examples: Sequence[Example], seed: int) -> Array:
    """[n, 2, 17] as `score.logits_of`, each view with other light, marks, noise."""
    from PIL import Image

    random = np.random.default_rng(seed)

    def disturb(pixels: Array) -> Array:
        image = marked(Image.fromarray(pixels), random)
        return spoiled(look(np.asarray(image, np.float32), random), random)

    rows = []
    for example in examples:
        whole, part = views(example)
        first = network(disturb(whole))
        second = network(disturb(part)) if part is not None else np.full_like(first, np.nan)
        rows.append([first, second])
    return np.asarray(rows, np.float64)


def fit(logits: Array, labels: Array) -> Calibration:
    """Least negative log-likelihood on fused views; `logits` [n, 2, 17], `labels` [n]."""
    mean = np.nanmean(logits, axis=1)
    animals = labels < EXCLUSIVE_COUNT
    independent = tuple(
        _fit_sigmoid(mean[:, i], labels == i) for i in range(EXCLUSIVE_COUNT, len(LABELS))
    )
    losses = [
        -np.log(
            probabilities(fused(logits[animals] / t))[np.arange(animals.sum()), labels[animals]]
        ).mean()
        for t in TEMPERATURES
    ]
    return Calibration(float(TEMPERATURES[int(np.argmin(losses))]), independent)


def _fit_sigmoid(logit: Array, truth: Array) -> tuple[float, float]:
    best = (np.inf, 1.0, 0.0)
    for temperature in TEMPERATURES[::3]:
        for bias in np.linspace(-3, 3, 61):
            z = logit / temperature + bias
            loss = float(np.mean(np.logaddexp(0, z) - truth * z))
            best = min(best, (loss, float(temperature), float(bias)))
    return best[1], best[2]


def thresholds_of(scores: Array, labels: Array, look_alike: Array) -> dict[str, float]:
    """Smallest thresholds that keep false alerts (and wrong verdicts) rare on these rows."""
    found = {
        name: _for_false_alerts(scores[labels != i, i], FALSE_ALERTS)
        for i, name in enumerate(LABELS)
        if name in ("tiger", *INDEPENDENT)
    }
    plain = (labels != LEOPARD) & ~look_alike
    found["leopard"] = max(
        _for_false_alerts(scores[plain, LEOPARD], FALSE_LEOPARDS),
        _for_false_alerts(scores[look_alike, LEOPARD], FALSE_LOOK_ALIKES),
    )
    top = scores[:, :EXCLUSIVE_COUNT].argmax(1)
    others = (top != LEOPARD) & (labels < EXCLUSIVE_COUNT)
    sure, right = scores[others, :EXCLUSIVE_COUNT].max(1), (top == labels)[others]
    found["other"] = next(
        (float(t) for t in np.arange(0.3, 0.9, 0.01) if right[sure >= t].mean() >= PRECISION), 0.9
    )
    return {name: round(value, 3) for name, value in found.items()}


def _for_false_alerts(wrong: Array, tolerated: float) -> float:
    """Above which no more than this share of the wrong rows lie; never below `LEAST`."""
    ranked = np.sort(wrong)[::-1]
    return max(LEAST, float(ranked[int(len(ranked) * tolerated)]) + 1e-3)


def sidecar(
    model: Path, version: str, examples: Sequence[Example], calibration: Calibration,
    thresholds: dict[str, float], training: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Everything a unit must know to use the file and refuse a wrong one."""
    trained = [e for e in examples if e.split == "train"]
    images = Counter(e.label for e in trained)
    traps = Counter(e.label for e in trained if e.camera_trap)
    independent = {
        name: {"temperature": round(temperature, 4), "bias": round(bias, 4)}
        for name, (temperature, bias) in zip(INDEPENDENT, calibration.independent, strict=True)
    }
    return {
        "name": "rosette-mnv2-224",
        "version": version,
        "file": model.name,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "minimum_firmware": "0.1.0",
        "input": {
            "width": 224, "height": 224, "dtype": "uint8", "colour": "RGB",
            "resize": "squash-bilinear",
        },
        "labels": [
            {"name": label.name, "taxon": label.taxon, "train_images": images[label.name],
             "train_camera_trap": traps[label.name]}
            for label in LABEL_TABLE
        ],
        "independent": list(INDEPENDENT),
        "calibration": {
            "temperature": round(calibration.temperature, 4), "independent": independent,
        },
        "thresholds": thresholds,
        "training": training,
        "licence": "Apache-2.0",
        "attribution": "Fine-tuned from tf2_mobilenet_v2_1.0_224_ptq (google-coral/test_data, "
        "Apache-2.0). Camera-trap leopards: Northeast Tiger and Leopard National Park dataset "
        "(NTLNP, Tan et al. 2022, CC BY 4.0). All sources: models/README.md.",
    }  # fmt: skip


def calibration_of(sidecar_text: str) -> tuple[Calibration, dict[str, float]]:
    """Calibration and thresholds back out of a sidecar."""
    content = json.loads(sidecar_text)
    found = content["calibration"]
    independent = tuple(
        (found["independent"][n]["temperature"], found["independent"][n]["bias"])
        for n in INDEPENDENT
    )
    return Calibration(found["temperature"], independent), content["thresholds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--version", required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    arguments = parser.parse_args()
    everything = read_frames(arguments.frames)
    validation = [e for e in everything if e.split == "validation"]
    network = file_network(arguments.model)
    labels = np.array([LABELS.index(e.label) for e in validation] * (1 + DISTURBED_VIEWS))
    look_alike = np.array([e.folder in LOOK_ALIKES for e in validation] * (1 + DISTURBED_VIEWS))
    clean = logits_of(network, validation, "validation")
    disturbed = [disturbed_logits(network, validation, i) for i in range(DISTURBED_VIEWS)]
    logits = np.concatenate([clean, *disturbed])
    calibration = fit(logits, labels)
    scores = probabilities(fused(calibration.apply(logits)))
    thresholds = thresholds_of(scores, labels, look_alike)
    record = json.loads((arguments.work / RECORD).read_text())
    traps = sum(e.camera_trap for e in everything if e.split == "train")
    training = {
        "data": f"{record['images']} images ({traps} camera-trap) from public repositories and "
        f"{TRAIN.count} rendered ones, {record['views']} augmented views; {len(validation)} images "
        "held out for calibration; sources and licences in models/README.md",
        "seed": record["seed"],
        "command": record["command"],
        "history": record.get("history", "one run of the command"),
    }
    content = sidecar(
        arguments.model, arguments.version, everything, calibration, thresholds, training
    )
    arguments.model.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    print(f"temperature {calibration.temperature:.2f}, thresholds {thresholds}")
    leopards = labels == LEOPARD
    print(f"validation views: {leopards.sum()} leopard, recall "
          f"{(scores[leopards, LEOPARD] >= thresholds['leopard']).mean():.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
