"""The pictures of the model card."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from models.front import Point
from models.labels import LABELS
from models.measure import Array, calibration_error, confusion, reliability

mpl.use("Agg")

import matplotlib.pyplot as plt


def confusion_png(truth: Array, verdict: Array, path: Path) -> None:
    """Rows are the truth; colours are shares of the row, numbers are images."""
    table = confusion(truth, verdict, len(LABELS))
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(8, 7), layout="constrained")
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, column in np.argwhere(table):
        colour = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, table[row, column], ha="center", va="center", fontsize=7, c=colour)
    axes.set_xticks(range(len(LABELS)), LABELS, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(LABELS)), LABELS, fontsize=8)
    axes.set_xlabel("verdict")
    axes.set_ylabel("truth")
    _save(figure, path)


def calibration_png(confidence: dict[str, tuple[Array, Array]], path: Path) -> None:
    """Share right against confidence; `confidence` gives confidences and outcomes by name."""
    figure, axes = plt.subplots(figsize=(5, 4.5), layout="constrained")
    axes.plot([0, 1], [0, 1], c="grey", lw=0.8, ls="--")
    for name, (sure, right) in confidence.items():
        table = reliability(sure, right)
        error = calibration_error(sure, right)
        axes.plot(table[:, 0], table[:, 1], marker="o", label=f"{name} (ECE {error:.3f})")
    axes.set_xlabel("probability given")
    axes.set_ylabel("share right")
    axes.legend(fontsize=8)
    _save(figure, path)


def front_png(points: Sequence[Point], path: Path) -> None:
    """Leopards found against milliseconds, the input side beside each point."""
    figure, axes = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
    for name, colour in (("this model", "tab:green"), ("ImageNet", "tab:grey")):
        kept = [p for p in points if p.name == name]
        times = [p.latency_ms for p in kept]
        for kind, style in (("night", "-"), ("rest", "--")):
            found = [getattr(p, kind).value for p in kept]
            label = f"{name}, {'night camera traps' if kind == 'night' else 'other leopards'}"
            axes.plot(times, found, marker="o", ls=style, c=colour, label=label)
            for p, value in zip(kept, found, strict=True):
                offset = (3, 4)
                axes.annotate(str(p.side), (p.latency_ms, value), offset, fontsize=7,
                              textcoords="offset points")  # fmt: skip
    axes.set_xlabel("ms an inference, 1 thread")
    axes.set_ylabel("leopards found at 0.5 % false alerts")
    axes.set_ylim(0, 1.03)
    axes.legend(fontsize=7)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)
