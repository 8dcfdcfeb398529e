"""What every Radio promises (firmware/radio/port.py): both dialects and the bare EtherRadio."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.radio.at_line import SerialLines
from firmware.radio.port import Heard, RadioBusy, RadioError, RadioGone
from firmware.radio.rui3 import Rui3Radio
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.wire.airtime import airtime_s
from tests.contract.radios import TUNING, WAIT_S, ModemRig, Rig, modem_rig_of, rig_of
from tests.radio.air import QuickAir

MODEMS = ["rui3", "wio_e5"]


@pytest.fixture(params=["ether", *MODEMS])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    rig = rig_of(request.param, tmp_path)
    yield rig
    rig.close()


@pytest.fixture(params=MODEMS)
def modem(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModemRig]:
    rig = modem_rig_of(request.param, tmp_path)
    yield rig
    rig.close()


def frame_of(size: int) -> bytes:
    return bytes((size + at) % 256 for at in range(size))


def works(rig: Rig) -> None:
    """Both ways, with frames that were on the air before."""
    mark = os.urandom(8)
    rig.radio.send(b"up" + mark)
    while rig.peer_hears() != b"up" + mark:
        pass
    rig.peer_sends(b"down" + mark)
    while (heard := rig.radio.receive(WAIT_S)) is not None:
        if heard.frame == b"down" + mark:
            return
    pytest.fail("the radio does not hear")


def recovers(rig: Rig, tries: int = 3) -> None:
    """It works again, by itself, after at most so many errors."""
    for left in reversed(range(tries)):
        try:
            works(rig)
            return
        except RadioError:
            if not left:
                raise


def test_frames_of_every_length_go_both_ways_unchanged(rig: Rig) -> None:
    most = rig.radio.max_frame_bytes
    for size in range(1, most + 1):
        rig.radio.send(frame_of(size))
        assert rig.peer_hears() == frame_of(size)
    for size in range(1, most + 1):
        rig.peer_sends(frame_of(size))
        heard = rig.radio.receive(WAIT_S)
        assert heard == Heard(frame_of(size), -77.0, 9.0)


def test_a_frame_that_is_empty_or_too_long_is_refused_and_not_sent(rig: Rig) -> None:
    for size in (0, rig.radio.max_frame_bytes + 1):
        with pytest.raises(ValueError, match=f"{size} bytes"):
            rig.radio.send(bytes(size))
    assert rig.air.on_air == []


def test_the_limits_are_those_of_the_modems(tmp_path: Path) -> None:
    rigs = [rig_of(dialect, tmp_path) for dialect in ("ether", *MODEMS)]
    assert [rig.radio.max_frame_bytes for rig in rigs] == [250, 250, 222]
    for rig in rigs:
        rig.close()


def test_a_hundred_frames_each_way_arrive_in_order_without_loss(rig: Rig) -> None:
    for number in range(100):
        rig.radio.send(bytes([number]) * 202)
    assert [rig.peer_hears()[0] for _ in range(100)] == list(range(100))
    rig.radio.receive(0.0)
    for number in range(100):
        rig.peer_sends_now(bytes([number]) * 202)
        heard = rig.radio.receive(WAIT_S)
        assert heard is not None and heard.frame[0] == number


def test_frames_heard_between_two_calls_wait_in_order(rig: Rig) -> None:
    rig.radio.receive(0.0)
    for number in range(10):
        rig.peer_sends_now(bytes([number]))
    received = [rig.radio.receive(WAIT_S) for _ in range(10)]
    assert [heard.frame for heard in received if heard] == [bytes([n]) for n in range(10)]


def test_nothing_heard_is_none(rig: Rig) -> None:
    assert rig.radio.receive(0.01) is None


def test_an_interrupt_ends_the_receive_that_waits(rig: Rig) -> None:
    rig.radio.receive(0.0)
    waiting = threading.Event()

    def receive() -> Heard | None:
        waiting.set()
        return rig.radio.receive(WAIT_S)

    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(receive)
        waiting.wait()
        rig.radio.interrupt()
        assert received.result(timeout=WAIT_S / 2) is None


def test_an_interrupt_before_a_receive_is_not_lost_and_does_not_disturb_a_send(rig: Rig) -> None:
    rig.radio.interrupt()
    rig.radio.send(b"undisturbed")
    assert rig.peer_hears() == b"undisturbed"
    assert rig.radio.receive(WAIT_S) is None


def test_two_radios_of_the_two_dialects_hear_each_other(tmp_path: Path) -> None:
    one = modem_rig_of("rui3", tmp_path)
    other = modem_rig_of("wio_e5", tmp_path, one.air)
    one.radio.receive(0.0)
    other.radio.send(b"from a Wio-E5")
    heard = one.radio.receive(WAIT_S)
    assert heard is not None and heard.frame == b"from a Wio-E5"
    other.radio.receive(0.0)
    one.radio.send(b"from a RAK3172")
    heard = other.radio.receive(WAIT_S)
    assert heard is not None and heard.frame == b"from a RAK3172"
    one.close()
    other.close()


def test_a_modem_that_restarted_while_idle_sends_again(modem: ModemRig) -> None:
    modem.uart.reset()
    recovers(modem)


def test_a_rak3172_that_restarts_while_it_listens_listens_again_by_itself(tmp_path: Path) -> None:
    rig = modem_rig_of("rui3", tmp_path)
    rig.radio.receive(0.0)
    rig.uart.reset()
    assert rig.radio.receive(0.2) is None
    rig.peer_sends_now(b"still there?")
    heard = rig.radio.receive(WAIT_S)
    assert heard is not None and heard.frame == b"still there?"
    rig.close()


def test_a_silent_restart_is_cured_by_tuning_again(modem: ModemRig) -> None:
    modem.radio.receive(0.0)
    modem.uart.reset()
    modem.reopen()
    works(modem)


@pytest.mark.parametrize("after_s", [None, 0.0, 0.05])
def test_a_modem_that_restarts_while_it_sends_sends_the_next_frame(
    modem: ModemRig, after_s: float | None
) -> None:
    modem.uart.reset_on(modem.send_command, after_s)
    with pytest.raises(RadioError):
        modem.radio.send(b"nobody knows")
    recovers(modem)


def test_an_answer_that_never_comes_is_an_error_and_the_next_try_works(modem: ModemRig) -> None:
    modem.uart.ignore(1)
    with pytest.raises(RadioError, match="answer"):
        modem.radio.send(b"not heard by the modem")
    works(modem)


def test_a_half_line_costs_at_most_one_try(modem: ModemRig) -> None:
    for _ in range(2):
        modem.uart.half_lines(1)
        recovers(modem, tries=2)


def test_half_a_frame_is_not_taken_for_a_whole_one(modem: ModemRig) -> None:
    modem.radio.receive(0.0)
    modem.uart.half_lines(2)
    modem.peer_sends_now(bytes(range(100)))
    modem.peer_sends_now(b"whole")
    while (heard := modem.radio.receive(0.3)) is not None:
        assert heard.frame == b"whole"
    recovers(modem)


def test_a_busy_rak3172_is_asked_again(tmp_path: Path) -> None:
    rig = modem_rig_of("rui3", tmp_path)
    rig.modem.busy(2)
    rig.radio.send(b"third time")
    assert rig.peer_hears() == b"third time"
    rig.close()


def test_a_rak3172_that_stays_busy_is_radio_busy_and_has_sent_nothing(tmp_path: Path) -> None:
    rig = modem_rig_of("rui3", tmp_path)
    rig.modem.busy(3)
    with pytest.raises(RadioBusy):
        rig.radio.send(b"not now")
    assert rig.air.on_air == []
    works(rig)
    rig.close()


def test_a_modem_pulled_out_is_gone_and_works_once_it_is_back(modem: ModemRig) -> None:
    modem.radio.receive(0.0)
    modem.uart.unplug()
    with pytest.raises(RadioGone):
        modem.radio.receive(WAIT_S)
    with pytest.raises(RadioGone):
        modem.radio.send(b"nobody there")
    modem.radio.close()
    with pytest.raises(RadioGone, match=modem.modem.path.name):
        modem.open()
    modem.uart.plug()
    modem.radio = modem.open()
    modem.radio.tune(TUNING)
    works(modem)


def test_a_modem_pulled_out_while_a_receive_waits_ends_it(modem: ModemRig) -> None:
    modem.radio.receive(0.0)
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(modem.radio.receive, WAIT_S)
        modem.uart.unplug()
        assert isinstance(received.exception(timeout=WAIT_S / 2), RadioGone)


def test_a_port_that_somebody_else_has_is_gone(modem: ModemRig) -> None:
    with pytest.raises(RadioGone, match="cannot be opened"):
        modem.open()


def test_a_port_without_a_modem_is_an_error_that_says_so(modem: ModemRig) -> None:
    modem.uart.ignore(1000)
    with pytest.raises(RadioError, match="no modem answers here"):
        modem.radio.tune(TUNING)
    modem.uart.ignore(0)
    recovers(modem)


NOISE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([
            b"\r\n", b"\n", b"\r", b"\0", b"OK\r\n", b"AT_BUSY_ERROR\r\n", b"AT_ERROR\r\n",
            b"+EVT:", b"+EVT:RXP2P:-30:5:ABC\r\n", b"+EVT:RXP2P:", b"+EVT:TXP2P DONE\r\n",
            b"+TEST: ",
            b'+TEST: RX "AB\r\n', b"+TEST: LEN:3, RSSI:-3, SNR:1\r\n", b"+TEST: TX DONE\r\n",
            b"+AT: ERROR(-12)\r\n", b"+MODE: TEST\r\n", b"AT+NWM=1\r\n", b"RAKwireless\r\n",
            b"Current Work Mode: LoRa P2P.\r\n", b"\xff" * 2000,
        ]),
    ),
    max_size=4,
).map(b"".join)  # fmt: skip


def bombard(rig: ModemRig, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(NOISE, NOISE, st.booleans())
    def run(before: bytes, between: bytes, sending: bool) -> None:
        rig.uart.garbage(before)
        try:
            if sending:
                rig.radio.send(b"through noise")
            rig.uart.garbage(between)
            rig.radio.receive(0.0)
        except RadioError:
            pass
        recovers(rig, tries=4)

    run()


def test_any_bytes_between_lines_raise_nothing_but_radio_error_and_it_recovers(
    modem: ModemRig,
) -> None:
    bombard(modem, examples=10)


@pytest.mark.slow
def test_any_bytes_between_lines_for_longer(modem: ModemRig) -> None:
    bombard(modem, examples=150)


def test_the_end_of_an_earlier_frame_is_not_taken_for_that_of_the_next(tmp_path: Path) -> None:
    """It may come after we had given it up."""
    modem = Rui3Modem(QuickAir(), tmp_path / "modem", mode=0)
    radio = Rui3Radio(SerialLines(modem.path, 115200))
    try:
        radio.tune(TUNING)
        modem.uart.garbage(b"+EVT:TXP2P DONE\r\n")
        began_s = time.monotonic()
        radio.send(bytes(37))
        assert time.monotonic() - began_s >= airtime_s(TUNING.modulation, 37)
    finally:
        radio.close()
        modem.close()
