"""The capture daemon of a unit with LoRa: what goes into which outbox."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.trap.capture.camera import Frame, Rgb
from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture.verdict import Look, Scores
from firmware.trap.outbox import OutboxError
from tests.trap.capture.rig import Act, Rig
from tests.trap.capture.test_verdict import DEER, EMPTY, JUDGE, LEOPARD
from tests.trap.capture.tiny_model import BLUE, ORANGE
from tests.trap.uplink.lora.field import settings as lora

A_LEOPARD: Act = [ORANGE] * 3
SOMEBODY: Act = [BLUE] * 3


def test_a_leopard_is_on_both_roads_with_a_crop_for_lora(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [A_LEOPARD], lora=lora()) as rig:
        rig.edge()
        assert rig.queued_for_lora == ["T0007-000000-sighting-0", "T0007-000000-preview-0"]
        assert rig.queued[0] == "T0007-000000-sighting-0" and len(rig.queued) == 4
        assert rig.lora_outbox.rows()[0].sha256 == rig.outbox.rows()[0].sha256
        (crop,) = rig.lora_outbox.claim(rig.clock.now(), 1, priorities=(2, 2))
        image = Image.open(io.BytesIO(crop.body))
        assert image.format == "JPEG" and max(image.size) <= 640 and not image.getexif()
        middle = np.asarray(image)[image.height // 2, image.width // 2]
        assert np.abs(middle.astype(int) - ORANGE).max() < 30


def test_people_alert_over_lora_and_are_no_picture_there(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [SOMEBODY], lora=lora()) as rig:
        rig.edge()
        assert [item.split("-")[2] for item in rig.queued_for_lora] == ["sighting"]


def test_a_full_outbox_of_one_link_is_told_and_the_other_has_all(
    tmp_path: Path,
    classifier: Classifier,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OutboxError("no space")

    with Rig(tmp_path, classifier, [A_LEOPARD], lora=lora()) as rig:
        monkeypatch.setattr(rig.outbox, "put", full)
        rig.edge()
        assert len(rig.queued_for_lora) == 2
        assert rig.capture.counts()["outbox_failed"] == 1
    assert "outbox_failed sighting=0 link=mqtt reason=no space" in caplog.text


def test_without_a_crop_the_whole_picture_that_shows_it_best_is_shown() -> None:
    scores = {90: DEER, 120: LEOPARD, 150: DEER}
    look = Look(lambda views: [scores[int(view[0, 0, 0])] for view in views], JUDGE)
    for level in scores:
        look.add(Frame(b"", np.full((90, 160, 3), level, np.uint8), 0.0, night=False))
    look.verdict(())
    shown = look.closest()
    assert shown is not None and shown[0, 0, 0] == 120


def test_of_the_parts_looked_at_closely_the_most_leopard_like_is_shown() -> None:
    whole = np.full((90, 160, 3), 90, np.uint8)
    whole[:54, 64:] = 200  # the upper right part has a bright leopard, the others less of it

    def score(views: Sequence[Rgb]) -> list[Scores]:
        bright = [float((view > 150).mean()) for view in views]
        best = max(bright) if len(views) > 1 else 2.0
        return [LEOPARD if share == best else EMPTY for share in bright]

    look = Look(score, JUDGE)
    look.add(Frame(b"", whole, 0.0, night=False))
    look.verdict(())
    shown = look.closest()
    assert shown is not None
    assert shown.shape[0] < 90 and (shown > 150).mean() > 0.9


def test_a_look_at_nothing_shows_nothing() -> None:
    assert Look(lambda views: [EMPTY for _ in views], JUDGE).closest() is None
