"""The LoRaWAN half of the emulated RAK3172: its commands, and the events of class A."""

from firmware.radio.rui3_lorawan import BANDS
from firmware.sim.modem import Uart
from firmware.sim.modem_lorawan import ClassA, most_bytes
from firmware.sim.network_server import Answer, NetworkServer
from firmware.wire.regions import REGIONS, Region

_OK, _BAD, _BUSY, _NOT_JOINED = "OK", "AT_PARAM_ERROR", "AT_BUSY_ERROR", "AT_NO_NETWORK_JOINED"
_LENGTHS = {"AT+DEVEUI": 16, "AT+APPEUI": 16, "AT+APPKEY": 32}


class Rui3Stack:
    """Answers `name=value`, `?` being a question; None for a command that is not LoRaWAN's."""

    def __init__(
        self, uart: Uart, network: NetworkServer | None, variant: str, own_duty_cycle: float | None
    ) -> None:
        self._uart, self._variant = uart, variant
        self._class_a = ClassA(uart, network, own_duty_cycle)
        self._me = self._class_a.session
        self._values = {
            "AT+BAND": "4" if variant == "H" else "1", "AT+NJM": "1", "AT+DEVEUI": "0" * 16,
            "AT+APPEUI": "0" * 16, "AT+APPKEY": "0" * 32, "AT+CFM": "0", "AT+CFS": "0",
            "AT+ADR": "1", "AT+DR": "0", "AT+DCS": "1", "AT+RETY": "0",
        }  # fmt: skip
        self._attempts, self._interval_s = 0, 8.0

    def start(self) -> None:
        """The module has restarted."""
        self._me.forget()
        self._values["AT+CFS"] = "0"

    def answer(self, name: str, value: str) -> str | None:
        """What the module answers, after what it says before."""
        if name == "AT+JOIN":
            return self._join(value)
        if name == "AT+SEND":
            return self._send(value)
        if name == "AT+NJS":
            self._uart.say(f"AT+NJS={self._me.dev_addr is not None:d}")
            return _OK
        if name not in self._values:
            return None
        if value == "?":
            self._uart.say(f"{name}={self._values[name]}")
            return _OK
        return self._set(name, value)

    @property
    def _region(self) -> Region:
        number = int(self._values["AT+BAND"])
        return next(REGIONS[name] for name, band in BANDS.items() if band == number)

    def _set(self, name: str, value: str) -> str:
        if self._me.busy:
            return _BUSY
        if not self._may_be(name, value):
            return _BAD
        self._values[name] = value
        if name in ("AT+BAND", *_LENGTHS):
            self._me.dev_addr = None
        self._me.dev_eui, self._me.join_eui = self._values["AT+DEVEUI"], self._values["AT+APPEUI"]
        self._me.app_key, self._me.data_rate = self._values["AT+APPKEY"], int(self._values["AT+DR"])
        return _OK

    def _may_be(self, name: str, value: str) -> bool:
        if name in _LENGTHS:
            digits = set(value) <= set("0123456789ABCDEF")
            return digits and len(value) == _LENGTHS[name]
        if not value.isdecimal():
            return False
        if name == "AT+BAND":
            return int(value) in BANDS.values() and (self._variant == "L") == (int(value) <= 1)
        if name == "AT+DR":
            return most_bytes(self._region, int(value)) > 0
        return int(value) <= (7 if name == "AT+RETY" else 1) and name != "AT+CFS"

    def _join(self, value: str) -> str:
        parts = value.split(":") if value else ["1"]
        if self._me.busy:
            return _BUSY
        if len(parts) > 4 or not all(part.isdecimal() for part in parts) or parts[0] != "1":
            return _BAD
        self._interval_s = float(parts[2]) if len(parts) > 2 else 8.0
        self._attempts = max(1, int(parts[3]) if len(parts) > 3 else 1)
        self._attempt()
        return _OK

    def _attempt(self) -> None:
        self._attempts -= 1
        self._class_a.join(self._region, self._joined)

    def _joined(self, joined: bool) -> None:
        if joined:
            self._uart.say("+EVT:JOINED")
        elif self._attempts:
            self._me.busy = True
            self._uart.after(self._interval_s, self._attempt)
        else:
            self._uart.say("+EVT:JOIN_FAILED_RX_TIMEOUT")

    def _send(self, value: str) -> str:
        port, _, digits = value.partition(":")
        if self._me.dev_addr is None:
            return _NOT_JOINED
        if self._me.busy:
            return _BUSY
        most = min(500, 2 * most_bytes(self._region, self._me.data_rate))
        if not port.isdecimal() or not 1 <= int(port) <= 233:
            return _BAD
        if not 2 <= len(digits) <= most or len(digits) % 2:
            return _BAD
        try:
            payload = bytes.fromhex(digits)
        except ValueError:
            return _BAD
        confirmed = self._values["AT+CFM"] == "1"
        self._class_a.send(
            self._region, int(port), payload, confirmed, lambda a: self._sent(a, confirmed)
        )
        return _OK

    def _sent(self, answer: Answer, confirmed: bool) -> None:
        came = answer.downlink
        if came is not None:
            digits = came.payload.hex().upper()
            self._uart.say(f"+EVT:RX_1:-75:9:UNICAST:{came.port}:{digits}")
        if not confirmed:
            self._uart.say("+EVT:TX_DONE")
            return
        self._values["AT+CFS"] = f"{answer.acknowledged:d}"
        self._uart.say(f"+EVT:SEND_CONFIRMED_{'OK' if answer.acknowledged else 'FAILED(4)'}")
