"""An emulated RAK3172 (RUI3 4.x) on a pseudo-terminal, joined to an Ether and a LoRaWAN network.

Behaves as the manual says (see `firmware.radio.rui3_at`), traps included: it refuses to send and
to be tuned while it receives, restarts when its mode is changed, starts in receive mode, and is
deaf while it starts. Settings survive a restart, a joined network and receive mode do not.

    ether = Ether(random.Random(1))
    modem = Rui3Modem(ether, Path("/tmp/modem-T0001"))     # open /tmp/modem-T0001 with pyserial
"""

from pathlib import Path

from firmware.radio.port import Heard, Tuning
from firmware.sim.modem import Air, Uart
from firmware.sim.modem_rui3_lorawan import Rui3Stack
from firmware.sim.network_server import NetworkServer
from firmware.wire.airtime import Modulation

BAUD = 115200
BOOT_S = 0.4
OFF, UNTIL_ONE, UNTIL_TOLD = 0, 65535, 65534
_OK, _BAD, _BUSY, _OTHER_MODE = "OK", "AT_PARAM_ERROR", "AT_BUSY_ERROR", "AT_MODE_NO_SUPPORT"
_UNKNOWN = "AT_COMMAND_NOT_FOUND"


class Rui3Modem:
    """`variant` "H" is the high-frequency module, "L" the low one. `network` is what it joins in
    LoRaWAN mode; None is a place without coverage."""

    def __init__(
        self, air: Air, path: Path, *, name: str | None = None,
        network: NetworkServer | None = None, speed: float = 1.0,
        variant: str = "H", mode: int = 1, own_duty_cycle: float | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self._variant, self._mode = variant, mode
        self._tuning = Tuning(868_000_000, Modulation(spreading_factor=7), 14)
        self._receiving, self._rounds = OFF, 0
        self._up = self._sending = False
        self._busy = 0
        self._station = air.attach(name or path.name, self._on_air)
        self.uart = Uart(path, BAUD, self._line, self._start, speed)
        self._stack = Rui3Stack(self.uart, network, variant, own_duty_cycle)
        self.uart.plug()

    def busy(self, count: int) -> None:
        """The next commands to send are answered AT_BUSY_ERROR."""
        self.uart.call(lambda: setattr(self, "_busy", count))

    def close(self) -> None:
        """Gone for good."""
        self.uart.close()

    def _start(self) -> None:
        self._up = self._sending = False
        self._receive(OFF)
        self._stack.start()
        self.uart.after(BOOT_S, self._started)

    def _started(self) -> None:
        self._up = True
        mode = ("LoRa P2P.", "LoRaWAN.", "LoRa FSK.")[self._mode]
        self.uart.say(
            "RAKwireless RAK3172", "-" * 54, f"Version: RUI_4.0.6_RAK3172-{self._variant}",
            f"Current Work Mode: {mode}",
        )  # fmt: skip
        if self._mode == 0:
            self._receive(UNTIL_TOLD)

    def _line(self, line: str) -> None:
        if not self._up:
            return  # typed at a module that is still starting
        answer = self._answer(line)
        if answer is not None:
            self.uart.say("", answer)

    def _answer(self, line: str) -> str | None:
        name, sign, value = line.upper().partition("=")
        if name == "ATZ":
            self._start()
            return None
        if name in ("AT", "ATE"):
            return _OK
        if name == "AT+NWM":
            return self._network_mode(value)
        if name in ("AT+P2P", "AT+PSEND", "AT+PRECV", "AT+SYNCWORD"):
            return self._point_to_point(name, value) if self._mode == 0 else _OTHER_MODE
        if name == "AT+SEND" and self._busy:
            self._busy -= 1
            return _BUSY
        known = self._stack.answer(name, value) if sign or name == "AT+JOIN" else None
        if known is None:
            return _UNKNOWN
        return known if self._mode == 1 else _OTHER_MODE

    def _network_mode(self, value: str) -> str | None:
        if value == "?":
            self.uart.say(f"AT+NWM={self._mode}")
            return _OK
        if value not in ("0", "1"):
            return _BAD
        self._mode = int(value)
        self._start()
        return None

    def _point_to_point(self, name: str, value: str) -> str:
        if name == "AT+PRECV":
            return self._told_to_receive(value)
        if self._receiving != OFF or self._sending:
            return _BUSY
        if name == "AT+PSEND":
            return self._send(value)
        if name == "AT+SYNCWORD":
            return _OK if len(value) == 4 else _BAD
        tuning = parse_p2p(value, self._variant)
        if tuning is None:
            return _BAD
        self._tuning = tuning
        return _OK

    def _told_to_receive(self, value: str) -> str:
        if not value.isdecimal() or int(value) > UNTIL_ONE:
            return _BAD
        if self._sending or (self._receiving != OFF and int(value) != OFF):
            return _BUSY
        self._receive(int(value))
        return _OK

    def _receive(self, how: int) -> None:
        self._receiving = how
        self._rounds += 1
        modulation = None if how == OFF else self._tuning.modulation
        self._station.listen(self._tuning.frequency_hz, modulation)
        if how not in (OFF, UNTIL_ONE, UNTIL_TOLD):
            this = self._rounds
            self.uart.after(how / 1000, lambda: self._receive_is_over(this))

    def _receive_is_over(self, which: int) -> None:
        if which == self._rounds:
            self._receive(OFF)
            self.uart.say("+EVT:RXP2P RECEIVE TIMEOUT")

    def _send(self, digits: str) -> str:
        frame = parse_hex(digits)
        if frame is None:
            return _BAD
        if self._busy:
            self._busy -= 1
            return _BUSY
        try:
            air_s = self._station.transmit(frame, self._tuning)
        except ValueError:  # what a reset cut short is still in the air
            return _BUSY
        self._sending = True
        self.uart.after(air_s, self._sent)
        return _OK

    def _sent(self) -> None:
        self._sending = False
        self.uart.say("+EVT:TXP2P DONE")

    def _on_air(self, heard: Heard) -> None:
        self.uart.post(lambda: self._hear(heard))

    def _hear(self, heard: Heard) -> None:
        if not self._up or self._receiving == OFF:
            return
        if self._receiving == UNTIL_ONE:
            self._receive(OFF)
        signal = f"{heard.rssi_dbm:.0f}:{heard.snr_db:.0f}"
        self.uart.say(f"+EVT:RXP2P:{signal}:{heard.frame.hex().upper()}")


def parse_hex(digits: str) -> bytes | None:
    """The bytes that 2..500 hex digits stand for, None for anything else."""
    if not 2 <= len(digits) <= 500 or len(digits) % 2 or not digits.isalnum():
        return None
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def parse_p2p(value: str, variant: str) -> Tuning | None:
    """Of `868900000:9:125:0:8:14`, None where a number is out of the manual's range."""
    parts = value.split(":")
    if len(parts) != 6 or not all(part.isdecimal() for part in parts):
        return None
    hz, factor, khz, rate, preamble, power = (int(part) for part in parts)
    low, high = (600_000_000, 960_000_000) if variant == "H" else (150_000_000, 600_000_000)
    if not low <= hz <= high or khz not in (125, 250, 500) or not 5 <= power <= 22:
        return None
    try:
        return Tuning(hz, Modulation(factor, khz * 1000, rate + 1, preamble), power)
    except ValueError:
        return None
