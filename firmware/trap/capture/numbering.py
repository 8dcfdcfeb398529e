"""Sighting numbers: u32, upwards, never the same one twice on a unit.

A small file holds the first number that no process has been given yet. Numbers are taken from it
in blocks, on the disk before the first of a block is used, so a crash or a power cut skips at most
a block and repeats nothing. Two slots are overwritten in turn, each with a checksum: a torn write
leaves the other one, and it needs no free space.

Where the file is missing or no slot is good, numbering goes on `SKIP` above the highest number
that the caller still knows of (archive, outbox). That covers a lost file, not a lost data
partition: whoever wipes that raises `unit.epoch`, which starts a range of its own.
"""

import logging
import os
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from firmware.durable import sync_directory
from firmware.wire.ids import COUNT_BITS, MAX_SIGHTING, first_sighting

log = logging.getLogger(__name__)

BLOCK = 64
SKIP = 4096
_SLOT = re.compile(rb"([0-9]{10}) ([0-9a-f]{8})\n")
_SLOT_BYTES = 20


class NumberingError(Exception):
    """No number can be given that is certain to be new: why, and what to do."""


class Numbering:
    """`take()` gives the next number. `known` is called only when the file does not say."""

    def __init__(self, path: Path, epoch: int, known: Callable[[], Iterable[int]]) -> None:
        self._path = path
        slots = _read(path)
        free = max((number for number in slots if number is not None), default=None)
        if free is None:
            free = _above(path, known())
        if free >> COUNT_BITS > epoch:
            log.warning("epoch_is_older config=%d card=%d", epoch, free >> COUNT_BITS)
        self._slot = 0 if slots[0] is None or (slots[1] or -1) > slots[0] else 1
        self._next = self._reserved = max(free, first_sighting(epoch))

    def take(self) -> int:
        """The next number. Raises NumberingError; nothing is used up then."""
        if self._next == self._reserved:
            self._reserve()
        self._next += 1
        return self._next - 1

    def _reserve(self) -> None:
        """One more block. It may not reach into the next epoch, which is for a re-flashed card."""
        end = self._next + BLOCK
        if end > MAX_SIGHTING or end - 1 >> COUNT_BITS > self._next >> COUNT_BITS:
            raise NumberingError(f"{self._path}: the epoch's numbers are used up: raise unit.epoch")
        try:
            _write(self._path, self._slot, end)
        except OSError as error:
            raise NumberingError(
                f"{self._path}: cannot be written: {error.strerror}; is the disk read-only or full?"
            ) from error
        self._slot = 1 - self._slot
        self._reserved = end


def _above(path: Path, known: Iterable[int]) -> int:
    highest = max(known, default=None)
    if highest is None:
        return 0
    log.warning("numbering_lost file=%s highest_known=%d continues_at=%d", path, highest,
                highest + SKIP)  # fmt: skip
    return highest + SKIP


def _read(path: Path) -> list[int | None]:
    """What each of the two slots says; None for a bad one. An unreadable disk is no empty file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise NumberingError(f"{path}: cannot be read: {error.strerror}") from error
    return [_parse(content[at : at + _SLOT_BYTES]) for at in (0, _SLOT_BYTES)]


def _parse(slot: bytes) -> int | None:
    match = _SLOT.fullmatch(slot)
    return int(match[1]) if match and match[2] == _checksum(match[1]) else None


def _write(path: Path, slot: int, number: int) -> None:
    digits = b"%010d" % number
    new = not path.exists()
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(file, digits + b" " + _checksum(digits) + b"\n", slot * _SLOT_BYTES)
        os.fsync(file)
    finally:
        os.close(file)
    if new:
        sync_directory(path.parent)


def _checksum(digits: bytes) -> bytes:
    return b"%08x" % zlib.crc32(digits)
