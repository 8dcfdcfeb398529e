"""Measures the shipped model on the untouched test split and writes the model card.

Promises the same run for the int8 file, the float network (where its weights are at hand) and
the plain ImageNet model mapped by groups; thresholds come from the sidecar, never from the test
images, except where a line says so.

    python -m models.evaluate --start FILE --frames DIR [--work DIR]
"""

import argparse
import json
from pathlib import Path

import numpy as np

from firmware.trap.capture.classifier import Classifier
from models import card
from models.backbone import as_function, rounded_weight
from models.bursts import ablations, read_bursts, single_scores
from models.calibrate import MODEL, calibration_of
from models.footprint import footprints
from models.front import front
from models.head import load_trained
from models.labels import EXCLUSIVE_COUNT, LEOPARD
from models.manifest import read_frames
from models.marks import CHANGES
from models.measure import Array, Share, share
from models.outcome import (
    Outcome,
    TestSet,
    equal_rates,
    fixed_rates,
    gather,
    outcome,
    outcomes,
)
from models.plots import calibration_png, confusion_png, front_png
from models.ranges import load_scales
from models.rendered import TEST, rendered
from models.runtime import Interpreter, Network, installed
from models.score import (
    CROP,
    WHOLE,
    Calibration,
    file_network,
    fused,
    logits_of,
    probabilities,
    verdicts,
)
from models.small import small_bursts
from models.tables import Report, outcome_table
from models.targets import grouped

IMAGENET_LEOPARD = 289
IMAGENET_THRESHOLD = 0.05  # P(leopard) of the plain model, as the baseline was measured


def float_networks(start: Path, work: Path) -> dict[str, Network]:
    """The network in float, where its weights are at hand. One that trained with rounding has two
    faces: the weights that it computed with, which lie on the int8 grid, and the latent ones
    between the grid's steps that the optimiser moved."""
    weights = work / "float.pt"
    if not weights.exists():
        return {}
    latent, trained = load_trained(start, weights), load_trained(start, weights)
    if load_scales(work) is None:
        return {"float": as_function(latent)}
    for layer in (*trained.layers, trained.head):
        layer.weight.data = rounded_weight(layer.weight.data)
    return {"float": as_function(trained), "latent float": as_function(latent)}


def imagenet_outcomes(test: TestSet, raw: Array) -> list[Outcome]:
    """The plain ImageNet model: class groups added up, mean of the log-probabilities fused.
    `raw`: its probabilities, [n, 2, 1001]."""
    leopard = raw[:, :, IMAGENET_LEOPARD]
    group = np.array([[grouped(view) for view in row] for row in raw])
    kinds = {
        "whole": (leopard[:, WHOLE], group[:, WHOLE]),
        "crop": (leopard[:, CROP], group[:, CROP]),
        "fused": (np.nanmean(leopard, 1), np.exp(np.nanmean(np.log(group + 1e-4), 1))),
    }
    return [
        outcome(f"plain ImageNet int8, {kind}", test, p, g.argmax(1), IMAGENET_THRESHOLD)
        for kind, (p, g) in kinds.items()
    ]


def same_top(model: Path, test: TestSet, logits: Array) -> Share | None:
    """Test images on which the second runtime names the same top label, if it is installed."""
    if "tflite" not in installed():
        return None
    other = logits_of(file_network(model, "tflite"), test.examples, "int8, tflite")
    tops = [fused(x)[:, :EXCLUSIVE_COUNT].argmax(1) for x in (logits, other)]
    return share(tops[0] == tops[1])


def marked_scores(
    network: Network, test: TestSet, boxed: Array, calibration: Calibration
) -> dict[str, Array]:
    """P(leopard) of the boxed camera-trap frames after each change of their marks."""
    examples = [e for e, kept in zip(test.examples, boxed, strict=True) if kept]
    found = {}
    for name, change in CHANGES.items():
        logits = logits_of(network, examples, name, change)
        found[name] = probabilities(fused(calibration.apply(logits)))[:, LEOPARD]
    return found


