"""What a gateway's config file may say: one frozen dataclass per section, read once at start.

`firmware.config.load(path, GatewaySettings)` reads it. The commented sample is
`deploy/gateway.toml`. A gateway has a radio of its own ([lora] and [p2p]), a LoRaWAN network
server ([lorawan]), or both.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from firmware.broker import Broker
from firmware.config import setting
from firmware.radio.settings import LoraModem

_EUI = re.compile(r"[0-9A-Fa-f]{16}", re.ASCII)


@dataclass(frozen=True)
class Daemon:
    """The gateway as a client of the base's broker."""

    client_id: str = setting(
        "rosette-gateway", help="the broker keeps receipts under this name while we are away",
        pattern=r"[A-Za-z0-9_-]{1,64}",
    )  # fmt: skip
    session_h: float = setting(
        24.0, help="how many hours it does so (MQTT 5; with 3.1.1 the broker decides)",
        least=1, most=720,
    )  # fmt: skip
    retry_least_s: float = setting(1.0, help="shortest wait after a failure", least=0.1, most=60)
    retry_most_s: float = setting(30.0, help="longest wait after a failure", least=1, most=3600)

    def __post_init__(self) -> None:
        if self.retry_most_s < self.retry_least_s:
            raise ValueError("retry_most_s must not be below retry_least_s")


@dataclass(frozen=True)
class P2pSettings:
    """Units within reach of our own radio."""

    data_dir: Path = setting(
        help="directory on the data disk for what must not be forgotten: gateway.sqlite, counters"
    )
    keys_dir: Path = setting(
        help="folder of the units' keys: T0007.key, 32 hex digits or more, mode 0600"
    )
    guard_ms: int = setting(
        80, help="pause between a unit's packet and the answer, so that it has turned to listening",
        least=50, most=2000,
    )  # fmt: skip
    window_s: float = setting(
        1.5, help="an answer that begins later than this is not sent: the unit has stopped "
        "listening; its lora.receipt_window_s", least=0.2, most=30,
    )  # fmt: skip


@dataclass(frozen=True)
class LorawanSettings:
    """A LoRaWAN network server and the devices on it that are our units."""

    mqtt: Broker
    server: str = setting(help="its kind", choices=("chirpstack", "things-stack"))
    devices: dict[str, str] = setting(
        help="which device (DevEUI, 16 hex digits) is which unit", pattern=r"T[0-9A-F]{4}"
    )

    def __post_init__(self) -> None:
        bad = [eui for eui in self.devices if _EUI.fullmatch(eui) is None]
        if bad:
            raise ValueError(f"devices: {bad[0]!r} is no DevEUI of 16 hex digits")
        units = list(self.devices.values())
        twice = [unit for unit in units if units.count(unit) > 1 or unit == "T0000"]
        if twice:
            raise ValueError(f"devices: {twice[0]} must be named once, and T0000 never")
        if len({eui.lower() for eui in self.devices}) < len(units):
            raise ValueError("devices: a DevEUI is there twice")
        if self.server == "things-stack" and self.mqtt.protocol != "3.1.1":
            raise ValueError('The Things Stack speaks MQTT 3.1.1: mqtt.protocol = "3.1.1"')


@dataclass(frozen=True)
class GatewaySettings:
    """The whole file."""

    mqtt: Broker
    gateway: Daemon = Daemon()
    lora: LoraModem | None = None
    p2p: P2pSettings | None = None
    lorawan: LorawanSettings | None = None

    def __post_init__(self) -> None:
        if (self.lora is None) != (self.p2p is None):
            raise ValueError("[lora] and [p2p] go together: give both or neither")
        if self.lora is not None and self.lora.lorawan is not None:
            raise ValueError("lora.lorawan is for units; a network server is [lorawan]")
        if self.lora is None and self.lorawan is None:
            raise ValueError("nothing to hear: give [lora] and [p2p], or [lorawan]")
