"""The broker configuration that we ship, on a real Mosquitto: who may write and read what."""

import contextlib
import queue
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from paho.mqtt.client import MQTTMessage

from firmware.broker import Broker, make_client
from firmware.demo.broker import PrivateBroker, find_mosquitto
from firmware.wire.ids import ItemId
from firmware.wire.picture import pack_picture
from firmware.wire.records import Receipt, load_record
from firmware.wire.topics import receipt_topic, up_topic
from tests.base.pictures import picture
from tests.contract.certificates import Authority, Certificate

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TIMEOUT_S = 10.0

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="Mosquitto is not installed")


@dataclass(frozen=True)
class Site:
    """A running broker with the shipped configuration, and the authority it trusts."""

    address: Broker
    authority: Authority
    folder: Path

    def named(self, name: str, protocol: str = "5") -> Broker:
        """How the owner of a certificate with this name reaches the broker."""
        return self.by(self.authority.issue(name, name.encode().hex()), protocol)

    def by(self, certificate: Certificate, protocol: str = "5") -> Broker:
        return replace(
            self.address, cert_file=certificate.file, key_file=certificate.key_file,
            protocol=protocol,
        )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    authority = Authority(folder / "tls")
    server = authority.issue("broker")
    address = Broker(host="127.0.0.1", port=free_port(), ca_file=authority.ca.file)
    config = folder / "mosquitto.conf"
    config.write_text(shipped_config(address.port, authority.ca, server, folder))
    binary = find_mosquitto()
    assert binary is not None
    broker = PrivateBroker("mosquitto", address, folder, (binary, "-c", str(config)))
    broker.start(threading.Event().wait)
    yield Site(address, authority, folder)
    broker.stop()


