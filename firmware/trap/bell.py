"""A bell between daemons: who puts something into an outbox rings it, and the uplink looks at once.

A named pipe beside the outbox. Promises that ringing never waits, never fails and never costs more
than a few microseconds, whether anybody listens or not, and that it wakes the one that does. It is
a hint and no queue: the outbox alone says what is there, and the uplink also looks by itself now
and then, should the file system have no pipes.
"""

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType

from firmware.loop import Events


def pipe_of(outbox: Path) -> Path:
    """Where the bell of an outbox hangs."""
    return Path(f"{outbox}.bell")


def ring(outbox: Path) -> None:
    """Something has come into this outbox."""
    with contextlib.suppress(OSError):  # nobody listens, or has been rung often enough
        pipe = os.open(pipe_of(outbox), os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            os.write(pipe, b"\0")
        finally:
            os.close(pipe)


class Bell:
    """Puts None, which makes the loop take a step, into `events` at each ring; until closed."""

    def __init__(self, outbox: Path, events: Events) -> None:
        self._events = events
        self._closed = False
        self._pipe = _opened(pipe_of(outbox))
        if self._pipe is not None:
            self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
            self._thread.start()

    def __enter__(self) -> "Bell":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pipe is not None:
            self._closed = True
            os.write(self._pipe, b"\0")
            self._thread.join()
            os.close(self._pipe)

    def _listen(self) -> None:
        assert self._pipe is not None
        while os.read(self._pipe, 4096) and not self._closed:
            self._events.put(None)


def _opened(path: Path) -> int | None:
    """Open for reading and writing, so that it does not end when the last ringer closes it. None
    where the file system has no pipes."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o660)
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
