"""The tables of the model card: measured figures in, Markdown out.

Promises that decimals are cut and that every share shows its counts.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from models.bursts import Ablation
from models.footprint import Footprint
from models.front import Point
from models.labels import EXCLUSIVE_COUNT, INDEPENDENT, LABELS, LEOPARD
from models.manifest import Example
from models.measure import Array, Share, bootstrap, class_figures, percent, share
from models.outcome import EqualRate, FixedRate, Outcome, TestSet


@dataclass(frozen=True)
class Report:
    """Everything the card is made of."""

    sidecar: dict[str, Any]
    everything: tuple[Example, ...]
    test: TestSet
    scores: Array  # [n, 17] fused probabilities of the int8 file
    verdicts: Array
    outcomes: tuple[Outcome, ...]
    same_top: Share | None  # None: the second runtime is not installed
    footprints: tuple[Footprint, ...]
    front: tuple[Point, ...]
    size_bytes: int
    equal_rates: tuple[EqualRate, ...]
    fixed_rates: tuple[FixedRate, ...]
    float_scores: Array | None  # [n, 17] fused, of the weights unrounded; None: not at hand
    bursts: dict[str, tuple[Ablation, ...]]  # by name of the set
    marks: dict[str, Array]  # [n] P(leopard) of the boxed camera-trap frames, by change
    boxed: Array  # which test images those are
    drawn: tuple[Example, ...]  # rendered test frames
    drawn_scores: Array
    drawn_verdicts: Array


def interval(test: TestSet, hit: Array, mask: Array) -> str:
    kept = hit[mask]
    low, high = bootstrap(test.groups[mask], lambda rows: float(kept[rows].mean()))
    return f"{percent(low)}-{percent(high)}"


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "| model, view | night camera-trap leopards | other leopards "
        "| false alerts, look-alikes apart | false alerts, camera traps | look-alikes "
        "| recall at 0.5 % | macro-F1 |",
        "|---" * 8 + "|",
    ]
    for o in outcomes:
        low, high = o.macro_f1_interval
        cells = [
            o.name, str(o.night), str(o.rest), str(o.false_alerts), str(o.trap_false_alerts),
            str(o.look_alikes),
            f"{percent(o.night_at_half_percent.value)}, {percent(o.rest_at_half_percent.value)}",
            f"{_cut(o.macro_f1)} ({_cut(low)}-{_cut(high)})",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def equal_table(rows: Sequence[EqualRate]) -> str:
    lines = [
        "| look-alikes called leopard | night leopards: this model | plain ImageNet "
        "| other leopards: this model | plain ImageNet |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| {row.look_alikes} | {row.night[0]} | {row.night[1]} | {row.rest[0]} | {row.rest[1]} |"
        for row in rows
    ]
    return "\n".join(lines)


def _cut(value: float) -> str:
    return f"{np.floor(value * 1000) / 1000:.3f}"


def by_name(names: Array, hit: Array, mask: Array) -> str:
    parts = [
        f"{name} {int(np.sum(hit[mask & (names == name)]))}/{np.sum(mask & (names == name))}"
        for name in sorted(set(names[mask]))
    ]
    return ", ".join(parts) or "none"


def label_table(report: Report) -> str:
    truth, verdict, groups = report.test.truth, report.verdicts, report.test.groups
    lines = [
        "| label | train (camera-trap) | test | precision | recall | F1 (95 %) |",
        "|---" * 6 + "|",
    ]
    for number, label in enumerate(report.sidecar["labels"]):
        f = class_figures(truth, verdict, number)
        behind = f"{label['train_images']} ({label['train_camera_trap']})"
        if not f.count:
            lines.append(f"| {label['name']} | {behind} | 0 | | | |")
            continue
        low, high = bootstrap(groups, partial(_f1, truth, verdict, number))
        lines.append(
            f"| {label['name']} | {behind} | {f.count} | {percent(f.precision)} | "
            f"{percent(f.recall)} | {_cut(f.f1)} ({_cut(low)}-{_cut(high)}) |"
        )
    return "\n".join(lines)


def condition_table(report: Report, called: Array) -> str:
    """Fused int8, by kind of camera and light."""
    test, lines = (
        report.test,
        ["| | right label | leopards found | false alerts |", "|---" * 4 + "|"],
    )
    right = report.verdicts == test.truth
    for name, mask in {
        "camera trap, grey (night)": test.camera_trap & test.grey,
        "camera trap, colour (day)": test.camera_trap & ~test.grey,
        "photos": ~test.camera_trap,
    }.items():
        found, wrong = called[mask & ~test.not_leopard], called[mask & test.not_leopard]
        lines.append(f"| {name} | {share(right[mask])} | {share(found)} | {share(wrong)} |")
    return "\n".join(lines)


def _f1(truth: Array, verdict: Array, label: int, rows: Array) -> float:
    return class_figures(truth[rows], verdict[rows], label).f1


def marks_table(report: Report) -> str:
    threshold = report.sidecar["thresholds"]["leopard"]
    leopard = ~report.test.not_leopard[report.boxed]
    before = report.scores[report.boxed, LEOPARD]
    lines = [
        "| | leopards called leopard | others called leopard | verdicts changed |",
        "|---" * 4 + "|",
    ]
    for name, scores in {"as they are": before, **report.marks}.items():
        called = scores >= threshold
        changed = share(called != (before >= threshold))
        lines.append(
            f"| {name} | {share(called[leopard])} | {share(called[~leopard])} | {changed} |"
        )
    return "\n".join(lines)


def rendered_table(report: Report) -> str:
    threshold = report.sidecar["thresholds"]["leopard"]
    called = report.drawn_scores[:, LEOPARD] >= threshold
    kinds = np.array([e.folder for e in report.drawn])
    truth = np.array([LABELS.index(e.label) for e in report.drawn])
    lines = ["| rendered | right label | called leopard |", "|---" * 3 + "|"]
    for kind in sorted(set(kinds)):
        mask = kinds == kind
        right = report.drawn_verdicts[mask] == truth[mask]
        lines.append(f"| {kind} | {share(right)} | {share(called[mask])} |")
    return "\n".join(lines)


def gap_table(report: Report) -> str:
    """The int8 file against the same weights unrounded."""
    named = {o.name: o for o in report.outcomes}
    if report.float_scores is None:
        return "Not measured: the float weights were not at hand."
    lines = [
        "| points that int8 is above | night leopards | other leopards | macro-F1 |",
        "|---" * 4 + "|",
    ]
    for reference in ("float", "latent float"):
        for view in ("whole", "fused"):
            if (other := named.get(f"{reference}, {view}")) is None:
                continue
            ours = named[f"int8, {view}"]
            gaps = [ours.night.value - other.night.value, ours.rest.value - other.rest.value,
                    ours.macro_f1 - other.macro_f1]  # fmt: skip
            cells = " | ".join(f"{100 * gap:+.2f}" for gap in gaps)
            lines.append(f"| {reference}, {view} | {cells} |")
    tops = [s[:, :EXCLUSIVE_COUNT].argmax(1) for s in (report.scores, report.float_scores)]
    difference = np.abs(report.scores[:, LEOPARD] - report.float_scores[:, LEOPARD])
    lines += [
        "",
        f"Int8 and float name the same of the 15 on {share(tops[0] == tops[1])}; P(leopard) "
        f"differs by {difference.mean():.3f} on the mean and "
        f"{np.quantile(difference, 0.99):.2f} at the 99th "
        "percentile. One night leopard is 2 points, one other leopard 1.2.",
    ]
    return "\n".join(lines)


def fixed_table(rows: Sequence[FixedRate]) -> str:
    lines = [
        "| false alerts | per 1,000 | night leopards: this model | plain ImageNet "
        "| other leopards: this model | plain ImageNet "
        "| look-alikes called leopard: this model | plain ImageNet |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        pairs = " | ".join(str(s) for pair in (row.night, row.rest, row.look_alikes) for s in pair)
        lines.append(f"| {row.false_alerts} | {1000 * row.false_alerts.value:.1f} | {pairs} |")
    return "\n".join(lines)


def independent_table(report: Report) -> str:
    """Person and vehicle above their thresholds, whatever the animal outputs say."""
    lines = ["| output | found | said of others | said of dogs |", "|---" * 4 + "|"]
    truth, dogs = report.test.truth, report.test.truth == LABELS.index("dog")
    for name in INDEPENDENT:
        number = LABELS.index(name)
        said = report.scores[:, number] >= report.sidecar["thresholds"][name]
        there = truth == number
        lines.append(
            f"| {name} | {share(said[there])} | {share(said[~there])} | {share(said[dogs])} |"
        )
    return "\n".join(lines)


def source_table(examples: Sequence[Example]) -> str:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for example in examples:
        counts[example.source, example.licence][example.split] += 1
    return "\n".join(
        f"| {source} | {licence} | {c['train']} | {c['validation']} | {c['test']} |"
        for (source, licence), c in sorted(counts.items())
    )
