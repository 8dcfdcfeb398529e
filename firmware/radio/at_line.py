"""The lines a modem says over a serial port, whatever else comes with them.

Promises: any bytes give lines or nothing, never an error; half a line waits for its other half;
CR, LF and NUL in any mixture end a line; bytes that are no printable ASCII are dropped; a line
longer than any modem says is dropped whole. `SerialLines` raises RadioGone when the port is gone
and nothing else, and waits without polling.

Reads what is there and splits it here: pyserial's `readline` asks the kernel for every single byte.
"""

import contextlib
import os
import re
import select
import termios
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import serial

from firmware.radio.port import RadioGone

LONGEST_LINE = 1024
WRITE_TIMEOUT_S = 5.0
_ENDS = bytes.maketrans(b"\r\0", b"\n\n")
_KEY = re.compile(r"[0-9A-F]{32,}", re.IGNORECASE)
_NOT_PRINTABLE = bytes(byte for byte in range(256) if not 32 <= byte < 127)


def tellable(line: str) -> str:
    """A command or answer as a log may have it: without keys, and frames, which look like them."""
    return _KEY.sub("...", line)


class LineSplitter:
    """Bytes in, whole lines out."""

    def __init__(self) -> None:
        self._half = b""
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that these bytes complete, without their ends, none of them empty."""
        *whole, rest = data.translate(_ENDS).split(b"\n")
        for piece in whole:
            line, self._half = self._half + piece, b""
            too_long, self._too_long = self._too_long or len(line) > LONGEST_LINE, False
            text = line.translate(None, _NOT_PRINTABLE).decode("ascii").strip()
            if text and not too_long:
                yield text
        self._half += rest
        if len(self._half) > LONGEST_LINE:
            self._half, self._too_long = b"", True


class SerialLines:
    """One modem's serial port. Only `interrupt` may be called from another thread."""

    def __init__(
        self, path: Path, baud: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.monotonic = monotonic
        try:
            self._serial = serial.Serial(
                str(path), baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise RadioGone(f"{path} cannot be opened: {error}") from error
        self._splitter = LineSplitter()
        self._lines: deque[str] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._modem_says, self._anything = select.poll(), select.poll()
        for poll in (self._modem_says, self._anything):
            poll.register(self._serial.fileno(), select.POLLIN)
        self._anything.register(self._wake, select.POLLIN)

    def write(self, line: str) -> None:
        """The line and its end. Raises RadioGone."""
        try:
            self._serial.write(line.encode("ascii") + b"\r\n")
        except (OSError, termios.error) as error:
            raise RadioGone(f"{self.path} takes no bytes: {error}") from error

    def read(self, until_s: float, *, interruptible: bool = False) -> str | None:
        """The next line; None at `until_s` on our clock, or when interrupted. Raises RadioGone."""
        while not self._lines:
            left_s = until_s - self.monotonic()
            poll = self._anything if interruptible else self._modem_says
            ready = [number for number, _ in poll.poll(max(0.0, left_s) * 1000)]
            if self._wake in ready:
                os.eventfd_read(self._wake)
                return None
            if ready:
                self._lines.extend(self._splitter.feed(self._bytes()))
            elif left_s <= 0:
                return None
        return self._lines.popleft()

    def within(self, timeout_s: float) -> Iterator[str]:
        """The lines that come in this time, each as it comes."""
        until_s = self.monotonic() + timeout_s
        while (line := self.read(until_s)) is not None:
            yield line

    def interrupt(self) -> None:
        """An interruptible `read`, the one under way or else the next, returns None."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Nothing may be called after this."""
        with contextlib.suppress(OSError, termios.error):  # unplugged: nothing left to close
            self._serial.close()
        os.close(self._wake)

    def _bytes(self) -> bytes:
        try:
            return bytes(self._serial.read(self._serial.in_waiting or 1))
        except (OSError, termios.error) as error:
            raise RadioGone(f"{self.path} is gone: {error}") from error
