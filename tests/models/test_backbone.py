"""The float network is the starting file's network (needs torch and the starting file)."""

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from models.backbone import agreement


def test_the_rebuilt_network_agrees_with_the_original_where_it_is_sure(frames_dir: Path) -> None:
    start = os.environ.get("ROSETTE_START_MODEL")
    if not start:
        pytest.skip("ROSETTE_START_MODEL does not point to the starting file")
    found = agreement(Path(start), sorted((frames_dir / "images").rglob("*.jpg"))[::60])
    assert found.sure.count >= 10
    assert found.sure.value >= 0.98
