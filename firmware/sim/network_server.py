"""A LoRaWAN network with a ChirpStack v4 server, as an application at its MQTT broker sees it.

Emulated modems join it and send through it; it publishes the server's JSON events on
`application/<id>/device/<dev_eui>/event/...` and takes `.../command/down`. Keys, frame counters
and windows are those of class A; the air between is a share `loss` of uplinks and of downlinks.

Form of the events: ChirpStack's `api/proto/integration/integration.proto` at d77207cd as proto
JSON: camelCase, bytes in base64, fields of default value left out. As the server does,
- `join` is published at the first uplink after a device has joined, not before;
- a command whose devEui is not the topic's is dropped, and only a log line (`dropped` here) tells;
- one downlink goes out for an uplink, the oldest first, with FPENDING when more wait; `txack` says
  that it was scheduled, `ack` whether a confirmed one was heard, `log` why one never will be.
"""

import base64
import binascii
import json
import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from firmware.radio.port import Downlink
from firmware.wire.airtime import Modulation

GATEWAY = "0016c001ff10a235"
MOST_DOWN_BYTES = 222


@dataclass(frozen=True)
class Device:
    """What the operator has registered. Hex digits in lower case, as ChirpStack writes them."""

    dev_eui: str
    app_key: str
    name: str = "trap"


@dataclass(frozen=True)
class Uplink:
    """One frame as the gateway hears it."""

    dev_eui: str
    port: int
    payload: bytes
    confirmed: bool
    data_rate: int
    modulation: Modulation


@dataclass(frozen=True)
class Answer:
    """What a device hears in its receive windows."""

    acknowledged: bool = False
    downlink: Downlink | None = None
    more: bool = False


@dataclass(frozen=True)
class _Queued:
    id: str
    port: int
    payload: bytes
    confirmed: bool
    expires_s: float | None


@dataclass
class _State:
    """A device's session."""

    device: Device
    dev_addr: str | None = None
    announced: bool = False
    up: int = 0
    down: int = 0
    to_acknowledge: bool = False
    queue: deque[_Queued] = field(default_factory=deque)
    unsettled: tuple[str, int, bool] | None = None  # confirmed downlink: id, count, was heard


