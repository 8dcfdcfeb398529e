import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware import loop
from firmware.base.admission import Message
from firmware.base.mqtt import Delivery, Down, Link, Up
from firmware.base.receiver import WARNINGS_PER_MINUTE, Receiver, session
from firmware.base.settings import ReceiverSettings
from firmware.base.store import Arrival, Kept, StoreError
from firmware.broker import Broker
from firmware.wire.ids import ItemId
from firmware.wire.picture import pack_picture
from firmware.wire.records import Receipt, Status, dump_record, load_record
from firmware.wire.topics import status_topic, up_topic
from tests.base.pictures import picture, sighting

FRAME = ItemId(7, 1, "frame", 1)
SETTINGS = ReceiverSettings(retry_least_s=1.0, retry_most_s=8.0)


@dataclass
class FakeLink:
    """A connection that writes down what it is asked to do, in the order of the whole station."""

    done: list[str]
    receipts: list[Receipt] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    open: bool = True

    def send(self, topic: str, payload: bytes) -> None:
        receipt = load_record(payload, Receipt)
        assert topic == f"trap/{receipt.item[:5]}/down/receipt"
        self.receipts.append(receipt)
        self.done.append(receipt.outcome)

    def ack(self, mid: int) -> None:
        self.acks.append(mid)
        self.done.append("ack")

    def close(self) -> None:
        self.open = False
        self.done.append("close")


class Station:
    """A receiver with a store, a broker and a clock that the test commands."""

    def __init__(self, settings: ReceiverSettings = SETTINGS) -> None:
        self.done: list[str] = []
        self.links: list[FakeLink] = []
        self.stored: dict[tuple[str, str], Arrival] = {}
        self.batches: list[int] = []
        self.store_error: StoreError | None = None
        self.connect_error: OSError | None = None
        self.clock_s = 50.0
        self.receiver = Receiver(
            self.put, self.connect, settings, lambda: 1.8e9, lambda: self.clock_s
        )
        self.mid = 0

    def put(self, arrivals: Sequence[Arrival]) -> list[Kept]:
        if self.store_error:
            raise self.store_error
        self.done.append("put")
        self.batches.append(len(arrivals))
        return [self.keep(arrival) for arrival in arrivals]

    def keep(self, arrival: Arrival) -> Kept:
        known = [sha256 for topic, sha256 in self.stored if topic == arrival.topic]
        if arrival.sha256 in known:
            return "duplicate"
        self.stored[arrival.topic, arrival.sha256] = arrival
        return "conflict" if known else "stored"

    def connect(self) -> FakeLink:
        if self.connect_error:
            raise self.connect_error
        self.links.append(FakeLink(self.done))
        return self.links[-1]

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    def start(self) -> None:
        self.receiver.step(None)
        self.receiver.step(Up(self.link))

    def hear(self, *messages: Message) -> float | None:
        """These arrive together; returns what the last step asked for."""
        for message in messages:
            self.mid += 1
            due_s = self.receiver.step(Delivery(self.link, self.mid, message))
        while due_s == 0.0:
            due_s = self.receiver.step(None)
        return due_s

    def later(self, seconds: float) -> float | None:
        self.clock_s += seconds
        return self.receiver.step(None)


@pytest.fixture
def station() -> Station:
    station = Station()
    station.start()
    return station


def frame(seed: int = 0, item: ItemId = FRAME) -> Message:
    return Message(up_topic(item), pack_picture(picture(seed), "image/jpeg"))


def record(number: int = 1) -> Message:
    return Message(up_topic(ItemId(7, number, "sighting")), dump_record(sighting(number)))


BAD = {
    "the wrong unit": (Message(record().topic, dump_record(sighting(unit="T0008"))), "mismatch"),
    "a wrong hash": (Message(frame().topic, frame().payload[:-1] + b"?"), "damaged"),
    "an oversized picture": (Message(frame().topic, frame().payload + bytes(10**7)), "oversized"),
    "an oversized record": (Message(record().topic, bytes(5000)), "oversized"),
    "invalid JSON": (Message(record().topic, b"{unit:"), "record"),
    "no picture": (
        Message(frame().topic, pack_picture(b"<html>", "image/jpeg")),
        "picture",
    ),
    "nothing": (Message(frame().topic, b""), "picture"),
    "an unknown topic": (Message("trap/T0007/up/song/1", b"la"), "topic"),
    "no unit": (Message("trap/T0000/up/sighting/1", record().payload), "topic"),
}


