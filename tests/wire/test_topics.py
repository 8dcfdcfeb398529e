"""Topics: round trips, and WireError for what is not ours."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.ids import ItemId
from firmware.wire.topics import (
    PICTURES,
    parse_status_topic,
    parse_up_topic,
    receipt_topic,
    status_topic,
    up_topic,
)
from tests.wire.test_ids import items


def deliverable(item: ItemId) -> bool:
    return item.kind in PICTURES or item.index == 0


@given(items.filter(deliverable))
def test_every_item_has_a_topic_that_names_it(item: ItemId) -> None:
    assert parse_up_topic(up_topic(item)) == item


def test_topics_read_as_the_design_says() -> None:
    assert up_topic(ItemId(7, 123, "frame", 1)) == "trap/T0007/up/frame/123/1"
    assert up_topic(ItemId(7, 123, "sighting")) == "trap/T0007/up/sighting/123"
    assert status_topic(7) == "trap/T0007/status"
    assert receipt_topic(7) == "trap/T0007/down/receipt"
    assert parse_status_topic("trap/T0007/status") == 7


hostile = st.text(max_size=40) | st.lists(
    st.sampled_from(
        ["trap", "T0007", "up", "frame", "sighting", "1", "01", "-1", "#", "\u0663", ""]
    ),
    max_size=7,
).map("/".join)


@given(hostile)
def test_any_other_topic_is_a_wire_error_or_canonical(topic: str) -> None:
    with contextlib.suppress(WireError):
        assert up_topic(parse_up_topic(topic)) == topic


@pytest.mark.parametrize(
    "topic",
    ["trap/T0007/up/frame/1", "trap/T0007/up/sighting/1/0", "trap/T0007/up/frame/1/256",
     "trap/T0007/up/frame/4294967296/1", "trap/T0000/up/sighting/1", "trap/T0007/down/receipt",
     "trap/T0007/up/frame/1/1/"],
)  # fmt: skip
def test_a_topic_with_a_wrong_part_is_refused(topic: str) -> None:
    with pytest.raises(WireError):
        parse_up_topic(topic)
