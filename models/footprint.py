"""Latency and memory of a model file on each runtime, against another file in the same run.

Promises latencies taken in turns, so that a busy machine slows both alike, and memory of a process
of its own that does nothing but load the runtime, the model, and run it.

    python -m models.footprint FILE RUNTIME THREADS
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.measure import Array
from models.runtime import SIDE, Interpreter, installed

THREADS = (1, 2, 4)
ROUNDS = 60
RUNS = 5  # of the process whose memory is measured


@dataclass(frozen=True)
class Footprint:
    """One runtime and thread count: milliseconds an inference, and memory in MB.

    `memory_mb`: the peak of the process; `model_mb`: what loading and running the model added to
    the runtime alone. Each for the model and for the one it is compared with.
    """

    runtime: str
    threads: int
    latency_ms: tuple[float, float]
    memory_mb: tuple[float, float]
    model_mb: tuple[float, float]


def footprints(
    ours: Path, plain: Path, threads: Sequence[int] = THREADS, rounds: int = ROUNDS
) -> list[Footprint]:
    """Of every runtime that is here, at every count of threads. Needs Linux."""
    found = []
    for runtime in installed():
        for count in threads:
            runs = [Interpreter(path, runtime, count) for path in (ours, plain)]
            times = in_turns(runs, rounds)
            memory = [_memory(path, runtime, count) for path in (ours, plain)]
            found.append(
                Footprint(
                    runtime, count, (times[0], times[1]),
                    (memory[0][0], memory[1][0]), (memory[0][1], memory[1][1]),
                )
            )  # fmt: skip
    return found


def in_turns(runs: Sequence[Interpreter], rounds: int, sides: Sequence[int] = ()) -> list[float]:
    """Median milliseconds of an inference of each, one after the other in every round."""
    pictures = [np.zeros((side, side, 3), np.uint8) for side in sides or [SIDE] * len(runs)]
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, picture, taken in zip(runs, pictures, times, strict=True):
            begun = time.perf_counter()
            run(picture)
            taken.append(time.perf_counter() - begun)
    return [float(np.median(taken)) * 1000 for taken in times]


def _memory(path: Path, runtime: str, threads: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "models.footprint", str(path), runtime, str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, model = json.loads(done.stdout.splitlines()[-1])
    return float(peak), float(model)


def _status_mb(field: str) -> float:
    """A field of this process's memory; `ru_maxrss` would still count the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 1024


def main(arguments: Sequence[str]) -> None:
    path, runtime, threads = Path(arguments[0]), arguments[1], int(arguments[2])
    if runtime == "litert":
        import ai_edge_litert.interpreter  # noqa: F401
    else:
        import tflite_runtime.interpreter  # noqa: F401
    before = _status_mb("VmRSS")
    run, picture = Interpreter(path, runtime, threads), _picture()
    for _ in range(RUNS):
        run(picture)
    print(json.dumps([_status_mb("VmHWM"), _status_mb("VmRSS") - before]))


def _picture() -> Array:
    return np.zeros((SIDE, SIDE, 3), np.uint8)


def footprint_table(rows: Sequence[Footprint]) -> str:
    """Markdown."""
    lines = [
        "| runtime | threads | this model, ms | plain ImageNet, ms | ratio "
        "| this model, MB | plain ImageNet, MB | of it the model |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        (ours, theirs), (mb, plain_mb), (own, _) = row.latency_ms, row.memory_mb, row.model_mb
        lines.append(
            f"| {row.runtime} | {row.threads} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} "
            f"| {mb:.0f} | {plain_mb:.0f} | {own:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
