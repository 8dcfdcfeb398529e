"""What the MQTT tests share: a Mosquitto with a config of the test's own, certificates, a base that
answers, and a wire that can be cut."""

import contextlib
import datetime
import hashlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firmware.broker import Broker, make_client
from firmware.demo.broker import PrivateBroker, find_mosquitto, private_broker
from firmware.wire.ids import ItemId
from firmware.wire.picture import unpack_picture
from firmware.wire.records import Receipt, dump_record
from firmware.wire.topics import PICTURES, command_topic, parse_up_topic, receipt_topic

PATIENCE_S = 15.0
wait = threading.Event().wait


@contextlib.contextmanager
def mosquitto(directory: Path, *lines: str, encrypted: bool = False) -> Iterator[PrivateBroker]:
    """Mosquitto with these lines in place of `allow_anonymous`. Skips where it is not installed."""
    binary = find_mosquitto()
    if binary is None:
        pytest.skip("mosquitto is not installed")
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text("\n".join((f"listener {port} 127.0.0.1", "user root", *lines)) + "\n")
    host = "localhost" if encrypted else "127.0.0.1"
    address = Broker(host=host, port=port)
    broker = PrivateBroker("mosquitto", address, directory, (binary, "-c", str(config)))
    broker.start(wait)
    try:
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def any_broker(kind: str, directory: Path) -> Iterator[PrivateBroker]:
    """`mosquitto` or `embedded`, as the demo runs it. Skips where Mosquitto is not installed."""
    if kind == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with private_broker(directory, wait, embedded=kind == "embedded") as broker:
        yield broker


def as_user(address: Broker, name: str) -> Broker:
    return replace(address, username=name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Base:
    """Answers as the base station does, as far as a unit can tell, and notes what it got: pictures
    in `got`, records in `records`.

    `answering`: whether receipts are sent; `status` holds each status message."""

    def __init__(self, address: Broker) -> None:
        self.answering = True
        self.got: queue.SimpleQueue[tuple[ItemId, bytes]] = queue.SimpleQueue()
        self.records: queue.SimpleQueue[tuple[ItemId, bytes]] = queue.SimpleQueue()
        self.properties: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.status: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        ready = threading.Event()
        self.client = make_client(address, "base", clean=True, manual_ack=False)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda c, *_: c.subscribe("trap/#", 1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        assert ready.wait(PATIENCE_S)

    def __enter__(self) -> "Base":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, unit: int, payload: bytes) -> None:
        self.client.publish(receipt_topic(unit), payload, 1).wait_for_publish(PATIENCE_S)

    def command(self, unit: int, payload: bytes) -> None:
        self.client.publish(command_topic(unit), payload, 1).wait_for_publish(PATIENCE_S)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/status"):
            self.status.put(bytes(message.payload))
        if "/up/" not in message.topic:
            return
        item, body = parse_up_topic(message.topic), bytes(message.payload)
        if item.kind in PICTURES:
            body = unpack_picture(body).body
            self.properties.put(message.properties)
            self.got.put((item, body))
        else:
            self.records.put((item, body))
        if self.answering:
            receipt = Receipt(str(item), hashlib.sha256(body).hexdigest(), "stored")
            client.publish(receipt_topic(item.unit), dump_record(receipt), 1)


@dataclass
class Wire:
    """A TCP way to the broker that is cut once so many bytes have gone towards it."""

    port: int
    cut_after_bytes: int | None = None
    cuts: int = 0


@contextlib.contextmanager
def wire_to(address: Broker) -> Iterator[Wire]:
    """A `Wire` on a free port of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(listener.getsockname()[1])
    threading.Thread(target=_accept, args=(listener, wire, address), daemon=True).start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, wire: Wire, address: Broker) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection((address.host, address.port))
            left = [wire.cut_after_bytes]

            def count(size_bytes: int, left: list[int | None] = left) -> bool:
                if left[0] is None:
                    return True
                left[0] -= size_bytes
                wire.cuts += left[0] <= 0
                return left[0] > 0

            for source, sink, go_on in ((near, far, count), (far, near, lambda _: True)):
                threading.Thread(target=_pump, args=(source, sink, go_on), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, go_on: Callable[[int], bool]) -> None:
    with contextlib.suppress(OSError):
        while (chunk := source.recv(4096)) and go_on(len(chunk)):
            sink.sendall(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


class Authority:
    """A certificate authority for one test; its files lie in `directory`."""

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.ca_file = directory / "ca.crt"
        cert = self._sign(self._name, self._key.public_key(), ca=True)
        self.ca_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files for `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert_file, key_file = (self.directory / f"{name}.{end}" for end in ("crt", "key"))
        cert = self._sign(subject, key.public_key(), ca=False)
        cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_file, key_file

    def client(self, address: Broker, name: str) -> Broker:
        """The address as this client reaches it, by certificate."""
        cert_file, key_file = self.issue(name)
        return replace(address, ca_file=self.ca_file, cert_file=cert_file, key_file=key_file)

    def _sign(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool
    ) -> x509.Certificate:
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=365 * 50))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())
