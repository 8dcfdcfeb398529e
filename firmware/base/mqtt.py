"""The base's side of one MQTT connection: a thread that turns what paho hears into events. The
receiver's, and the gateway's.

Promises: one `Link` is one connection and never another, so an acknowledgement can only reach the
message it was meant for; the broker's copy of a message stays until `ack`; the broker holds back
when `in_flight` messages are unacknowledged; `Down` comes exactly once however the connection
ends, also if paho's own code fails. Keeps nothing and does not reconnect: who uses it does.
"""

import queue
import threading
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from firmware.base.admission import Message
from firmware.broker import Broker, make_client

CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
LOOP_S = 5.0


@dataclass(frozen=True)
class Up:
    """Event: connected and subscribed. `link` says which connection, here and below."""

    link: object


@dataclass(frozen=True)
class Down:
    """Event: the connection is gone. `refused`: the broker did not want us."""

    link: object
    reason: str
    refused: bool = False


@dataclass(frozen=True)
class Delivery:
    """Event: a message, to be acknowledged on its own link by its `mid`."""

    link: object
    mid: int
    message: Message


@dataclass(frozen=True)
class Refused:
    """Event: the broker did not take what `send` gave it."""

    link: object
    reason: str


@dataclass(frozen=True)
class Session:
    """What is asked of a broker: the topic filters to hear, and the terms."""

    client_id: str
    filters: tuple[str, ...]
    expiry_s: int
    in_flight: int
    max_packet_bytes: int
    qos: int = 1


@dataclass(frozen=True)
class Taken:
    """Event: the broker's word on what `order` gave this `mid` for; `refused`: why it is not."""

    link: object
    mid: int
    refused: str | None


class Link:
    """One connection to the broker. Its methods may be called when it is long gone."""

    def __init__(self, broker: Broker, session: Session, events: "queue.SimpleQueue[Any]") -> None:
        """Connects and subscribes; `Up` or `Down` says how that went. Raises OSError when the
        broker cannot be reached at all, ValueError for a host that can be no name."""
        self._events = events
        self._session = session
        self._refused: str | None = None
        self._reason = "closed"
        self._client = make_client(broker, session.client_id, clean=False, manual_ack=True)
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._orders = 0  # not settled; a lock here could wait for paho's, and paho's for ours
        # Makes paho leave all writing to the thread below, woken through its socket pair.
        self._client.on_socket_register_write = lambda *_: None
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            self._client.connect(
                broker.host, broker.port, broker.keepalive_s,
                clean_start=False, properties=connect_properties(session),
            )  # fmt: skip
        else:
            self._client.connect(broker.host, broker.port, broker.keepalive_s)
        self._thread = threading.Thread(target=self._serve, name="mqtt", daemon=True)
        self._thread.start()

    def send(self, topic: str, payload: bytes) -> None:
        """Publish with the session's QoS. If the connection is lost the message is too: the unit
        asks again."""
        self._client.publish(topic, payload, qos=self._session.qos)

    def order(self, topic: str, payload: bytes) -> int:
        """As `send`, and a `Taken` with the number returned says what became of it. Until as many
        calls of `settled`, there are more of them, about what was only sent."""
        self._orders += 1
        return self._client.publish(topic, payload, qos=1).mid

    def settled(self) -> None:
        """The `Taken` of one `order` has come."""
        self._orders -= 1

    def ack(self, mid: int) -> None:
        """Let the broker forget a message."""
        self._client.ack(mid, qos=1)

    def close(self) -> None:
        """Send what is due, say goodbye, and wait a little for the thread to end."""
        self._client.disconnect()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _serve(self) -> None:
        try:
            while self._client.loop(LOOP_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
        finally:
            self._events.put(Down(self, self._refused or self._reason, self._refused is not None))

    def _on_connect(
        self, client: paho.Client, userdata: Any, flags: paho.ConnectFlags, reason: ReasonCode,
        properties: Properties | None,
    ) -> None:  # fmt: skip
        if reason.is_failure:
            self._refused = f"connection refused: {reason}"
            return
        client.subscribe([(topic, self._session.qos) for topic in self._session.filters])

    def _on_subscribe(
        self, client: paho.Client, userdata: Any, mid: int, reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:  # fmt: skip
        if any(reason.is_failure for reason in reasons):
            self._refused = f"subscription refused: {', '.join(map(str, reasons))}"
            client.disconnect()
        else:
            self._events.put(Up(self))

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(not UTF-8)"
        # Nothing makes the broker hold back QoS 0: where it was not asked for, its bytes are not
        # kept until somebody looks.
        payload = bytes(message.payload) if message.qos or not self._session.qos else b""
        properties = message.properties
        user = tuple(getattr(properties, "UserProperty", ()))
        kind = getattr(properties, "ContentType", None)
        heard = Message(topic, payload, message.qos, user, kind)
        self._events.put(Delivery(self, message.mid, heard))

    def _on_publish(
        self, client: paho.Client, userdata: Any, mid: int, reason: ReasonCode,
        properties: Properties | None,
    ) -> None:  # fmt: skip
        if self._orders:
            self._events.put(Taken(self, mid, str(reason) if reason.is_failure else None))
        if reason.is_failure:
            self._events.put(Refused(self, str(reason)))

    def _on_disconnect(
        self, client: paho.Client, userdata: Any, flags: paho.DisconnectFlags, reason: ReasonCode,
        properties: Properties | None,
    ) -> None:  # fmt: skip
        self._reason = str(reason)


def connect_properties(session: Session) -> Properties:
    """What we ask of a broker that speaks MQTT 5: keep our session, and hold back."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session.expiry_s
    properties.ReceiveMaximum = session.in_flight
    properties.MaximumPacketSize = session.max_packet_bytes
    return properties
