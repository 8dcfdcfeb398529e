"""Fine-tunes the whole network on the training frames: one command, seeded, resumable.

Promises that the same seed draws the same views in the same order, also after an interruption
(view number i is a function of the seed and i alone). Writes `float.pt`, averaged weights, into
the work folder; `quantise` makes the shipped file from it.

    python -m models.train --start FILE --frames DIR [--work DIR] [--views N]
"""

import argparse
import copy
import ctypes
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    track,
)
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from models.augment import Picture, crop, training_view
from models.backbone import Layer, MobileNet, build, squash, to_input
from models.labels import (
    EMPTY,
    EXCLUSIVE_COUNT,
    FOLDER_TO_IMAGENET,
    INDEPENDENT,
    LABEL_TABLE,
    LABELS,
)
from models.manifest import Example, read_frames
from models.rendered import SOURCE, TRAIN, rendered

LONGEST_SIDE = 448  # pictures are held in memory at this size
LEOPARD_SHARE = 0.25  # of all views of real images
RENDERED_SHARE = 0.07  # of all views
CAMERA_TRAP_BOOST = 2.0  # a camera-trap frame is drawn this much more often than a web photo
TEACHER_SHARE = 0.15  # of the target comes from the ImageNet teacher where it agrees
SMOOTHING = 0.03
INDEPENDENT_WEIGHT = 2.0
SIDE_WEIGHT = 0.5  # of the ImageNet classes learnt on the side
AVERAGING = 0.995  # of the weights, per step
CHECKPOINT_EVERY = 100


class Views(Dataset[tuple[np.ndarray, int]]):
    """View number i of an endless, balanced stream, and the number of its example."""

    def __init__(self, examples: Sequence[Example], seed: int, count: int):
        self.pictures = [open_picture(example) for example in examples]
        self.scenes = [
            picture.image
            for picture, example in zip(self.pictures, examples, strict=True)
            if example.label == "empty"
        ]
        self.ends = np.cumsum(sampling_weights(examples))
        self.seed, self.count = seed, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        random = np.random.default_rng([self.seed, number])
        chosen = int(np.searchsorted(self.ends, random.random() * self.ends[-1]))
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


def sampling_weights(examples: Sequence[Example]) -> np.ndarray:
    """Real images balanced, and the rendered ones at a small fixed share of them."""
    artificial = np.array([example.source == SOURCE for example in examples])
    weights = np.zeros(len(examples))
    weights[~artificial] = _balanced([e for e in examples if e.source != SOURCE])
    if artificial.any():
        share = RENDERED_SHARE / (1 - RENDERED_SHARE) * weights.sum()
        weights[artificial] = share / artificial.sum()
    return weights


def _balanced(examples: Sequence[Example]) -> np.ndarray:
    """Classes by the root of their size, leopards at a fixed share, camera traps boosted."""
    sizes = Counter(example.label for example in examples)
    weights = np.array([CAMERA_TRAP_BOOST if e.camera_trap else 1.0 for e in examples])
    share = {name: math.sqrt(size) for name, size in sizes.items()}
    total = sum(value for name, value in share.items() if name != "leopard")
    share["leopard"] = total * LEOPARD_SHARE / (1 - LEOPARD_SHARE)
    labels = np.array([example.label for example in examples])
    for name, value in share.items():
        weights[labels == name] *= value / weights[labels == name].sum()
    return weights


def target(example: Example, teacher: np.ndarray) -> np.ndarray:
    """17 numbers: 15 that sum to 1, and person and vehicle on their own.

    A frame with a person or a vehicle counts as `empty` of animals: were it masked, nothing
    would keep the animal outputs down on people.
    """
    result = np.zeros(len(LABELS), np.float32)
    wanted = EMPTY if example.label in INDEPENDENT else LABELS.index(example.label)
    result[wanted] = 1.0
    exclusive = result[:EXCLUSIVE_COUNT]
    sums = grouped(teacher)
    if sums.argmax() == wanted:
        exclusive[:] = (1 - TEACHER_SHARE) * exclusive + TEACHER_SHARE * sums
    exclusive[:] = (1 - SMOOTHING) * exclusive + SMOOTHING / EXCLUSIVE_COUNT
    for name in INDEPENDENT:
        result[LABELS.index(name)] = 0.98 if example.label == name else 0.01
    return result


