"""An installed wheel works without a checkout: it carries the model and finds it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline and unpacked as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("rosette-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder


def rosette(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "firmware", *arguments],
        env=os.environ | {"PYTHONPATH": str(installed / "site")},
        cwd=installed, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_wheel_classifies_with_its_own_model(installed: Path) -> None:
    picture = installed / "noise.jpg"
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (240, 320, 3), np.uint8)).save(picture)
    program = "import firmware.trap.capture.classifier as c; print(c.shipped_model())"
    place = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(installed / "site")},
        cwd=installed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert place.stdout.startswith(str(installed / "site"))
    done = rosette(installed, "classify", str(picture), "--json")
    assert done.returncode == 0, done.stderr
    assert '"verdict"' in done.stdout


def test_the_wheel_names_its_versions(installed: Path) -> None:
    done = rosette(installed, "version")
    assert done.returncode == 0, done.stderr
    assert "firmware 0." in done.stdout and "model rosette-" in done.stdout


def test_the_wheel_holds_no_picture_and_no_test(installed: Path) -> None:
    names = [p for p in (installed / "site").rglob("*") if p.is_file()]
    assert not [p for p in names if p.suffix.lower() in {".jpg", ".jpeg", ".png"}]
    assert not [p for p in names if "tests" in p.parts]
