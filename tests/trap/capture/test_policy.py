"""Which items a verdict gives, in which order, and who may see the pictures."""

import dataclasses

import pytest

from firmware.trap.capture.policy import Burst, items, preview
from firmware.trap.capture.verdict import Verdict
from firmware.trap.settings import DEFAULT_POLICY
from firmware.wire.alert import pack_sighting, unpack_sighting
from firmware.wire.records import Sighting, dump_record, load_record

LEOPARD = Verdict("leopard", 0.97123, 0.97123, individuals=1)
BURST = Burst("T0007", 123, 1_700_000_000.1234, "ntp", True, (b"one", b"two"), LEOPARD, "0123abcd")


def burst(verdict: Verdict) -> Burst:
    return dataclasses.replace(BURST, verdict=verdict)


def test_a_leopard_gives_the_alert_then_every_frame() -> None:
    puts = items(BURST, DEFAULT_POLICY, encrypted=False)
    assert [(str(put.id), put.priority, put.content_type) for put in puts] == [
        ("T0007-000123-sighting-0", 0, "application/json"),
        ("T0007-000123-frame-1", 2, "image/jpeg"),
        ("T0007-000123-frame-2", 2, "image/jpeg"),
    ]
    assert [put.body for put in puts[1:]] == [b"one", b"two"]


def test_the_record_says_what_was_seen() -> None:
    record = load_record(items(BURST, DEFAULT_POLICY, encrypted=False)[0].body, Sighting)
    assert record == Sighting(
        unit="T0007", sighting=123, time_s=1_700_000_000, species="leopard",
        confidence=243 / 250, individuals=1, burst_frames=2, night=True, clock="ntp",
        model="0123abcd", frames=2,
    )  # fmt: skip


def test_the_record_is_the_same_bytes_once_it_was_on_the_air() -> None:
    body = items(BURST, DEFAULT_POLICY, encrypted=False)[0].body
    over_lora = unpack_sighting(pack_sighting(load_record(body, Sighting)))
    assert dump_record(over_lora) == body


def test_without_broadband_there_are_no_frames_and_none_are_announced() -> None:
    (alert,) = items(BURST, {"leopard": ("frames",)}, encrypted=True, broadband=False)
    assert alert.id.kind == "sighting" and load_record(alert.body, Sighting).frames == 0


def test_over_lora_goes_a_leopards_crop_and_nobody_elses() -> None:
    (put,) = preview(BURST, lambda: b"jpeg")
    assert (str(put.id), put.body, put.priority) == ("T0007-000123-preview-0", b"jpeg", 2)
    assert preview(BURST, lambda: None) == []
    for other in (
        dataclasses.replace(LEOPARD, people=True),
        dataclasses.replace(LEOPARD, label="human", people=True),
        dataclasses.replace(LEOPARD, label="tiger"),
    ):
        assert preview(burst(other), lambda: pytest.fail("looked for a crop")) == []


@pytest.mark.parametrize("label", ["human", "vehicle"])
def test_pictures_of_people_go_only_over_an_encrypted_link(label: str) -> None:
    seen = burst(Verdict(label, 0.9, 0.0, people=True))
    assert [put.id.kind for put in items(seen, DEFAULT_POLICY, encrypted=False)] == ["sighting"]
    kinds = [put.id.kind for put in items(seen, DEFAULT_POLICY, encrypted=True)]
    assert kinds == ["sighting", "frame", "frame"]
    assert [put.priority for put in items(seen, DEFAULT_POLICY, encrypted=True)] == [1, 3, 3]


def test_a_leopard_with_a_person_beside_it_alerts_but_keeps_the_pictures() -> None:
    seen = burst(dataclasses.replace(LEOPARD, people=True))
    (alert,) = items(seen, DEFAULT_POLICY, encrypted=False)
    assert alert.priority == 0 and load_record(alert.body, Sighting).frames == 0
    assert len(items(seen, DEFAULT_POLICY, encrypted=True)) == 3


def test_a_tiger_is_an_alert_without_pictures() -> None:
    (alert,) = items(burst(Verdict("tiger", 0.9, 0.0)), DEFAULT_POLICY, encrypted=True)
    assert alert.priority == 1


@pytest.mark.parametrize("label", ["deer", "empty", "uncertain"])
def test_everything_else_stays_on_the_card(label: str) -> None:
    assert items(burst(Verdict(label, 0.9, 0.0)), DEFAULT_POLICY, encrypted=True) == []


def test_the_table_decides_and_count_sends_nothing() -> None:
    table = {"deer": ("frames",), "fox": ("count",), "leopard": ()}
    assert len(items(burst(Verdict("deer", 0.9, 0.0)), table, encrypted=False)) == 3
    assert items(burst(Verdict("fox", 0.9, 0.0)), table, encrypted=False) == []
    assert items(BURST, table, encrypted=False) == []
