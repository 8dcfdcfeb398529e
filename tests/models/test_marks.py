"""The shipped model looks at animals, not at the marks on the frames it was trained on."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from models.calibrate import MODEL, calibration_of
from models.labels import LEOPARD
from models.manifest import Box, Example, read_frames
from models.marks import CHANGES, cover_stamps, cover_strips, erase_animals
from models.score import file_network, fused, logits_of, probabilities

THRESHOLD_CHANGES = 0.08  # share of verdicts that a changed mark may turn


@pytest.fixture(scope="module")
def leopards(frames_dir: Path) -> list[Example]:
    """Camera-trap leopards of the test split with a box: the frames that carry the marks."""
    return [
        example
        for example in read_frames(frames_dir)
        if example.split == "test"
        and example.label == "leopard"
        and example.camera_trap
        and example.boxes
    ]


def called(examples: list[Example], change: str | None = None) -> npt.NDArray[np.bool_]:
    calibration, thresholds = calibration_of(MODEL.with_suffix(".json").read_text())
    logits = logits_of(
        file_network(MODEL), examples, change or "unchanged", CHANGES[change] if change else None
    )
    scores = probabilities(fused(calibration.apply(logits)))
    result: npt.NDArray[np.bool_] = scores[:, LEOPARD] >= thresholds["leopard"]
    return result


@pytest.mark.parametrize(
    "change", ["timestamps covered", "strips above boxes covered", "fake marks added"]
)
def test_changed_marks_do_not_change_the_verdict(leopards: list[Example], change: str) -> None:
    assert np.mean(called(leopards) != called(leopards, change)) <= THRESHOLD_CHANGES


def test_marks_without_the_leopard_are_no_leopard(leopards: list[Example]) -> None:
    assert np.mean(called(leopards, "animals taken out, marks left")) <= 0.1


def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (100, 200, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


BOX = Box(0.3, 0.4, 0.2, 0.3)
INSIDE = (60, 40, 100, 70)


def test_covering_leaves_the_animal_alone_and_erasing_takes_it_out() -> None:
    image = picture()
    inside = np.asarray(image.crop(INSIDE))
    for cover in (cover_stamps, cover_strips):
        covered = cover(image, (BOX,))
        assert np.array_equal(np.asarray(covered.crop(INSIDE)), inside)
        assert not np.array_equal(np.asarray(covered), np.asarray(image))
    assert not np.array_equal(np.asarray(erase_animals(image, (BOX,)).crop(INSIDE)), inside)
