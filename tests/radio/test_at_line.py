"""Lines out of whatever a serial port gives."""

import pty
import tty
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.radio.at_line import LONGEST_LINE, LineSplitter, SerialLines
from firmware.radio.port import RadioGone

PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0"]


def split(data: bytes, pieces: list[int]) -> list[str]:
    """The lines of the data when it comes in pieces of these sizes."""
    splitter, at = LineSplitter(), 0
    lines: list[str] = []
    for size in [*pieces, len(data)]:
        lines += splitter.feed(data[at : at + size])
        at += size
    return lines


@given(
    st.lists(st.tuples(PRINTABLE, st.sampled_from(ENDS))),
    st.lists(st.integers(0, 9)),
)
def test_lines_are_the_same_however_they_are_cut_and_ended(
    lines: list[tuple[str, bytes]], pieces: list[int]
) -> None:
    data = b"".join(text.encode() + end for text, end in lines)
    assert split(data, pieces) == [text for text, _ in lines]


@given(st.binary(max_size=3000), st.lists(st.integers(0, 400)))
def test_any_bytes_give_short_printable_lines_and_no_error(data: bytes, pieces: list[int]) -> None:
    for line in split(data, pieces):
        assert 0 < len(line) <= LONGEST_LINE and line.isprintable() and line == line.strip()


@given(st.binary(max_size=200), PRINTABLE)
def test_after_any_noise_that_ends_a_line_comes_through_whole(noise: bytes, line: str) -> None:
    assert split(noise + b"\r\n" + line.encode() + b"\r\n", [])[-1] == line


def test_half_a_line_waits_for_its_other_half() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"+EVT:TXP2")) == []
    assert list(splitter.feed(b"P DONE\r")) == ["+EVT:TXP2P DONE"]


def test_a_line_longer_than_any_modem_says_is_dropped_whole_and_the_next_one_is_not() -> None:
    data = b"x" * (5 * LONGEST_LINE) + b"\r\nOK\r\n"
    assert split(data, []) == ["OK"]
    assert split(data, [100] * 60) == ["OK"]


def test_bytes_that_are_no_text_are_dropped_from_a_line() -> None:
    assert split(b"\xfe\x01OK\x80\r\n", []) == ["OK"]


def test_a_port_that_is_none_or_is_not_there_is_gone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a terminal")
    for name in ("file", "absent"):
        with pytest.raises(RadioGone, match=f"{name} cannot be opened"):
            SerialLines(tmp_path / name, 115200)


def test_a_read_ends_at_its_time_and_the_time_is_the_clocks() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    lines = SerialLines(Path(f"/proc/self/fd/{slave}").resolve(), 9600, lambda: 1000.0)
    assert lines.read(999.0) is None
    assert lines.read(1000.0) is None
    lines.interrupt()
    assert lines.read(5000.0, interruptible=True) is None
    lines.close()
    del master
