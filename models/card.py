"""The model card, written from measured figures alone.

Promises that `README.md` beside the model is regenerated whole by `models.evaluate`, cuts
decimals instead of rounding them up, and says what the data cannot show.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.labels import LABELS, LEOPARD
from models.manifest import Example
from models.measure import Share, bootstrap, class_figures, percent, share
from models.outcome import Outcome, TestSet

BARS = """Bars: night leopards >= 95 % (fused), other leopards >= 98 %, false alerts <= 0.5 %,
look-alikes <= 10 %, macro-F1 >= 0.85."""

TEMPLATE = """# Model card: {name} {version}

*Written by `make evaluate`; edit `models/card.py`, not this file.*

A full-int8 MobileNetV2 1.0 (224 x 224, uint8 RGB in, {size} bytes) for the cameras of Amur
leopard country: 15 exclusive labels, and person and vehicle as independent outputs. It is
fine-tuned from `tf2_mobilenet_v2_1.0_224_ptq.tflite` (google-coral/test_data, Apache-2.0), whose
weights were read back to float. Licence of the weights: Apache-2.0.

**Use**: sorting camera-trap frames so that likely leopards are sent first. **Not for**: proof of
absence, identifying individuals, or any decision about people. Every alert wants a human eye.

## Leopard against everything else

On the {tests} images of the untouched test split. Brackets: counts and 95 % Wilson interval.
Temperatures and thresholds (leopard: P >= {threshold}) come from a validation set carved out of
the training images. "Fused" averages the calibrated logits of the whole frame and of the crop,
where a box is known (here the annotated box plus 15 %, in the field the motion crop).

{outcomes}

"Recall at 0.5 %" reads its threshold off the test images themselves, for comparison only.
{bars}

Spotted look-alikes called leopard, fused, by folder: {look_alikes}.
Other leopards missed, fused: {missed}.

## Each label

Verdicts of the fused int8 model (person or vehicle above its threshold, else the likeliest of the
15). F1 with 95 % bootstrap interval over scene groups. Labels with fewer than 20 test images say
little; a label without test images says nothing.

{labels}

Camera-trap test frames alone: {trap_right} of the animals and empty frames get the right label.
{pictures}
## Int8, float, runtimes

Largest difference between int8 and float over the leopard figures and macro-F1 (fused):
{int8_gap}. Both runtimes (ai-edge-litert, tflite-runtime 2.14) give the same top label on
{same_top} test images.

{latency}

## {extra_title}
{extra}
## What the data cannot show

- All camera-trap leopards, in training and in test, are night-infrared frames (and a few day
  photos) of one park's cameras; another camera model or another lamp may do worse.
- The frames had boxes and labels drawn on them that were painted out. Training covers and fakes
  such marks on every class, and clean sources are in the test split, but the test leopards carry
  the same marks as the training leopards.
- Day leopards are mostly zoo and web photos of several subspecies; bears mostly American; people
  mostly portraits. Person and vehicle recall in the forest is unknown.
- Labels come from folder names and were looked through, not verified one by one.
- False alerts per camera-day cannot be derived from still pictures: with {negatives} frames without
  a leopard, zero alerts would still allow {upper} (95 % upper bound).
- Few frames stand behind hare, badger and marten, raccoon dog, livestock; see the counts above.

## Data

{data}

| source | licence as found | train | validation | test |
|---|---|---|---|---|
{sources}

