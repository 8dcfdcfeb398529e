"""What a smaller input would save, and what it would cost.

Promises the same int8 files at several input sides, each measured on the whole test split and timed
in turns. The files were made for 224 pixels: smaller sides show what they give as they are,
not what training for that side would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from models.footprint import in_turns
from models.labels import LEOPARD
from models.measure import Array, Share, macro_f1, recall_at
from models.outcome import HALF_PERCENT, TestSet
from models.runtime import SIDE, Interpreter
from models.score import Calibration, fused, logits_of, probabilities, verdicts

SIDES = (128, 160, 192, 224)
ROUNDS = 40


@dataclass(frozen=True)
class Point:
    """One file at one input side. Recall where 0.5 % of what is neither leopard nor look-alike is
    called one; `macro_f1` is None where the file has other labels."""

    name: str
    side: int
    latency_ms: float
    night: Share
    rest: Share
    macro_f1: float | None


class AtSide:
    """A file that is given smaller pictures than it was made for."""

    def __init__(self, path: Path, side: int):
        self.run, self.side = Interpreter(path, side=side), side

    def __call__(self, pixels: Array) -> Array:
        if self.side != SIDE:
            size = (self.side, self.side)
            pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
        return self.run(pixels)


def front(
    ours: Path, plain: Path, leopard_class: int, test: TestSet, calibration: Calibration,
    thresholds: dict[str, float],
) -> list[Point]:  # fmt: skip
    networks = [AtSide(path, side) for path in (ours, plain) for side in SIDES]
    times = in_turns([n.run for n in networks], ROUNDS, [n.side for n in networks])
    points = []
    for number, (network, latency_ms) in enumerate(zip(networks, times, strict=True)):
        logits = logits_of(network, test.examples, f"{network.side} pixels")
        if number < len(SIDES):
            scores = probabilities(fused(calibration.apply(logits)))
            leopard = scores[:, LEOPARD]
            f1 = macro_f1(test.truth, verdicts(scores, thresholds))
            name: str = "this model"
        else:
            leopard, f1, name = np.nanmean(logits[:, :, leopard_class], axis=1), None, "ImageNet"
        points.append(_point(name, network.side, latency_ms, leopard, f1, test))
    return points


def _point(
    name: str, side: int, latency_ms: float, leopard: Array, f1: float | None, test: TestSet
) -> Point:
    plain = leopard[test.not_leopard & ~test.look_alike]
    night, rest = (
        recall_at(leopard[mask], plain, HALF_PERCENT)
        for mask in (test.night_leopard, test.other_leopard)
    )
    return Point(name, side, latency_ms, night, rest, f1)


def front_table(points: Sequence[Point]) -> str:
    """Markdown."""
    lines = [
        "| file | input side | ms | night leopards at 0.5 % | other leopards at 0.5 % | macro-F1 |",
        "|---" * 6 + "|",
    ]
    for p in points:
        f1 = "" if p.macro_f1 is None else f"{np.floor(p.macro_f1 * 1000) / 1000:.3f}"
        lines.append(f"| {p.name} | {p.side} | {p.latency_ms:.1f} | {p.night} | {p.rest} | {f1} |")
    return "\n".join(lines)


def conclusion(points: Sequence[Point]) -> str:
    """What the next smaller side would save and cost, in words."""
    ours = {p.side: p for p in points if p.name == "this model"}
    full, less = ours[SIDE], ours[max(side for side in ours if side < SIDE)]
    saved = np.floor(100 * (1 - less.latency_ms / full.latency_ms))
    changes = [
        f"{less_found.hits - found.hits:+d} of {found.count} {what}"
        for what, less_found, found in (
            ("night leopards", less.night, full.night), ("other leopards", less.rest, full.rest),
        )
    ]  # fmt: skip
    f1 = 100 * ((less.macro_f1 or 0) - (full.macro_f1 or 0))
    return (
        f"{less.side} pixels instead of {full.side} would save {saved:.0f} % of the time: "
        f"{', '.join(changes)}, {f1:+.1f} points of macro-F1."
    )
