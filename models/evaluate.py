"""Measures the shipped model on the untouched test split and writes the model card.

Promises the same run for the int8 file, the float network (where its weights are at hand) and
the plain ImageNet model mapped by groups; thresholds come from the sidecar, never from the test
images, except where a line says so.

    python -m models.evaluate --start FILE --frames DIR [--work DIR]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from models import card
from models.calibrate import MODEL, calibration_of
from models.labels import EXCLUSIVE_COUNT
from models.manifest import read_frames
from models.measure import share
from models.outcome import Outcome, TestSet, gather, outcome, outcomes
from models.quantise import load_trained
from models.runtime import Interpreter
from models.score import (
    CROP,
    WHOLE,
    file_network,
    float_network,
    fused,
    logits_of,
    probabilities,
    verdicts,
)
from models.train import grouped

IMAGENET_THRESHOLD = 0.05  # P(leopard) of the plain model, as the baseline was measured


def imagenet_outcomes(test: TestSet, start: Path) -> list[Outcome]:
    """The plain ImageNet model: class groups added up, mean of the log-probabilities fused."""
    raw = logits_of(Interpreter(start), test.examples, "plain ImageNet")
    leopard = raw[:, :, 289]
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


def latency_ms(path: Path, runtime: str, threads: int, repeats: int = 60) -> float:
    """Median time of one inference."""
    interpreter = Interpreter(path, runtime, threads)
    pixels = np.zeros((224, 224, 3), np.uint8)
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        interpreter(pixels)
        times.append(time.perf_counter() - begun)
    return float(np.median(times) * 1000)


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

    logits = logits_of(file_network(arguments.model), test.examples, "int8, litert")
    other = logits_of(file_network(arguments.model, "tflite"), test.examples, "int8, tflite")
    found = outcomes("int8", test, logits, calibration, thresholds)
    weights = arguments.work / "float.pt"
    if weights.exists():
        network = float_network(load_trained(arguments.start, weights))
        in_float = logits_of(network, test.examples, "float")
        found += outcomes("float", test, in_float, calibration, thresholds)
    found += imagenet_outcomes(test, arguments.start)

    scores = probabilities(fused(calibration.apply(logits)))
    tops = [fused(x)[:, :EXCLUSIVE_COUNT].argmax(1) for x in (logits, other)]
    report = card.Report(
        sidecar=json.loads(arguments.model.with_suffix(".json").read_text()),
        everything=tuple(everything),
        test=test,
        scores=scores,
        verdicts=verdicts(scores, thresholds),
        outcomes=tuple(found),
        same_top=share(tops[0] == tops[1]),
        latency_ms={
            (name, runtime, threads): latency_ms(path, runtime, threads)
            for name, path in (("this model", arguments.model), ("ImageNet", arguments.start))
            for runtime in ("litert", "tflite")
            for threads in (1, 2)
        },
        size_bytes=arguments.model.stat().st_size,
    )
    card.write(report, arguments.model.parent)
    print(card.outcome_table(report.outcomes))


if __name__ == "__main__":
    main()
