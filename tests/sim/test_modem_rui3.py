"""The emulated RAK3172 speaks RUI3 as the manual has it, refusals and restarts included."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from firmware.sim.modem_rui3 import Rui3Modem, parse_p2p
from tests.radio.air import QuickAir
from tests.sim.terminal import Terminal

P2P = "868900000:9:125:0:8:14"


class Rui3Terminal(Terminal):
    """Knows how RUI3 ends an answer."""

    def ask(self, command: str) -> list[str]:
        """All lines up to the status."""
        self.type(command)
        lines = [self.line()]
        while lines[-1] != "OK" and not lines[-1].startswith("AT_"):
            lines.append(self.line())
        return lines

    def to_p2p(self) -> None:
        self.type("AT+NWM=0")
        self.until("Current Work Mode: LoRa P2P.")
        assert self.ask("AT+PRECV=0") == ["OK"]
        assert self.ask(f"AT+P2P={P2P}") == ["OK"]


@pytest.fixture
def air() -> QuickAir:
    return QuickAir()


@pytest.fixture
def terminal(tmp_path: Path, air: QuickAir) -> Iterator[Rui3Terminal]:
    terminal = Rui3Terminal(Rui3Modem(air, tmp_path / "modem", speed=1000.0), 115200)
    yield terminal
    terminal.close()


def test_changing_the_mode_restarts_it_and_it_then_receives(terminal: Rui3Terminal) -> None:
    assert terminal.ask("AT+NWM=?") == ["AT+NWM=1", "OK"]
    terminal.type("AT+NWM=0")
    banner = terminal.until("Current Work Mode: LoRa P2P.")
    assert banner[0] == "RAKwireless RAK3172"
    assert terminal.ask(f"AT+P2P={P2P}") == ["AT_BUSY_ERROR"]
    assert terminal.ask("AT+PSEND=AABB") == ["AT_BUSY_ERROR"]
    assert terminal.ask("AT+PRECV=65534") == ["AT_BUSY_ERROR"]
    assert terminal.ask("AT+PRECV=0") == ["OK"]
    assert terminal.ask("AT+PSEND=AABB") == ["OK"]
    assert terminal.line() == "+EVT:TXP2P DONE"


def test_its_settings_survive_a_restart(terminal: Rui3Terminal, air: QuickAir) -> None:
    terminal.to_p2p()
    terminal.type("ATZ")
    terminal.until("Current Work Mode: LoRa P2P.")
    air.attach("peer", lambda heard: None)
    assert terminal.ask("AT+PRECV=0") == ["OK"]
    assert terminal.ask("AT+PSEND=0102") == ["OK"]
    assert air.on_air == [("modem", b"\x01\x02")]


@pytest.mark.parametrize("digits", ["", "A", "ABC", "XY", "A B ", "AA" * 251, "+1", "0x12"])
def test_a_payload_that_is_no_pair_of_digits_or_too_long_is_a_parameter_error(
    terminal: Rui3Terminal, digits: str
) -> None:
    terminal.to_p2p()
    assert terminal.ask(f"AT+PSEND={digits}") == ["AT_PARAM_ERROR"]


def test_the_longest_payload_is_five_hundred_digits(terminal: Rui3Terminal, air: QuickAir) -> None:
    terminal.to_p2p()
    assert terminal.ask("AT+PSEND=" + "AB" * 250) == ["OK"]
    assert terminal.line() == "+EVT:TXP2P DONE"
    assert air.on_air == [("modem", b"\xab" * 250)]


def test_it_is_busy_while_it_sends(terminal: Rui3Terminal) -> None:
    terminal.to_p2p()
    terminal.port.write(b"AT+PSEND=AA\r\nAT+PSEND=BB\r\n")
    assert [terminal.line() for _ in range(3)] in (
        ["OK", "AT_BUSY_ERROR", "+EVT:TXP2P DONE"],
        ["OK", "+EVT:TXP2P DONE", "OK"],  # on a slow machine the first was over
    )


def test_the_three_ways_to_receive(terminal: Rui3Terminal, air: QuickAir) -> None:
    terminal.to_p2p()
    tuning = parse_p2p(P2P, "H")
    assert tuning is not None
    peer = air.attach("peer", lambda heard: None)
    assert terminal.ask("AT+PRECV=50") == ["OK"]
    assert terminal.line() == "+EVT:RXP2P RECEIVE TIMEOUT"
    assert terminal.ask("AT+PRECV=65535") == ["OK"]
    peer.transmit(b"one", tuning)
    assert terminal.line() == "+EVT:RXP2P:-77:9:6F6E65"
    assert terminal.ask(f"AT+P2P={P2P}") == ["OK"]
    assert terminal.ask("AT+PRECV=65534") == ["OK"]
    for _ in range(3):
        peer.transmit(b"two", tuning)
        assert terminal.line() == "+EVT:RXP2P:-77:9:74776F"
    assert terminal.ask("AT+PRECV=0") == ["OK"]
    peer.transmit(b"deaf", tuning)
    assert terminal.ask("AT") == ["OK"]


@pytest.mark.parametrize("value", ["65536", "-1", "x", ""])
def test_receiving_for_no_time_there_is_is_a_parameter_error(
    terminal: Rui3Terminal, value: str
) -> None:
    terminal.to_p2p()
    assert terminal.ask(f"AT+PRECV={value}") == ["AT_PARAM_ERROR"]


def test_the_high_module_knows_no_low_frequency_and_the_low_one_no_high() -> None:
    assert parse_p2p("470300000:9:125:0:8:14", "H") is None
    assert parse_p2p("470300000:9:125:0:8:14", "L") is not None
    assert parse_p2p("868900000:9:125:0:8:14", "L") is None
    bad = ["868900000:13:125:0:8:14", "868900000:9:100:0:8:14", "868900000:9:125:4:8:14",
           "868900000:9:125:0:8:23", "868.9:9:125:0:8:14", "868900000:9:125:0:8", ""]  # fmt: skip
    assert [parse_p2p(value, "H") for value in bad] == [None] * len(bad)


def test_commands_of_the_other_mode_and_unknown_ones_are_refused(terminal: Rui3Terminal) -> None:
    assert terminal.ask("AT+PSEND=AA") == ["AT_MODE_NO_SUPPORT"]
    assert terminal.ask("AT+FROBNICATE=1") == ["AT_COMMAND_NOT_FOUND"]
    assert terminal.ask("AT+BAND=1") == ["AT_PARAM_ERROR"]
    assert terminal.ask("AT+BAND=2") == ["OK"]
    assert terminal.ask("AT+DR=6") == ["OK"]
    assert terminal.ask("AT+DR=9") == ["AT_PARAM_ERROR"]
    assert terminal.ask("AT+DEVEUI=12") == ["AT_PARAM_ERROR"]
    assert terminal.ask("AT+SEND=2:AABB") == ["AT_NO_NETWORK_JOINED"]
    terminal.to_p2p()
    assert terminal.ask("AT+DR=3") == ["AT_MODE_NO_SUPPORT"]


def test_a_module_that_starts_hears_no_command(tmp_path: Path, air: QuickAir) -> None:
    modem = Rui3Modem(air, tmp_path / "modem", speed=2.0)
    with serial.Serial(str(modem.path), 115200, timeout=0.05) as port:
        port.write(b"AT\r\n")
        assert port.read(1) == b""
    modem.close()
