"""What every Lorawan device promises (firmware/radio/port.py), over both dialects, on an emulated
network whose server speaks ChirpStack's JSON."""

import base64
import json
import queue
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chirpstack_api import integration
from google.protobuf import json_format

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Downlink, Lorawan, RadioBusy, RadioError, RadioGone
from firmware.radio.rui3_lorawan import Rui3Lorawan
from firmware.radio.settings import LorawanDevice
from firmware.radio.wio_e5_lorawan import WioE5Lorawan
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.sim.modem_wio_e5 import WioE5Modem
from firmware.sim.network_server import Device, NetworkServer
from firmware.wire.regions import REGIONS
from tests.contract.radios import PATIENCE_S, SPEED, WAIT_S
from tests.radio.air import QuickAir

DEV_EUI, KEY = "0102030405060708", "000102030405060708090a0b0c0d0e0f"
SF9 = 3  # RU864's data rate of 115 bytes
NOW_S = 1_790_000_000.0


class Rig:
    """A device and its network; `events` are what the server publishes, as (kind, fields)."""

    def __init__(self, dialect: str, folder: Path, covered: bool = True, **modem: Any) -> None:
        self.published: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self.network = NetworkServer(
            [Device(DEV_EUI, KEY, "T0001")],
            lambda topic, payload: self.published.put((topic.split("/")[-1], json.loads(payload))),
            lambda: NOW_S,
            random.Random(1),
        )
        emulator = Rui3Modem if dialect == "rui3" else WioE5Modem
        self.modem = emulator(
            QuickAir(), folder / dialect, network=self.network if covered else None,
            speed=SPEED, **modem,
        )  # fmt: skip
        self.key = bytes.fromhex(KEY)
        self._driver = Rui3Lorawan if dialect == "rui3" else WioE5Lorawan
        self._baud = 115200 if dialect == "rui3" else 9600
        self.device: Lorawan = self.open()

    def open(self) -> Lorawan:
        who = LorawanDevice(DEV_EUI, Path("unused"))
        lines = SerialLines(self.modem.path, self._baud)
        return self._driver(lines, REGIONS["RU864"], SF9, who, self.key, PATIENCE_S)

    def event(self, kind: str) -> dict[str, Any]:
        """The next event of this kind."""
        while True:
            found, fields = self.published.get(timeout=WAIT_S)
            if found == kind:
                return fields

    def queue_down(self, port: int, payload: bytes, **more: Any) -> None:
        topic = self.network.command_topics.replace("+", DEV_EUI)
        fields = {"devEui": DEV_EUI, "fPort": port, "data": base64.b64encode(payload).decode()}
        self.network.command(topic, json.dumps(fields | more).encode())

    def close(self) -> None:
        self.device.close()
        self.modem.close()


