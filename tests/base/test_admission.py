import dataclasses
import hashlib
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from firmware.base.admission import Limits, Message, Refused, admit
from firmware.base.store import Arrival
from firmware.wire.commands import CommandResult
from firmware.wire.health import Health
from firmware.wire.ids import KINDS, ItemId
from firmware.wire.picture import CONTENT_TYPES, HEAD_BYTES, pack_picture
from firmware.wire.records import MAX_RECORD_BYTES, Status, dump_record
from firmware.wire.topics import PICTURES, status_topic, up_topic
from tests.base.pictures import health, picture, sighting

LIMITS = Limits(max_item_bytes=100_000, max_pixels=1_000_000)
FRAME = ItemId(7, 1, "frame", 1)
SIGHTING = ItemId(7, 1, "sighting")


def frame_message(body: bytes, content_type: str = "image/jpeg") -> Message:
    return Message(up_topic(FRAME), pack_picture(body, content_type))


def record_message(payload: bytes) -> Message:
    return Message(up_topic(SIGHTING), payload)


def refusal(message: Message) -> Refused:
    with pytest.raises(Refused) as caught:
        admit(message, 1.8e9, LIMITS)
    return caught.value


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
def test_pictures_of_the_three_types_are_admitted_without_their_head(form: str) -> None:
    if not features.check(form.lower().replace("jpeg", "jpg")):
        pytest.skip(f"this Pillow cannot write {form}")
    body = picture(1, form)
    arrival = admit(frame_message(body, f"image/{form.lower()}"), 1.8e9, LIMITS)
    assert arrival == Arrival(
        up_topic(FRAME), 1.8e9, f"image/{form.lower()}", hashlib.sha256(body).hexdigest(), body
    )


def test_a_record_is_admitted_with_its_own_bytes() -> None:
    payload = dump_record(sighting())
    arrival = admit(record_message(payload), 1.8e9, LIMITS)
    assert arrival.body == payload
    assert arrival.sha256 == hashlib.sha256(payload).hexdigest()
    assert arrival.content_type == "application/json"


@pytest.mark.parametrize(
    ("kind", "record"), [("health", health(5)), ("answer", CommandResult("T0007", 5, 0, "done"))]
)
def test_reports_and_answers_are_whole_and_their_unit_s_own(
    kind: str, record: Health | CommandResult
) -> None:
    payload = dump_record(record)
    assert admit(Message(f"trap/T0007/up/{kind}/5", payload), 1.8e9, LIMITS).body == payload
    assert refusal(Message(f"trap/T0008/up/{kind}/5", payload)).reason == "mismatch"
    assert refusal(Message(f"trap/T0007/up/{kind}/6", payload)).reason == "mismatch"
    bare = b'{"unit":"T0007","number":5}'
    assert refusal(Message(f"trap/T0007/up/{kind}/5", bare)).reason == "record"


def test_a_record_of_a_later_kind_needs_only_say_whose_it_is() -> None:
    topic = "trap/T0007/up/summary/5"
    good = b'{"unit":"T0007","sighting":5,"disk":[1,2]}'
    assert admit(Message(topic, good), 1.8e9, LIMITS).body == good
    assert refusal(Message(topic, b'{"unit":"T0008","sighting":5}')).reason == "mismatch"
    assert refusal(Message(topic, b"[]")).reason == "record"


def test_a_status_must_be_of_the_unit_in_its_topic() -> None:
    payload = dump_record(Status("T0007", "online", 1.7e9))
    assert admit(Message(status_topic(7), payload), 1.8e9, LIMITS).body == payload
    bad = refusal(Message(status_topic(8), payload))
    assert (bad.reason, bad.item) == ("mismatch", None)
    assert refusal(Message("trap/T0000/status", payload)).reason == "topic"
    assert refusal(Message(status_topic(7), b"")).reason == "record"


def test_properties_may_repeat_the_truth_and_nothing_else() -> None:
    message = frame_message(picture())
    digest = hashlib.sha256(picture()).hexdigest()
    true = (("item", str(FRAME)), ("sha256", digest), ("other", "x"))
    admit(dataclasses.replace(message, user=true, content_type="image/jpeg"), 1.8e9, LIMITS)
    lies = [
        dataclasses.replace(message, user=(("item", "T0007-000001-frame-2"),)),
        dataclasses.replace(message, user=(("sha256", digest), ("sha256", "0" * 64))),
        dataclasses.replace(message, content_type="image/webp"),
    ]
    assert [refusal(lie).reason for lie in lies] == ["mismatch"] * 3


def test_a_picture_damaged_on_the_way_is_not_rejected_for_good() -> None:
    payload = bytearray(pack_picture(picture(), "image/jpeg"))
    payload[-1] ^= 1
    bad = refusal(Message(up_topic(FRAME), bytes(payload)))
    assert (bad.reason, bad.item) == ("damaged", None)


def test_what_is_no_picture_is_refused_by_the_hash_its_unit_knows() -> None:
    bad = refusal(Message(up_topic(FRAME), pack_picture(b"<html>", "image/jpeg")))
    assert (bad.reason, bad.item) == ("picture", FRAME)
    assert bad.sha256 == hashlib.sha256(b"<html>").hexdigest()


def test_bad_records_are_refused_with_the_hash_of_what_came() -> None:
    for payload in (b"{", b"\xff", b"[" * 4000, b'{"unit":"T0007","sighting":1}', b"null"):
        bad = refusal(record_message(payload))
        assert (bad.reason, bad.item) == ("record", SIGHTING)
        assert bad.sha256 == hashlib.sha256(payload).hexdigest()


