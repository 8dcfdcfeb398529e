"""Somebody at a serial terminal, typing commands at an emulated modem."""

import serial

from firmware.sim.modem_rui3 import Rui3Modem
from firmware.sim.modem_wio_e5 import WioE5Modem

WAIT_S = 20.0  # for what must come; never waited for in full


class Terminal:
    """Opens the modem's port once it has started."""

    def __init__(self, modem: Rui3Modem | WioE5Modem, baud: int) -> None:
        self.modem = modem
        self.port = serial.Serial(str(modem.path), baud, timeout=WAIT_S)
        self.started()

    def started(self) -> None:
        """Waits until the modem has started, whatever it says meanwhile."""
        uart = self.modem.uart
        uart.call(lambda: uart.after(1.0, lambda: uart.say("it has started")))
        self.until("it has started")

    def line(self) -> str:
        """The next line that is not empty."""
        while True:
            data = self.port.read_until(b"\n")
            assert data.endswith(b"\n"), f"no line within {WAIT_S} s, only {data!r}"
            if text := data.decode().strip():
                return text

    def until(self, wanted: str) -> list[str]:
        """All lines up to this one."""
        lines = [self.line()]
        while lines[-1] != wanted:
            lines.append(self.line())
        return lines

    def type(self, command: str) -> None:
        """A command, and no wait for an answer."""
        self.port.write(command.encode() + b"\r\n")

    def close(self) -> None:
        """The terminal and the modem."""
        self.port.close()
        self.modem.close()
