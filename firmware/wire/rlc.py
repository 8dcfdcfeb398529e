"""A systematic random linear code over GF(256): any K symbols, give or take, make the object.

The object is cut into K source symbols of equal size, the last one zero-padded. Symbol 0..K-1 is
a source symbol as it is; symbol K.. is a repair symbol, the sum over GF(256) (polynomial 0x11D)
of coefficient j times source symbol j, and

    coefficients of symbol i = SHAKE128("rosette-rlc-1" | salt | i as two bytes), the first K bytes

so that a symbol needs no more than its index on the air. The salt is the object's digest. K
random symbols solve the object with probability 0.996; one more with 0.99998.

Costs no numpy on either side: a product is `bytes.translate` by the coefficient's table, a sum is
the XOR of two integers. Does not detect a wrong symbol: tags and the object's digest do.
"""

import hashlib
from functools import cache

from firmware.wire.errors import WireError

MOST_SYMBOLS = 150
MAX_INDEX = 0x7FFF
_POLYNOMIAL = 0x11D


def source_count(length: int, symbol_bytes: int) -> int:
    """K. Raises WireError where the object is empty or would have over 150 symbols."""
    count = -(-length // symbol_bytes) if symbol_bytes > 0 else 0
    if not 1 <= count <= MOST_SYMBOLS:
        raise WireError(f"{length} bytes in symbols of {symbol_bytes}: not 1..{MOST_SYMBOLS}")
    return count


class Encoder:
    """The symbols of one object."""

    def __init__(self, data: bytes, symbol_bytes: int, salt: bytes) -> None:
        self.source_count = source_count(len(data), symbol_bytes)
        self._salt = salt
        padded = data.ljust(self.source_count * symbol_bytes, b"\0")
        starts = range(0, len(padded), symbol_bytes)
        self._source = [padded[start : start + symbol_bytes] for start in starts]

    def symbol(self, index: int) -> bytes:
        """Symbol 0..K-1 is a source symbol, K..32767 a repair symbol."""
        if 0 <= index < self.source_count:
            return self._source[index]
        total = 0
        for factor, symbol in zip(
            _coefficients(self._salt, index, self.source_count), self._source, strict=True
        ):
            total ^= int.from_bytes(symbol.translate(_times(factor)), "big")
        return total.to_bytes(len(self._source[0]), "big")


class Decoder:
    """Collects symbols in any order, repeats included, until the object is known.

    Each row is coefficients and symbol in one; rows are kept in echelon form, so that `missing`
    is exact after every symbol.
    """

    def __init__(self, length: int, symbol_bytes: int, salt: bytes) -> None:
        self._count = source_count(length, symbol_bytes)
        self._length, self._symbol_bytes, self._salt = length, symbol_bytes, salt
        self._rows: dict[int, bytes] = {}

    @property
    def missing(self) -> int:
        """How many more independent symbols are wanted."""
        return self._count - len(self._rows)

    def add(self, index: int, symbol: bytes) -> bool:
        """Whether the object is known now. Raises WireError for a symbol that cannot be one."""
        if not 0 <= index <= MAX_INDEX or len(symbol) != self._symbol_bytes:
            raise WireError(f"symbol {index} of {len(symbol)} bytes, not {self._symbol_bytes}")
        if not self.missing:
            return True
        row = _coefficients(self._salt, index, self._count) + symbol
        for column in range(self._count):
            if not row[column]:
                continue
            if column in self._rows:
                row = _less(row, row[column], self._rows[column])
            else:
                self._rows[column] = row.translate(_times(_inverse(row[column])))
                break
        return not self.missing

    def data(self) -> bytes:
        """The object. Raises ValueError while symbols are missing."""
        if self.missing:
            raise ValueError(f"object still wants {self.missing} symbols")
        for column in reversed(range(self._count)):
            row = self._rows[column]
            for later in range(column + 1, self._count):
                if row[later]:
                    row = _less(row, row[later], self._rows[later])
            self._rows[column] = row
        symbols = (self._rows[column][self._count :] for column in range(self._count))
        return b"".join(symbols)[: self._length]


def _coefficients(salt: bytes, index: int, count: int) -> bytes:
    if not 0 <= index <= MAX_INDEX:
        raise WireError(f"symbol index {index} is not within 0..{MAX_INDEX}")
    if index < count:
        return bytes(index) + b"\1" + bytes(count - index - 1)
    return hashlib.shake_128(b"rosette-rlc-1" + salt + index.to_bytes(2, "big")).digest(count)


def _less(row: bytes, factor: int, other: bytes) -> bytes:
    """row - factor * other (in this field the same as plus)."""
    product = int.from_bytes(other.translate(_times(factor)), "big")
    return (int.from_bytes(row, "big") ^ product).to_bytes(len(row), "big")


@cache
def _times(factor: int) -> bytes:
    """The table of `factor * x` for every byte x."""
    table = bytearray(256)
    for bit in range(8):
        for low in range(1 << bit):
            table[1 << bit | low] = factor ^ table[low]
        factor = factor << 1 ^ (_POLYNOMIAL if factor & 0x80 else 0)
    return bytes(table)


@cache
def _inverse(factor: int) -> int:
    return _times(factor).index(1)
