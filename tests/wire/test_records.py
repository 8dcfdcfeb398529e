"""Records and pictures: round trips, and WireError alone on hostile bytes."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.picture import CONTENT_TYPES, pack_picture, unpack_picture
from firmware.wire.records import Receipt, Sighting, Status, dump_record, load_record

SIGHTING = Sighting(
    unit="T0007", sighting=123, time_s=1.7e9, species="leopard", confidence=0.97, individuals=1,
    burst_frames=3, night=True, clock="ntp", model="0a1b2c3d", frames=3, battery_mv=3700,
    temperature_c=-30.5,
)  # fmt: skip
RECEIPT = Receipt("T0007-000123-frame-1", "ab" * 32, "stored")
STATUS = Status("T0007", "sleeping", 1.7e9, 1.7e9 + 60)


@pytest.mark.parametrize("record", [SIGHTING, RECEIPT, STATUS])
def test_a_record_survives_a_round_trip(record: Sighting | Receipt | Status) -> None:
    assert load_record(dump_record(record), type(record)) == record


sightings = st.builds(
    Sighting,
    unit=st.integers(1, 0xFFFF).map(lambda n: f"T{n:04X}"),
    sighting=st.integers(0, 2**32 - 1),
    time_s=st.floats(0, 2**33),
    species=st.from_regex(r"[a-z][a-z_]{0,31}", fullmatch=True),
    confidence=st.floats(0, 1),
    individuals=st.integers(0, 255),
    burst_frames=st.integers(0, 255),
    night=st.booleans(),
    clock=st.sampled_from(("rtc", "ntp", "gps", "base", "unsynced")),
    model=st.text("0123456789abcdef", min_size=8, max_size=8),
    temperature_c=st.none() | st.floats(-127, 127),
)


@given(sightings)
def test_every_sighting_survives_a_round_trip(sighting: Sighting) -> None:
    assert load_record(dump_record(sighting), Sighting) == sighting


def test_a_field_that_a_newer_unit_adds_is_ignored() -> None:
    raw = json.loads(dump_record(SIGHTING)) | {"wind_mps": 3}
    assert load_record(json.dumps(raw).encode(), Sighting) == SIGHTING


@pytest.mark.parametrize(
    ("field", "value"),
    [("unit", "T0000"), ("unit", 7), ("sighting", -1), ("sighting", True), ("sighting", 1.5),
     ("time_s", "now"), ("time_s", 10**400), ("confidence", 1.01), ("species", "Leopard!"),
     ("clock", "sundial"), ("night", 1), ("battery_mv", 70000), ("temperature_c", [])],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_field_name(field: str, value: object) -> None:
    raw = json.loads(dump_record(SIGHTING)) | {field: value}
    with pytest.raises(WireError, match=field if field != "unit" else "unit"):
        load_record(json.dumps(raw).encode(), Sighting)


@pytest.mark.parametrize("missing", ["unit", "species", "time_s"])
def test_a_missing_field_is_refused_by_name(missing: str) -> None:
    raw = json.loads(dump_record(SIGHTING))
    del raw[missing]
    with pytest.raises(WireError, match=missing):
        load_record(json.dumps(raw).encode(), Sighting)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 4000, b'{"a":' * 800, b"NaN", b" " * 5000,
     b"9" * 4096, b'{"unit":NaN}'],
)  # fmt: skip
def test_what_is_not_a_record_is_refused(payload: bytes) -> None:
    for kind in (Sighting, Receipt, Status):
        with pytest.raises(WireError):
            load_record(payload, kind)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_wire_error(payload: bytes) -> None:
    for kind in (Sighting, Receipt, Status):
        with pytest.raises(WireError):
            load_record(payload, kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(["unit", "sighting", "time_s", "species", "item", "sha256"]), json_values)
def test_any_json_value_in_any_field_is_taken_or_a_wire_error(field: str, value: object) -> None:
    for record in (SIGHTING, RECEIPT, STATUS):
        raw = json.loads(dump_record(record)) | {field: value}
        with contextlib.suppress(WireError):
            load_record(json.dumps(raw).encode(), type(record))


@given(st.binary(min_size=1, max_size=200), st.sampled_from(sorted(CONTENT_TYPES.values())))
def test_a_picture_survives_a_round_trip(body: bytes, content_type: str) -> None:
    picture = unpack_picture(pack_picture(body, content_type))
    assert (picture.body, picture.content_type) == (body, content_type)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 10**6), st.integers(1, 255))
def test_one_changed_byte_in_a_picture_is_found(body: bytes, at: int, flip: int) -> None:
    packed = bytearray(pack_picture(body, "image/jpeg"))
    at %= len(packed)
    packed[at] ^= flip
    try:
        changed = unpack_picture(bytes(packed))
    except WireError:
        return
    assert at == 1 and changed.content_type != "image/jpeg", "only the type code is not hashed"


@given(st.binary(max_size=80))
def test_random_bytes_are_no_picture(payload: bytes) -> None:
    with pytest.raises(WireError):
        unpack_picture(payload)