def test_the_receipt_follows_the_commit_and_the_acknowledgement_follows_the_receipt(
    station: Station,
) -> None:
    assert station.hear(record(), frame()) is None
    assert station.done == ["put", "stored", "stored", "ack", "ack"]
    assert station.link.receipts == [
        Receipt("T0007-000001-sighting-0", hashlib.sha256(record().payload).hexdigest(), "stored"),
        Receipt("T0007-000001-frame-1", hashlib.sha256(picture()).hexdigest(), "stored"),
    ]
    assert station.link.acks == [1, 2]


def test_messages_that_came_together_share_one_commit(station: Station) -> None:
    station.hear(*(record(number) for number in range(10)))
    assert station.batches == [10]


def test_a_commit_does_not_wait_for_more_than_the_limits() -> None:
    by_count = Station(ReceiverSettings(in_flight=4))
    by_count.start()
    by_count.hear(*(record(number) for number in range(10)))
    assert by_count.batches == [4, 4, 2]

    by_bytes = Station(ReceiverSettings(batch_mb=1))
    by_bytes.start()
    big = [
        Message(up_topic(ItemId(7, n, "frame", 1)),
                pack_picture(picture(n) + bytes(600_000), "image/jpeg"))
        for n in range(4)
    ]  # fmt: skip
    by_bytes.hear(*big)
    assert by_bytes.batches == [2, 2]


def test_a_duplicate_is_answered_as_stored_again(station: Station) -> None:
    station.hear(frame())
    station.hear(frame(), frame())
    assert [r.outcome for r in station.link.receipts] == ["stored"] * 3
    assert station.link.acks == [1, 2, 3]
    assert len(station.stored) == 1


