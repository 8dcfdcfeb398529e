"""One inference: each runtime at 1, 2 and 4 threads, the seam against the bare interpreter.

The seam prepares a picture (squash to the input size), invokes, and calibrates; bare sets the
tensor, invokes and reads it. Threads beyond the machine's cores are measured all the same.
"""

import importlib
import statistics
import time
from collections.abc import Callable

import numpy as np

from bench import Result
from firmware.trap.capture.classifier import RUNTIMES, Classifier, shipped_model
from firmware.trap.settings import ClassifierSettings

ROUNDS = 40
THREADS = (1, 2, 4)
VIEW = (648, 1152, 3)  # what the camera gives for the model


def run() -> list[Result]:
    """Milliseconds per inference by runtime and threads."""
    results = []
    for runtime, module in RUNTIMES.items():
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        results += [_measure(runtime, threads) for threads in THREADS]
    return results


def _measure(runtime: str, threads: int) -> Result:
    settings = ClassifierSettings(runtime=runtime, threads=threads)
    classifier = Classifier(shipped_model(), settings)
    view = np.random.default_rng(0).integers(0, 255, VIEW, np.uint8)
    batch = classifier.prepare(view)
    ours_ms, bare_ms = _in_turns(
        lambda: classifier.scores([view]), lambda: classifier.logits(batch)
    )
    return Result(
        f"classify a view, {runtime}, {threads} threads", ours_ms, "ms", "", bare_ms, "bare invoke"
    )


def _in_turns(*calls: Callable[[], object]) -> list[float]:
    """Median milliseconds of each call."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            start_s = time.perf_counter()
            call()
            times.append(time.perf_counter() - start_s)
    return [statistics.median(times) * 1e3 for times in taken]