Attribution: NTLNP (Northeast Tiger and Leopard National Park dataset; Tan et al. 2022, *Animals*),
CC BY 4.0. No image is part of this repository. Some sources state no licence; their images were
used to train, and are not redistributed.
"""


@dataclass(frozen=True)
class Report:
    """Everything the card is made of."""

    sidecar: dict[str, Any]
    everything: tuple[Example, ...]
    test: TestSet
    scores: np.ndarray  # [n, 17] fused probabilities of the int8 file
    verdicts: np.ndarray
    outcomes: tuple[Outcome, ...]
    same_top: Share
    latency_ms: dict[tuple[str, str, int], float]
    size_bytes: int
    pictures: str = ""
    extra_title: str = "Rendered frames"
    extra: str = "\nNot measured in this version.\n"


def write(report: Report, folder: Path) -> None:
    test, thresholds = report.test, report.sidecar["thresholds"]
    called = report.scores[:, LEOPARD] >= thresholds["leopard"]
    negatives = int(test.not_leopard.sum())
    (folder / "README.md").write_text(
        TEMPLATE.format(
            name=report.sidecar["name"],
            version=report.sidecar["version"],
            size=f"{report.size_bytes:,}",
            tests=len(test.examples),
            threshold=thresholds["leopard"],
            outcomes=outcome_table(report.outcomes),
            bars=BARS,
            look_alikes=_by_folder(test, called, test.look_alike),
            missed=_by_folder(test, ~called, test.other_leopard),
            labels=label_table(report),
            trap_right=_trap_right(report),
            pictures=report.pictures,
            int8_gap=_int8_gap(report.outcomes),
            same_top=report.same_top,
            latency=latency_table(report.latency_ms),
            extra_title=report.extra_title,
            extra=report.extra,
            negatives=negatives,
            upper=f"{Share(0, negatives).wilson()[1]:.2%}",
            data=report.sidecar["training"]["data"],
            sources=source_table(report.everything),
        )
    )


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "| model, view | night camera-trap leopards | other leopards | false alerts, all others "
        "| false alerts, camera traps | look-alikes | night recall at 0.5 % | macro-F1 |",
        "|---" * 8 + "|",
    ]
    for o in outcomes:
        low, high = o.macro_f1_interval
        cells = [
            o.name, str(o.night), str(o.rest), str(o.false_alerts), str(o.trap_false_alerts),
            str(o.look_alikes), percent(o.night_at_half_percent.value),
            f"{_cut(o.macro_f1)} ({_cut(low)}-{_cut(high)})",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cut(value: float) -> str:
    return f"{np.floor(value * 1000) / 1000:.3f}"


def _by_folder(test: TestSet, hit: np.ndarray, mask: np.ndarray) -> str:
    folders = np.array([e.folder for e in test.examples])
    parts = [
        f"{name} {int(np.sum(hit[mask & (folders == name)]))}/{np.sum(mask & (folders == name))}"
        for name in sorted(set(folders[mask]))
    ]
    return ", ".join(parts)


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
        low, high = bootstrap(
            groups, lambda rows, n=number: class_figures(truth[rows], verdict[rows], n).f1
        )
        lines.append(
            f"| {label['name']} | {behind} | {f.count} | {percent(f.precision)} | "
            f"{percent(f.recall)} | {_cut(f.f1)} ({_cut(low)}-{_cut(high)}) |"
        )
    return "\n".join(lines)


def _trap_right(report: Report) -> str:
    kept = report.test.camera_trap & (report.test.truth < LABELS.index("human"))
    return str(share((report.verdicts == report.test.truth)[kept]))


def _int8_gap(outcomes: Sequence[Outcome]) -> str:
    named = {o.name: o for o in outcomes}
    if "float, fused" not in named:
        return "not measured (float weights absent)"
    a, b = named["int8, fused"], named["float, fused"]
    gaps = (a.night.value - b.night.value, a.rest.value - b.rest.value, a.macro_f1 - b.macro_f1)
    return f"{max(abs(g) for g in gaps) * 100:.2f} points"


def latency_table(latency_ms: dict[tuple[str, str, int], float]) -> str:
    lines = [
        "| runtime | threads | this model, ms | plain ImageNet, ms | ratio |",
        "|---" * 5 + "|",
    ]
    for (name, runtime, threads), ours in latency_ms.items():
        if name == "this model":
            theirs = latency_ms["ImageNet", runtime, threads]
            lines.append(
                f"| {runtime} | {threads} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} |"
            )
    return "\n".join([*lines, "", "Medians on the machine that ran the evaluation, not on a Pi."])


def source_table(examples: Sequence[Example]) -> str:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for example in examples:
        counts[example.source, example.licence][example.split] += 1
    return "\n".join(
        f"| {source} | {licence} | {c['train']} | {c['validation']} | {c['test']} |"
        for (source, licence), c in sorted(counts.items())
    )
