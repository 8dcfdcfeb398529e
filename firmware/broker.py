"""How a trap and the base reach the MQTT broker: settings, and a paho client made from them.

Promises TLS 1.2 or newer with the broker's certificate checked whenever a CA is given, and a
client that does not reconnect by itself or queue without limit. Knows nothing of topics or items.
paho's own queue is memory only and is never the store.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from firmware.config import setting

PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how to be let in."""

    host: str = setting(help="broker's host name or address", pattern=r"\S+")
    port: int = setting(8883, help="TCP port; 8883 is MQTT over TLS", least=1, most=65535)
    protocol: str = setting(
        "5", help="MQTT version; 3.1.1 hides refused publishes", choices=tuple(PROTOCOLS)
    )
    ca_file: Path | None = setting(None, help="PEM of the authority that signed the broker")
    cert_file: Path | None = setting(None, help="PEM of our client certificate")
    key_file: Path | None = setting(None, help="PEM of our private key")
    username: str | None = setting(None, help="user name, where the broker wants one")
    password_file: Path | None = setting(None, help="file that holds the password and nothing else")
    keepalive_s: int = setting(60, help="seconds between pings", least=5, most=3600)

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or neither")
        if self.cert_file is not None and self.ca_file is None:
            raise ValueError("cert_file needs ca_file, or the broker could be anybody")

    @property
    def encrypted(self) -> bool:
        """Whether what we send is hidden from who listens on the way."""
        return self.ca_file is not None


def make_client(broker: Broker, client_id: str, *, clean: bool, manual_ack: bool) -> paho.Client:
    """A client that is set up but not connected. Raises OSError for key files that are not good.

    `clean` is for MQTT 3.1.1; on MQTT 5 the caller passes clean_start and session expiry when it
    connects. `manual_ack` leaves the acknowledgement of what arrives to the caller.
    """
    protocol = PROTOCOLS[broker.protocol]
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else clean,
        protocol=protocol,
        reconnect_on_failure=False,
        manual_ack=manual_ack,
    )
    for file in (broker.ca_file, broker.cert_file, broker.key_file, broker.password_file):
        if file is not None:
            file.open("rb").close()  # ssl's own error does not say which file
    if broker.ca_file is not None:
        context = ssl.create_default_context(cafile=str(broker.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if broker.cert_file is not None and broker.key_file is not None:
            context.load_cert_chain(str(broker.cert_file), str(broker.key_file))
        client.tls_set_context(context)
    if broker.username is not None:
        client.username_pw_set(broker.username, _password(broker.password_file))
    return client


def _password(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise OSError(f"{file} is not UTF-8 text: it must hold the password alone") from error