class NetworkServer:
    """`publish(topic, payload)` is called on the modems' threads. `now` is unix seconds."""

    def __init__(
        self, devices: Iterable[Device], publish: Callable[[str, bytes], None],
        now: Callable[[], float], rng: random.Random, *, loss: float = 0.0,
        application: str = "17c82e96-be03-4f38-aef3-f83d48582d97", frequency_hz: int = 868_900_000,
    ) -> None:  # fmt: skip
        self._states = {device.dev_eui.lower(): _State(device) for device in devices}
        self._publish, self._now, self._rng, self._loss = publish, now, rng, loss
        self._application, self._frequency_hz = application, frequency_hz
        self._lock = threading.RLock()
        self.dropped: list[str] = []

    @property
    def command_topics(self) -> str:
        """What to subscribe to, and hand to `command`."""
        return f"application/{self._application}/device/+/command/down"

    # The air

    def join(self, dev_eui: str, join_eui: str, app_key: str) -> str | None:
        """The device's new address, None when the network does not answer."""
        with self._lock:
            state = self._states.get(dev_eui.lower())
            if state is None or state.device.app_key.lower() != app_key.lower() or self._lost():
                return None
            state.dev_addr = f"{self._rng.getrandbits(25):08x}"
            state.announced, state.up, state.down = False, 0, 0
            return state.dev_addr

    def uplink(self, uplink: Uplink) -> None:
        """A frame has ended on the air."""
        with self._lock:
            state = self._states.get(uplink.dev_eui.lower())
            if state is None or state.dev_addr is None:
                return
            count, state.up = state.up, state.up + 1
            state.to_acknowledge = False
            if self._lost():
                return
            if not state.announced:
                state.announced = True
                self._tell(state, "join", {"devAddr": state.dev_addr})
            state.to_acknowledge = uplink.confirmed
            self._settle(state)
            self._tell(state, "up", self._up_fields(state, uplink, count))

    def answer(self, dev_eui: str) -> Answer:
        """What goes out in the window that opens now."""
        with self._lock:
            state = self._states.get(dev_eui.lower())
            if state is None or state.dev_addr is None:
                return Answer()
            queued = self._next(state)
            if queued is None and not state.to_acknowledge:
                return Answer()
            acknowledged, state.to_acknowledge = state.to_acknowledge, False
            count, state.down = state.down, state.down + 1
            downlink = None
            if queued is not None:
                downlink = Downlink(queued.port, queued.payload)
                self._tell(state, "txack", self._txack_fields(queued, count))
            lost = self._lost()
            if queued is not None and queued.confirmed:
                state.unsettled = (queued.id, count, not lost)
            return Answer() if lost else Answer(acknowledged, downlink, bool(state.queue))

    # The broker

    def command(self, topic: str, payload: bytes) -> None:
        """A message on `.../command/down`. What is wrong with it is in `dropped`."""
        with self._lock:
            try:
                state, queued = self._parsed(topic, payload)
            except ValueError as error:
                self.dropped.append(str(error))
                return
            if len(queued.payload) > MOST_DOWN_BYTES:
                self._log(state, queued, "DOWNLINK_PAYLOAD_SIZE", "payload exceeds the data rate")
                return
            state.queue.append(queued)

    def _parsed(self, topic: str, payload: bytes) -> tuple[_State, _Queued]:
        parts = topic.split("/")
        if len(parts) != 6 or parts[1] != self._application or parts[4:] != ["command", "down"]:
            raise ValueError(f"not a command topic of this application: {topic}")
        fields: Any = json.loads(payload)
        if not isinstance(fields, dict):
            raise ValueError("a command is an object")
        if fields.get("devEui") != parts[3] or parts[3] not in self._states:
            raise ValueError(f"devEui {fields.get('devEui')!r} is not the topic's, or unknown")
        port, data = fields.get("fPort", 0), fields.get("data", "")
        if type(port) is not int or not 1 <= port <= 255:
            raise ValueError(f"fPort {port!r} is not within 1..255")
        try:
            body = base64.b64decode(str(data), validate=True)
        except binascii.Error as error:
            raise ValueError("data is not base64") from error
        expires = fields.get("expiresAt")
        expires_s = None if expires is None else datetime.fromisoformat(str(expires)).timestamp()
        name = str(fields.get("id") or self._uuid())
        return self._states[parts[3]], _Queued(
            name, port, body, bool(fields.get("confirmed", False)), expires_s
        )

    def _next(self, state: _State) -> _Queued | None:
        while state.queue:
            queued = state.queue.popleft()
            if queued.expires_s is None or queued.expires_s > self._now():
                return queued
            self._log(state, queued, "EXPIRED", "queue item discarded because it has expired")
        return None

    # What is published

    def _settle(self, state: _State) -> None:
        """The device speaks again, and so says whether it heard a confirmed downlink."""
        if state.unsettled is not None:
            name, count, heard = state.unsettled
            state.unsettled = None
            self._tell(
                state, "ack", {"queueItemId": name, "acknowledged": heard, "fCntDown": count}
            )

    def _up_fields(self, state: _State, uplink: Uplink, count: int) -> dict[str, Any]:
        return {
            "devAddr": state.dev_addr, "dr": uplink.data_rate, "fCnt": count,
            "fPort": uplink.port, "confirmed": uplink.confirmed,
            "data": base64.b64encode(uplink.payload).decode("ascii"),
            "rxInfo": [{
                "gatewayId": GATEWAY, "uplinkId": self._rng.getrandbits(32), "rssi": -75,
                "snr": 9.5, "crcStatus": "CRC_OK",
            }],
            "txInfo": self._tx_info(uplink.modulation),
        }  # fmt: skip

    def _txack_fields(self, queued: _Queued, count: int) -> dict[str, Any]:
        return {
            "downlinkId": self._rng.getrandbits(32), "queueItemId": queued.id,
            "fCntDown": count, "gatewayId": GATEWAY, "txInfo": {"frequency": self._frequency_hz},
        }  # fmt: skip

    def _tx_info(self, modulation: Modulation) -> dict[str, Any]:
        lora = {
            "bandwidth": modulation.bandwidth_hz, "spreadingFactor": modulation.spreading_factor,
            "codeRate": f"CR_4_{modulation.coding_rate + 4}",
        }  # fmt: skip
        return {"frequency": self._frequency_hz, "modulation": {"lora": lora}}

    def _log(self, state: _State, queued: _Queued, code: str, text: str) -> None:
        context = {"queue_item_id": queued.id}
        self._tell(
            state, "log", {"level": "ERROR", "code": code, "description": text, "context": context}
        )

    def _tell(self, state: _State, event: str, fields: dict[str, Any]) -> None:
        dev_eui = state.device.dev_eui.lower()
        whole = {
            "time": datetime.fromtimestamp(self._now(), UTC).isoformat(),
            "deviceInfo": self._device_info(state.device),
            **({} if event in ("txack", "log") else {"deduplicationId": self._uuid()}),
            **{name: value for name, value in fields.items() if value not in (0, False, "", None)},
        }
        topic = f"application/{self._application}/device/{dev_eui}/event/{event}"
        self._publish(topic, json.dumps(whole).encode("utf-8"))

    def _device_info(self, device: Device) -> dict[str, Any]:
        return {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "tenantName": "ChirpStack",
            "applicationId": self._application, "applicationName": "Rosette",
            "deviceProfileId": "14855bf7-d10d-4aee-b618-ebfcb64dc7ad",
            "deviceProfileName": "trap", "deviceName": device.name,
            "devEui": device.dev_eui.lower(), "deviceClassEnabled": "CLASS_A", "tags": {},
        }  # fmt: skip

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _lost(self) -> bool:
        return self._loss > 0 and self._rng.random() < self._loss
