"""The emulated network: ChirpStack v4's events and commands, and class A's one downlink a time."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.radio.port import Downlink
from firmware.sim.network_server import Answer, Device, NetworkServer, Uplink
from firmware.wire.airtime import Modulation

DEV_EUI, KEY, NOW_S = "0102030405060708", "00" * 16, 1_790_000_000.0


class Rig:
    """A network with one device, and what its server has published."""

    def __init__(self, **how: Any) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.server = NetworkServer(
            [Device(DEV_EUI, KEY, "T0001")],
            lambda topic, payload: self.published.append((topic, json.loads(payload))),
            lambda: NOW_S, random.Random(1), **how,
        )  # fmt: skip

    def join(self) -> None:
        assert self.server.join(DEV_EUI.upper(), "00" * 8, KEY) is not None

    def up(self, payload: bytes = b"x", confirmed: bool = False) -> Answer:
        self.server.uplink(Uplink(DEV_EUI, 2, payload, confirmed, 3, Modulation()))
        return self.server.answer(DEV_EUI)

    def down(self, topic_eui: str = DEV_EUI, **fields: Any) -> None:
        topic = self.server.command_topics.replace("+", topic_eui)
        whole = {"devEui": DEV_EUI, "fPort": 10, "data": base64.b64encode(b"down").decode()}
        self.server.command(topic, json.dumps(whole | fields).encode())

    def events(self) -> list[str]:
        return [topic.rpartition("/")[2] for topic, _ in self.published]


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.join()
    return rig


def test_events_are_proto_json_without_default_values(rig: Rig) -> None:
    rig.up(b"\x00\xff")
    rig.up(b"second")
    topic, up = rig.published[1]
    assert topic == f"application/{up['deviceInfo']['applicationId']}/device/{DEV_EUI}/event/up"
    assert base64.b64decode(up["data"]) == b"\x00\xff"
    assert "fCnt" not in up and "confirmed" not in up and "adr" not in up
    assert rig.published[2][1]["fCnt"] == 1
    assert up["txInfo"]["modulation"]["lora"] == {
        "bandwidth": 125000, "spreadingFactor": 9, "codeRate": "CR_4_5",
    }  # fmt: skip
    assert up["time"] == "2026-09-21T14:13:20+00:00"


def test_a_device_with_a_wrong_key_or_unknown_does_not_join() -> None:
    server = Rig().server
    assert server.join(DEV_EUI, "00" * 8, "11" * 16) is None
    assert server.join("ff" * 8, "00" * 8, KEY) is None
    assert server.answer("ff" * 8) == Answer()


def test_the_join_is_announced_at_the_first_uplink_and_counts_start_anew(rig: Rig) -> None:
    assert rig.events() == []
    rig.up()
    rig.up()
    rig.join()
    rig.up()
    assert rig.events() == ["join", "up", "up", "join", "up"]
    assert "fCnt" not in rig.published[-1][1]


def test_one_downlink_an_uplink_oldest_first_and_more_is_said(rig: Rig) -> None:
    rig.down(data=base64.b64encode(b"one").decode())
    rig.down(data=base64.b64encode(b"two").decode())
    assert rig.up() == Answer(False, Downlink(10, b"one"), more=True)
    assert rig.up() == Answer(False, Downlink(10, b"two"), more=False)
    assert rig.up() == Answer()
    assert rig.events().count("txack") == 2


def test_a_confirmed_uplink_is_acknowledged(rig: Rig) -> None:
    assert rig.up(confirmed=True) == Answer(acknowledged=True)
    assert rig.up() == Answer()


def test_a_confirmed_downlink_is_settled_by_the_next_uplink(rig: Rig) -> None:
    rig.down(confirmed=True, id="q1")
    rig.up()
    assert "ack" not in rig.events()
    rig.up()
    _, ack = next(p for p in rig.published if p[0].endswith("/ack"))
    assert (ack["queueItemId"], ack["acknowledged"]) == ("q1", True)


def test_a_command_whose_device_is_not_the_topics_is_dropped_without_an_event(rig: Rig) -> None:
    rig.down(devEui="ff" * 8)
    rig.down(topic_eui="ff" * 8)
    rig.down(fPort=0)
    rig.down(data="not base64!")
    rig.server.command("application/other/device/x/command/down", b"{}")
    rig.server.command(rig.server.command_topics, b"\xff")
    assert rig.up() == Answer() and len(rig.server.dropped) == 6
    assert rig.events() == ["join", "up"]


def test_what_is_too_long_or_too_old_is_logged_and_never_sent(rig: Rig) -> None:
    rig.down(data=base64.b64encode(bytes(223)).decode())
    rig.down(expiresAt="2026-09-21T14:13:19+00:00")
    rig.down(expiresAt="2026-09-21T14:13:21Z", data=base64.b64encode(b"fresh").decode())
    assert rig.up().downlink == Downlink(10, b"fresh")
    codes = [fields["code"] for topic, fields in rig.published if topic.endswith("/log")]
    assert codes == ["DOWNLINK_PAYLOAD_SIZE", "EXPIRED"]


def test_a_share_of_uplinks_and_downlinks_is_lost() -> None:
    rig = Rig()
    rig.join()
    rig.server._loss = 0.5
    answers = [rig.up(confirmed=True) for _ in range(400)]
    heard = rig.events().count("up")
    assert 150 < heard < 250
    assert 60 < sum(answer.acknowledged for answer in answers) < 140


@given(st.binary(max_size=100), st.text(max_size=40))
def test_any_command_is_taken_or_dropped_and_raises_nothing(payload: bytes, topic: str) -> None:
    rig = Rig()
    rig.server.command(topic, payload)
    rig.server.command(rig.server.command_topics.replace("+", DEV_EUI), payload)
    assert len(rig.server.dropped) == 2


@given(st.dictionaries(
    st.sampled_from(["devEui", "fPort", "data", "expiresAt", "confirmed", "id"]),
    st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9),
              st.just(DEV_EUI), st.lists(st.integers(), max_size=2)),
))  # fmt: skip
def test_any_fields_of_a_command_raise_nothing(fields: dict[str, Any]) -> None:
    rig = Rig()
    rig.server.command(rig.server.command_topics.replace("+", DEV_EUI), json.dumps(fields).encode())
