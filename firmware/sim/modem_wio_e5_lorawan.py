"""The LoRaWAN half of the emulated Wio-E5: its commands, and the lines of a class A exchange."""

from firmware.sim.modem import Uart
from firmware.sim.modem_lorawan import ClassA, most_bytes
from firmware.sim.network_server import Answer, NetworkServer
from firmware.wire.regions import REGIONS

_BAD_PARAMETER, _WRONG_STATE = -1, -12
_IDENTITY = {"DEVEUI": 16, "APPEUI": 16, "APPKEY": 32}


class WioE5Stack:
    """Takes the commands that are LoRaWAN's and answers them on the line."""

    def __init__(
        self, uart: Uart, network: NetworkServer | None, own_duty_cycle: float | None
    ) -> None:
        self._uart = uart
        self._class_a = ClassA(uart, network, own_duty_cycle)
        self._me = self._class_a.session
        self._region = REGIONS["EU868"]
        self._port = 8

    def start(self) -> None:
        """The module has restarted."""
        self._me.forget()
        self._port = 8

    def take(self, name: str, value: str, mode: str) -> bool:
        """Whether there is such a command."""
        if name not in ("DR", "ID", "KEY", "ADR", "PORT", "JOIN", "MSGHEX", "CMSGHEX"):
            return False
        if mode != "LWOTAA":
            self._error(name, _WRONG_STATE)
        elif self._me.busy:
            self._say(name, "LoRaWAN modem is busy")
        elif name == "DR":
            self._data_rate(value.upper())
        elif name in ("ID", "KEY"):
            self._identify(name, value)
        elif name == "ADR":
            self._say(name, value.upper())
        elif name == "PORT":
            self._use_port(value)
        elif name == "JOIN":
            self._join()
        else:
            self._send(name, value)
        return True

    def _data_rate(self, value: str) -> None:
        number = value.removeprefix("DR")
        if value in REGIONS:
            self._region = REGIONS[value]
            self._me.dev_addr = None
        elif number.isdecimal() and most_bytes(self._region, int(number)):
            self._me.data_rate = int(number)
        else:
            self._error("DR", _BAD_PARAMETER)
            return
        self._say("DR", value)

    def _identify(self, name: str, value: str) -> None:
        which, _, quoted = value.partition(",")
        digits = quoted.strip().strip('"').replace(":", "").upper()
        if len(digits) != _IDENTITY.get(which.upper()) or not set(digits) <= set(
            "0123456789ABCDEF"
        ):
            self._error(name, _BAD_PARAMETER)
            return
        attribute = {"DEVEUI": "dev_eui", "APPEUI": "join_eui", "APPKEY": "app_key"}[which.upper()]
        if getattr(self._me, attribute) != digits:
            setattr(self._me, attribute, digits)
            self._me.dev_addr = None
        shown = digits if name == "KEY" else ":".join(
            digits[at : at + 2] for at in range(0, len(digits), 2)
        )  # fmt: skip
        self._say(name, f"{which} {shown}" if name == "KEY" else f"{which}, {shown}")

    def _use_port(self, value: str) -> None:
        if not value.isdecimal() or not 1 <= int(value) <= 223:
            self._error("PORT", _BAD_PARAMETER)
            return
        self._port = int(value)
        self._say("PORT", value)

    def _join(self) -> None:
        if self._me.dev_addr is not None:
            self._say("JOIN", "Joined already")
            return
        self._say("JOIN", "Start")
        self._say("JOIN", "NORMAL")
        self._class_a.join(self._region, self._joined)

    def _joined(self, joined: bool) -> None:
        if joined and self._me.dev_addr is not None:
            address = self._me.dev_addr.upper()
            colons = ":".join(address[at : at + 2] for at in range(0, 8, 2))
            self._say("JOIN", "Network joined")
            self._say("JOIN", f"NetID 000000 DevAddr {colons}")
        else:
            self._say("JOIN", "Join failed")
        self._say("JOIN", "Done")

    def _send(self, name: str, value: str) -> None:
        most = most_bytes(self._region, self._me.data_rate)
        if self._me.dev_addr is None:
            self._say(name, "Please join network first")
            return
        try:
            payload = bytes.fromhex(value.strip().strip('"'))
        except ValueError:
            self._error(name, _BAD_PARAMETER)
            return
        if len(payload) > most:
            self._say(name, f"Length error {most}")
            return
        confirmed = name == "CMSGHEX"
        self._say(name, "Start")
        if confirmed:
            self._say(name, "Wait ACK")
        self._class_a.send(
            self._region, self._port, payload, confirmed, lambda answer: self._sent(name, answer)
        )

    def _sent(self, name: str, answer: Answer) -> None:
        if answer.more:
            self._say(name, "FPENDING")
        if name == "CMSGHEX" and answer.acknowledged:
            self._say(name, "ACK Received")
        came = answer.downlink
        if came is not None:
            self._say(name, f'PORT: {came.port}; RX: "{came.payload.hex().upper()}"')
        if answer != Answer():
            self._say(name, "RXWIN1, RSSI -101, SNR 9.0")
        self._say(name, "Done")

    def _say(self, name: str, text: str) -> None:
        self._uart.say(f"+{name}: {text}")

    def _error(self, name: str, code: int) -> None:
        self._say(name, f"ERROR({code})")