def shipped_config(port: int, ca: Certificate, server: Certificate, folder: Path) -> str:
    """deploy/mosquitto.conf with this machine's paths: nothing else of it is changed."""
    text = (DEPLOY / "mosquitto.conf").read_text()
    for key, here in {
        "listener 8883": f"listener {port} 127.0.0.1",
        "cafile /etc/rosette/tls/ca.crt": f"cafile {ca.file}",
        "certfile /etc/rosette/tls/broker.crt": f"certfile {server.file}",
        "keyfile /etc/rosette/tls/broker.key": f"keyfile {server.key_file}",
        "acl_file /etc/mosquitto/rosette.acl": f"acl_file {DEPLOY / 'mosquitto.acl'}",
        "persistence_location /var/lib/mosquitto/": f"persistence_location {folder}/",
    }.items():
        assert text.count(f"\n{key}\n") == 1, f"{key!r} is not in deploy/mosquitto.conf"
        text = text.replace(f"\n{key}\n", f"\n{here}\n")
    return text + "user root\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """Somebody with a certificate, connected within the context."""

    def __init__(self, broker: Broker, *filters: str, client_id: str = "") -> None:
        self.heard: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._broker = broker
        self._filters = filters or ("nothing",)
        self._client = make_client(broker, client_id or "x", clean=True, manual_ack=False)
        self._client.on_connect = lambda c, u, f, reason, p: (
            self._ready.put(str(reason)) if reason.is_failure
            else c.subscribe([(topic, 1) for topic in self._filters])
        )  # fmt: skip
        self._client.on_subscribe = lambda *_: self._ready.put("ready")
        self._client.on_disconnect = lambda c, u, f, reason, p: self._ready.put(str(reason))
        self._client.on_message = lambda c, u, message: self.heard.put(message)
        self._client.on_publish = lambda c, u, mid, reason, p: self._results.put(str(reason))

    def __enter__(self) -> Self:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        state = self._ready.get(timeout=TIMEOUT_S)
        if state != "ready":
            self._client.loop_stop()
            raise ConnectionError(state)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes = b"x", timeout_s: float = TIMEOUT_S) -> str:
        """QoS 1; what the broker says to it."""
        self._client.publish(topic, payload, qos=1)
        return self._results.get(timeout=timeout_s)

    def next_topic(self) -> str:
        return self.heard.get(timeout=TIMEOUT_S).topic


def test_a_unit_writes_its_own_messages_and_status(site: Site) -> None:
    with Peer(site.named("T0007")) as unit, Peer(site.named("base"), "trap/+/up/#") as base:
        assert unit.publish("trap/T0007/up/frame/1/1") == "Success"
        assert base.next_topic() == "trap/T0007/up/frame/1/1"
        assert unit.publish("trap/T0007/status") == "No matching subscribers"


@pytest.mark.parametrize(
    "topic",
    [
        "trap/T0008/up/frame/1/1",
        "trap/T0008/status",
        "trap/T0008/down/receipt",
        "trap/T0007/down/receipt",
        "trap/T0007/upstairs",
        "trap/T0007/status/more",
        "trap/base/up/frame/1/1",
        "elsewhere",
    ],
)
def test_a_unit_writes_nothing_else(site: Site, topic: str) -> None:
    with Peer(site.named("T0007")) as unit:
        assert unit.publish(topic) == "Not authorized"
        assert unit.publish("trap/T0007/up/frame/1/1") != "Not authorized"


def test_over_mqtt_3_1_1_a_forged_message_seems_to_go_and_arrives_nowhere(site: Site) -> None:
    old = site.named("T0007", protocol="3.1.1")
    with Peer(old) as unit, Peer(site.named("base"), "trap/+/up/#") as base:
        unit.publish("trap/T0008/up/frame/1/1")
        unit.publish("trap/T0007/up/frame/1/1")
        assert base.next_topic() == "trap/T0007/up/frame/1/1"
        assert base.heard.empty()


@pytest.mark.parametrize("wish", ["#", "trap/#", "trap/+/down/#", "trap/T0008/down/receipt"])
def test_a_unit_hears_only_what_is_meant_for_it(site: Site, wish: str) -> None:
    with (
        Peer(site.named("base")) as base,
        Peer(site.named("T0008")) as other,
        Peer(site.named("T0007"), wish, receipt_topic(7)) as unit,
    ):
        other.publish("trap/T0008/up/frame/1/1")
        other.publish("trap/T0008/status")
        base.publish(receipt_topic(8))
        base.publish(receipt_topic(7))
        assert unit.next_topic() == receipt_topic(7)
        while not unit.heard.empty():  # two filters may match: the same once more, nothing else
            assert unit.next_topic() == receipt_topic(7)


def test_the_base_hears_all_units_and_answers_them_but_cannot_speak_for_one(site: Site) -> None:
    with (
        Peer(site.named("T0007"), receipt_topic(7)) as unit,
        Peer(site.named("base"), "trap/+/up/#", "trap/+/status") as base,
    ):
        unit.publish("trap/T0007/up/sighting/1")
        unit.publish("trap/T0007/status")
        assert {base.next_topic() for _ in range(2)} == {
            "trap/T0007/up/sighting/1", "trap/T0007/status",
        }  # fmt: skip
        assert base.publish(receipt_topic(7)) == "Success"
        assert base.publish("trap/T0007/up/sighting/1") == "Not authorized"
        assert base.publish("trap/T0007/status") == "Not authorized"


@pytest.mark.parametrize(
    "topic",
    [
        "trap/T0007/up/sighting/1",
        "trap/T0008/up/preview/1/0",
        "trap/T0007/up/health/1",
        "trap/T0007/up/answer/1",
    ],
)
def test_a_gateway_speaks_for_units(site: Site, topic: str) -> None:
    with Peer(site.named("gateway")) as gateway, Peer(site.named("base"), "trap/+/up/#") as base:
        assert gateway.publish(topic) == "Success"
        assert base.next_topic() == topic


@pytest.mark.parametrize(
    "topic",
    [
        "trap/T0007/up/frame/1/1",
        "trap/T0007/up/summary/1",
        "trap/T0007/up/preview/1/0/more",
        "trap/T0007/status",
        "trap/T0007/down/receipt",
        "trap/T0007/down/command",
        "application/1/device/2/command/down",
    ],
)
def test_a_gateway_writes_nothing_else(site: Site, topic: str) -> None:
    with Peer(site.named("gateway")) as gateway:
        assert gateway.publish(topic) == "Not authorized"


@pytest.mark.parametrize("wish", ["#", "trap/#", "trap/+/down/#", "trap/+/up/#"])
def test_a_gateway_hears_what_the_base_says_and_no_more(site: Site, wish: str) -> None:
    heard = (receipt_topic(8), "trap/T0008/down/command")
    with (
        Peer(site.named("base")) as base,
        Peer(site.named("T0008")) as unit,
        Peer(site.named("gateway"), wish, *heard) as gateway,
    ):
        unit.publish("trap/T0008/up/frame/1/1")
        unit.publish("trap/T0008/status")
        base.publish("trap/T0008/down/config")
        for topic in heard:
            base.publish(topic)
        topics = {gateway.next_topic()}
        while topics != set(heard):  # two filters may match: the same once more, nothing else
            topics.add(gateway.next_topic())
            assert topics <= set(heard)


def test_a_certificate_of_another_authority_is_refused(site: Site) -> None:
    stranger = Authority(site.folder / "other").issue("T0007")
    with pytest.raises((ConnectionError, ssl.SSLError)), Peer(site.by(stranger)):
        pass


def test_nobody_comes_in_without_a_certificate(site: Site) -> None:
    bare = replace(site.address, username="base")
    with pytest.raises((ConnectionError, ssl.SSLError)), Peer(bare):
        pass


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*<ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_client_refuses_a_broker_of_another_authority(site: Site) -> None:
    wrong = replace(site.named("T0007"), ca_file=Authority(site.folder / "third").ca.file)
    with pytest.raises(ssl.SSLError, match="certificate verify failed"), Peer(wrong):
        pass


def test_a_name_made_of_wildcards_opens_nothing(site: Site) -> None:
    for name in ("#", "+"):
        with contextlib.suppress(ConnectionError), Peer(site.named(name)) as odd:
            assert odd.publish("trap/T0007/up/frame/1/1") == "Not authorized"
            assert odd.publish("trap/T0007/down/receipt") == "Not authorized"


def test_a_unit_that_takes_the_base_s_client_id_does_not_take_its_place(site: Site) -> None:
    with (
        Peer(site.named("base"), "trap/+/up/#", client_id="rosette-base") as base,
        Peer(site.named("T0008"), "trap/+/up/#", client_id="rosette-base") as thief,
        Peer(site.named("T0007")) as unit,
    ):
        unit.publish("trap/T0007/up/frame/1/1")
        assert base.next_topic() == "trap/T0007/up/frame/1/1"
        assert thief.heard.empty()


def test_a_message_over_the_limit_ends_the_connection_of_its_sender_alone(site: Site) -> None:
    with Peer(site.named("T0008")) as other:
        big = Peer(site.named("T0007"))
        with big, pytest.raises(queue.Empty):
            big.publish("trap/T0007/up/frame/1/1", bytes(20_000_001), timeout_s=0.5)
        assert other.publish("trap/T0008/up/frame/1/2") != "Not authorized"


def test_the_receiver_works_with_these_rights(site: Site, tmp_path: Path) -> None:
    me = site.named("base")
    config = tmp_path / "base.toml"
    config.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = {me.port}\nca_file = "{me.ca_file}"\n'
        f'cert_file = "{me.cert_file}"\nkey_file = "{me.key_file}"\n'
        f'[store]\ndata_dir = "{tmp_path / "data"}"\n'
    )
    command = [sys.executable, "-m", "firmware", "base", "run", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any("link_up" in line for line in process.stderr)
            with Peer(site.named("T0007"), receipt_topic(7)) as unit:
                good = send_frame(unit, 1, picture())
                large = send_frame(unit, 2, picture() + bytes(10_000_000))
        finally:
            process.kill()
    assert (good.item, good.outcome) == ("T0007-000001-frame-1", "stored")
    assert (large.item, large.outcome) == ("T0007-000001-frame-2", "rejected")


def send_frame(unit: Peer, index: int, body: bytes) -> Receipt:
    topic = up_topic(ItemId(7, 1, "frame", index))
    assert unit.publish(topic, pack_picture(body, "image/jpeg")) == "Success"
    return load_record(bytes(unit.heard.get(timeout=TIMEOUT_S).payload), Receipt)
