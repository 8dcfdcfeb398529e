"""Through a network server: the gateway as a process, Mosquitto on both sides, an emulated
ChirpStack and the real receiver."""

import queue
import random
import threading
from collections.abc import Iterator
from dataclasses import replace

import paho.mqtt.client as paho
import pytest

from firmware.broker import Broker, make_client
from firmware.demo.broker import find_mosquitto, private_broker
from firmware.radio.port import Downlink
from firmware.sim.network_server import Device, NetworkServer, Uplink
from firmware.wire.commands import Command, pack_command
from firmware.wire.objects import Done, Entry, Need, Stored, unpack_receipts
from firmware.wire.packet import COMMAND, RECEIPT
from firmware.wire.records import dump_record
from firmware.wire.topics import command_topic
from tests.base.gateway.air import Object, Packet, alert
from tests.base.gateway.site import SF7, TIMEOUT_S, Process
from tests.base.pictures import picture

EUI = "70b3d57ed0001234"
DEVICE = Device(EUI, "00" * 16)


class Network:
    """The emulated network server at a broker, and one device that has joined."""

    def __init__(self, broker: Broker) -> None:
        self.came: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.client = make_client(
            replace(broker, username="chirpstack"), "chirpstack", clean=True, manual_ack=False
        )
        self.server = NetworkServer(
            [DEVICE], lambda topic, payload: self._publish(topic, payload), lambda: 1.7e9,
            random.Random(1),
        )  # fmt: skip
        self.client.on_connect = lambda c, *_: c.subscribe(self.server.command_topics, 1)
        self.client.on_subscribe = lambda *_: self.came.put(None)
        self.client.on_message = self._on_command
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        self.came.get(timeout=TIMEOUT_S)
        assert self.server.join(EUI, "0" * 16, DEVICE.app_key)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, packet: Packet) -> None:
        """One uplink of the device's, of which nothing comes down."""
        self.server.uplink(Uplink(EUI, *packet, False, 5, SF7))

    def ask(self, packet: Packet) -> Downlink:
        """One uplink, and what comes down in its window."""
        self.say(packet)
        self.came.get(timeout=TIMEOUT_S)
        answer = self.server.answer(EUI).downlink
        assert answer is not None
        return answer

    def asked(self, packet: Packet) -> tuple[Entry, ...]:
        answer = self.ask(packet)
        assert answer.port == RECEIPT
        return unpack_receipts(answer.payload)

    def _publish(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1)

    def _on_command(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        self.server.command(message.topic, bytes(message.payload))
        self.came.put(None)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed")
    folder = tmp_path_factory.mktemp("network")
    with private_broker(folder / "broker", threading.Event().wait) as broker:
        where = f'host = "127.0.0.1"\nport = {broker.address.port}\n'
        (folder / "run.toml").write_text(
            f'[mqtt]\n{where}[store]\ndata_dir = "{folder / "base"}"\n'
        )
        (folder / "gateway.toml").write_text(
            f'[mqtt]\n{where}[lorawan]\nserver = "chirpstack"\n'
            f'devices = {{ "{EUI.upper()}" = "T0007" }}\n[lorawan.mqtt]\n{where}'
        )
        network = Network(broker.address)
        processes = [
            Process("base", name, "--config", str(folder / f"{name}.toml"))
            for name in ("run", "gateway")
        ]
        processes[0].log_until("link_up")
        processes[1].log_until("link_up broker=base")
        processes[1].log_until("link_up broker=lorawan")
        yield network
        for process in processes:
            process.kill()
        network.close()


def test_alerts_and_pictures_are_stored_and_answered_through_the_server_s_queue(
    network: Network,
) -> None:
    assert network.asked(alert(1)) == (Stored(1),)
    assert network.asked(alert(1)) == (Stored(1),)
    thing = Object(1, picture(1, "WEBP"), 20, sighting=1)
    network.say(thing.head())
    assert network.asked(thing.symbol(0, poll=True)) == (Need(1, thing.source_count - 1),)
    for index in range(1, thing.source_count):
        network.say(thing.symbol(index))
    assert network.asked(thing.poll()) == (Done(1),)
    assert network.server.dropped == []


def test_a_command_comes_down_after_the_answer(network: Network) -> None:
    command = Command("T0007", 1_760_000_000, "unmute", 1_760_000_000)
    network.client.publish(command_topic(7), dump_record(command), qos=1).wait_for_publish(5)
    threading.Event().wait(0.2)  # the gateway has two brokers to hear: which is first is open
    assert network.asked(alert(2)) == (Stored(2),)
    network.came.get(timeout=TIMEOUT_S)
    assert network.server.answer(EUI).downlink == Downlink(COMMAND, pack_command(command))
