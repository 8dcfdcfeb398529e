"""Crops into pictures, beside the loop."""

import io
import threading
from queue import SimpleQueue

import pytest
from PIL import Image

from firmware.loop import Events, Stop
from firmware.trap.outbox import Item
from firmware.trap.uplink.lora import encode as module
from firmware.trap.uplink.lora.encode import AVIF, WEBP, Encoded, ThreadEncoder, encode
from firmware.trap.uplink.picture import Refiner
from firmware.wire.ids import ItemId
from tests.trap.uplink.lora.field import settings

HOW = settings(avif_speed=10, refinement_bytes=2000)


def item(body: bytes) -> Item:
    return Item(ItemId(7, 1, "preview"), body, "image/jpeg", "0" * 64, 2, 1, 0.0)


def crop() -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(("refinement", "kinds"), [(True, [WEBP, AVIF]), (False, [WEBP])])
def test_a_crop_becomes_what_is_asked_for(refinement: bool, kinds: list[str]) -> None:
    made = encode(item(crop()), HOW, Refiner(10), refinement=refinement)
    assert [kind for kind, _ in made.pictures] == kinds
    assert len(made.pictures[0][1]) <= 600
    opened = [Image.open(io.BytesIO(data)).format for _, data in made.pictures]
    assert opened == ["WEBP", "AVIF"][: len(kinds)]


def test_a_damaged_crop_says_why() -> None:
    made = encode(item(crop()[:300]), HOW, Refiner(10), refinement=True)
    assert made.pictures == () and "damaged" in made.why


def test_the_result_comes_as_an_event() -> None:
    events: Events = SimpleQueue()
    ThreadEncoder(events, HOW).start(item(crop()), refinement=False)
    result = events.get(timeout=20)
    assert isinstance(result, Encoded) and len(result.pictures) == 1


def test_a_bug_in_the_encoder_ends_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "encode", lambda *_, **__: 1 / 0)
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(args.exc_type))
    events: Events = SimpleQueue()
    ThreadEncoder(events, HOW).start(item(crop()), refinement=False)
    assert isinstance(events.get(timeout=20), Stop)
    for thread in threading.enumerate():
        if thread.name == "encode":
            thread.join()
    assert raised == [ZeroDivisionError]
