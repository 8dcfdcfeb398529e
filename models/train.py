"""Fine-tunes the whole network on the training frames: one command, seeded, resumable.

Promises that the same seed draws the same views in the same order, also after an interruption.
`--camtrap-dp` and `--coco` add a team's own images (Camtrap DP folder, COCO Camera Traps JSON with
the files beside it); both may be repeated. Writes `float.pt`, averaged weights, into
the work folder; `quantise` makes the shipped file from it.

    python -m models.train --start FILE --frames DIR [--work DIR] [--views N]
                           [--camtrap-dp DIR] [--coco JSON]
"""

import argparse
import copy
import ctypes
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch.nn import functional
from torch.utils.data import DataLoader

from models.backbone import Layer, MobileNet, build
from models.calibrate import RECORD
from models.foreign import read_camtrap_dp, read_coco_camera_traps
from models.head import put_head
from models.labels import EXCLUSIVE_COUNT
from models.manifest import Example, read_frames
from models.ranges import NAME as RANGES
from models.ranges import (
    Rounding,
    Scale,
    activation_scales,
    calibration_pixels,
    load_scales,
    save_scales,
)
from models.rendered import TRAIN, rendered
from models.targets import Targets, consult, targets_of, teacher_outputs
from models.views import Views

INDEPENDENT_WEIGHT = 2.0
SIDE_WEIGHT = 0.5  # of the ImageNet classes learnt on the side
SMALL_SIDE = 160  # the first steps see pictures of this side
AVERAGING = 0.995  # of the weights, per step
CHECKPOINT_EVERY = 100


