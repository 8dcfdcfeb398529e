"""The serial side of an emulated modem: a pseudo-terminal that a driver opens as any serial port.

Promises
- `path` is a symbolic link to the terminal, so that a modem that is pulled out and plugged in again
  is found where it was. While it is out, the path is absent.
- Bytes take the time that the baud rate gives them, both ways; every delay is divided by `speed`.
- What the other side does not read is lost once its buffer (4 KiB) is full, as on a real line; the
  emulator itself never blocks on it.
- Everything a modem does happens on one thread, its own; `post` and `call` bring work there.

Faults can be made: garbage, half lines, commands not heard, resets, pulling out.
"""

import contextlib
import heapq
import itertools
import os
import selectors
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from firmware.radio.at_line import LineSplitter
from firmware.radio.port import Heard, Tuning
from firmware.wire.airtime import Modulation

REPLY_S = 0.003
PIECE_BYTES = 32  # what a UART driver hands over at a time


class Station(Protocol):
    """A radio's hands on the air: `firmware.sim.ether.Station`."""

    def listen(self, frequency_hz: int, modulation: Modulation | None) -> None:
        """Listen to this from now on; None to stop."""

    def transmit(self, frame: bytes, tuning: Tuning) -> float:
        """Puts a frame on the air; its airtime in seconds, at once."""


class Air(Protocol):
    """What modems are joined to: `firmware.sim.ether.Ether`. It must run at their `speed`."""

    def attach(self, name: str, hear: Callable[[Heard], None]) -> Station:
        """A radio on the air; `hear` may be called on any thread."""


class Uart:
    """The line to one modem, to be plugged in. `on_line` gets commands, `on_start` is called when
    the modem has power or is reset; both on our thread."""

    def __init__(
        self, path: Path, baud: int, on_line: Callable[[str], None], on_start: Callable[[], None],
        speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.path, self.speed = path, speed
        self._byte_s = 10 / baud / speed
        self._on_line, self._on_start, self._monotonic = on_line, on_start, monotonic
        self._due: list[tuple[float, int, int, Callable[[], None]]] = []
        self._count, self._life = itertools.count(), 0
        self._out_free_s = self._in_free_s = 0.0
        self._halve = self._ignore = 0
        self._reset_on: tuple[str, float | None] | None = None
        self._master = self._slave = -1
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._posted: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._run, name=f"modem-{path.name}", daemon=True)
        self._thread.start()

    # For the modem, on our thread

    def say(self, *lines: str) -> None:
        """Lines to the driver, as fast as the line carries them."""
        for line in lines:
            data = line.encode("ascii") + b"\r\n"
            if self._halve:
                self._halve -= 1
                data = data[: len(line) // 2]
            self.say_bytes(data)

    def say_bytes(self, data: bytes) -> None:
        """Bytes to the driver."""
        for at in range(0, len(data), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            start_s = max(self._monotonic(), self._out_free_s)
            self._out_free_s = start_s + len(piece) * self._byte_s
            self._at(self._out_free_s, lambda piece=piece: self._write(piece))  # type: ignore[misc]

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        """Does it after so many seconds of the modem's time, unless it is reset before."""
        self._at(self._monotonic() + delay_s / self.speed, what)

    # For everybody

    def post(self, what: Callable[[], None]) -> None:
        """Has it done on our thread, soon."""
        with self._lock:
            self._posted.append(what)
        os.eventfd_write(self._wake, 1)

    def call(self, what: Callable[[], None]) -> None:
        """Has it done on our thread; returns when that has happened. RuntimeError when the thread
        has died of a bug, which `threading.excepthook` told."""
        done = threading.Event()

        def do() -> None:
            what()
            done.set()

        self.post(do)
        while not done.wait(1.0):
            if not self._thread.is_alive():
                raise RuntimeError(f"the modem {self.path.name} has died")

    def close(self) -> None:
        """The modem is gone for good."""

        def end() -> None:
            self._pull_out()
            self._open = False

        self.call(end)
        self._thread.join()
        self._selector.close()
        os.close(self._wake)

    # Faults

    def unplug(self) -> None:
        """Pulled out, and so without power; a driver that has it open is hung up on."""
        self.call(self._pull_out)

    def plug(self) -> None:
        """Plugged in, at the same path; the modem starts."""
        self.call(self._plug_in)

    def reset(self) -> None:
        """Starts anew in the middle of whatever it does."""
        self.call(self._restart)

    def reset_on(self, command: str, after_s: float | None = None) -> None:
        """Starts anew instead of the next command that begins so, or so long after it was taken."""
        self.call(lambda: setattr(self, "_reset_on", (command, after_s)))

    def garbage(self, data: bytes) -> None:
        """Bytes that mean nothing, or something else, on the line to the driver."""
        self.call(lambda: self.say_bytes(data))

    def half_lines(self, count: int) -> None:
        """The next lines are cut in the middle, and their ends are lost."""
        self.call(lambda: setattr(self, "_halve", count))

    def ignore(self, count: int) -> None:
        """The next commands are not heard."""
        self.call(lambda: setattr(self, "_ignore", count))

    # Our thread

    def _run(self) -> None:
        splitter = LineSplitter()
        while self._open:
            for key, _ in self._selector.select(self._pause_s()):
                if key.fd == self._wake:
                    os.eventfd_read(self._wake)
                else:
                    self._hear(splitter)
            with self._lock:
                posted, self._posted = self._posted, []
            for what in posted:
                what()
            self._do_due()

    def _pause_s(self) -> float | None:
        with self._lock:
            if self._posted:
                return 0.0
        return max(0.0, self._due[0][0] - self._monotonic()) if self._due else None

    def _do_due(self) -> None:
        while self._open and self._due and self._due[0][0] <= self._monotonic():
            _, _, life, what = heapq.heappop(self._due)
            if life == self._life:
                what()

    def _at(self, due_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (due_s, next(self._count), self._life, what))

    def _hear(self, splitter: LineSplitter) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError:
            return
        for line in splitter.feed(data):
            start_s = max(self._monotonic(), self._in_free_s)
            self._in_free_s = start_s + (len(line) + 2) * self._byte_s
            due_s = self._in_free_s + REPLY_S / self.speed
            self._at(due_s, lambda line=line: self._take(line))  # type: ignore[misc]

    def _take(self, line: str) -> None:
        if self._ignore:
            self._ignore -= 1
            return
        if self._reset_on is None or not line.startswith(self._reset_on[0]):
            self._on_line(line)
            return
        after_s, self._reset_on = self._reset_on[1], None
        if after_s is None:
            self._restart()
        else:
            self._on_line(line)
            self.after(after_s, self._restart)

    def _restart(self) -> None:
        self._life += 1  # what was due is not any more
        self._out_free_s = self._in_free_s = 0.0
        self._on_start()

    def _write(self, data: bytes) -> None:
        if self._master < 0:
            return  # pulled out: what it would say is about what is still in the air
        with contextlib.suppress(BlockingIOError):  # nobody reads: lost
            os.write(self._master, data)

    def _plug_in(self) -> None:
        if self._master >= 0:
            return
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._selector.register(self._master, selectors.EVENT_READ)
        link = self.path.with_name(f".{self.path.name}.new")
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))
        link.replace(self.path)
        self._restart()

    def _pull_out(self) -> None:
        if self._master < 0:
            return
        self._life += 1
        self.path.unlink(missing_ok=True)
        self._selector.unregister(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
