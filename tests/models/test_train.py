"""The training step, on a network of three layers (needs the training extra)."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from models.backbone import MobileNet
from models.labels import EXCLUSIVE_COUNT, LABELS
from models.ranges import Scale, activation_scales
from models.targets import Targets
from models.train import Plan, Trainer, has_bf16
from tests.models.tiny import tiny_network

SIDE, COUNT = 8, 4
RANDOM = np.random.default_rng(2)
PICTURES = RANDOM.integers(0, 255, (COUNT, SIDE, SIDE, 3), np.uint8)
PLAN = Plan(steps=6, small=0, rounding_from=3, rate=1e-3)


def scales(network: MobileNet) -> dict[int, Scale]:
    return activation_scales(network, list(PICTURES))


def trainer() -> Trainer:
    ours = torch.full((COUNT, len(LABELS)), 0.01)
    ours[torch.arange(COUNT), torch.arange(COUNT)] = 0.9
    targets = Targets(
        ours, torch.full((COUNT, 1001), 1 / 1001), torch.arange(COUNT) % EXCLUSIVE_COUNT,
        torch.tensor([True, False, True, False]), torch.ones(COUNT),
    )  # fmt: skip
    side = tiny_network(1001).head
    return Trainer(tiny_network(), tiny_network(), side, tiny_network(1001), targets, PLAN, scales)


def run(each: Trainer, until: int) -> list[float]:
    views, chosen = torch.from_numpy(PICTURES), torch.arange(COUNT)
    return [each.advance(views, chosen) for _ in range(each.step, until)]


def test_rounding_begins_at_its_step_and_the_loss_still_falls() -> None:
    each = trainer()
    rounded, losses = [], []
    for step in range(PLAN.steps):
        losses += run(each, step + 1)
        rounded.append(each.rounding is not None)
    assert rounded == [False] * 3 + [True] * 3
    assert losses[-1] < losses[0]


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, first, second = trainer(), trainer(), trainer()
    run(whole, 6)
    run(first, 2)
    first.save(tmp_path / "checkpoint.pt")
    second.load(tmp_path / "checkpoint.pt")
    run(second, 6)
    pairs = zip(whole.average.parameters(), second.average.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        ("flags : fpu avx2 fma", False),
        ("flags : fpu avx512f avx512_bf16", True),
        ("flags : amx_bf16 amx_tile", True),
        ("Features : fp asimd bf16", True),
    ],
)
def test_bfloat16_is_used_only_where_the_processor_has_it(
    flags: str, native: bool, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(flags + "\n")
    assert has_bf16(tmp_path / "cpuinfo") is native
    assert has_bf16(tmp_path / "absent") is False