def loss_of(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    exclusive = functional.cross_entropy(logits[:, :EXCLUSIVE_COUNT], wanted[:, :EXCLUSIVE_COUNT])
    independent = functional.binary_cross_entropy_with_logits(
        logits[:, EXCLUSIVE_COUNT:], wanted[:, EXCLUSIVE_COUNT:]
    )
    return exclusive + INDEPENDENT_WEIGHT * independent


@dataclass(frozen=True)
class Plan:
    """Steps in all, those at the small side, and from which on the network is rounded."""

    steps: int
    small: int
    rounding_from: int
    rate: float


def has_bf16(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 itself; emulated, it takes ten times as long."""
    try:
        words = set(processor.read_text().split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


class Trainer:
    """Network, its running average, optimiser and the step they have reached.

    `side` is the ImageNet head, kept on the side while training and then dropped. From the step
    `rounding_from` on, the network trains with the int8 file's rounding; `scales` then gives
    the ranges, for which it is asked once.
    """

    def __init__(
        self, network: MobileNet, average: MobileNet, side: Layer, teacher: MobileNet,
        targets: Targets, plan: Plan, scales: Callable[[MobileNet], dict[int, Scale]],
    ):  # fmt: skip
        self.network, self.average, self.side, self.teacher = network, average, side, teacher
        self.targets, self.plan, self.step = targets, plan, 0
        self.rounding: Rounding | None = None
        self._scales = scales
        self._device = next(network.parameters()).device
        self._lowered = self._device.type == "cuda" or has_bf16()
        heads = [*network.head.parameters(), *side.parameters()]
        body = list(network.layers.parameters())
        self.optimiser = torch.optim.AdamW(
            [{"params": body, "lr": plan.rate}, {"params": heads, "lr": plan.rate * 4}],
            weight_decay=0.02,
        )
        warm_up = max(1, plan.steps // 20)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser,
            lambda s: min((s + 1) / warm_up, 0.5 * (1 + math.cos(math.pi * s / plan.steps)) + 0.01),
        )

    def advance(self, views: torch.Tensor, chosen: torch.Tensor) -> float:
        side = SMALL_SIDE if self.step < self.plan.small else views.shape[1]
        x = to_input_batch(views.to(self._device), side)
        wanted = self._wanted(x, chosen)
        if self.step >= self.plan.rounding_from and self.rounding is None:
            self.rounding = Rounding(self._scales(self.average))
        watch, weigh = None, None
        if self.rounding is not None:
            watch, weigh = self.rounding.activation, self.rounding.weight
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._lowered):
            features = self.network.features(x, watch, weigh)
            logits = self.network.classify(features, watch, weigh).float()
            fine = self.side(features).flatten(1).float()
        loss = loss_of(logits, wanted.ours)
        apart = functional.cross_entropy(fine, wanted.fine, reduction="none")
        loss = loss + SIDE_WEIGHT * (apart * wanted.side_weights).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        keep = min(AVERAGING, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return float(loss.detach())

    def _wanted(self, x: torch.Tensor, chosen: torch.Tensor) -> Targets:
        wanted = self.targets.of(chosen, self._device)
        if bool(wanted.asked.any()):
            with torch.no_grad():
                consult(wanted, self.teacher(x[wanted.asked]).softmax(1))
        return wanted

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        torch.save(
            {name: getattr(self, name).state_dict() for name in self._parts()}
            | {"step": self.step},
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, map_location=self._device)
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])
        self.step = int(state["step"])

    @staticmethod
    def _parts() -> tuple[str, ...]:
        return ("network", "average", "side", "optimiser", "schedule")


def to_input_batch(views: torch.Tensor, side: int) -> torch.Tensor:
    """uint8 [n, 224, 224, 3] to what the network takes, shrunk to `side`."""
    x = (views.permute(0, 3, 1, 2).float() - 127) / 127.5
    if side != x.shape[-1]:
        x = functional.interpolate(x, (side, side), mode="bilinear", antialias=True)
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
        task = progress.add_task(
            "", total=trainer.plan.steps, completed=trainer.step, loss=math.nan
        )
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


def training_examples(arguments: argparse.Namespace) -> list[Example]:
    examples = read_frames(arguments.frames)
    for folder in arguments.camtrap_dp:
        examples += read_camtrap_dp(folder)
    for path in arguments.coco:
        examples += read_coco_camera_traps(path, path.parent)
    return [example for example in examples if example.split == "train"]


def write_record(arguments: argparse.Namespace, images: int) -> None:
    """What the sidecar and the card say about the run."""
    names = ("views", "rate", "seed", "small", "rounded", "weights")
    given = {name: getattr(arguments, name) for name in names}
    options = " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
    record = {
        "images": images, "views": arguments.views, "seed": arguments.seed,
        "command": f"python -m models.train {options}",
    }  # fmt: skip
    (arguments.work / RECORD).write_text(json.dumps(record, indent=1))


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="int8 ImageNet MobileNetV2")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    parser.add_argument("--views", type=int, default=64_000, help="augmented images to train on")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", type=float, default=0.55, help="share of steps at 160 pixels")
    parser.add_argument(
        "--rounded", type=float, default=0.3, help="share of steps, the last, with int8 rounding"
    )
    parser.add_argument("--weights", type=Path, help="go on from the float.pt of an earlier run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--camtrap-dp", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--coco", type=Path, action="append", default=[], metavar="JSON")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    hold_memory()

    real = training_examples(arguments)
    examples = real + rendered(arguments.work, TRAIN)
    network, average, teacher = (build(arguments.start) for _ in range(3))
    targets = targets_of(examples, teacher_outputs(teacher.eval(), examples))
    side = network.head
    put_head(network)
    put_head(average)
    if arguments.weights is not None:
        for each in (network, average):
            each.load_state_dict(torch.load(arguments.weights))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    average.to(device)
    side.to(device)
    for each in (network, teacher):
        each.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = arguments.views // arguments.batch
    plan = Plan(
        steps, int(arguments.small * steps), int((1 - arguments.rounded) * steps), arguments.rate
    )

    def scales(trained: MobileNet) -> dict[int, Scale]:
        found = load_scales(arguments.work)
        if found is None:
            on_cpu = copy.deepcopy(trained).cpu()
            found = activation_scales(on_cpu, calibration_pixels(real))
            save_scales(found, arguments.work)
        return found

    trainer = Trainer(network, average, side, teacher, targets, plan, scales)
    views = Views(examples, arguments.seed, arguments.views)
    checkpoint = arguments.work / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
        print(f"going on from step {trainer.step} of {checkpoint}")
    else:
        (arguments.work / RANGES).unlink(missing_ok=True)
    run(trainer, views, arguments.batch, arguments.workers, checkpoint)
    torch.save(trainer.average.state_dict(), arguments.work / "float.pt")
    write_record(arguments, len(real))
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
