"""RUI3's grammar: what its events mean, in every version's way of writing them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.radio.port import Downlink, Heard
from firmware.radio.rui3_at import parse_downlink, parse_heard, plain
from firmware.radio.rui3_lorawan import BANDS
from firmware.wire.regions import REGIONS


@pytest.mark.parametrize(
    "event",
    [
        "RXP2P:-52:8:48656C6C6F",
        "RXP2P: -52 : 8 :48656C6C6F".replace(" : ", ":"),
        "RXP2P:RSSI -52:SNR 8:48656c6c6f",
        "RXP2P, RSSI -52, SNR 8:48656C6C6F",
        "RXP2P:-52:8:5:48656C6C6F",
        "rxp2p:-52:8:48656C6C6F",
    ],
)
def test_a_received_frame_in_each_versions_form(event: str) -> None:
    assert parse_heard(event) == Heard(b"Hello", -52.0, 8.0)


@given(st.binary(min_size=1, max_size=255), st.integers(-150, 20), st.integers(-25, 20))
def test_every_frame_comes_through(frame: bytes, rssi: int, snr: int) -> None:
    heard = parse_heard(f"RXP2P:{rssi}:{snr}:{frame.hex().upper()}")
    assert heard == Heard(frame, float(rssi), float(snr))


@pytest.mark.parametrize(
    "event",
    ["RXP2P RECEIVE TIMEOUT", "RXP2P:-52:8:", "RXP2P:-52:8:ABC", "RXP2P:-52:8:XY", "RXP2P:-52:AB",
     "TXP2P DONE", "", "RXP2P:-52:8:AB+EVT:RXP2P:-52:8:CD", "RXP2P:99999:8:AB"],
)  # fmt: skip
def test_what_is_no_whole_frame_is_none(event: str) -> None:
    assert parse_heard(event) is None


@pytest.mark.parametrize(
    "event",
    ["RX_1:-70:8:UNICAST:10:0102", "RX_2:-70:8:UNICAST:10:0102", "RX_C:-70:8:MULTICAST:10:0102",
     "RX1:-70:8:unicast:10:0102"],
)  # fmt: skip
def test_a_downlink_in_each_window(event: str) -> None:
    assert parse_downlink(event) == Downlink(10, b"\x01\x02")


@given(st.text(max_size=80))
def test_any_text_is_a_frame_a_downlink_or_nothing(text: str) -> None:
    assert isinstance(parse_heard(text), Heard | None)
    assert isinstance(parse_downlink(text), Downlink | None)
    plain(text)


@given(st.text(alphabet="RXP2:_1-09AF,CUNIAST ", max_size=60))
def test_text_that_is_nearly_right_raises_nothing(text: str) -> None:
    for head in ("RXP2P:", "RX_1:", ""):
        assert isinstance(parse_heard(head + text), Heard | None)
        assert isinstance(parse_downlink(head + text), Downlink | None)


def test_the_same_event_under_its_different_names() -> None:
    assert plain("SEND CONFIRMED OK") == plain("SEND_CONFIRMED_OK(4)") == "SENDCONFIRMEDOK"
    assert plain("JOIN FAILED") == "JOINFAILED"
    assert plain("JOIN_FAILED_RX_TIMEOUT").startswith("JOINFAILED")


def test_every_region_has_a_band_number() -> None:
    assert set(BANDS) == set(REGIONS)
