"""A LoRaWAN device behind the shape of a Radio."""

import math

from firmware.radio.fport import FportRadio
from firmware.radio.port import Downlink, Tuning
from firmware.wire.airtime import Modulation


class FakeDevice:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.came: list[Downlink] = []

    def join(self) -> None:
        self.asked.append("join")

    def send(self, port: int, payload: bytes, *, confirmed: bool = False) -> None:
        self.asked.append((port, payload, confirmed))

    def receive(self, timeout_s: float) -> Downlink | None:
        return self.came.pop(0) if self.came else None

    def interrupt(self) -> None:
        self.asked.append("interrupt")

    def max_payload_bytes(self) -> int:
        return 51

    def close(self) -> None:
        self.asked.append("close")


def test_a_frame_is_its_port_and_payload_both_ways() -> None:
    device = FakeDevice()
    radio = FportRadio(device)
    assert radio.max_frame_bytes == 52
    radio.tune(Tuning(868_900_000, Modulation(), 14))
    radio.send(b"\x02symbol")
    radio.interrupt()
    radio.close()
    assert device.asked == ["join", (2, b"symbol", False), "interrupt", "close"]
    device.came.append(Downlink(10, b"receipt"))
    heard = radio.receive(1.0)
    assert heard is not None and heard.frame == b"\x0areceipt" and math.isnan(heard.rssi_dbm)
    assert radio.receive(1.0) is None
