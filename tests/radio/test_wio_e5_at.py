"""The Wio-E5's grammar: frames as pairs of lines, downlinks among the lines of an uplink."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.radio.port import Downlink, Heard
from firmware.radio.wio_e5 import _mhz
from firmware.radio.wio_e5_at import FrameParser, parse_downlink

TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet='LENRSIX:,- "0123AF', max_size=50).map(lambda tail: f"LEN:{tail}"),
    st.text(alphabet='"0123AFG ', max_size=50).map(lambda tail: f"RX {tail}"),
)


@given(st.binary(min_size=1, max_size=255), st.integers(-150, 20), st.integers(-25, 20))
def test_every_frame_comes_through(frame: bytes, rssi: int, snr: int) -> None:
    parser = FrameParser()
    assert parser.feed(f"LEN:{len(frame)}, RSSI:{rssi}, SNR:{snr}") == (True, None)
    is_one, heard = parser.feed(f'RX "{frame.hex().upper()}"')
    assert is_one and heard == Heard(frame, float(rssi), float(snr))


def test_a_frame_without_its_announcement_or_of_another_length_is_dropped() -> None:
    parser = FrameParser()
    assert parser.feed('RX "AABB"') == (True, None)
    parser.feed("LEN:3, RSSI:-30, SNR:10")
    assert parser.feed('RX "AABB"') == (True, None)
    assert parser.feed('RX "AABBCC"') == (True, None)
    parser.feed("LEN:2, RSSI:-30, SNR:10")
    assert parser.feed('RX "AABB"')[1] == Heard(b"\xaa\xbb", -30.0, 10.0)


def test_other_answers_between_the_two_lines_do_not_part_them() -> None:
    parser = FrameParser()
    parser.feed("LEN:2, RSSI:-30, SNR:10")
    assert parser.feed("RXLRPKT") == (False, None)
    assert parser.feed('RX "AABB"')[1] is not None


@given(st.lists(TEXTS, max_size=8))
def test_any_texts_give_frames_or_nothing(texts: list[str]) -> None:
    parser = FrameParser()
    for text in texts:
        assert isinstance(parser.feed(text)[1], Heard | None)
        assert isinstance(parse_downlink(text), Downlink | None)


def test_a_downlink_is_found_and_half_of_one_is_not() -> None:
    assert parse_downlink('PORT: 15; RX: "48656C"') == Downlink(15, b"Hel")
    assert parse_downlink('PORT: 15; RX: "48656"') is None
    assert parse_downlink('PORT: 15; RX: "4865') is None


def test_frequencies_are_written_exactly() -> None:
    assert [_mhz(hz) for hz in (868_900_000, 869_525_000, 869_000_000, 868_123_456)] == [
        "868.9", "869.525", "869.0", "868.123456",
    ]  # fmt: skip
