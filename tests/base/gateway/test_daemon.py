"""`rosette base gateway` as a process: Mosquitto, the real receiver, an emulated modem, the air."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.wire.airtime import airtime_s
from firmware.wire.ids import ItemId
from firmware.wire.objects import Done, Entry, Need, ObjectRefused, Stored
from firmware.wire.records import dump_record
from firmware.wire.topics import up_topic
from tests.base.field_unit import FieldUnit
from tests.base.gateway.air import Object, alert, record
from tests.base.gateway.site import SF7, FieldRadio, Site, site
from tests.base.pictures import picture


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as here:
        yield here


def insist(radio: FieldRadio, number: int, unit: str = "T0007") -> None:
    """Send an alert until it is answered."""
    for _ in range(30):
        radio.say(alert(number, unit))
        if Stored(number) in radio.answer(1.0):
            return
    raise AssertionError("never stored")


def deliver(radio: FieldRadio, thing: Object) -> int:
    """Send a picture as a unit does; the number of frames it took."""
    frames = thing.all()
    index = thing.source_count
    count = 0
    while count < 200:
        for frame in frames:
            radio.say(frame)
            count += 1
        said: tuple[Entry, ...] = radio.answer(1.0)
        if Done(thing.manifest.object) in said:
            return count
        wanted = next((entry.count for entry in said if isinstance(entry, Need)), 0)
        assert not any(isinstance(entry, ObjectRefused) for entry in said)
        last = index + wanted - 1
        repair = [thing.symbol(i, poll=i == last) for i in range(index, index + wanted)]
        index += wanted
        frames = repair or [thing.head(), thing.poll()]
    raise AssertionError("never done")


def test_alerts_are_stored_and_receipted_in_the_window_and_pictures_are_stored_once(
    quiet: Site,
) -> None:
    radio = FieldRadio(quiet.ether)
    waits_s = []
    for number in range(1, 6):
        ended_s = radio.say(alert(number))
        assert radio.answer() == (Stored(number),)
        waits_s.append(radio.heard_s[-1] - ended_s - airtime_s(SF7, 18))
    assert min(waits_s) >= 0.05 and max(waits_s) < 1.0
    radio.say(alert(1))
    assert radio.answer() == (Stored(1),)
    deliver(radio, Object(1, picture(1, "WEBP"), 100, sighting=1))
    deliver(radio, Object(2, picture(2, "AVIF"), 100, sighting=1, index=1))
    assert sorted(quiet.items()) == [
        "T0007-000001-preview-0",
        "T0007-000001-preview-1",
        *(f"T0007-{number:06d}-sighting-0" for number in range(1, 6)),
    ]


def test_a_sighting_that_comes_by_both_roads_is_one(quiet: Site) -> None:
    radio = FieldRadio(quiet.ether, 8)
    with FieldUnit(quiet.broker.address, 8) as unit:
        unit.publish(up_topic(ItemId(8, 1, "sighting")), dump_record(record(1, "T0008")))
        assert unit.next_receipt().outcome == "stored"
        radio.say(alert(1, "T0008"))
        assert radio.answer() == (Stored(1),)
    quiet.processes["run"].log_until("duplicate item=T0008-000001-sighting-0")
    assert quiet.items(8) == ["T0008-000001-sighting-0"]


def test_forged_and_replayed_frames_get_no_answer_and_leave_no_trace(quiet: Site) -> None:
    radio = FieldRadio(quiet.ether, 9)
    radio.transmit(FieldRadio(quiet.ether, 9, master=b"forged" * 3).sealed(alert(9, "T0009")))
    radio.transmit(b"\0\0noise")
    good = radio.sealed(alert(1, "T0009"))
    radio.transmit(good)
    assert radio.answer() == (Stored(1),)
    radio.transmit(good)
    assert radio.answer(0.5) == ()
    for reason in ("forged", "noise", "replayed"):
        assert "count=1" in quiet.processes["gateway"].log_until(f"reason={reason}")
    assert quiet.items(9) == ["T0009-000001-sighting-0"]


def test_what_dies_in_between_is_asked_again_and_nothing_is_acknowledged_too_soon(
    quiet: Site,
) -> None:
    radio = FieldRadio(quiet.ether, 10)
    thing = Object(9, picture(9, "AVIF"), 40, sighting=9, index=1)
    for frame in thing.all()[:-1]:
        radio.say(frame)
    for process in quiet.processes.values():
        process.kill()
    quiet.start("gateway")
    radio.say(alert(9, "T000A"))
    assert radio.answer(0.5) == ()
    quiet.start("run")
    insist(radio, 9, "T000A")
    deliver(radio, thing)
    assert quiet.items(10) == ["T000A-000009-sighting-0", "T000A-000009-preview-1"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_through_a_third_of_loss_everything_is_stored_once(tmp_path: Path, seed: int) -> None:
    with site(tmp_path, loss=0.3, seed=seed) as here:
        radio = FieldRadio(here.ether)
        for number in range(1, 4):
            insist(radio, number)
            preview = picture(number, "WEBP", (96, 72))
            deliver(radio, Object(number, preview, 60, sighting=number))
            refinement = picture(number, "AVIF", (320, 240))
            deliver(radio, Object(number + 100, refinement, 60, sighting=number, index=1))
        items = here.items()
    assert len(items) == len(set(items)) == 9
