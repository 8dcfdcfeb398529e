"""Our JSON against ChirpStack's own protobuf definitions (package chirpstack-api)."""

import base64
import datetime
import json

import pytest
from chirpstack_api import integration
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from firmware.base.gateway.chirpstack import ChirpStack
from firmware.base.gateway.lorawan import Uplink
from firmware.wire.errors import WireError

EUI = "70b3d57ed0001234"
APPLICATION = "0c3f1d26-1111-2222-3333-444455556666"
UP = f"application/{APPLICATION}/device/{EUI}/event/up"
DOWN = f"application/{APPLICATION}/device/{EUI}/command/down"


def uplink_event(port: int = 1, data: bytes = b"\x11data", count: int = 5, eui: str = EUI) -> str:
    """As the server's JSON marshaler makes it of its own message."""
    event = integration.UplinkEvent(
        deduplication_id="3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        dev_addr="00189440", adr=True, dr=3, f_cnt=count, f_port=port, confirmed=False, data=data,
    )  # fmt: skip
    event.time.FromDatetime(datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC))
    event.device_info.dev_eui = eui
    event.device_info.application_id = APPLICATION
    event.device_info.device_name = "ridge"
    event.rx_info.add(gateway_id="0016c001ff10a235", rssi=-48, snr=9.5)
    event.tx_info.frequency = 868_900_000
    event.tx_info.modulation.lora.spreading_factor = 9
    return str(json_format.MessageToJson(event))


@given(
    st.integers(1, 255), st.binary(max_size=222), st.integers(0, 2**32 - 1)
)  # fmt: skip
def test_an_uplink_of_the_official_package_is_read(port: int, data: bytes, count: int) -> None:
    uplink = ChirpStack().uplink(UP, uplink_event(port, data, count).encode())
    assert uplink is not None
    assert (uplink.dev_eui, uplink.port, uplink.payload) == (EUI, port, data)
    assert uplink.reply_to == DOWN


def test_the_first_uplink_of_a_session_has_no_counter_and_is_read_all_the_same() -> None:
    event = uplink_event(count=0)
    assert "fCnt" not in json.loads(event)
    first = ChirpStack().uplink(UP, event.encode())
    second = ChirpStack().uplink(UP, uplink_event(count=1).encode())
    assert first is not None and second is not None
    assert first.names[0] != second.names[0]


def test_fields_of_a_newer_server_are_ignored() -> None:
    event = json.loads(uplink_event()) | {"newField": {"deep": [1, 2, 3]}}
    event["deviceInfo"]["another"] = True
    assert ChirpStack().uplink(UP, json.dumps(event).encode()) is not None


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("join", integration.JoinEvent),
        ("ack", integration.AckEvent),
        ("txack", integration.TxAckEvent),
        ("status", integration.StatusEvent),
        ("log", integration.LogEvent),
        ("location", integration.LocationEvent),
    ],
)
def test_other_events_are_good_and_bring_nothing(kind: str, make: type) -> None:
    event = make()
    event.device_info.dev_eui = EUI
    topic = f"application/{APPLICATION}/device/{EUI}/event/{kind}"
    assert ChirpStack().uplink(topic, json_format.MessageToJson(event).encode()) is None


def test_what_the_server_complains_about_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    event = integration.LogEvent(
        level=integration.LogLevel.ERROR, code=integration.LogCode.DOWNLINK_PAYLOAD_SIZE,
        description="payload exceeds",
    )  # fmt: skip
    topic = f"application/{APPLICATION}/device/{EUI}/event/log"
    ChirpStack().uplink(topic, json_format.MessageToJson(event).encode())
    assert "DOWNLINK_PAYLOAD_SIZE" in caplog.text


@given(st.integers(1, 223), st.binary(min_size=1, max_size=222), st.floats(0, 4e9))
def test_our_commands_are_read_strictly_by_the_official_package(
    port: int, payload: bytes, expires_s: float
) -> None:
    to = Uplink(EUI, 1, b"", (), DOWN)
    message = ChirpStack().downlink(to, port, payload, expires_s)
    command = json_format.Parse(message, integration.DownlinkCommand())  # unknown fields raise
    assert command.dev_eui == EUI == DOWN.split("/")[3]
    assert (command.f_port, command.data, command.confirmed) == (port, payload, False)
    assert command.expires_at.ToMilliseconds() == pytest.approx(expires_s * 1000, abs=1.5)


@pytest.mark.parametrize(
    "event",
    [
        b"", b"[]", b"{", b"null", b'{"fPort":1.5}', b'{"fPort":"1"}', b'{"fPort":true}',
        b'{"fPort":1,"data":"@@"}', b'{"fPort":1,"data":7}', b'{"deviceInfo":[]}',
        b'{"fPort":1,"deviceInfo":{"devEui":"70b3d57ed0009999"}}', b"[" * 10_000, b"x" * 70_000,
    ],
    ids=lambda event: ascii(event[:40])[2:-1],
)  # fmt: skip
def test_bad_events_raise_the_documented_error(event: bytes) -> None:
    with pytest.raises(WireError):
        ChirpStack().uplink(UP, event)


@pytest.mark.parametrize(
    "topic",
    ["", "application/a/device/b/event", "application/a/device/70b3/event/up",
     f"application/a/device/{EUI}/command/down", f"gateway/{EUI}/event/up"],
)  # fmt: skip
def test_other_topics_raise_the_documented_error(topic: str) -> None:
    with pytest.raises(WireError):
        ChirpStack().uplink(topic, uplink_event().encode())


@given(st.text(max_size=60), st.binary(max_size=300))
def test_nothing_else_ever_escapes(topic: str, payload: bytes) -> None:
    for where in (topic, UP):
        try:
            ChirpStack().uplink(where, payload)
        except WireError:
            continue


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["fPort", "fCnt", "data", "deviceInfo", "devAddr", "deduplicationId"]),
        json_values | st.just({"devEui": EUI}) | st.just(base64.b64encode(b"x").decode()),
    )
)
def test_no_json_escapes_as_another_exception(event: dict[str, object]) -> None:
    try:
        uplink = ChirpStack().uplink(UP, json.dumps(event).encode())
    except WireError:
        return
    assert uplink is None or isinstance(uplink.payload, bytes)