def fine_target(example: Example, teacher: np.ndarray) -> np.ndarray:
    """1,001 numbers: the teacher's where it agrees, else the one class that the folder is.

    Zeros where neither is known. Keeps the features that tell a leopard from a jaguar while the
    network learns night frames.
    """
    result = np.zeros_like(teacher)
    wanted = LABELS.index(example.label)
    known = FOLDER_TO_IMAGENET.get(example.folder)
    if known is not None and teacher.argmax() != known:
        result[known] = 1.0
    elif wanted < EXCLUSIVE_COUNT and grouped(teacher).argmax() == wanted:
        result[:] = teacher
    return result


def grouped(probabilities: np.ndarray) -> np.ndarray:
    """ImageNet's 1,001 probabilities as our 15 exclusive ones; whatever is left is `empty`."""
    sums = np.array([probabilities[list(label.imagenet)].sum() for label in LABEL_TABLE])
    exclusive: np.ndarray = sums[:EXCLUSIVE_COUNT].astype(np.float32)
    exclusive[EMPTY] = max(0.0, 1.0 - float(exclusive.sum() - exclusive[EMPTY]))
    return exclusive


def teacher_outputs(teacher: MobileNet, examples: Sequence[Example]) -> np.ndarray:
    """ImageNet probabilities of each example, [n, 1001], cropped where a box is known."""
    outputs = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more only wait for each other on single pictures
    for example in track(examples, "asking the ImageNet teacher"):
        with Image.open(example.path) as image:
            part = crop(image, example.boxes[0], 0.1, None) if example.boxes else image
            pixels = squash(part)
        with torch.inference_mode():
            outputs.append(teacher(to_input(pixels[None]))[0].softmax(0).numpy())
    torch.set_num_threads(threads)
    return np.stack(outputs)


def put_head(network: MobileNet) -> None:
    """Replaces the 1,001-class head by ours, each row the mean of its ImageNet rows."""
    weight, bias = network.head.weight.data, network.head.bias.data
    network.head = copy.deepcopy(network.head)
    rows = [list(label.imagenet) or [278, 363] for label in LABEL_TABLE]
    network.head.weight = torch.nn.Parameter(torch.stack([weight[r].mean(0) for r in rows]))
    network.head.bias = torch.nn.Parameter(torch.stack([bias[r].mean(0) for r in rows]))


