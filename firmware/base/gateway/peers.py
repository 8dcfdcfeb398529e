"""Whose packet is it: keys, epochs and replay windows of the units, and sealing for them.

Promises
- `open` returns a packet only if its tag holds under its unit's own key and it was not taken
  before; that it was taken is on the disk by then. Everything else raises, and changes nothing.
- An epoch that is higher than the known one is believed once a packet with an 8-byte tag holds in
  it, and never left for a lower one. So is a counter that is far ahead, after a long silence.
- `seal` never uses a counter twice. Counters of the down direction begin at 0 in each epoch.

Keys are files `T0007.key` in one folder (radio/key_file.py). A unit whose file comes later is known
from then on; a key that changes needs a restart.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware.base.gateway.state import Peer, State
from firmware.radio.counter import CounterLost, Counters, start_epoch
from firmware.radio.key_file import KeyUnusable, read_keys
from firmware.wire.errors import WireError
from firmware.wire.ids import format_unit, parse_unit
from firmware.wire.packet import (
    SYMBOL,
    Direction,
    Forged,
    Header,
    Keys,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.replay import GAPS, ReplayWindow

EPOCHS_AHEAD = 8
FIRST_EPOCHS = 16
NEW_GAPS = 4
LAST_EPOCH = 0xFFFF


class Unknown(WireError):
    """A packet of a unit that we have no key for."""


@dataclass(frozen=True)
class Packet:
    """What a unit has truly sent, for the first time. `anew`: its epoch has just risen."""

    unit: int
    port: int
    payload: bytes
    anew: bool = False


class KeyFolder:
    """The units' keys. Raises KeyUnusable at once for a file that is there and no good."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[int, Keys] = {}
        if not folder.is_dir():
            raise KeyUnusable(f"{folder} is no folder: make it, and put a key file for each unit")
        for file in sorted(folder.glob("*.key")):
            try:
                self.of(parse_unit(file.stem))
            except WireError as error:
                raise KeyUnusable(f"{file}: {error}, as a key's name must be") from error

    def of(self, unit: int) -> Keys | None:
        """The unit's keys; None where it has none. Raises KeyUnusable."""
        if unit not in self._keys:
            file = self._folder / f"{format_unit(unit)}.key"
            if not file.exists():
                return None
            self._keys[unit] = read_keys(file, unit)
        return self._keys[unit]


class Peers:
    """All units of this gateway. Methods raise StateError when the disk does not take it."""

    def __init__(self, keys: KeyFolder, state: State) -> None:
        self._keys = keys
        self._state = state
        self._known = state.peers()
        self._counters: dict[int, Counters] = {}

    def open(self, frame: bytes) -> Packet:
        """The packet in a frame from the air. Raises WireError: Unknown, Forged (which an old
        packet may look like), Replayed; or KeyUnusable, CounterError."""
        header = parse_header(frame)
        keys = self._keys.of(header.unit)
        if keys is None:
            raise Unknown(f"there is no key for {format_unit(header.unit)}")
        known = self._known.get(header.unit)
        for epoch, window, counter in _guesses(known, header):
            try:
                payload = unseal(keys.up, Direction.UP, epoch, counter, frame)
            except Forged:
                continue
            peer = Peer(epoch, window.accept(counter))
            if known is None or epoch > known.epoch:
                self._begin(header.unit, epoch)
            self._state.heard(header.unit, peer)
            self._known[header.unit] = peer
            anew = known is not None and epoch > known.epoch
            return Packet(header.unit, header.port, payload, anew)
        unknown = known is None and header.port == SYMBOL
        why = "or came before any record of the unit" if unknown else "or old"
        raise Forged(f"packet of {format_unit(header.unit)} is forged, {why}")

    def seal(self, unit: int, port: int, payload: bytes) -> bytes:
        """A frame for a unit that was heard. Raises CounterError; Unknown for one that was not."""
        keys, known = self._keys.of(unit), self._known.get(unit)
        if keys is None or known is None:
            raise Unknown(f"{format_unit(unit)} was never heard")
        counter = self._counting(unit, known.epoch).take()
        return seal(keys.down, Direction.DOWN, known.epoch, unit, port, counter, payload)

    def close(self) -> None:
        """Let the counters go."""
        for unit in list(self._counters):
            self._let_go(unit)

    def _counting(self, unit: int, epoch: int) -> Counters:
        """The unit's counters. They begin with its first packet, and anew with each epoch; lost in
        between, they are not made again until the next one."""
        counters = self._counters.get(unit)
        if counters is None or counters.epoch != epoch:
            self._let_go(unit)
            counters = self._counters[unit] = Counters(self._counter_file(unit), epoch)
        return counters

    def _begin(self, unit: int, epoch: int) -> None:
        """Counters for a unit that is heard for the first time in its epoch, before that is on the
        disk."""
        self._let_go(unit)
        with contextlib.suppress(CounterLost):  # made just before a power cut
            start_epoch(self._counter_file(unit), epoch)

    def _let_go(self, unit: int) -> None:
        counters = self._counters.pop(unit, None)
        if counters is not None:
            counters.close()

    def _counter_file(self, unit: int) -> Path:
        return self._state.path.parent / f"{format_unit(unit)}.counter"


def _guesses(known: Peer | None, header: Header) -> Iterator[tuple[int, ReplayWindow, int]]:
    """(epoch, its window, whole counter) that a packet may have, the likeliest first. Those with
    a short tag get one guess, so that its strength is not spent."""
    if known is not None:
        yield from _counters(known.epoch, known.window, header)
    if header.port == SYMBOL:
        return
    first, last = (0, FIRST_EPOCHS - 1) if known is None else (known.epoch + 1, 0)
    if known is not None:
        last = min(known.epoch + EPOCHS_AHEAD, LAST_EPOCH)
    for epoch in range(first, last + 1):
        yield from _counters(epoch, ReplayWindow(), header)


def _counters(
    epoch: int, window: ReplayWindow, header: Header
) -> Iterator[tuple[int, ReplayWindow, int]]:
    known = window.highest >= 0
    count = 1 if header.port == SYMBOL else GAPS if known else NEW_GAPS
    for counter in window.guesses(header.counter_low, count):
        yield epoch, window, counter
