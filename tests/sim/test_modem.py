"""The emulated serial line: real pacing, nothing blocks, and faults when asked."""

import gc
import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from firmware.sim.modem import Uart

WAIT_S = 20.0


class Line:
    """A Uart whose modem answers every line with itself in brackets, opened as a serial port."""

    def __init__(self, folder: Path, speed: float, baud: int = 115200) -> None:
        self.starts = 0
        self.started = threading.Semaphore(0)
        self.uart = Uart(folder / "modem", baud, self._answer, self._start, speed)
        self.uart.plug()
        self.port = serial.Serial(str(self.uart.path), baud, timeout=WAIT_S)

    def _answer(self, line: str) -> None:
        self.uart.say(f"[{line}]")

    def _start(self) -> None:
        self.starts += 1
        self.started.release()

    def ask(self, line: str) -> bytes:
        self.port.write(line.encode() + b"\r\n")
        return bytes(self.port.read_until(b"\n"))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path, speed=1000.0)
    yield line
    line.port.close()
    line.uart.close()


def test_a_line_comes_back_whole(line: Line) -> None:
    assert line.ask("x" * 500) == b"[" + b"x" * 500 + b"]\r\n"


def test_bytes_take_the_time_of_the_baud_rate_both_ways(tmp_path: Path) -> None:
    line = Line(tmp_path, speed=1.0, baud=9600)
    began_s = time.monotonic()
    line.ask("x" * 100)
    took_s = time.monotonic() - began_s
    assert 206 * 10 / 9600 <= took_s < 2.0
    line.port.close()
    line.uart.close()


def test_speed_divides_every_delay(tmp_path: Path) -> None:
    line = Line(tmp_path, speed=1000.0, baud=300)
    began_s = time.monotonic()
    line.ask("x" * 100)  # 6.9 s at 300 baud
    assert time.monotonic() - began_s < 3.0
    line.port.close()
    line.uart.close()


def test_a_driver_that_never_reads_does_not_block_the_modem(line: Line) -> None:
    for _ in range(100):
        line.port.write(b"y" * 200 + b"\r\n")
        line.uart.call(lambda: None)
    done: list[bool] = []
    line.uart.call(lambda: done.append(True))
    assert done
    line.port.reset_input_buffer()


def test_pulled_out_the_path_is_absent_and_back_it_is_another_terminal(line: Line) -> None:
    assert line.uart.path.is_symlink()
    line.uart.unplug()
    line.uart.unplug()
    assert not line.uart.path.is_symlink()
    with pytest.raises((OSError, serial.SerialException)):
        line.ask("anybody?")
    line.port.close()
    line.uart.plug()
    line.uart.plug()
    assert line.starts == 2
    line.port = serial.Serial(str(line.uart.path), 115200, timeout=WAIT_S)
    assert line.ask("back") == b"[back]\r\n"


def test_what_it_would_say_while_pulled_out_is_lost_and_it_lives_on(line: Line) -> None:
    line.uart.unplug()
    line.uart.call(lambda: line.uart.say("a frame from the air"))
    line.uart.garbage(b"\xff" * 100)
    line.port.close()
    line.uart.plug()
    line.port = serial.Serial(str(line.uart.path), 115200, timeout=WAIT_S)
    assert line.ask("alive")[-9:] == b"[alive]\r\n"


def test_a_reset_drops_what_was_still_to_be_said(tmp_path: Path) -> None:
    line = Line(tmp_path, speed=1.0)
    line.uart.call(lambda: line.uart.after(0.05, lambda: line.uart.say("late")))
    line.uart.reset()
    assert line.starts == 2
    assert line.ask("next") == b"[next]\r\n"
    line.port.close()
    line.uart.close()


def test_a_reset_on_a_command_comes_instead_of_its_answer(line: Line) -> None:
    line.uart.reset_on("AT+PSEND")
    assert line.ask("AT") == b"[AT]\r\n"
    line.started.acquire()
    line.port.write(b"AT+PSEND=AA\r\n")
    assert line.started.acquire(timeout=WAIT_S)
    assert line.ask("AT") == b"[AT]\r\n"
    assert line.ask("AT+PSEND=AA") == b"[AT+PSEND=AA]\r\n"


def test_half_lines_lose_their_ends_and_ignored_commands_their_answers(line: Line) -> None:
    line.uart.half_lines(1)
    line.port.write(b"12345678\r\n")
    assert line.ask("second") == b"[1234[second]\r\n"
    line.uart.ignore(1)
    line.port.write(b"not heard\r\n")
    assert line.ask("heard") == b"[heard]\r\n"


def test_garbage_is_on_the_line_as_it_is(line: Line) -> None:
    line.uart.garbage(bytes(range(256)))
    assert line.port.read(256) == bytes(range(256))


def test_closing_leaves_no_thread_no_file_and_no_descriptor(tmp_path: Path) -> None:
    gc.collect()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        line = Line(tmp_path, speed=1000.0)
        line.port.close()
        line.uart.close()
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_it_sleeps_while_nothing_happens(line: Line) -> None:
    used_s = time.process_time()
    select.select([], [], [], 0.2)
    assert time.process_time() - used_s < 0.1
