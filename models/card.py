"""The model card, written from measured figures alone.

Promises that `README.md` beside the model is regenerated whole by `models.evaluate`, cuts
decimals instead of rounding them up, and says what the data cannot show.
"""

from pathlib import Path

import numpy as np

from models.bursts import table as bursts_table
from models.labels import LEOPARD
from models.measure import Share
from models.rendered import TRAIN
from models.tables import (
    Report,
    by_name,
    condition_table,
    equal_table,
    int8_gap,
    interval,
    label_table,
    latency_table,
    marks_table,
    outcome_table,
    rendered_table,
    source_table,
)
from models.train import SMALL_SIDE
from models.views import RENDERED_SHARE

BARS = """Bars: night leopards >= 95 % (fused), other leopards >= 98 %, false alerts <= 0.5 %,
look-alikes <= 10 %, macro-F1 >= 0.85."""

TEMPLATE = """# Model card: {name} {version}

*Written by `python -m models.evaluate`; edit `models/card.py`, not this file.*

A full-int8 MobileNetV2 1.0 (224 x 224, uint8 RGB in, {size} bytes) for the cameras of Amur
leopard country: 15 exclusive labels, and person and vehicle as independent outputs. It is
fine-tuned from `tf2_mobilenet_v2_1.0_224_ptq.tflite` (google-coral/test_data, Apache-2.0), whose
weights were read back to float. Licence of the weights: Apache-2.0.

**Use**: sorting camera-trap frames so that likely leopards are sent first. **Not for**: proof of
absence, identifying individuals, or any decision about people. Every alert wants a human eye.

## Leopard against everything else

On the {tests} images of the untouched test split. Brackets: counts and 95 % Wilson interval.
Temperatures and thresholds (leopard: P >= {threshold}) come from a validation set carved out of
the training images. "Fused" is the unit's own rule over the whole frame and the crop, where a box
is known (here the annotated box plus 15 %, in the field the motion crop): log scores averaged, each
view weighted by its probability that an animal is there, at least 0.3.

{outcomes}

"Recall at 0.5 %" (night, other) reads its threshold off the test images themselves, for
comparison only. {bars}

95 % intervals by bootstrap over scene groups, fused int8: night leopards {night_interval}, other
leopards {rest_interval}, false alerts {false_interval}.

Both models fused, each at the threshold at which it calls as many look-alikes leopards (read off
the test images): what fine-tuning brought, and what it did not.

{equal}

Spotted look-alikes called leopard, fused, by folder: {look_alikes}.
Other leopards missed, fused, by source: {missed}.
Every false alert: {alerts}.

## Each label

Verdicts of the fused int8 model (person or vehicle above its threshold, else the likeliest of the
15). F1 with 95 % bootstrap interval over scene groups. Labels with fewer than 20 test images say
little; a label without test images says nothing.

{labels}

![Confusion matrix](confusion.png)

![Calibration](calibration.png)

## Day and night, traps and photos

{conditions}

## Single frames and bursts

The frames' sequences cut into bursts of three, judged by the unit's own code. "Part": where the
whole picture says nothing clear, the part of it that looks least empty is judged too. Many leopard
bursts carry painted-out marks that move with the animal, which misleads the motion crop; leopards
in them are of few cameras.

{bursts}

## Marks on the frames

The {boxed} camera-trap test frames with a box, fused int8, whole frame and crop, after their marks
are covered, moved or left alone without the animal (painted over from the background beside it,
which leaves scraps of large animals).

{marks}

## Int8, float, runtimes

Largest difference between int8 and float over the leopard figures and macro-F1 (fused):
{int8_gap}. Both runtimes (ai-edge-litert, tflite-runtime 2.14) give the same top label on
{same_top} test images.

{latency}

## Rendered frames

From `firmware.sim`: drawn, not photographs, and no evidence about forests. {rendered_train} such
frames were {rendered_share} of the training views; these {rendered_count} show other sites and
other individuals. Fused int8, true box as crop.

{rendered}

## How it was made

{data}.
The whole network was trained: AdamW, cosine rate, averaged weights, the first steps at {small}
pixels. Views are crops with random context, whole frames, partial animals, animals pasted
into empty scenes, grey infrared looks with lamp fall-off, snow, blur, noise, JPEG, and fake or
covered marks; frames beside their animals stand for empty ones. Targets are softened by the
ImageNet teacher where it agrees with the label, and its 1,001 classes are learnt on the side. A
frame with a person or a vehicle counts as empty of animals; wolves and other canids count as
`dog`, raccoons as `other_animal`. The int8 file keeps the operators of the starting file; its
ranges come from images of which half are night-infrared, and its biases are corrected for the
rounding errors.

History of these weights: {history}.

    {command} --start START --frames FRAMES --work WORK
    python -m models.quantise --start START --frames FRAMES --work WORK
    python -m models.calibrate --frames FRAMES --work WORK --version {version}
    python -m models.evaluate --start START --frames FRAMES --work WORK

The same commands take a team's own images: `--camtrap-dp` and `--coco` (COCO Camera Traps, as
NTLNP and LILA publish them).

## What the data cannot show

- All camera-trap leopards, in training and in test, are night-infrared frames (and a few day
  photos) of one park's cameras; another camera model or another lamp may do worse.
- The frames had boxes and labels drawn on them that were painted out. Training covers and fakes
  such marks on every class, and clean sources are in the test split, but the test leopards carry
  the same marks as the training leopards.
- Day leopards are mostly zoo and web photos of several subspecies; bears mostly American; people
  mostly portraits. Person and vehicle recall in the forest is unknown.
- The Caltech-101 pictures (`bahuljain/cuda-abda`) have leopards in the test split alone but
  look-alikes in training: the network takes that source's style for "no leopard", and most of the
  missed photo leopards are from there.
- Labels come from folder names and were looked through, not verified one by one.
- False alerts per camera-day cannot be derived from still pictures: with {negatives} frames without
  a leopard, zero alerts would still allow {upper} (95 % upper bound).
- Few frames stand behind hare, badger and marten, raccoon dog, livestock; see the counts above.

## Data

| source | licence as found | train | validation | test |
|---|---|---|---|---|
{sources}

Attribution: NTLNP (Northeast Tiger and Leopard National Park dataset; Tan et al. 2022, *Animals*),
CC BY 4.0. No image is part of this repository. Some sources state no licence; their images were
used to train, and are not redistributed.
"""


