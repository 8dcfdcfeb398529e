"""The Things Stack v3 over MQTT.

    v3/<app>@<tenant>/devices/<device>/up          events
    v3/<app>@<tenant>/devices/<device>/down/push   commands

It speaks MQTT 3.1.1 and QoS 0 only: what it sends while this gateway is away is gone, and nobody
says so. Rosette's units send again until they are answered, so it costs airtime and time; but the
community network allows 30 s of airtime and 10 downlinks a day, which is alerts and no pictures.
Needs `protocol = "3.1.1"` in [lorawan.mqtt].
"""

import base64
import json

from firmware.base.gateway.fields import decoded, normal_eui, read_json, table, text, whole
from firmware.base.gateway.lorawan import Uplink
from firmware.wire.errors import WireError


class ThingsStack:
    """The server's topics, events and commands."""

    filters: tuple[str, ...] = ("v3/+/devices/+/up",)
    qos: int = 0

    def uplink(self, topic: str, payload: bytes) -> Uplink | None:
        """See `lorawan.Server`."""
        match topic.split("/"):
            case ["v3", application, "devices", device, "up"]:
                reply_to = f"v3/{application}/devices/{device}/down/push"
            case _:
                raise WireError(f"topic {topic[:80]!r} is no uplink of The Things Stack")
        event = read_json(payload)
        identity, message = table(event, "end_device_ids"), table(event, "uplink_message")
        said = text(identity, "device_id")
        if said and said != device:
            raise WireError(f"event of {said[:40]!r} on the topic of {device[:40]!r}")
        eui = normal_eui(text(identity, "dev_eui"))
        port = whole(message, "f_port")
        if port == 0:
            return None
        session = text(message, "session_key_id") or text(identity, "dev_addr")
        name = f"{eui}/{session}/{whole(message, 'f_cnt')}/{port}"
        return Uplink(eui, port, decoded(message, "frm_payload"), (name,), reply_to)

    def downlink(self, to: Uplink, port: int, payload: bytes, expires_s: float) -> bytes:
        """See `lorawan.Server`. Without expiry: the server has none over MQTT."""
        one = {
            "f_port": port,
            "frm_payload": base64.b64encode(payload).decode(),
            "priority": "HIGH",
            "confirmed": False,
        }
        return json.dumps({"downlinks": [one]}, separators=(",", ":")).encode()
