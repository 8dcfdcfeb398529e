"""What a gateway's config file is refused for."""

from pathlib import Path

import pytest

from firmware.base.gateway.settings import GatewaySettings
from firmware.config import ConfigError, load

MQTT = '[mqtt]\nhost = "base.example"\n'
LORA = '[lora]\nport = "/dev/ttyUSB0"\nregion = "RU864"\n'
P2P = '[p2p]\ndata_dir = "data"\nkeys_dir = "keys"\n'
LORAWAN = '[lorawan]\nserver = "chirpstack"\ndevices = { "70b3d57ed0001234" = "T0007" }\n'
SERVER = '[lorawan.mqtt]\nhost = "chirpstack.example"\n'


def read(tmp_path: Path, text: str) -> GatewaySettings:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return load(file, GatewaySettings)


@pytest.mark.parametrize("text", [LORA + P2P, LORAWAN + SERVER, LORA + P2P + LORAWAN + SERVER])
def test_a_radio_a_network_server_or_both(tmp_path: Path, text: str) -> None:
    settings = read(tmp_path, MQTT + text)
    assert settings.gateway.client_id == "rosette-gateway"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to hear"),
        (LORA, "go together"),
        (P2P, "go together"),
        (LORA + '[lora.lorawan]\ndev_eui = "70b3d57ed0001234"\napp_key_file = "key"\n' + P2P,
         "for units"),
        (LORA + P2P + "guard_ms = 10\n", "guard_ms"),
        (LORA + P2P + "[gateway]\nretry_least_s = 60\nretry_most_s = 1\n", "retry_most_s"),
        (LORAWAN.replace("70b3", "xxxx") + SERVER, "DevEUI"),
        (LORAWAN.replace("T0007", "T7"), "T7"),
        (LORAWAN.replace("T0007", "T0000") + SERVER, "T0000"),
        (LORAWAN.replace(" }", ', "70b3d57ed0009999" = "T0007" }') + SERVER, "T0007"),
        (LORAWAN.replace(" }", ', "70B3D57ED0001234" = "T0008" }') + SERVER, "twice"),
        (LORAWAN.replace("chirpstack", "things-stack") + SERVER, "3.1.1"),
        (LORAWAN.replace("chirpstack", "helium") + SERVER, "helium"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(tmp_path, MQTT + text)