def test_other_bytes_under_a_known_name_are_an_error_but_stored_with_their_own_hash(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    station.hear(frame(1))
    station.hear(frame(2))
    sha256s = [hashlib.sha256(picture(n)).hexdigest() for n in (1, 2)]
    assert [r.sha256 for r in station.link.receipts] == sha256s
    assert {r.outcome for r in station.link.receipts} == {"stored"}
    (error,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert error.getMessage().startswith("conflict item=T0007-000001-frame-1")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_counted_and_dropped_and_nothing_else_suffers(
    station: Station, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    message, reason = BAD[name]
    station.hear(record(1), message, record(2))
    assert station.receiver.refused == {reason: 1}
    assert len(station.stored) == 2
    assert station.link.acks == [1, 2, 3]
    (warning,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert warning.getMessage().startswith("refused topic=trap/")
    assert f"reason={reason}" in warning.getMessage()
    outcomes = [r.outcome for r in station.link.receipts]
    known = reason not in ("topic", "damaged")
    assert outcomes == (["stored", "rejected", "stored"] if known else ["stored", "stored"])


def test_a_rejection_says_why(station: Station) -> None:
    station.hear(BAD["invalid JSON"][0])
    (receipt,) = station.link.receipts
    assert receipt.item == "T0007-000001-sighting-0"
    assert "not valid JSON" in receipt.reason


def test_a_status_is_stored_and_not_answered(station: Station) -> None:
    station.hear(Message(status_topic(7), dump_record(Status("T0007", "online", 1.7e9))))
    assert station.done == ["put", "ack"]


def test_a_qos_0_message_is_refused_and_not_acknowledged(station: Station) -> None:
    station.hear(Message(record().topic, b"", qos=0))
    assert station.receiver.refused == {"qos": 1}
    assert station.done == []


def test_a_flood_of_bad_messages_does_not_flood_the_log(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    flood = [BAD["an unknown topic"][0]] * 200
    station.hear(*flood)
    assert len(caplog.records) == WARNINGS_PER_MINUTE
    station.clock_s += 61
    station.hear(flood[0])
    assert "count=201" in caplog.records[-1].getMessage()


def test_hostile_text_in_a_topic_cannot_forge_a_line_of_the_log(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    station.hear(Message("trap/\nERROR conflict\ud800", b""))
    assert "\n" not in caplog.records[-1].getMessage()
    caplog.records[-1].getMessage().encode()


def test_while_the_store_fails_nothing_is_answered_or_acknowledged(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    station.store_error = StoreError("cannot store messages in /data: disk full")
    waits = [station.hear(record())]
    station.hear(record(2))  # was on its way from the connection given up
    for _ in range(5):
        assert waits[-1] is not None
        station.later(waits[-1])
        waits.append(station.hear(record()))
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert station.done == ["close"] * 6
    assert [r.getMessage()[:13] for r in caplog.records if r.levelno == logging.ERROR] == [
        "store_failing"
    ]
    station.store_error = None
    station.later(8.0)
    station.receiver.step(Up(station.link))
    station.hear(record())
    assert station.done[6:] == ["put", "stored", "ack"]
    assert "store_back" in caplog.text


def test_a_link_that_comes_up_does_not_hurry_a_failing_store(station: Station) -> None:
    station.store_error = StoreError("disk full")
    waits = []
    for _ in range(3):
        waits.append(station.hear(record()))
        station.later(waits[-1] or 0)
        station.receiver.step(Up(station.link))
    assert waits == [1.0, 2.0, 4.0]


def test_an_absent_broker_is_tried_again_ever_more_slowly_and_complained_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    station = Station()
    station.connect_error = ConnectionRefusedError(111, "Connection refused")
    waits = [station.receiver.step(None)]
    for _ in range(5):
        assert waits[-1] is not None
        waits.append(station.later(waits[-1]))
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert station.later(7.5) == 0.5
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    station.connect_error = None
    assert station.later(0.5) is None
    station.receiver.step(Up(station.link))
    assert station.receiver.step(Down(station.link, "Keep alive timeout")) == 1.0


def test_a_broker_that_does_not_want_us_is_an_error(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        station.receiver.step(Down(station.link, "connection refused: Not authorized", True))
        station.later(10.0)
    assert [r.levelname for r in caplog.records] == ["ERROR"]


def test_a_missing_certificate_is_an_error_that_names_the_file(
    caplog: pytest.LogCaptureFixture,
) -> None:
    station = Station()
    station.connect_error = FileNotFoundError(2, "No such file or directory", "/etc/ca.crt")
    assert station.receiver.step(None) == 1.0
    assert [r.levelname for r in caplog.records] == ["ERROR"]
    assert "/etc/ca.crt" in caplog.text


def test_a_host_that_can_be_no_name_is_an_error_and_not_a_crash(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = Broker("base..example")
    receiver = Receiver(
        lambda arrivals: [],
        lambda: Link(broker, session(ReceiverSettings()), loop.Events()),
        ReceiverSettings(), lambda: 1.7e9, lambda: 0.0,
    )  # fmt: skip
    assert receiver.step(None) == 1.0
    assert [r.levelname for r in caplog.records] == ["ERROR"]


def test_what_was_heard_before_the_link_broke_is_stored_but_acknowledged_to_nobody_else(
    station: Station,
) -> None:
    old = station.link
    station.receiver.step(Delivery(old, 1, record()))
    station.receiver.step(Down(old, "lost"))
    station.later(1.0)
    assert len(station.stored) == 1
    assert station.link is not old
    assert old.acks == station.link.acks == []
    station.hear(record())
    assert [r.outcome for r in station.link.receipts] == ["stored"]


def test_events_of_an_old_link_do_not_disturb_the_new_one(station: Station) -> None:
    old = station.link
    station.receiver.step(Down(old, "lost"))
    station.later(1.0)
    assert station.receiver.step(Down(old, "again")) is None
    assert station.receiver.step(Delivery(old, 1, record())) is None
    assert len(station.links) == 2
    assert not station.stored


def test_closing_stores_and_answers_what_has_arrived(station: Station) -> None:
    station.receiver.step(Delivery(station.link, 1, record()))
    station.receiver.close()
    assert station.done == ["put", "stored", "ack", "close"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([record(1), record(2), frame(1), frame(2)]),
            st.sampled_from([message for message, _ in BAD.values()]),
            st.sampled_from(["disk full", "disk good", "lost", "pause"]),
        ),
        max_size=25,
    )
)
def test_whatever_happens_only_what_is_stored_is_receipted_and_all_else_stays_at_the_broker(
    history: list[Message | str],
) -> None:
    station = Station()
    station.start()
    for happening in history:
        match happening:
            case Message():
                station.mid += 1
                station.receiver.step(Delivery(station.link, station.mid, happening))
            case "disk full":
                station.store_error = StoreError("disk full")
            case "disk good":
                station.store_error = None
            case "lost":
                station.receiver.step(Down(station.link, "lost"))
            case _:
                station.later(3.0)
    for link in station.links:
        for receipt in link.receipts:
            if receipt.outcome == "stored":
                topic = up_topic(ItemId.parse(receipt.item))
                assert (topic, receipt.sha256) in station.stored
        assert len(link.acks) == len(set(link.acks))