def confidences(test: TestSet, scores: Array) -> dict[str, tuple[Array, Array]]:
    """P(leopard) against being one, and the top animal's probability against being right."""
    animals = test.truth < EXCLUSIVE_COUNT
    exclusive = scores[animals, :EXCLUSIVE_COUNT]
    return {
        "P(leopard)": (scores[:, LEOPARD], (test.truth == LEOPARD).astype(float)),
        "top of 15": (
            exclusive.max(1), (exclusive.argmax(1) == test.truth[animals]).astype(float)
        ),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="int8 ImageNet MobileNetV2")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    arguments = parser.parse_args()
    everything = read_frames(arguments.frames)
    test = gather([e for e in everything if e.split == "test"])
    calibration, thresholds = calibration_of(arguments.model.with_suffix(".json").read_text())

    network = file_network(arguments.model)
    logits = logits_of(network, test.examples, "int8, litert")
    found = outcomes("int8", test, logits, calibration, thresholds)
    classifier = Classifier(arguments.model)
    single = single_scores(classifier, [example.path for example in test.examples])
    found.append(
        outcome("int8, as `rosette classify`", test, single[:, LEOPARD],
                verdicts(single, thresholds), thresholds["leopard"])
    )  # fmt: skip
    float_scores = None
    for name, exact in float_networks(arguments.start, arguments.work).items():
        in_float = logits_of(exact, test.examples, name)
        found += outcomes(name, test, in_float, calibration, thresholds)
        if float_scores is None:
            float_scores = probabilities(fused(calibration.apply(in_float)))
    raw = logits_of(Interpreter(arguments.start), test.examples, "plain ImageNet")
    found += imagenet_outcomes(test, raw)

    scores = probabilities(fused(calibration.apply(logits)))
    plain = np.nanmean(raw[:, :, IMAGENET_LEOPARD], axis=1)
    verdict = verdicts(scores, thresholds)
    boxed = test.camera_trap & np.array([bool(e.boxes) for e in test.examples])
    drawn = rendered(arguments.work, TEST)
    drawn_logits = logits_of(network, drawn, "rendered")
    drawn_scores = probabilities(fused(calibration.apply(drawn_logits)))
    sequences = read_bursts(arguments.frames, everything)
    bursts = {
        "not trained on": [burst for burst in sequences if not burst.trained],
        "trained on": [burst for burst in sequences if burst.trained],
        "rendered, small animals": small_bursts(arguments.work),
    }
    report = Report(
        sidecar=json.loads(arguments.model.with_suffix(".json").read_text()),
        everything=tuple(everything),
        test=test,
        scores=scores,
        verdicts=verdict,
        outcomes=tuple(found),
        same_top=same_top(arguments.model, test, logits),
        footprints=tuple(footprints(arguments.model, arguments.start)),
        front=tuple(
            front(arguments.model, arguments.start, IMAGENET_LEOPARD, test, calibration, thresholds)
        ),
        float_scores=float_scores,
        fixed_rates=tuple(fixed_rates(test, scores[:, LEOPARD], plain)),
        equal_rates=tuple(equal_rates(test, scores[:, LEOPARD], plain)),
        bursts={name: tuple(ablations(classifier, each)) for name, each in bursts.items()},
        size_bytes=arguments.model.stat().st_size,
        marks=marked_scores(network, test, boxed, calibration),
        boxed=boxed,
        drawn=tuple(drawn),
        drawn_scores=drawn_scores,
        drawn_verdicts=verdicts(drawn_scores, thresholds),
    )
    folder = arguments.model.parent
    card.write(report, folder)
    confusion_png(test.truth, verdict, folder / "confusion.png")
    calibration_png(confidences(test, scores), folder / "calibration.png")
    front_png(report.front, folder / "front.png")
    print(outcome_table(report.outcomes))


if __name__ == "__main__":
    main()