def loss_of(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    exclusive = functional.cross_entropy(logits[:, :EXCLUSIVE_COUNT], wanted[:, :EXCLUSIVE_COUNT])
    independent = functional.binary_cross_entropy_with_logits(
        logits[:, EXCLUSIVE_COUNT:], wanted[:, EXCLUSIVE_COUNT:]
    )
    return exclusive + INDEPENDENT_WEIGHT * independent


@dataclass(frozen=True)
class Targets:
    """What each example should give: [n, 17] ours and [n, 1001] ImageNet's."""

    ours: torch.Tensor
    fine: torch.Tensor


def targets_of(examples: Sequence[Example], teacher: np.ndarray) -> Targets:
    pairs = list(zip(examples, teacher, strict=True))
    ours = np.stack([target(e, t) for e, t in pairs])
    fine = np.stack([fine_target(e, t) for e, t in pairs])
    return Targets(torch.from_numpy(ours), torch.from_numpy(fine))


class Trainer:
    """Network, its running average, optimiser and the step they have reached.

    `side` is the ImageNet head, kept on the side while training and then dropped.
    """

    def __init__(
        self, network: MobileNet, average: MobileNet, side: Layer, targets: Targets,
        steps: int, rate: float,
    ):  # fmt: skip
        self.network, self.average, self.side = network, average, side
        self.targets, self.steps, self.step = targets, steps, 0
        heads = [*network.head.parameters(), *side.parameters()]
        body = list(network.layers.parameters())
        self.optimiser = torch.optim.AdamW(
            [{"params": body, "lr": rate}, {"params": heads, "lr": rate * 4}], weight_decay=0.02
        )
        warm_up = max(1, steps // 20)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser,
            lambda s: min((s + 1) / warm_up, 0.5 * (1 + math.cos(math.pi * s / steps)) + 0.005),
        )

    def advance(self, views: torch.Tensor, chosen: torch.Tensor) -> float:
        x = to_input_batch(views)
        with torch.autocast("cpu", torch.bfloat16):
            features = self.network.features(x)
            logits = self.network.head(features).flatten(1).float()
            fine = self.side(features).flatten(1).float()
        loss = loss_of(logits, self.targets.ours[chosen])
        loss = loss + SIDE_WEIGHT * functional.cross_entropy(fine, self.targets.fine[chosen])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        keep = min(AVERAGING, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return float(loss.detach())

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        torch.save(
            {name: getattr(self, name).state_dict() for name in self._parts()}
            | {"step": self.step},
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path)
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])
        self.step = int(state["step"])

    @staticmethod
    def _parts() -> tuple[str, ...]:
        return ("network", "average", "side", "optimiser", "schedule")


def to_input_batch(views: torch.Tensor) -> torch.Tensor:
    x = (views.permute(0, 3, 1, 2).float() - 127) / 127.5
    return x.contiguous(memory_format=torch.channels_last)


def batches(views: Views, first: int, size: int, workers: int) -> Iterator[Any]:
    loader = DataLoader(
        views, batch_size=size, sampler=range(first * size, len(views)),
        num_workers=workers, prefetch_factor=4 if workers else None, drop_last=True,
    )  # fmt: skip
    return iter(loader)


def run(trainer: Trainer, views: Views, size: int, workers: int, checkpoint: Path) -> None:
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("loss {task.fields[loss]:.3f}"))  # fmt: skip
    with Progress(*columns) as progress:
        task = progress.add_task("", total=trainer.steps, completed=trainer.step, loss=math.nan)
        mean = math.nan
        for pixels, chosen in batches(views, trainer.step, size, workers):
            loss = trainer.advance(pixels, chosen)
            mean = loss if math.isnan(mean) else 0.97 * mean + 0.03 * loss
            progress.update(task, completed=trainer.step, loss=mean)
            if trainer.step % CHECKPOINT_EVERY == 0:
                trainer.save(checkpoint)
                progress.console.print(f"step {trainer.step} loss {mean:.3f}")


def hold_memory() -> None:
    """Tells glibc to keep freed activations: returning them costs more time than the training."""
    allocator = ctypes.CDLL(None)
    for option, value in ((-3, 2**30), (-1, 2**31 - 1), (-2, 2**28), (-8, 1)):
        allocator.mallopt(option, value)  # mmap and trim thresholds, top pad, one arena


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="int8 ImageNet MobileNetV2")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    parser.add_argument("--views", type=int, default=80_000, help="augmented images to train on")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    hold_memory()

    examples = [e for e in read_frames(arguments.frames) if e.split == "train"]
    examples += rendered(arguments.work, TRAIN)
    network, average = build(arguments.start), build(arguments.start)
    targets = targets_of(examples, teacher_outputs(average.eval(), examples))
    side = network.head
    put_head(network), put_head(average)
    network.to(memory_format=torch.channels_last)
    steps = arguments.views // arguments.batch
    trainer = Trainer(network, average, side, targets, steps, arguments.rate)
    views = Views(examples, arguments.seed, arguments.views)
    checkpoint = arguments.work / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
        print(f"going on from step {trainer.step} of {checkpoint}")
    run(trainer, views, arguments.batch, arguments.workers, checkpoint)
    torch.save(trainer.average.state_dict(), arguments.work / "float.pt")
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
