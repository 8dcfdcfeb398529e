"""ChirpStack v4 over MQTT, JSON marshaler.

    application/<id>/device/<dev_eui>/event/up|join|ack|txack|status|log|location|integration
    application/<id>/device/<dev_eui>/command/down

Events are read with the standard library alone: unknown fields are ignored, and absent ones have
their defaults, as protobuf's JSON leaves out what is zero or empty. The server publishes with QoS 0
unless it is told otherwise: set `qos=1` in its [integration.mqtt], or events are lost whenever
this gateway is away for a moment (the units then send again).
"""

import base64
import datetime
import json
import logging
from typing import Any

from firmware.base.gateway.fields import decoded, normal_eui, read_json, table, text, whole
from firmware.base.gateway.lorawan import Uplink
from firmware.wire.errors import WireError

log = logging.getLogger(__name__)


class ChirpStack:
    """The server's topics, events and commands."""

    filters: tuple[str, ...] = ("application/+/device/+/event/+",)
    qos: int = 1

    def uplink(self, topic: str, payload: bytes) -> Uplink | None:
        """See `lorawan.Server`."""
        match topic.split("/"):
            case ["application", application, "device", eui, "event", kind]:
                eui = normal_eui(eui)
            case _:
                raise WireError(f"topic {topic[:80]!r} is no event of ChirpStack")
        event = read_json(payload)
        said = text(table(event, "deviceInfo"), "devEui")
        if said and normal_eui(said) != eui:
            raise WireError(f"event of {said[:40]!r} on the topic of {eui}")
        if kind == "log":
            _log(eui, event)
        if kind != "up" or whole(event, "fPort") == 0:
            return None
        reply_to = f"application/{application}/device/{eui}/command/down"
        return Uplink(
            eui, whole(event, "fPort"), decoded(event, "data"), _names(eui, event), reply_to
        )

    def downlink(self, to: Uplink, port: int, payload: bytes, expires_s: float) -> bytes:
        """See `lorawan.Server`."""
        expires = datetime.datetime.fromtimestamp(expires_s, datetime.UTC)
        command = {
            "devEui": to.dev_eui,  # another than the topic's, and the server drops it in silence
            "confirmed": False,
            "fPort": port,
            "data": base64.b64encode(payload).decode(),
            "expiresAt": expires.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        return json.dumps(command, separators=(",", ":")).encode()


def _names(eui: str, event: dict[str, Any]) -> tuple[str, ...]:
    """The device's address is in it because counters begin anew when it joins again."""
    counted = f"{eui}/{text(event, 'devAddr')}/{whole(event, 'fCnt')}/{whole(event, 'fPort')}"
    deduplication = text(event, "deduplicationId")
    return (counted, deduplication) if deduplication else (counted,)


def _log(eui: str, event: dict[str, Any]) -> None:
    if text(event, "level") in ("WARNING", "ERROR"):
        code, what = text(event, "code"), text(event, "description")
        log.warning("network_says device=%s code=%s what=%s", eui, ascii(code)[1:-1], ascii(what))
