"""An emulated Wio-E5 (LoRa-E5) on a pseudo-terminal, joined to an Ether and a LoRaWAN network.

Behaves as `firmware.radio.wio_e5_at` describes it, traps included: at 9600 baud, silent when it
starts, in LoRaWAN mode then, with nothing answered but AT+TEST in the middle of receiving, frames
as pairs of lines, and the two lines after a transmission in either order.
"""

from pathlib import Path

from firmware.radio.port import Heard, Tuning
from firmware.radio.wio_e5_at import MOST_BYTES
from firmware.sim.modem import Air, Uart
from firmware.sim.modem_rui3 import parse_hex
from firmware.sim.modem_wio_e5_lorawan import WioE5Stack
from firmware.sim.network_server import NetworkServer
from firmware.wire.airtime import Modulation

BAUD = 9600
BOOT_S = 0.3
BAD_PARAMETER, UNKNOWN, WRONG_STATE = -1, -10, -12


class WioE5Modem:
    """`network` is what it joins in LoRaWAN mode; None is a place without coverage."""

    def __init__(
        self, air: Air, path: Path, *, name: str | None = None,
        network: NetworkServer | None = None, speed: float = 1.0,
        own_duty_cycle: float | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self._tuning = Tuning(868_000_000, Modulation(spreading_factor=12), 14)
        self._mode = "LWOTAA"
        self._up = self._receiving = self._sending = False
        self._sent_first = False
        self._busy = 0
        self._station = air.attach(name or path.name, self._on_air)
        self.uart = Uart(path, BAUD, self._line, self._start, speed)
        self._stack = WioE5Stack(self.uart, network, own_duty_cycle)
        self.uart.plug()

    def busy(self, count: int) -> None:
        """The next uplinks are refused, the module being busy; test mode knows no such answer."""
        self.uart.call(lambda: setattr(self, "_busy", count))

    def close(self) -> None:
        """Gone for good."""
        self.uart.close()

    def _start(self) -> None:
        self._up = self._sending = False
        self._mode = "LWOTAA"
        self._listen(False)
        self._stack.start()
        self.uart.after(BOOT_S, lambda: setattr(self, "_up", True))

    def _listen(self, on: bool) -> None:
        self._receiving = on
        self._station.listen(self._tuning.frequency_hz, self._tuning.modulation if on else None)

    def _line(self, line: str) -> None:
        if not self._up or self._sending:
            return
        command, _, value = line.partition("=")
        name = command.upper().removeprefix("AT+")
        if self._receiving and name != "TEST":
            return
        if command.upper() == "AT":
            self.uart.say("+AT: OK")
        elif name == "MODE":
            self._set_mode(value.upper())
        elif name == "TEST":
            self._test(value)
        elif name in ("MSGHEX", "CMSGHEX") and self._busy:
            self._busy -= 1
            self.uart.say(f"+{name}: LoRaWAN modem is busy")
        elif not self._stack.take(name, value, self._mode):
            self.uart.say(f"+AT: ERROR({UNKNOWN})")

    def _set_mode(self, mode: str) -> None:
        if mode not in ("LWOTAA", "TEST"):
            self._error("MODE", BAD_PARAMETER)
            return
        self._mode = mode
        self.uart.say(f"+MODE: {mode}")

    def _test(self, value: str) -> None:
        action, _, rest = value.partition(",")
        if self._mode != "TEST":
            self._error("TEST", WRONG_STATE)
        elif action.upper() == "STOP":
            self._listen(False)
            self.uart.say("+TEST: STOP")
        elif action.upper() == "RXLRPKT":
            self._listen(True)
            self.uart.say("+TEST: RXLRPKT")
        elif action.upper() == "RFCFG":
            self._configure(rest)
        elif action.upper() == "TXLRPKT":
            self._transmit(rest.strip())
        else:
            self._error("TEST", BAD_PARAMETER)

    def _configure(self, value: str) -> None:
        tuning = parse_rfcfg(value)
        if tuning is None:
            self._error("TEST", BAD_PARAMETER)
            return
        self._tuning = tuning
        how = tuning.modulation
        self.uart.say(
            f"+TEST: RFCFG F:{tuning.frequency_hz}, SF{how.spreading_factor}, "
            f"BW{how.bandwidth_hz // 1000}K, TXPR:{how.preamble_symbols}, "
            f"RXPR:{how.preamble_symbols}, POW:{tuning.power_dbm}dBm, CRC:ON, IQ:OFF, NET:OFF"
        )

    def _transmit(self, quoted: str) -> None:
        frame = parse_hex(quoted.strip('"'))
        if frame is None or len(frame) > MOST_BYTES or quoted != f'"{quoted.strip(chr(34))}"':
            self._error("TEST", BAD_PARAMETER)
            return
        self._listen(False)
        try:
            air_s = self._station.transmit(frame, self._tuning)
        except ValueError:  # what a reset cut short is still in the air
            self._error("TEST", WRONG_STATE)
            return
        self._sending = True
        echo = f'+TEST: TXLRPKT "{frame.hex().upper()}"'
        self._sent_first = not self._sent_first
        early = self._sent_first
        if early:
            self.uart.say(echo)

        def sent() -> None:
            self._sending = False
            self.uart.say("+TEST: TX DONE")
            if not early:
                self.uart.say(echo)

        self.uart.after(air_s, sent)

    def _on_air(self, heard: Heard) -> None:
        self.uart.post(lambda: self._hear(heard))

    def _hear(self, heard: Heard) -> None:
        if not self._up or not self._receiving:
            return
        self.uart.say(
            f"+TEST: LEN:{len(heard.frame)}, RSSI:{heard.rssi_dbm:.0f}, SNR:{heard.snr_db:.0f}",
            f'+TEST: RX "{heard.frame.hex().upper()}"',
        )

    def _error(self, name: str, code: int) -> None:
        self.uart.say(f"+{name}: ERROR({code})")


def parse_rfcfg(value: str) -> Tuning | None:
    """Of `868.9,SF9,125,8,8,14,ON,OFF,OFF`, None where something is out of range."""
    parts = [part.strip().upper() for part in value.split(",")]
    if len(parts) != 9 or not {*parts[6:]} <= {"ON", "OFF"}:
        return None
    try:
        hz = round(float(parts[0]) * 1e6)
        how = Modulation(
            spreading_factor=int(parts[1].removeprefix("SF")),
            bandwidth_hz=int(parts[2]) * 1000,
            preamble_symbols=int(parts[3]),
        )
        power_dbm = int(parts[5])
    except ValueError:
        return None
    if not 410_000_000 <= hz <= 960_000_000 or not 0 <= power_dbm <= 22:
        return None
    return Tuning(hz, how, power_dbm)
