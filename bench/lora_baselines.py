"""How others send a file over LoRa, on the same link with the same packets: only to compare.

    stop_and_wait      each fragment is repeated until it is acknowledged
    selective_repeat   all fragments, then those that the answer's bitmap lacks, until none is
    ts004              LoRaWAN's parity code over GF(2) (TS004-2.0.0), with its answer: the number
                       of rows that are still wanted

Each sends 29 bytes before (the length and digest that a manifest has), asks with the last fragment
of a round, and asks again with an empty one when nothing is heard, as ours does. What the standard
leaves open for uplinks is decided in the baseline's favour.
"""

from collections.abc import Callable, Iterator

from bench.lora_link import Link
from firmware.wire.packet import MANIFEST, SYMBOL

HEAD_BYTES = 4
TS004_HEAD_BYTES = 2

Send = Callable[[Link, bytes], None]


def stop_and_wait(link: Link, data: bytes) -> None:
    """Send the file; returns when the sender knows that all has arrived."""
    for index, fragment in enumerate((bytes(29), *_fragments(link, data, HEAD_BYTES))):
        port = SYMBOL if index else MANIFEST
        frame = bytes(HEAD_BYTES if index else 0) + fragment
        while link.up(port, frame) is None or link.down(bytes(3)) is None:
            pass


def selective_repeat(link: Link, data: bytes) -> None:
    """Send the file; returns when the sender knows that all has arrived. The base answers with a
    byte for the manifest and a bit for each fragment."""
    fragments = _fragments(link, data, HEAD_BYTES)
    answer = bytes(2 + 1 + (len(fragments) + 7) // 8)
    here: set[int] = set()
    described, due = False, list(range(len(fragments)))
    while due or not described:
        described = described or link.up(MANIFEST, bytes(29)) is not None
        asked = not due and described and _ask(link)
        for index in due:
            asked = link.up(SYMBOL, bytes(HEAD_BYTES) + fragments[index]) is not None
            here |= {index} if asked else set()
        while not asked or link.down(answer) is None:
            asked = _ask(link)
        due = [index for index in due if index not in here]


def ts004(link: Link, data: bytes) -> None:
    """Send the file; returns when the sender knows that all has arrived."""
    fragments = _fragments(link, data, TS004_HEAD_BYTES)
    count, decoder = len(fragments), ParityDecoder(len(fragments))
    described, sent, wanted = False, 0, count
    while wanted or not described:
        described = described or link.up(MANIFEST, bytes(29)) is not None
        asked = False
        for row in range(sent, sent + wanted):
            body = fragments[row] if row < count else parity_fragment(fragments, row - count + 1)
            heard = link.up(SYMBOL, bytes(TS004_HEAD_BYTES) + body)
            asked = heard is not None
            if heard is not None:
                decoder.add(row, heard[TS004_HEAD_BYTES:])
        sent += wanted
        while not asked or link.down(bytes(4)) is None:
            asked = _ask(link)
        wanted = decoder.missing
    assert b"".join(decoder.fragments())[: len(data)] == data


def _ask(link: Link) -> bool:
    return link.up(SYMBOL, bytes(HEAD_BYTES)) is not None


def _fragments(link: Link, data: bytes, head_bytes: int) -> list[bytes]:
    """Of equal size, as few as may be."""
    count = -(-len(data) // (link.payload_bytes(SYMBOL) - head_bytes))
    size = -(-len(data) // count)
    return [data[at : at + size].ljust(size, b"\0") for at in range(0, len(data), size)]


def parity_row(number: int, count: int) -> int:
    """Row `number` (from 1) over `count` fragments: bit n set says that fragment n is in it."""
    row, x = 0, 1 + 1001 * number
    modulus = count + (count & (count - 1) == 0)
    for _ in range(count // 2):
        at = count
        while at >= count:
            x = _prbs23(x)
            at = x % modulus
        row |= 1 << at
    return row


def parity_fragment(fragments: list[bytes], number: int) -> bytes:
    """The sum of a row's fragments."""
    row, total = parity_row(number, len(fragments)), 0
    for index, fragment in enumerate(fragments):
        if row >> index & 1:
            total ^= int.from_bytes(fragment, "big")
    return total.to_bytes(len(fragments[0]), "big")


def _prbs23(x: int) -> int:
    return (x >> 1) + (((x & 1) ^ (x >> 5 & 1)) << 22)


class ParityDecoder:
    """Gauss over GF(2), a row at a time."""

    def __init__(self, count: int) -> None:
        self._count, self._size = count, 0
        self._rows: dict[int, tuple[int, int]] = {}

    @property
    def missing(self) -> int:
        """How many independent rows are still wanted."""
        return self._count - len(self._rows)

    def add(self, row: int, body: bytes) -> None:
        """Row 0..count-1 is a fragment as it is, count.. a parity row."""
        self._size = len(body)
        mask = 1 << row if row < self._count else parity_row(row - self._count + 1, self._count)
        value = int.from_bytes(body, "big")
        while mask:
            lowest = (mask & -mask).bit_length() - 1
            if lowest not in self._rows:
                self._rows[lowest] = mask, value
                return
            mask, value = mask ^ self._rows[lowest][0], value ^ self._rows[lowest][1]

    def fragments(self) -> Iterator[bytes]:
        """All of them, once none is missing."""
        values: dict[int, int] = {}
        for at in reversed(range(self._count)):
            mask, value = self._rows[at]
            for later in range(at + 1, self._count):
                if mask >> later & 1:
                    value ^= values[later]
            values[at] = value
        return (values[at].to_bytes(self._size, "big") for at in range(self._count))
