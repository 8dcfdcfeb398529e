"""The sighting in 24 bytes, and the same bytes on both roads."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
from firmware.wire.alert import RECORD_BYTES, SPECIES, on_air, pack_sighting, unpack_sighting
from firmware.wire.errors import WireError
from firmware.wire.records import Sighting, dump_record, load_record

SIGHTING = Sighting(
    unit="T0007", sighting=123, time_s=1.7e9 + 0.75, species="leopard", confidence=0.97,
    individuals=2, burst_frames=3, night=True, clock="gps", model="0a1b2c3d", frames=4,
    battery_mv=3700, temperature_c=-30.4, tamper=True,
)  # fmt: skip

sightings = st.builds(
    Sighting,
    unit=st.integers(1, 0xFFFF).map(lambda n: f"T{n:04X}"),
    sighting=st.integers(0, 2**32 - 1),
    time_s=st.floats(0, 2**33),
    species=st.sampled_from(SPECIES) | st.from_regex(r"[a-z][a-z_]{0,31}", fullmatch=True),
    confidence=st.floats(0, 1),
    individuals=st.integers(0, 255),
    burst_frames=st.integers(0, 255),
    night=st.booleans(),
    clock=st.sampled_from(("rtc", "ntp", "gps", "base", "unsynced")),
    model=st.text("0123456789abcdef", min_size=8, max_size=8),
    frames=st.integers(0, 255),
    battery_mv=st.none() | st.integers(0, 65535),
    temperature_c=st.none() | st.floats(-127, 127) | st.integers(-127, 127),
    low_battery=st.booleans(),
    tamper=st.booleans(),
    people=st.booleans(),
)


def test_the_record_has_the_documented_layout() -> None:
    expected = "11 0007 0000007b 6553f100 00 f2 02 03 04 0e74 e2 25 0a1b2c3d"
    assert pack_sighting(SIGHTING).hex() == expected.replace(" ", "")


@given(sightings)
def test_every_sighting_is_24_bytes_and_comes_back_as_on_air_says(sighting: Sighting) -> None:
    packed = pack_sighting(sighting)
    assert len(packed) == RECORD_BYTES == 24
    assert unpack_sighting(packed) == on_air(sighting)


@given(sightings)
def test_on_air_twice_is_on_air_once(sighting: Sighting) -> None:
    once = on_air(sighting)
    assert on_air(once) == once
    assert pack_sighting(once) == pack_sighting(sighting)


@given(sightings)
def test_the_json_is_the_same_bytes_on_both_roads(sighting: Sighting) -> None:
    by_mqtt = dump_record(on_air(sighting))
    by_lora = dump_record(unpack_sighting(pack_sighting(sighting)))
    again = dump_record(load_record(by_mqtt, Sighting))
    assert by_mqtt == by_lora == again


@given(sightings)
def test_nothing_moves_further_than_its_step(sighting: Sighting) -> None:
    sent = on_air(sighting)
    assert 0 <= min(sighting.time_s, 2**32 - 1) - sent.time_s < 1
    assert abs(sent.confidence - sighting.confidence) <= 0.002 + 1e-9
    if sighting.temperature_c is not None:
        assert sent.temperature_c is not None
        assert abs(sent.temperature_c - sighting.temperature_c) <= 0.5
    for name in ("unit", "sighting", "individuals", "burst_frames", "night", "clock", "model",
                 "frames", "low_battery", "tamper", "people"):  # fmt: skip
        assert getattr(sent, name) == getattr(sighting, name)


@given(st.binary(min_size=23, max_size=23))
def test_whatever_is_read_with_a_known_species_is_written_back_the_same(tail: bytes) -> None:
    data = b"\x11" + tail
    try:
        sighting = unpack_sighting(data)
    except WireError:
        return
    if data[11] < len(SPECIES):
        assert pack_sighting(sighting) == data


def test_the_codes_of_the_models_labels_never_move() -> None:
    sidecar = json.loads((Path(models.__file__).parent / "rosette.json").read_text())
    labels = tuple(label["name"] for label in sidecar["labels"])
    assert SPECIES[: len(labels)] == labels
    assert SPECIES[17] == "uncertain"
    assert len(set(SPECIES)) == len(SPECIES) <= 256


def test_a_species_without_a_code_is_another_animal() -> None:
    assert on_air(dataclasses.replace(SIGHTING, species="snow_vole")).species == "other_animal"
    packed = bytearray(pack_sighting(SIGHTING))
    packed[11] = 255
    assert unpack_sighting(bytes(packed)).species == "other_animal"


def test_a_clock_past_2106_does_not_lose_the_animal() -> None:
    late = dataclasses.replace(SIGHTING, time_s=2.0**33)
    assert on_air(late).time_s == 2**32 - 1


def test_unknown_battery_and_temperature_stay_unknown() -> None:
    plain = on_air(dataclasses.replace(SIGHTING, battery_mv=None, temperature_c=None))
    assert (plain.battery_mv, plain.temperature_c) == (None, None)


@pytest.mark.parametrize("model", ["", "0a1b2c3", "0a1b2c3d4", "0A1B2C3D", "0a1b2c3g", "0a1b2c3\n"])
def test_a_model_that_is_not_eight_hexadecimal_digits_is_refused(model: str) -> None:
    with pytest.raises(WireError, match="model"):
        on_air(dataclasses.replace(SIGHTING, model=model))


@pytest.mark.parametrize(("at", "value"), [(0, 0x12), (12, 251), (19, 0x50)])
def test_a_byte_that_no_sighting_has_is_refused(at: int, value: int) -> None:
    packed = bytearray(pack_sighting(SIGHTING))
    packed[at] = value
    with pytest.raises(WireError):
        unpack_sighting(bytes(packed))


@pytest.mark.parametrize("size", [0, 1, 23, 25, 255])
def test_another_length_is_refused(size: int) -> None:
    with pytest.raises(WireError):
        unpack_sighting(b"\x11" * size)


def test_unit_zero_is_refused() -> None:
    packed = bytearray(pack_sighting(SIGHTING))
    packed[1:3] = bytes(2)
    with pytest.raises(WireError):
        unpack_sighting(bytes(packed))
