"""The modem that the settings name, opened."""

from firmware.radio.at_line import SerialLines
from firmware.radio.key_file import read_app_key
from firmware.radio.port import Lorawan, Radio
from firmware.radio.rui3 import Rui3Radio
from firmware.radio.rui3_at import BAUD as RUI3_BAUD
from firmware.radio.rui3_lorawan import Rui3Lorawan
from firmware.radio.settings import LoraModem
from firmware.radio.wio_e5 import WioE5Radio
from firmware.radio.wio_e5_at import BAUD as WIO_E5_BAUD
from firmware.radio.wio_e5_lorawan import WioE5Lorawan


def open_radio(modem: LoraModem) -> Radio:
    """Point to point. Raises RadioGone while there is no such port. `tune` comes next."""
    lines = _open(modem)
    return Rui3Radio(lines) if modem.modem == "rak3172" else WioE5Radio(lines)


def open_lorawan(modem: LoraModem) -> Lorawan:
    """LoRaWAN, as the device in `modem.lorawan`. Raises RadioGone while there is no such port, and
    ValueError or KeyUnusable for settings that are not enough for LoRaWAN. `join` comes next."""
    device = modem.lorawan
    if device is None:
        raise ValueError("LoRaWAN needs the table [lora.lorawan]: dev_eui and app_key_file")
    rate, key = modem.data_rate, read_app_key(device.app_key_file)
    lines = _open(modem)
    if modem.modem == "rak3172":
        return Rui3Lorawan(lines, modem.plan, rate, device, key)
    return WioE5Lorawan(lines, modem.plan, rate, device, key)


def _open(modem: LoraModem) -> SerialLines:
    baud = RUI3_BAUD if modem.modem == "rak3172" else WIO_E5_BAUD
    return SerialLines(modem.port, modem.baud or baud)
