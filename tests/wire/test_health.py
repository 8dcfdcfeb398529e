"""Health reports: the same values in JSON and in 24 bytes, and WireError alone on hostile bytes."""

import contextlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.health import CLOCKS, Health, on_air, pack_health, unpack_health
from firmware.wire.records import dump_record, load_record
from firmware.wire.rough import MOST, from_code, to_code

REPORT = Health(
    "T0007", 1_800_000_000, 1_800_000_000, "ntp", uptime_min=1500, disk_free_mb=30_000, waiting=17,
    waiting_kb=4321, bursts=12, empty=3, quiet_min=90, battery_mv=12_400, cpu_c=-5,
    firmware="0.1.0", model="0a1b2c3d",
)  # fmt: skip

counts = st.integers(0, 2**40)
reports = st.builds(
    Health,
    unit=st.integers(1, 0xFFFF).map(lambda n: f"T{n:04X}"),
    number=st.integers(1, 2**32 - 1),
    time_s=st.none() | st.integers(0, 2**32 - 1),
    clock=st.sampled_from(CLOCKS),
    uptime_min=counts, disk_free_mb=counts, waiting=counts, waiting_kb=counts,
    bursts=counts, empty=counts,
    quiet_min=st.none() | counts,
    battery_mv=st.none() | st.integers(0, 65535),
    cpu_c=st.none() | st.integers(-127, 127),
    firmware=st.just("") | st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}", fullmatch=True),
    model=st.just("") | st.text("0123456789abcdef", min_size=8, max_size=8),
)  # fmt: skip


@given(reports)
def test_a_report_that_has_been_rounded_is_the_same_by_either_road(report: Health) -> None:
    rounded = on_air(report)
    assert on_air(rounded) == rounded
    assert len(pack_health(report)) == 24
    assert load_record(dump_record(rounded), Health) == rounded
    assert dump_record(unpack_health(pack_health(rounded))) == dump_record(rounded)


def test_rounding_keeps_what_is_exact_and_the_size_of_the_rest() -> None:
    rounded = on_air(REPORT)
    for name in ("unit", "number", "time_s", "clock", "waiting", "bursts", "empty", "battery_mv",
                 "cpu_c", "firmware", "model"):  # fmt: skip
        assert getattr(rounded, name) == getattr(REPORT, name), name
    for name in ("uptime_min", "disk_free_mb", "waiting_kb", "quiet_min"):
        exact, said = getattr(REPORT, name), getattr(rounded, name)
        assert exact * 16 / 17 - 16 < said <= exact, name


def test_a_time_that_is_not_the_number_is_not_told() -> None:
    raw = json.loads(dump_record(REPORT)) | {"time_s": REPORT.number - 1}
    assert on_air(load_record(json.dumps(raw).encode(), Health)).time_s is None


@given(st.integers(0, MOST + 1000))
def test_a_rough_number_is_rounded_down_by_less_than_a_seventeenth(number: int) -> None:
    said = from_code(to_code(number))
    exact = min(number, MOST)
    assert exact * 16 / 17 < said <= exact or said == exact
    assert number > 31 or said == number


def test_every_code_of_a_rough_number_is_its_own_and_they_rise() -> None:
    numbers = [from_code(code) for code in range(256)]
    assert [to_code(number) for number in numbers] == list(range(256))
    assert numbers == sorted(set(numbers))


@given(st.binary(max_size=30), st.booleans())
def test_random_bytes_give_a_report_or_a_wire_error(data: bytes, headed: bool) -> None:
    with contextlib.suppress(WireError):
        unpack_health(b"\x12" + data if headed else data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("number", 0), ("time_s", -1), ("clock", "sundial"), ("uptime_min", -1), ("battery_mv", 70000),
     ("cpu_c", 200), ("firmware", "new"), ("model", "xyz"), ("quiet_min", 1.5), ("bursts", True)],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_field_name(field: str, value: object) -> None:
    raw = json.loads(dump_record(REPORT)) | {field: value}
    with pytest.raises(WireError, match=field):
        load_record(json.dumps(raw).encode(), Health)


@pytest.mark.slow
def test_a_million_hostile_inputs_raise_nothing_but_wire_error() -> None:
    rng = random.Random(5)
    taken = 0
    for _ in range(1_000_000):
        data = bytes((0x12, 0, 7)) + rng.randbytes(21 if rng.random() < 0.9 else rng.randrange(40))
        with contextlib.suppress(WireError):
            unpack_health(data)
            taken += 1
    assert taken > 1000
