"""The counters of sealed frames: 0, 1, 2, ... within an epoch, and never the same one twice.

A counter is half of a nonce: used twice under one key it gives away what was sent. So counters
come in blocks of 256, and a block is on the disk before its first counter is used; a crash, a
power cut or `kill -9` skips at most the rest of a block. There is one write in 256 frames.

The file carries its epoch.
- A config that names a higher epoch than the file starts that epoch, at 0. Raising the epoch in
  the config is a deliberate act; nothing does it by itself.
- A file that is missing or damaged says nothing of what was used, and nobody else knows. Then
  `Counters` refuses with CounterLost, whatever the config says.
- `start_epoch` writes the first file. Provisioning calls it, once for each epoch that was never
  used under this key; it refuses an epoch that the file already knows.

A whole disk put back from an old copy brings old counters back with it, and nothing here can see
that: raise the epoch then.
"""

import fcntl
import os
import re
import zlib
from pathlib import Path

from firmware.durable import sync_directory, write_file

BLOCK = 256
MOST_COUNTER = 2**32 - 1
MOST_EPOCH = 2**16 - 1
_CONTENT = re.compile(rb"(epoch=([0-9]{1,5}) next=([0-9]{1,10})) crc=([0-9a-f]{8})\n")


class CounterError(Exception):
    """No counter now: the disk does not take the reservation. Nothing was used up."""


class CounterLost(CounterError):
    """No counter can be given that is certain to be new. Somebody must come."""


class Counters:
    """`take()` gives the next counter of `epoch`. One process at a time holds a file."""

    def __init__(self, path: Path, epoch: int) -> None:
        self._path, self.epoch = path, epoch
        self._lock = _lock(path)
        try:
            self._next = _opened(path, epoch)
        except BaseException:
            os.close(self._lock)
            raise
        self._reserved = self._next

    def take(self) -> int:
        """The next counter. Raises CounterError; nothing is used up then."""
        if self._next == self._reserved:
            self._reserve()
        self._next += 1
        return self._next - 1

    @property
    def used(self) -> bool:
        """Whether any counter of the epoch was ever given, or may have been."""
        return self._next > 0

    def close(self) -> None:
        """Lets another process have the file; `take` must not be called again."""
        self._reserved = self._next = MOST_COUNTER + 1
        os.close(self._lock)

    def _reserve(self) -> None:
        end = min(self._next + BLOCK, MOST_COUNTER + 1)
        if end <= self._next:
            raise CounterLost(f"{self._path}: epoch {self.epoch} is used up: raise the epoch")
        _write(self._path, self.epoch, end)
        self._reserved = end


def start_epoch(path: Path, epoch: int) -> None:
    """Begins an epoch that was never used under this key: counters from 0, on the disk when this
    returns. Raises CounterLost where the file says that the epoch, or a later one, was used."""
    _check_epoch(epoch)
    lock = _lock(path)
    try:
        known = _read(path) if path.exists() else None
        if known is not None and known[0] >= epoch:
            raise CounterLost(
                f"{path}: epoch {epoch} cannot start again, epoch {known[0]} was used: "
                f"take {known[0] + 1} or higher"
            )
        _write(path, epoch, 0)
    finally:
        os.close(lock)


def _opened(path: Path, epoch: int) -> int:
    """The first counter of this epoch that nobody has been given."""
    _check_epoch(epoch)
    try:
        used, free = _read(path)
    except FileNotFoundError as error:
        raise CounterLost(
            f"{path} is missing, so nobody knows which counters of epoch {epoch} were used: "
            f"provision this link anew, under an epoch that was never used"
        ) from error
    if used > epoch:
        raise CounterLost(
            f"{path}: epoch {used} was used already, the config says {epoch}: an epoch never goes "
            f"back; take {used} to go on or {used + 1} to begin anew"
        )
    return free if used == epoch else 0


def _check_epoch(epoch: int) -> None:
    if not 0 <= epoch <= MOST_EPOCH:
        raise ValueError(f"epoch {epoch} is outside 0..{MOST_EPOCH}")


def _lock(path: Path) -> int:
    """Held until closed, or until the process ends in any way."""
    try:
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CounterError(f"{path}: cannot be locked: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise CounterError(f"{path}: another process takes counters from it") from error
    return lock


def _read(path: Path) -> tuple[int, int]:
    """(epoch, first counter that nobody has been given)."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CounterError(f"{path}: cannot be read: {error.strerror}") from error
    match = _CONTENT.fullmatch(content)
    if match is None or match[4] != _checksum(match[1]):
        raise CounterLost(
            f"{path} is damaged, so nobody knows which counters were used: remove it and provision "
            f"this link anew, under an epoch that was never used"
        )
    return int(match[2]), int(match[3])


def _write(path: Path, epoch: int, free: int) -> None:
    content = b"epoch=%d next=%d" % (epoch, free)
    try:
        write_file(path, content + b" crc=" + _checksum(content) + b"\n")
        sync_directory(path.parent)
    except OSError as error:
        raise CounterError(
            f"{path}: cannot be written: {error.strerror}; is the disk read-only or full?"
        ) from error


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)
