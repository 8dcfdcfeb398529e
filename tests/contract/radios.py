"""Rigs for the radio contract: a driver on its emulated modem, and the bare EtherRadio.

The peer is a station on the same air, so that only one driver is under test. Emulated delays are a
thousandth of the real ones; `PATIENCE_S` is what a driver waits for an answer that never comes.
"""

import queue
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Heard, Radio, Tuning
from firmware.radio.rui3 import Rui3Radio
from firmware.radio.wio_e5 import WioE5Radio
from firmware.sim.modem import Uart
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.sim.modem_wio_e5 import WioE5Modem
from firmware.sim.radio import EtherRadio
from firmware.wire.airtime import Modulation
from tests.radio.air import QuickAir

SPEED = 1000.0
PATIENCE_S = 0.6
WAIT_S = 20.0  # for what must come; never waited for in full
TUNING = Tuning(868_900_000, Modulation(spreading_factor=9), 14)


class Rig:
    """One radio, and a peer that hears and sends whatever it likes."""

    def __init__(self, open: Callable[[], Radio], air: QuickAir) -> None:
        self.air, self.open = air, open
        self.radio = open()
        self._inbox: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._peer = air.attach("peer", self._inbox.put)
        self._peer.listen(TUNING.frequency_hz, TUNING.modulation)
        self.radio.tune(TUNING)

    def peer_hears(self) -> bytes:
        """The next frame that reaches the peer."""
        return self._inbox.get(timeout=WAIT_S).frame

    def peer_sends(self, frame: bytes) -> None:
        """The radio is made to listen first."""
        self.radio.receive(0.0)
        self._peer.transmit(frame, TUNING)

    def peer_sends_now(self, frame: bytes) -> None:
        """Whether or not the radio listens."""
        self._peer.transmit(frame, TUNING)

    def reopen(self) -> None:
        """The radio closed, opened and tuned again."""
        self.radio.close()
        self.radio = self.open()
        self.radio.tune(TUNING)

    def close(self) -> None:
        """Everything."""
        self.radio.close()


class ModemRig(Rig):
    """As Rig, with a modem whose faults can be switched on."""

    def __init__(self, modem: Rui3Modem | WioE5Modem, air: QuickAir) -> None:
        self.modem = modem
        self.uart: Uart = modem.uart
        self.send_command = "AT+PSEND" if isinstance(modem, Rui3Modem) else "AT+TEST=TXLRPKT"
        driver = Rui3Radio if isinstance(modem, Rui3Modem) else WioE5Radio
        baud = 115200 if isinstance(modem, Rui3Modem) else 9600
        super().__init__(lambda: driver(SerialLines(modem.path, baud), PATIENCE_S), air)

    def close(self) -> None:
        super().close()
        self.modem.close()


def rig_of(dialect: str, folder: Path) -> Rig:
    """`ether`, `rui3` or `wio_e5`."""
    air = QuickAir()
    if dialect == "ether":
        radio = EtherRadio(air, "radio", SPEED)
        return Rig(lambda: radio, air)
    return modem_rig_of(dialect, folder, air)


def modem_rig_of(dialect: str, folder: Path, air: QuickAir | None = None) -> ModemRig:
    """`rui3` or `wio_e5`."""
    air = air or QuickAir()
    path = folder / f"modem-{dialect}"
    if dialect == "rui3":
        return ModemRig(Rui3Modem(air, path, speed=SPEED), air)
    if dialect == "wio_e5":
        return ModemRig(WioE5Modem(air, path, speed=SPEED), air)
    pytest.fail(f"no dialect {dialect}")
