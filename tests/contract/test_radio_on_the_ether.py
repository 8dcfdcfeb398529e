"""Drivers, emulated modems and the Ether together, with every delay as long as it really is."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firmware.radio.open import open_radio
from firmware.radio.port import Heard, Radio, RadioError
from firmware.radio.settings import LoraModem
from firmware.sim.ether import Ether
from firmware.sim.modem_rui3 import Rui3Modem
from firmware.sim.modem_wio_e5 import WioE5Modem
from firmware.wire.airtime import airtime_s

WAIT_S = 20.0
DIALECTS = {"rak3172": Rui3Modem, "wio-e5": WioE5Modem}


class Pair:
    """A unit's radio and the base's, each on its own modem."""

    def __init__(self, ether: Ether, folder: Path, unit: str, base: str) -> None:
        self.modems = [
            DIALECTS[dialect](ether, folder / name)
            for name, dialect in (("unit", unit), ("base", base))
        ]
        how = [
            LoraModem(port=modem.path, region="RU864", modem=dialect, spreading_factor=7)
            for modem, dialect in zip(self.modems, (unit, base), strict=True)
        ]
        self.tuning = how[0].tuning
        self.unit, self.base = (open_radio(settings) for settings in how)
        for radio in (self.unit, self.base):
            radio.tune(self.tuning)
            radio.receive(0.0)

    def close(self) -> None:
        for radio in (self.unit, self.base):
            radio.close()
        for modem in self.modems:
            modem.close()


@pytest.fixture
def ether() -> Iterator[Ether]:
    ether = Ether(random.Random(1))
    yield ether
    ether.close()


def heard_by(radio: Radio, count: int) -> list[Heard | None]:
    return [radio.receive(WAIT_S) for _ in range(count)]


@pytest.mark.parametrize(("unit", "base"), [("rak3172", "wio-e5"), ("wio-e5", "rak3172")])
def test_an_alert_and_its_receipt_go_between_the_dialects(
    unit: str, base: str, ether: Ether, tmp_path: Path
) -> None:
    pair = Pair(ether, tmp_path, unit, base)
    pair.unit.send(b"alert")
    heard = pair.base.receive(WAIT_S)
    assert heard is not None and heard.frame == b"alert" and -140 < heard.rssi_dbm < 0
    pair.unit.receive(0.0)  # from here on it listens
    pair.base.send(b"receipt")
    heard = pair.unit.receive(WAIT_S)
    assert heard is not None and heard.frame == b"receipt"
    pair.close()


@pytest.mark.parametrize("dialect", ["rak3172", "wio-e5"])
def test_a_modem_that_restarts_while_its_frame_is_in_the_air_sends_again(
    dialect: str, ether: Ether, tmp_path: Path
) -> None:
    pair = Pair(ether, tmp_path, dialect, "rak3172")
    pair.modems[0].uart.reset_on("AT+PSEND" if dialect == "rak3172" else "AT+TEST=TX", 0.05)
    with pytest.raises(RadioError):
        pair.unit.send(bytes(222))
    for _ in range(10):
        try:
            pair.unit.send(b"again")
            break
        except RadioError:
            continue
    while (heard := pair.base.receive(WAIT_S)) is not None:
        if heard.frame == b"again":
            break
    assert heard is not None
    pair.close()


@pytest.mark.slow
@pytest.mark.parametrize(("dialect", "count"), [("rak3172", 100), ("wio-e5", 40)])
def test_the_frames_of_an_image_all_arrive_and_take_little_more_than_their_airtime(
    dialect: str, count: int, ether: Ether, tmp_path: Path
) -> None:
    pair = Pair(ether, tmp_path, dialect, "rak3172")
    frames = [bytes([number]) * 202 for number in range(count)]
    began_s = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(heard_by, pair.base, count)
        for frame in frames:
            pair.unit.send(frame)
        took_s = time.monotonic() - began_s
        assert [h.frame for h in heard.result() if h] == frames
    needed_s = count * airtime_s(pair.tuning.modulation, 202)
    # At 9600 baud the command takes 0.44 s to reach the modem, and its echo half as often as long.
    serial_s = count * 0.7 if dialect == "wio-e5" else 0.0
    assert needed_s <= took_s < 1.3 * needed_s + serial_s
    pair.close()
