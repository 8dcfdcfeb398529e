"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def frames_dir() -> Path:
    """The folder of real images; the test skips where it is not given."""
    folder = os.environ.get("ROSETTE_FRAMES")
    if not folder:
        pytest.skip("ROSETTE_FRAMES is not set: no real images here")
    if not (Path(folder) / "images.csv").is_file():
        pytest.fail(f"ROSETTE_FRAMES={folder} has no images.csv")
    return Path(folder)
