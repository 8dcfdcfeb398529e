"""The outboxes of both links: the alert first in each, and neither waits for the other."""

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.sim.clock import VirtualClock
from firmware.trap.capture.queues import CROP_SIDE, LinkName, Queues, crop_jpeg
from firmware.trap.outbox import Outbox, OutboxError
from firmware.trap.settings import DEFAULT_POLICY
from firmware.wire.ids import ItemId
from tests.trap.capture.test_policy import BURST, LEOPARD

ORDER: list[str] = []


class Noting(Outbox):
    """Notes what is put, and fails where it is told to."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, 10**8)
        self.name, self.fails = name, False

    def put(
        self, item: ItemId, body: bytes, content_type: str, priority: int, now_s: float
    ) -> None:
        if self.fails:
            raise OutboxError("no space")
        ORDER.append(f"{self.name} {item.kind} {item.index}")
        super().put(item, body, content_type, priority, now_s)


@pytest.fixture
def mqtt(tmp_path: Path) -> Iterator[Noting]:
    ORDER.clear()
    outbox = Noting(tmp_path / "mqtt", "mqtt")
    yield outbox
    outbox.close()


@pytest.fixture
def lora(tmp_path: Path) -> Iterator[Noting]:
    outbox = Noting(tmp_path / "lora", "lora")
    yield outbox
    outbox.close()


def queues(mqtt: Outbox | None = None, lora: Outbox | None = None) -> Queues:
    outboxes: dict[LinkName, Outbox] = {}
    if mqtt is not None:
        outboxes["mqtt"] = mqtt
    if lora is not None:
        outboxes["lora"] = lora
    return Queues(outboxes, VirtualClock().now, encrypted=True)


def test_every_link_has_the_alert_before_any_link_has_a_picture(mqtt: Noting, lora: Noting) -> None:
    made = queues(mqtt=mqtt, lora=lora)
    failed = made.put(BURST, DEFAULT_POLICY, lambda: b"crop", lambda: ORDER.append("queued"))
    assert not failed
    assert ORDER == [
        "mqtt sighting 0", "lora sighting 0", "queued",
        "lora preview 0", "mqtt frame 1", "mqtt frame 2",
    ]  # fmt: skip
    assert mqtt.rows()[0].sha256 == lora.rows()[0].sha256, "the base must see one record"


@pytest.mark.parametrize("broken", ["mqtt", "lora"])
def test_one_that_fails_keeps_nothing_from_the_other(
    mqtt: Noting, lora: Noting, broken: str
) -> None:
    {"mqtt": mqtt, "lora": lora}[broken].fails = True
    failed = queues(mqtt=mqtt, lora=lora).put(BURST, DEFAULT_POLICY, lambda: b"crop")
    assert list(failed) == [broken]
    rest = {"mqtt": ["lora sighting 0", "lora preview 0"],
            "lora": ["mqtt sighting 0", "mqtt frame 1", "mqtt frame 2"]}  # fmt: skip
    assert rest[broken] == ORDER


def test_putting_a_burst_again_changes_nothing(mqtt: Noting, lora: Noting) -> None:
    made = queues(mqtt=mqtt, lora=lora)
    for _ in range(2):
        assert not made.put(BURST, DEFAULT_POLICY, lambda: b"crop")
    assert len(mqtt.rows()) == 3 and len(lora.rows()) == 2


def test_people_are_never_a_picture_over_lora(mqtt: Noting, lora: Noting) -> None:
    seen = dataclasses.replace(BURST, verdict=dataclasses.replace(LEOPARD, people=True))
    queues(mqtt=mqtt, lora=lora).put(seen, DEFAULT_POLICY, lambda: pytest.fail("asked"))
    assert [row.id.kind for row in lora.rows()] == ["sighting"]


def test_what_is_only_counted_goes_nowhere(mqtt: Noting, lora: Noting) -> None:
    seen = dataclasses.replace(BURST, verdict=dataclasses.replace(LEOPARD, label="deer"))
    queues(mqtt=mqtt, lora=lora).put(seen, DEFAULT_POLICY, lambda: pytest.fail("asked"))
    assert ORDER == []


def test_sightings_of_both_are_known(mqtt: Noting, lora: Noting) -> None:
    queues(mqtt=mqtt).put(BURST, DEFAULT_POLICY, lambda: None)
    queues(lora=lora).put(dataclasses.replace(BURST, sighting=124), DEFAULT_POLICY, lambda: None)
    assert queues(mqtt=mqtt, lora=lora).ids("waiting") == {123, 124}


def test_a_crop_is_small_and_has_no_metadata() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (1000, 2000, 3)).astype(np.uint8)
    jpeg = crop_jpeg(pixels)
    assert jpeg is not None and b"Exif" not in jpeg
    assert Image.open(io.BytesIO(jpeg)).size == (CROP_SIDE, CROP_SIDE // 2)
    assert crop_jpeg(None) is None
