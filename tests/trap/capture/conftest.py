"""Fixtures of the capture tests."""

from pathlib import Path

import pytest

from firmware.trap.capture.classifier import Classifier
from tests.trap.capture.tiny_model import write_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny real model; orange is a leopard, green a deer, blue a person, dark grey empty."""
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def classifier(tiny: Path) -> Classifier:
    return Classifier(tiny)
