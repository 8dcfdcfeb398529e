"""Unit and item ids: canonical text, and nothing but WireError on anything else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.ids import KINDS, ItemId, first_sighting, format_unit, parse_unit

items = st.builds(
    ItemId,
    unit=st.integers(1, 0xFFFF),
    sighting=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    index=st.integers(0, 255),
)


def test_an_item_id_reads_as_the_design_says() -> None:
    assert str(ItemId(7, 123, "frame", 1)) == "T0007-000123-frame-1"


@given(items)
def test_every_item_id_survives_a_round_trip(item: ItemId) -> None:
    assert ItemId.parse(str(item)) == item


@given(st.text(max_size=40) | st.from_regex(r"T[0-9A-F]{4}-[0-9]{5,11}-[a-z]+-[0-9]{1,4}"))
def test_any_other_text_is_a_wire_error_or_is_canonical(text: str) -> None:
    with contextlib.suppress(WireError):
        assert str(ItemId.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["T0000", "T00", "t0007", "T0007\n", "TG000", "T\u0660\u0660\u0660\u0667", ""]
)
def test_a_unit_id_is_four_upper_hex_digits_and_not_zero(text: str) -> None:
    with pytest.raises(WireError):
        parse_unit(text)


@given(st.integers(1, 0xFFFF))
def test_unit_ids_survive_a_round_trip(unit: int) -> None:
    assert parse_unit(format_unit(unit)) == unit


def test_epochs_never_share_a_sighting_number() -> None:
    assert first_sighting(0) == 0
    assert first_sighting(1) == 2**20
    assert first_sighting(4095) + 2**20 == 2**32
    with pytest.raises(WireError):
        first_sighting(4096)
