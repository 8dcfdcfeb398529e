"""The link over MQTT 5 (and 3.1.1, for brokers that know no better), by paho.

Promises
- A new paho client for each session, so nothing waits in paho's memory to be sent twice: what was
  in flight when a session ended is the outbox's again.
- `Up` only once the broker has granted our subscription to receipts; without it nothing that we
  send could ever end.
- The broker keeps a command until it is told to forget it, which is when it has been obeyed.
- The retained status says online while a session is up and, after `close`, offline or until when we
  sleep; if we vanish, the broker says so for us (Last Will, delayed so that a short gap is not
  announced).
- paho's thread sleeps until something happens or a ping is due; it only ever puts events.

On MQTT 3.1.1 a publish that the broker's ACL denies is acknowledged as a success; such an item just
never gets a receipt. Receipts wait at the broker for `SESSION_EXPIRY_S` while we are away (on 3.1.1
as long as the broker likes).
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from firmware.broker import Broker, make_client
from firmware.loop import Events
from firmware.trap.outbox import Item
from firmware.trap.uplink.link import (
    Answer,
    Down,
    LinkRefused,
    Ordered,
    Refused,
    Unheard,
    Up,
)
from firmware.wire.ids import format_unit
from firmware.wire.picture import pack_picture
from firmware.wire.records import MAX_RECORD_BYTES, State, Status, dump_record
from firmware.wire.topics import PICTURES, command_topic, receipt_topic, status_topic, up_topic

log = logging.getLogger(__name__)

SESSION_EXPIRY_S = 6 * 3600
WILL_DELAY_S = 30
GOODBYE_S = 3.0
_PACKET_HEAD_BYTES = 512  # topic and properties of the largest packet, generously
_PASSING = ("Server unavailable", "Server busy", "Connection rate exceeded")


class MqttLink:
    """A `Link`; its events go to `events`. `now` gives unix seconds for the status."""

    def __init__(
        self,
        broker: Broker,
        unit: int,
        events: Events,
        now: Callable[[], float],
        will_delay_s: int = WILL_DELAY_S,
    ) -> None:
        self._broker = broker
        self._unit = unit
        self._events = events
        self._now = now
        self._will_delay_s = will_delay_s
        self._number = 0
        self._session: _Session | None = None

    def open(self) -> int:
        """See `Link`."""
        if self._session is not None:
            self._session.end()
        self._number += 1
        try:
            client = make_client(
                self._broker, format_unit(self._unit), clean=False, manual_ack=True
            )
        except OSError as error:  # a key file that is missing or is none
            self._session = None
            self._events.put(Down(self._number, f"cannot set up: {error}", denied=True))
            return self._number
        client.will_set(
            status_topic(self._unit), self._status("offline"), 1, True, self._will_properties()
        )
        self._session = _Session(
            self._number, client, self._broker, self._unit, self._events, self._status("online")
        )
        return self._number

    def send(self, item: Item) -> int:
        """See `Link`."""
        payload = item.body
        if item.id.kind in PICTURES:
            payload = pack_picture(item.body, item.content_type)
        if self._session is None:
            raise LinkRefused("no session is open")
        return self._session.publish(item, payload)

    def forget(self, ordered: Ordered) -> None:
        """See `Link`."""
        if self._session is not None and ordered.session == self._number:
            self._session.forget(ordered.token)

    def close(self, until_s: float | None = None) -> None:
        """See `Link`."""
        if self._session is not None:
            state: State = "offline" if until_s is None else "sleeping"
            self._session.end(goodbye=self._status(state, until_s))
            self._session.join(GOODBYE_S)
            self._session = None

    def _status(self, state: State, until_s: float | None = None) -> bytes:
        return dump_record(Status(format_unit(self._unit), state, self._now(), until_s))

    def _will_properties(self) -> Properties | None:
        if self._broker.protocol != "5":
            return None
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        properties.WillDelayInterval = self._will_delay_s
        return properties


class _Session:
    """One connection and its thread, from TCP connect to its `Down`. `hello` is the status."""

    def __init__(
        self,
        number: int,
        client: paho.Client,
        broker: Broker,
        unit: int,
        events: Events,
        hello: bytes,
    ) -> None:
        self._number = number
        self._client = client
        self._broker = broker
        self._unit = unit
        self._events = events
        self._hello = hello
        self._ended = threading.Event()
        self._up = False
        self._hello_mid = 0
        self._max_packet_bytes: int | None = None
        self._down = Down(number, "connection lost")
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        # Without this, paho would also write from the thread that publishes.
        client.on_socket_register_write = lambda *_: None
        self._thread = threading.Thread(target=self._serve, name=f"mqtt-{number}", daemon=True)
        self._thread.start()

    def publish(self, item: Item, payload: bytes) -> int:
        limit = self._max_packet_bytes
        if limit is not None and len(payload) + _PACKET_HEAD_BYTES > limit:
            raise LinkRefused(f"{len(payload)} bytes are more than the broker's limit of {limit}")
        properties = None
        if self._broker.protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            # Old: put a day ago or more, so nobody has to be woken for it.
            old = [("old", "1")] * item.old
            properties.UserProperty = [("item", str(item.id)), ("sha256", item.sha256), *old]
            properties.ContentType = item.content_type
        # An error here means that the session has just ended; its Down is on the way.
        return self._client.publish(up_topic(item.id), payload, 1, properties=properties).mid

    def forget(self, mid: int) -> None:
        self._client.ack(mid, 1)

    def end(self, goodbye: bytes | None = None) -> None:
        self._ended.set()
        if goodbye is not None and self._up:
            self._client.publish(status_topic(self._unit), goodbye, 1, retain=True)
        self._client.disconnect()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        try:
            self._connect()
            if self._ended.is_set():  # while we connected, when there was nothing to disconnect
                self._client.disconnect()
            idle_s = self._broker.keepalive_s / 4
            while self._client.loop(idle_s) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
        except (OSError, ValueError) as error:  # ValueError: a host that can be no name
            self._down = Down(self._number, str(error))
        finally:
            self._events.put(self._down)

    def _connect(self) -> None:
        broker = self._broker
        if broker.protocol != "5":
            self._client.connect(broker.host, broker.port, broker.keepalive_s)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.MaximumPacketSize = MAX_RECORD_BYTES + _PACKET_HEAD_BYTES
        self._client.connect(
            broker.host, broker.port, broker.keepalive_s, clean_start=False, properties=properties
        )

    def _on_connect(
        self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, props: Any
    ) -> None:
        if reason.is_failure:
            denied = str(reason) not in _PASSING
            self._down = Down(self._number, f"broker refuses: {reason}", denied)
            return
        self._max_packet_bytes = getattr(props, "MaximumPacketSize", None)
        client.subscribe([(receipt_topic(self._unit), 1), (command_topic(self._unit), 1)])

    def _on_subscribe(
        self, client: paho.Client, data: Any, mid: int, reasons: list[ReasonCode], props: Any
    ) -> None:
        if len(reasons) > 1 and reasons[1].is_failure:
            log.warning("commands_denied reason=%s", reasons[1])  # the rest works without
        if reasons[0].is_failure:
            self._down = Down(self._number, f"broker denies receipts: {reasons[0]}", denied=True)
            client.disconnect()
            return
        self._hello_mid = client.publish(status_topic(self._unit), self._hello, 1, retain=True).mid
        self._up = True
        self._events.put(Up(self._number))

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if message.topic == command_topic(self._unit):
            self._events.put(Ordered(self._number, message.mid, bytes(message.payload)))
            if message.qos:
                return  # to be forgotten once it is obeyed
        # amqtt, resuming a session, also delivers what was never subscribed to, such as wills.
        elif message.topic == receipt_topic(self._unit):
            self._events.put(Answer(self._number, bytes(message.payload)))
        client.ack(message.mid, message.qos)

    def _on_publish(
        self, client: paho.Client, data: Any, mid: int, reason: ReasonCode, props: Any
    ) -> None:
        if reason.is_failure:
            self._events.put(Refused(self._number, mid, str(reason)))
        elif reason == "No matching subscribers" and mid != self._hello_mid:
            self._events.put(Unheard(self._number, mid))

    def _on_disconnect(
        self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, props: Any
    ) -> None:
        if not self._down.denied and flags.is_disconnect_packet_from_server:
            self._down = Down(self._number, f"broker ends the session: {reason}")