@pytest.fixture(params=["rui3", "wio_e5"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(dialect: str, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(dialect, tmp_path)
    yield rig
    rig.close()


def test_an_uplink_reaches_the_application_and_the_first_one_announces_the_join(rig: Rig) -> None:
    rig.device.join()
    assert rig.published.empty()
    rig.device.send(2, b"\x00\x01picture")
    kind, joined = rig.published.get(timeout=WAIT_S)
    assert kind == "join" and joined["deviceInfo"]["devEui"] == DEV_EUI
    up = rig.event("up")
    assert up["fPort"] == 2 and base64.b64decode(up["data"]) == b"\x00\x01picture"
    assert up["dr"] == SF9 and up["txInfo"]["modulation"]["lora"]["spreadingFactor"] == 9


def test_a_send_joins_by_itself(rig: Rig) -> None:
    rig.device.send(1, b"first")
    assert base64.b64decode(rig.event("up")["data"]) == b"first"


def test_payloads_of_every_length_up_to_the_data_rates_limit(rig: Rig) -> None:
    most = rig.device.max_payload_bytes()
    assert most == 115
    for size in (1, 2, 50, most - 1, most):
        rig.device.send(1, bytes(size))
        assert base64.b64decode(rig.event("up")["data"]) == bytes(size)
    for size in (0, most + 1):
        with pytest.raises(ValueError, match=f"{size} bytes"):
            rig.device.send(1, bytes(size))
    with pytest.raises(ValueError, match="port 0"):
        rig.device.send(0, b"x")


def test_a_downlink_comes_with_the_next_uplink_one_at_a_time(rig: Rig) -> None:
    rig.device.join()
    rig.queue_down(10, b"receipt")
    rig.queue_down(11, b"command")
    assert rig.device.receive(0.01) is None
    rig.device.send(1, b"a")
    assert rig.device.receive(0.05) == Downlink(10, b"receipt")
    assert rig.device.receive(0.01) is None
    rig.device.send(1, b"b")
    assert rig.device.receive(0.05) == Downlink(11, b"command")


def test_a_confirmed_uplink_that_is_acknowledged_returns(rig: Rig) -> None:
    rig.device.send(1, b"alert", confirmed=True)
    assert rig.event("up")["confirmed"] is True


def test_a_confirmed_uplink_that_nobody_acknowledges_is_an_error(rig: Rig) -> None:
    rig.device.join()
    rig.network._loss = 1.0
    with pytest.raises(RadioError):
        rig.device.send(1, b"alert", confirmed=True)
    rig.network._loss = 0.0
    rig.device.send(1, b"alert", confirmed=True)


def test_an_unconfirmed_uplink_that_is_lost_is_sent_all_the_same(rig: Rig) -> None:
    rig.device.join()
    rig.network._loss = 1.0
    rig.device.send(1, b"into the forest")


def test_a_wrong_key_or_no_coverage_is_an_error_that_says_so(dialect: str, tmp_path: Path) -> None:
    for covered in (True, False):
        rig = Rig(dialect, tmp_path, covered)
        rig.key = bytes(16)
        rig.device.close()
        rig.device = rig.open()
        with pytest.raises(RadioError, match=r"(?i)join.?failed"):
            rig.device.join()
        rig.close()


def test_a_module_that_restarts_joins_again_and_goes_on(rig: Rig) -> None:
    rig.device.send(1, b"before")
    rig.modem.uart.reset()
    for _ in range(2):
        try:
            rig.device.send(1, b"after")
            break
        except RadioError:
            pass
    while base64.b64decode(rig.event("up")["data"]) != b"after":
        pass


def test_a_joined_module_is_not_joined_again_by_a_new_process(tmp_path: Path) -> None:
    rig = Rig("rui3", tmp_path)
    rig.device.send(1, b"one")
    rig.device.close()
    rig.device = rig.open()
    rig.device.join()
    rig.device.send(1, b"two")
    assert [rig.event("up").get("fCnt", 0) for _ in range(2)] == [0, 1]
    rig.close()


def test_a_busy_module_is_radio_busy_and_then_sends(rig: Rig) -> None:
    rig.device.join()
    rig.modem.busy(1)
    with pytest.raises(RadioBusy):
        rig.device.send(1, b"not now")
    rig.device.send(1, b"now")
    assert base64.b64decode(rig.event("up")["data"]) == b"now"


def test_a_modules_own_duty_cycle_is_radio_busy(dialect: str, tmp_path: Path) -> None:
    rig = Rig(dialect, tmp_path, own_duty_cycle=0.0001)
    rig.device.send(1, bytes(115))
    with pytest.raises(RadioBusy):
        rig.device.send(1, b"too soon")
    rig.close()


def test_a_module_pulled_out_is_gone_and_works_once_it_is_back(rig: Rig) -> None:
    rig.device.join()
    rig.modem.uart.unplug()
    with pytest.raises(RadioGone):
        rig.device.send(1, b"nobody there")
    rig.device.close()
    rig.modem.uart.plug()
    rig.device = rig.open()
    rig.device.send(1, b"back")
    assert base64.b64decode(rig.event("up")["data"]) == b"back"


def test_every_event_is_what_the_official_package_reads_strictly(rig: Rig) -> None:
    rig.queue_down(10, b"confirmed", confirmed=True)
    rig.queue_down(10, bytes(223))
    rig.queue_down(10, b"late", expiresAt="2020-01-01T00:00:00Z")
    for number in range(3):
        rig.device.send(2, bytes([number]), confirmed=number > 0)
    messages = {
        "up": integration.UplinkEvent, "join": integration.JoinEvent, "ack": integration.AckEvent,
        "txack": integration.TxAckEvent, "log": integration.LogEvent,
    }  # fmt: skip
    seen: list[str] = []
    while not rig.published.empty():
        kind, fields = rig.published.get()
        message = json_format.Parse(json.dumps(fields), messages[kind]())
        assert message.device_info.dev_eui == DEV_EUI
        seen.append(kind)
    assert set(seen) == set(messages) and seen.count("up") == 3


def test_an_interrupt_ends_a_receive(rig: Rig) -> None:
    rig.device.join()
    rig.device.interrupt()
    assert rig.device.receive(WAIT_S) is None


def test_no_fault_tells_the_key(rig: Rig, dialect: str) -> None:
    """What a fault says ends in the log."""
    command = "AT+APPKEY" if dialect == "rui3" else "AT+KEY"
    rig.modem.uart.reset_on(command)
    with pytest.raises(RadioError) as caught:
        rig.device.join()
    assert command in str(caught.value)
    assert KEY not in str(caught.value).lower()


def test_the_end_of_an_earlier_uplink_is_not_taken_for_that_of_the_next(tmp_path: Path) -> None:
    rig = Rig("rui3", tmp_path)
    try:
        rig.device.join()
        rig.queue_down(10, b"receipt")
        rig.modem.uart.garbage(b"+EVT:TX_DONE\r\n")
        rig.device.send(1, b"alert")
        assert rig.device.receive(0.0) == Downlink(10, b"receipt"), "both windows are over"
    finally:
        rig.close()
