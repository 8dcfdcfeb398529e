"""The stream of training views: which image comes next, and how it is shown.

Promises that view number i is a function of the seed and i alone, so that a run that was
interrupted goes on as if it had not been, and that classes, camera traps and rendered frames have
the shares stated here.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from models.augment import Picture, empty_view, training_view
from models.labels import INDEPENDENT, LOOK_ALIKES
from models.manifest import Example
from models.measure import Array
from models.rendered import SOURCE
from models.targets import telling

LONGEST_SIDE = 448  # pictures are held in memory at this size
FIXED_SHARES = {"leopard": 0.24, "look-alike": 0.17}  # of all views of real images
# A source with look-alikes but no leopards teaches its own style as `no leopard`: draw it less.
TELLING_SOURCE = 0.4
FEW = ("livestock",)  # a handful of images: drawn often, each would be learnt by heart
LEAST_GROUP = 100  # a label with fewer images is drawn as if it had so many
RENDERED_SHARE = 0.07  # of all views
CAMERA_TRAP_BOOST = 2.0  # a camera-trap frame is drawn this much more often than a web photo
BACKGROUND_SHARE = 0.15  # of the views of a camera-trap frame show it beside its animals


class Views(Dataset[tuple[Array, int]]):
    """View number i of an endless, balanced stream, and the number of its example."""

    def __init__(self, examples: Sequence[Example], seed: int, count: int):
        self.pictures = [open_picture(example) for example in examples]
        self.scenes = [
            picture.image
            for picture, example in zip(self.pictures, examples, strict=True)
            if example.label == "empty"
        ]
        self.traps = [e.camera_trap and bool(e.boxes) for e in examples]
        self.empty = [example.label for example in examples].index("empty")
        self.ends = np.cumsum(sampling_weights(examples))
        self.seed, self.count = seed, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[Array, int]:
        random = np.random.default_rng([self.seed, number])
        chosen = int(np.searchsorted(self.ends, random.random() * self.ends[-1]))
        if self.traps[chosen] and random.random() < BACKGROUND_SHARE:
            view = empty_view(self.pictures[chosen], random)
            if view is not None:
                return np.array(view), self.empty
        view = training_view(self.pictures[chosen], self.scenes, random)
        return np.array(view), chosen


def open_picture(example: Example) -> Picture:
    with Image.open(example.path) as image:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        decoded = image.convert("RGB")
    return Picture(
        image=decoded,
        boxes=example.boxes,
        inside_only=example.marks_drawn and bool(example.boxes),
        may_shrink=example.label not in ("empty", *INDEPENDENT),
    )


def sampling_weights(examples: Sequence[Example]) -> Array:
    """Real images balanced, and the rendered ones at a small fixed share of them."""
    artificial = np.array([example.source == SOURCE for example in examples])
    weights = np.zeros(len(examples))
    weights[~artificial] = _balanced([e for e in examples if e.source != SOURCE])
    if artificial.any():
        share = RENDERED_SHARE / (1 - RENDERED_SHARE) * weights.sum()
        weights[artificial] = share / artificial.sum()
    return weights


def _balanced(examples: Sequence[Example]) -> Array:
    """Groups by the root of their size, leopards and look-alikes at fixed shares, traps boosted."""
    weights = np.array([CAMERA_TRAP_BOOST if e.camera_trap else 1.0 for e in examples])
    weights[telling(examples)] *= TELLING_SOURCE
    groups = np.array([e.folder if e.folder in LOOK_ALIKES else e.label for e in examples])
    sizes = Counter(groups.tolist())
    least = {name: 0 if name in LOOK_ALIKES or name in FEW else LEAST_GROUP for name in sizes}
    share = {name: math.sqrt(max(size, least[name])) for name, size in sizes.items()}
    fixed = {"leopard": ("leopard",), "look-alike": LOOK_ALIKES}
    rest = sum(v for name, v in share.items() if name != "leopard" and name not in LOOK_ALIKES)
    for kind, names in fixed.items():
        wanted = FIXED_SHARES[kind] / (1 - sum(FIXED_SHARES.values())) * rest
        present = sum(share.get(name, 0.0) for name in names)
        share |= {name: share[name] * wanted / present for name in names if name in share}
    for name, value in share.items():
        weights[groups == name] *= value / weights[groups == name].sum()
    return weights
