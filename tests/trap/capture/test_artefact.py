"""Models as artefacts: what is refused, what stays, what runs."""

import dataclasses
import hashlib
import json
import logging
import subprocess
from pathlib import Path

import pytest

from firmware.broker import Broker
from firmware.trap.capture.artefact import (
    check_signature,
    install,
    installed_model,
    load_classifier,
    sign,
    verify,
)
from firmware.trap.capture.classifier import shipped_model
from firmware.trap.capture.sidecar import ModelError
from firmware.trap.settings import ClassifierSettings, TrapSettings, Unit
from tests.trap.capture.tiny_model import Shape, write_model


@pytest.fixture
def settings(tmp_path: Path) -> TrapSettings:
    (tmp_path / "data").mkdir()
    return TrapSettings(Unit("T0007", tmp_path / "data"), Broker("h"))


def model(tmp_path: Path, version: str) -> Path:
    """A model file of its own content, so of its own id."""
    folder = tmp_path / version
    folder.mkdir()
    file = write_model(folder, version=version)
    file.write_bytes(file.read_bytes() + version.encode())  # trailing bytes are no part of it
    raw = json.loads(file.with_suffix(".json").read_text())
    return resealed(file, raw)


def resealed(file: Path, raw: dict[str, object]) -> Path:
    raw["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_suffix(".json").write_text(json.dumps(raw))
    return file


def keys(folder: Path) -> tuple[Path, Path]:
    """An Ed25519 key pair as OpenSSL makes it."""
    private, public = folder / "key.pem", folder / "key.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private, public


def test_without_an_installed_model_the_shipped_one_runs(settings: TrapSettings) -> None:
    assert installed_model(settings.unit.data_dir) is None
    assert load_classifier(settings).sidecar.file == shipped_model()


def test_an_installed_model_runs_from_the_units_own_card(
    settings: TrapSettings, tmp_path: Path
) -> None:
    source = model(tmp_path, "1.0.0")
    assert install(source, settings).sidecar.version == "1.0.0"
    source.unlink()
    assert load_classifier(settings).sidecar.version == "1.0.0"


FLAWS: dict[str, tuple[Shape, dict[str, str], str]] = {
    "hash": (Shape(), {"sha256": "0" * 64}, "SHA-256"),
    "labels": (Shape(outputs=12), {}, "output has shape"),
    "shape": (Shape(side=96), {}, "input has shape"),
    "firmware": (Shape(), {"minimum_firmware": "99.0.0"}, "needs firmware"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_model_that_does_not_fit_is_refused_with_a_reason_and_the_old_one_stays(
    settings: TrapSettings, tmp_path: Path, flaw: str
) -> None:
    install(model(tmp_path, "1.0.0"), settings)
    folder = tmp_path / "bad"
    folder.mkdir()
    shape, changes, reason = FLAWS[flaw]
    bad = write_model(folder, shape, **changes)
    with pytest.raises(ModelError, match=reason):
        install(bad, settings)
    assert load_classifier(settings).sidecar.version == "1.0.0"


def test_the_model_before_stays_on_the_card_and_older_ones_go(
    settings: TrapSettings, tmp_path: Path
) -> None:
    ids = [install(model(tmp_path, v), settings).sidecar.id for v in ("1.0.0", "1.1.0", "1.2.0")]
    kept = {p.name for p in (settings.unit.data_dir / "model").iterdir() if not p.is_symlink()}
    assert kept == set(ids[1:])
    assert load_classifier(settings).sidecar.id == ids[2]


def test_installing_the_same_model_again_changes_nothing(
    settings: TrapSettings, tmp_path: Path
) -> None:
    source = model(tmp_path, "1.0.0")
    first = install(source, settings).sidecar.id
    assert install(source, settings).sidecar.id == first
    assert load_classifier(settings).sidecar.id == first


def test_an_installed_model_that_the_card_has_damaged_gives_way_to_the_shipped_one(
    settings: TrapSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(model(tmp_path, "1.0.0"), settings)
    place = installed_model(settings.unit.data_dir)
    assert place is not None
    place.write_bytes(b"\0" * 100)
    with caplog.at_level(logging.ERROR):
        assert load_classifier(settings).sidecar.file == shipped_model()
    assert caplog.messages[0].startswith("model_refused reason=")


def test_a_full_disk_leaves_the_model_before(settings: TrapSettings, tmp_path: Path) -> None:
    install(model(tmp_path, "1.0.0"), settings)
    newer = model(tmp_path, "1.1.0")
    in_the_way = settings.unit.data_dir / "model" / verify(
        newer, ClassifierSettings()).sidecar.id  # fmt: skip
    in_the_way.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="the model before stays"):
        install(newer, settings)
    assert load_classifier(settings).sidecar.version == "1.0.0"


def test_a_unit_that_trusts_a_key_takes_what_it_signed_and_nothing_else(
    settings: TrapSettings, tmp_path: Path
) -> None:
    private, public = keys(tmp_path)
    strict = dataclasses.replace(settings, classifier=ClassifierSettings(trusted_key=public))
    source = model(tmp_path, "1.0.0")
    with pytest.raises(ModelError, match="signed models only"):
        install(source, strict)
    sign(source, private)
    assert install(source, strict).sidecar.version == "1.0.0"
    sidecar = source.with_suffix(".json")
    sidecar.write_text(sidecar.read_text().replace("0.5", "0.6", 1) + " ")
    with pytest.raises(ModelError, match="not a signature of the trusted key"):
        install(source, strict)


def test_another_teams_signature_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    private, _ = keys(tmp_path / "other")
    _, public = keys(tmp_path)
    source = model(tmp_path, "1.0.0")
    sign(source, private)
    with pytest.raises(ModelError, match="not a signature of the trusted key"):
        check_signature(source, public)


def test_garbage_for_a_key_or_signature_is_a_clear_error(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    source = model(tmp_path, "1.0.0")
    with pytest.raises(ModelError, match="cannot be signed"):
        sign(source, source)
    with pytest.raises(ModelError, match=r"classifier\.trusted_key"):
        check_signature(source, private)
    source.with_suffix(".sig").write_bytes(b"\xff\x00garbage")
    with pytest.raises(ModelError, match="not a signature"):
        check_signature(source, public)
