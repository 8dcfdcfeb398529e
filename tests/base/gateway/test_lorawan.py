"""Devices of a network server: whose packet, and only once; both servers' messages."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.admission import Message
from firmware.base.gateway.assembly import Down
from firmware.base.gateway.chirpstack import ChirpStack
from firmware.base.gateway.complaints import Complaints
from firmware.base.gateway.connection import Connection
from firmware.base.gateway.lorawan import MOST_REMEMBERED, Lorawan, Server
from firmware.base.gateway.peers import Packet
from firmware.base.gateway.things_stack import ThingsStack
from firmware.base.mqtt import Delivery, Up
from firmware.wire.errors import WireError
from firmware.wire.packet import RECEIPT, SIGHTING

EUI = "70b3d57ed0001234"
UP = f"application/a1/device/{EUI}/event/up"
TTS_UP = "v3/rosette@ttn/devices/ridge/up"


class FakeLink:
    """Notes what is published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.acked: list[int] = []

    def send(self, topic: str, payload: bytes) -> None:
        self.sent.append((topic, json.loads(payload)))

    def ack(self, mid: int) -> None:
        self.acked.append(mid)

    def close(self) -> None:
        pass


class Rig:
    """One device, T0007, on a network server."""

    def __init__(self, server: Server | None = None) -> None:
        self.link = FakeLink()
        self.complaints = Complaints(lambda: 0.0)
        connection = Connection("lorawan", lambda: self.link, 1.0, 30.0, lambda: 0.0)
        connection.keep()
        connection.hear(Up(self.link))
        self.road = Lorawan(
            server or ChirpStack(), connection, {EUI: 7}, lambda: 1.8e9, self.complaints
        )

    def hear(self, topic: str, event: dict[str, Any], qos: int = 1) -> Packet | None:
        message = Message(topic, json.dumps(event).encode(), qos)
        return self.road.hear(Delivery(self.link, 3, message), 0.0)


def event(count: int, *, address: str = "00189440", dedup: str = "", data: bytes = b"hi") -> Any:
    return {
        "deduplicationId": dedup, "devAddr": address, "fCnt": count, "fPort": SIGHTING,
        "deviceInfo": {"devEui": EUI.upper()}, "data": base64.b64encode(data).decode(),
    }  # fmt: skip


def tts_event(count: int = 1, **more: object) -> Any:
    return {
        "end_device_ids": {"device_id": "ridge", "dev_eui": EUI.upper(), "dev_addr": "00189440"},
        "received_at": "2026-11-01T00:00:00Z",
        "uplink_message": {
            "session_key_id": "AXA50", "f_port": SIGHTING, "f_cnt": count, "frm_payload": "aGk=",
            "rx_metadata": [{"rssi": -35}], "settings": {"frequency": "868900000"},
        } | more,
    }  # fmt: skip


def test_a_device_s_packet_is_its_unit_s_and_given_out_once() -> None:
    rig = Rig()
    assert rig.hear(UP, event(5)) == Packet(7, SIGHTING, b"hi")
    assert rig.hear(UP, event(5)) is None
    assert rig.road.counts == {"repeated": 1}
    assert rig.hear(UP, event(6)) is not None
    assert rig.link.acked == [3, 3, 3]


def test_the_same_reception_under_another_counter_is_a_repetition() -> None:
    rig = Rig()
    assert rig.hear(UP, event(5, dedup="one")) is not None
    assert rig.hear(UP, event(6, dedup="one")) is None


def test_counters_that_begin_anew_after_a_join_are_no_repetition() -> None:
    rig = Rig()
    assert rig.hear(UP, event(0)) is not None
    assert rig.hear(UP, event(0, address="00189441")) is not None


def test_a_device_that_is_no_unit_is_told_and_ignored() -> None:
    rig = Rig()
    other = event(1) | {"deviceInfo": {}}
    assert rig.hear(UP.replace("1234", "9999"), other) is None
    assert rig.complaints.counts == {"device": 1}


def test_what_is_no_event_is_told_and_ignored() -> None:
    rig = Rig()
    assert rig.hear("application/a1/device/x/event/up", {}) is None
    assert rig.complaints.counts == {"event": 1}


def test_the_memory_of_repetitions_is_bounded() -> None:
    rig = Rig()
    for count in range(MOST_REMEMBERED + 5):
        rig.road.packet(UP, json.dumps(event(count)).encode())
    assert len(rig.road._names) == MOST_REMEMBERED


def test_an_answer_is_queued_where_the_device_was_heard_last() -> None:
    rig = Rig()
    down = Down(7, RECEIPT, b"\x01\0\0\0\x05")
    rig.road.say(down, 0.0)
    assert rig.link.sent == []
    rig.hear(UP, event(5))
    rig.hear(UP.replace("a1", "b2"), event(6))
    rig.road.say(down, 0.0)
    ((topic, command),) = rig.link.sent
    assert topic == f"application/b2/device/{EUI}/command/down"
    assert command == {
        "devEui": EUI, "confirmed": False, "fPort": RECEIPT, "data": "AQAAAAU=",
        "expiresAt": "2027-01-15T08:05:00.000Z",
    }  # fmt: skip


def test_an_uplink_of_the_things_stack_is_read_and_answered() -> None:
    rig = Rig(ThingsStack())
    assert rig.hear(TTS_UP, tts_event(), qos=0) == Packet(7, SIGHTING, b"hi")
    assert rig.hear(TTS_UP, tts_event(), qos=0) is None
    rig.road.say(Down(7, RECEIPT, b"\x01\0\0\0\x05"), 0.0)
    ((topic, message),) = rig.link.sent
    assert topic == "v3/rosette@ttn/devices/ridge/down/push"
    assert message["downlinks"] == [
        {"f_port": 10, "frm_payload": "AQAAAAU=", "priority": "HIGH", "confirmed": False}
    ]
    assert rig.link.acked == []


@pytest.mark.parametrize(
    "event",
    [{}, {"end_device_ids": []}, tts_event() | {"uplink_message": 3}, tts_event(f_port="1"),
     tts_event(frm_payload="@"), tts_event() | {"end_device_ids": {"device_id": "valley"}}],
)  # fmt: skip
def test_bad_messages_of_the_things_stack_raise_the_documented_error(event: object) -> None:
    with pytest.raises(WireError):
        ThingsStack().uplink(TTS_UP, json.dumps(event).encode())


@given(st.text(max_size=60), st.binary(max_size=300))
def test_nothing_else_ever_escapes(topic: str, payload: bytes) -> None:
    for where in (topic, TTS_UP):
        try:
            ThingsStack().uplink(where, payload)
        except WireError:
            continue


def test_network_messages_without_payload_bring_nothing() -> None:
    assert ThingsStack().uplink(TTS_UP, json.dumps(tts_event(f_port=0)).encode()) is None
