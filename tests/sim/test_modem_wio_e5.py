"""The emulated Wio-E5 answers as the module does, and restarts without a word."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.sim.modem_wio_e5 import WioE5Modem, parse_rfcfg
from tests.radio.air import QuickAir
from tests.sim.terminal import Terminal

RFCFG = "868.9,SF9,125,8,8,14,ON,OFF,OFF"


class WioE5Terminal(Terminal):
    """Every answer here is one line, unless the test reads on."""

    def ask(self, command: str) -> str:
        self.type(command)
        return self.line()

    def to_test_mode(self) -> None:
        assert self.ask("AT+MODE=TEST") == "+MODE: TEST"
        assert self.ask(f"AT+TEST=RFCFG,{RFCFG}").startswith(
            "+TEST: RFCFG F:868900000, SF9, BW125K"
        )


@pytest.fixture
def air() -> QuickAir:
    return QuickAir()


@pytest.fixture
def terminal(tmp_path: Path, air: QuickAir) -> Iterator[WioE5Terminal]:
    terminal = WioE5Terminal(WioE5Modem(air, tmp_path / "modem", speed=1000.0), 9600)
    yield terminal
    terminal.close()


def test_test_commands_are_refused_outside_test_mode(terminal: WioE5Terminal) -> None:
    assert terminal.ask("AT") == "+AT: OK"
    assert terminal.ask("AT+TEST=RXLRPKT") == "+TEST: ERROR(-12)"
    assert terminal.ask("AT+MODE=NONE") == "+MODE: ERROR(-1)"
    assert terminal.ask("AT+FROB=1") == "+AT: ERROR(-10)"


def test_a_frame_is_sent_and_the_two_lines_come_in_either_order(
    terminal: WioE5Terminal, air: QuickAir
) -> None:
    terminal.to_test_mode()
    lines = []
    for _ in range(2):
        lines.append((terminal.ask('AT+TEST=TXLRPKT, "AABB"'), terminal.line()))
    echo, done = '+TEST: TXLRPKT "AABB"', "+TEST: TX DONE"
    assert lines == [(echo, done), (done, echo)]
    assert air.on_air == [("modem", b"\xaa\xbb")] * 2


@pytest.mark.parametrize("payload", ["AABB", '"AAB"', '"XY"', '""', f'"{"AA" * 223}"'])
def test_a_payload_that_is_none_is_a_parameter_error(terminal: WioE5Terminal, payload: str) -> None:
    terminal.to_test_mode()
    assert terminal.ask(f"AT+TEST=TXLRPKT, {payload}") == "+TEST: ERROR(-1)"


def test_receiving_gives_pairs_of_lines_answers_no_at_and_ends_by_sending_or_stopping(
    terminal: WioE5Terminal, air: QuickAir
) -> None:
    terminal.to_test_mode()
    tuning = parse_rfcfg(RFCFG)
    assert tuning is not None
    peer = air.attach("peer", lambda heard: None)
    assert terminal.ask("AT+TEST=RXLRPKT") == "+TEST: RXLRPKT"
    for _ in range(2):
        peer.transmit(b"\x01\x02", tuning)
        assert [terminal.line(), terminal.line()] == [
            "+TEST: LEN:2, RSSI:-77, SNR:9", '+TEST: RX "0102"',
        ]  # fmt: skip
    terminal.type("AT")
    assert terminal.ask("AT+TEST=STOP") == "+TEST: STOP"
    peer.transmit(b"deaf", tuning)
    assert terminal.ask("AT") == "+AT: OK"


def test_it_restarts_without_a_word_in_another_mode(terminal: WioE5Terminal) -> None:
    terminal.to_test_mode()
    terminal.modem.uart.reset()
    terminal.started()
    assert terminal.ask("AT+TEST=RXLRPKT") == "+TEST: ERROR(-12)"


def test_what_cannot_be_configured_is_none() -> None:
    good = parse_rfcfg("868.9, SF9, 125, 8, 8, 14, ON, OFF, OFF")
    assert good is not None and good.frequency_hz == 868_900_000
    bad = ["", "868.9", "868.9,SF13,125,8,8,14,ON,OFF,OFF", "868.9,SF9,99,8,8,14,ON,OFF,OFF",
           "868.9,SF9,125,8,8,30,ON,OFF,OFF", "2400,SF9,125,8,8,14,ON,OFF,OFF",
           "868.9,SF9,125,8,8,14,ON,OFF,MAYBE"]  # fmt: skip
    assert [parse_rfcfg(value) for value in bad] == [None] * len(bad)


def test_lorawan_commands_name_what_is_wrong(terminal: WioE5Terminal) -> None:
    assert terminal.ask('AT+MSGHEX="AA"') == "+MSGHEX: Please join network first"
    assert terminal.ask("AT+DR=MARS") == "+DR: ERROR(-1)"
    assert terminal.ask("AT+DR=RU864") == "+DR: RU864"
    assert terminal.ask("AT+PORT=0") == "+PORT: ERROR(-1)"
    assert terminal.ask('AT+ID=DevEui,"12"') == "+ID: ERROR(-1)"
    assert terminal.ask('AT+ID=DevEui,"0102030405060708"') == "+ID: DevEui, 01:02:03:04:05:06:07:08"
    terminal.to_test_mode()
    assert terminal.ask("AT+JOIN") == "+JOIN: ERROR(-12)"
