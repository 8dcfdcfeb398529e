"""A unit's end of MQTT for tests against a real broker: it publishes and hears its receipts."""

import queue
from dataclasses import replace
from types import TracebackType
from typing import Self

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from firmware.broker import Broker, make_client
from firmware.wire.ids import format_unit
from firmware.wire.records import Receipt, load_record
from firmware.wire.topics import receipt_topic

TIMEOUT_S = 20.0


class FieldUnit:
    """Connected and subscribed to its receipts within the context."""

    def __init__(self, broker: Broker, unit: int = 7) -> None:
        self.receipts: queue.SimpleQueue[Receipt] = queue.SimpleQueue()
        self._subscribed: queue.SimpleQueue[object] = queue.SimpleQueue()
        name = format_unit(unit)
        self._broker = broker
        self._unit = unit
        me = replace(broker, username=name)
        self._client = make_client(me, name, clean=True, manual_ack=False)
        self._client.on_connect = lambda c, *_: c.subscribe(receipt_topic(unit), 1)
        self._client.on_subscribe = lambda *_: self._subscribed.put(None)
        self._client.on_message = lambda c, u, m: self.receipts.put(
            load_record(bytes(m.payload), Receipt)
        )

    def __enter__(self) -> Self:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        self._subscribed.get(timeout=TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, user: dict[str, str] | None = None) -> None:
        """QoS 1; returns when the broker has it."""
        properties = None
        if user is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = list(user.items())
        sent = self._client.publish(topic, payload, qos=1, properties=properties)
        sent.wait_for_publish(TIMEOUT_S)
        assert sent.is_published()

    def next_receipt(self) -> Receipt:
        return self.receipts.get(timeout=TIMEOUT_S)