def test_a_unit_cannot_speak_for_another_nor_of_another_sighting() -> None:
    assert refusal(record_message(dump_record(sighting(unit="T0008")))).reason == "mismatch"
    assert refusal(record_message(dump_record(sighting(2)))).reason == "mismatch"


def test_too_many_bytes_are_refused() -> None:
    assert refusal(frame_message(picture() + bytes(LIMITS.max_item_bytes))).reason == "oversized"
    assert refusal(record_message(bytes(MAX_RECORD_BYTES + 1))).reason == "oversized"


def test_a_picture_whose_head_promises_too_many_pixels_is_refused_undecoded() -> None:
    for size in ((2000, 501), (60_000, 60_000)):
        body = bytearray(picture())
        frame = body.index(b"\xff\xc0")
        body[frame + 5 : frame + 9] = size[1].to_bytes(2, "big") + size[0].to_bytes(2, "big")
        assert refusal(frame_message(bytes(body))).reason == "oversized"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"GIF89a" + bytes(50), "image/jpeg"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\xff\xd8\xff\xe0" + bytes(300), "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x1cftypavif" + bytes(40), "image/avif"),
        (b"x", "image/avif"),
    ],
)
def test_a_file_that_is_not_the_type_it_says_is_refused(body: bytes, content_type: str) -> None:
    assert refusal(frame_message(body, content_type)).reason == "picture"


def test_a_real_picture_under_another_type_is_refused() -> None:
    assert refusal(frame_message(picture(), "image/webp")).reason == "picture"
    assert refusal(frame_message(picture(1, "PNG"))).reason == "picture"


def test_a_picture_cut_short_by_its_camera_is_admitted() -> None:
    whole = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(whole, "JPEG")
    cut = whole.getvalue()[: len(whole.getvalue()) // 2]
    assert admit(frame_message(cut), 1.8e9, LIMITS).body == cut


def test_quality_of_service_0_is_refused() -> None:
    message = dataclasses.replace(record_message(dump_record(sighting())), qos=0)
    assert refusal(message).reason == "qos"


topics = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.one_of(
            st.sampled_from(("trap", "up", "status", "down", "T0007", "T0000", "", "#", *KINDS)),
            st.integers(-1, 2**33).map(str),
            st.text(max_size=6),
        ),
        max_size=7,
    ).map("/".join),
    st.builds(
        ItemId, st.just(7), st.integers(0, 3), st.sampled_from(KINDS), st.just(0)
    ).map(up_topic),
    st.just(status_topic(7)),
)  # fmt: skip
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
record_names = [f.name for f in dataclasses.fields(sighting())]
near_records = st.dictionaries(
    st.sampled_from([*record_names, "state", "until_s"]), json_values, max_size=4
).map(lambda change: json.dumps(dataclasses.asdict(sighting()) | change).encode())


@st.composite
def near_pictures(draw: st.DrawFn) -> bytes:
    """A good picture message with a few bytes changed, cut or put in, and often a right hash."""
    code = draw(st.sampled_from(sorted(CONTENT_TYPES)))
    form = draw(st.sampled_from(("JPEG", "WEBP")))
    body = bytearray(picture(1, form))
    for _ in range(draw(st.integers(0, 4))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    cut = bytes(body[: draw(st.integers(0, len(body)))]) + draw(st.binary(max_size=20))
    payload = pack_picture(cut, CONTENT_TYPES[code])
    return payload if draw(st.booleans()) else draw(st.binary(max_size=HEAD_BYTES)) + payload


messages = st.builds(
    Message,
    topic=topics,
    payload=st.one_of(st.binary(max_size=80), near_records, near_pictures()),
    qos=st.sampled_from((0, 1, 1, 1)),
    user=st.lists(
        st.tuples(st.sampled_from(("item", "sha256", "x")), st.text(max_size=70)), max_size=2
    ).map(tuple),
    content_type=st.none() | st.text(max_size=12) | st.just("image/jpeg"),
)


@settings(max_examples=400, deadline=None)
@given(message=messages)
@example(Message("trap/T0007/up/frame/1/1", b""))
@example(Message("/status", b'{"unit":"\\ud800"}'))
@example(Message("trap/T0007/up/sighting/1", b'{"unit":"\\ud800","sighting":1}'))
def test_whatever_comes_is_admitted_or_refused(message: Message) -> None:
    try:
        arrival = admit(message, 1.8e9, LIMITS)
    except Refused as bad:
        if bad.item is not None:
            assert up_topic(bad.item) == message.topic
            assert len(bad.sha256) == 64
        return
    assert message.qos > 0
    assert hashlib.sha256(arrival.body).hexdigest() == arrival.sha256
    assert message.payload.endswith(arrival.body)
    in_topic = message.topic.split("/")
    assert in_topic[0] == "trap"
    assert arrival.is_picture == (in_topic[2] == "up" and in_topic[3] in PICTURES)


@settings(max_examples=150, deadline=None)
@given(payload=near_pictures())
def test_damaged_pictures_are_admitted_or_refused_for_what_they_are(payload: bytes) -> None:
    try:
        admit(Message(up_topic(FRAME), payload), 1.8e9, LIMITS)
    except Refused as bad:
        assert bad.reason in ("picture", "oversized")