def write(report: Report, folder: Path) -> None:
    test, thresholds = report.test, report.sidecar["thresholds"]
    called = report.scores[:, LEOPARD] >= thresholds["leopard"]
    negatives = int(test.not_leopard.sum())
    sources = np.array([e.source for e in test.examples])
    folders = np.array([e.folder for e in test.examples])
    (folder / "README.md").write_text(
        TEMPLATE.format(
            name=report.sidecar["name"],
            version=report.sidecar["version"],
            size=f"{report.size_bytes:,}",
            tests=len(test.examples),
            threshold=thresholds["leopard"],
            outcomes=outcome_table(report.outcomes),
            bars=BARS,
            night_interval=interval(test, called, test.night_leopard),
            rest_interval=interval(test, called, test.other_leopard),
            false_interval=interval(test, called, test.not_leopard & ~test.look_alike),
            look_alikes=by_name(folders, called, test.look_alike),
            missed=by_name(sources, ~called, test.other_leopard),
            alerts=by_name(folders, called, called & test.not_leopard),
            labels=label_table(report),
            conditions=condition_table(report, called),
            boxed=int(report.boxed.sum()),
            marks=marks_table(report),
            bursts=bursts_table(report.bursts),
            equal=equal_table(report.equal_rates),
            int8_gap=int8_gap(report.outcomes),
            same_top=report.same_top or "no (one of them is not installed)",
            latency=latency_table(report.latency_ms),
            rendered_train=TRAIN.count,
            rendered_share=f"{RENDERED_SHARE:.0%}",
            rendered_count=len(report.drawn),
            rendered=rendered_table(report),
            negatives=negatives,
            upper=f"{Share(0, negatives).wilson()[1]:.2%}",
            data=report.sidecar["training"]["data"],
            command=report.sidecar["training"]["command"],
            history=report.sidecar["training"]["history"],
            small=SMALL_SIDE,
            sources=source_table(report.everything),
        )
    )
