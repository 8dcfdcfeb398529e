"""The erasure code: exact on every subset that has the rank, and nearly every subset has it."""

import hashlib
import random
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.rlc import MOST_SYMBOLS, Decoder, Encoder, source_count

Bytes = npt.NDArray[np.uint8]

SALT = bytes(range(16))

objects = st.tuples(st.binary(min_size=1, max_size=600), st.integers(1, 255)).filter(
    lambda o: -(-len(o[0]) // o[1]) <= MOST_SYMBOLS
)


def product(a: int, b: int) -> int:
    """a * b in GF(256) by shift and add, polynomial 0x11D."""
    result = 0
    while b:
        result ^= a * (b & 1)
        a, b = (a << 1) ^ (0x11D if a & 0x80 else 0), b >> 1
    return result


TABLE = np.array([[product(a, b) for b in range(256)] for a in range(256)], np.uint8)
INVERSE = np.argmax(TABLE == 1, axis=1)


def solved_with_numpy(
    rows: Sequence[tuple[int, bytes]], count: int, coefficients: Bytes
) -> bytes | None:
    """Gauss-Jordan over whole matrices: an implementation that shares nothing with ours."""
    left = coefficients.copy()
    right = np.array([list(symbol) for _, symbol in rows], np.uint8)
    for column in range(count):
        pivots = np.flatnonzero(left[column:, column]) + column
        if not len(pivots):
            return None
        for side in (left, right):
            side[[column, pivots[0]]] = side[[pivots[0], column]]
        scale = INVERSE[left[column, column]]
        left[column], right[column] = TABLE[scale, left[column]], TABLE[scale, right[column]]
        factors = left[:, column].copy()
        factors[column] = 0
        left ^= TABLE[factors[:, None], left[column][None, :]]
        right ^= TABLE[factors[:, None], right[column][None, :]]
    return right[:count].tobytes()


def coefficients_by_probe(indices: Sequence[int], count: int, salt: bytes) -> Bytes:
    """Row i of the code, by encoding unit vectors one at a time."""
    columns = []
    for j in range(count):
        encoder = Encoder(bytes(j) + b"\1" + bytes(count - j - 1), 1, salt)
        columns.append([encoder.symbol(index)[0] for index in indices])
    return np.array(columns, np.uint8).T


@given(objects, st.randoms(use_true_random=False), st.binary(max_size=16))
def test_any_symbols_that_suffice_give_the_object_and_numpy_agrees(
    case: tuple[bytes, int], rng: random.Random, salt: bytes
) -> None:
    data, size = case
    encoder, decoder = Encoder(data, size, salt), Decoder(len(data), size, salt)
    indices = rng.sample(range(3 * encoder.source_count + 5), encoder.source_count + 4)
    rows = [(index, encoder.symbol(index)) for index in indices]
    done = [decoder.add(*row) for row in rows][-1]
    count = encoder.source_count
    if count <= 24:
        padded = solved_with_numpy(rows, count, coefficients_by_probe(indices, count, salt))
        assert done is (padded is not None)
        assert padded is None or padded[: len(data)] == data
    if done:
        assert decoder.data() == data


@given(objects)
def test_without_loss_the_source_symbols_are_the_object(case: tuple[bytes, int]) -> None:
    data, size = case
    encoder, decoder = Encoder(data, size, SALT), Decoder(len(data), size, SALT)
    symbols = [encoder.symbol(index) for index in range(encoder.source_count)]
    assert b"".join(symbols)[: len(data)] == data
    assert [decoder.add(n, s) for n, s in enumerate(symbols)].index(True) == len(symbols) - 1
    assert decoder.data() == data


def test_a_repair_symbol_is_the_specified_sum() -> None:
    encoder = Encoder(b"\x02\x03\x57", 1, SALT)
    factors = hashlib.shake_128(b"rosette-rlc-1" + SALT + b"\x01\x00").digest(3)
    expected = product(factors[0], 2) ^ product(factors[1], 3) ^ product(factors[2], 0x57)
    assert encoder.symbol(256) == bytes((expected,))


def test_repeats_add_nothing_and_missing_counts_down() -> None:
    encoder, decoder = Encoder(b"leopard" * 9, 7, SALT), Decoder(63, 7, SALT)
    assert decoder.missing == 9
    for index in (3, 3, 11, 11, 3):
        assert not decoder.add(index, encoder.symbol(index))
    assert decoder.missing == 7
    with pytest.raises(ValueError, match="7 symbols"):
        decoder.data()


def test_after_the_object_is_known_more_symbols_change_nothing() -> None:
    encoder, decoder = Encoder(b"leopard", 7, SALT), Decoder(7, 7, SALT)
    assert decoder.add(9, encoder.symbol(9))
    assert decoder.data() == b"leopard"
    assert decoder.add(0, b"\0" * 7)
    assert decoder.data() == b"leopard"


@pytest.mark.parametrize(("index", "size"), [(-1, 7), (0x8000, 7), (0, 6), (0, 8), (0, 0)])
def test_a_symbol_that_cannot_be_is_refused(index: int, size: int) -> None:
    with pytest.raises(WireError):
        Decoder(63, 7, SALT).add(index, bytes(size))


@pytest.mark.parametrize(("length", "size"), [(0, 7), (-1, 7), (10, 0), (10, -1), (151, 1)])
def test_an_object_that_cannot_be_is_refused(length: int, size: int) -> None:
    with pytest.raises(WireError):
        source_count(length, size)
    with pytest.raises(WireError):
        Decoder(length, size, SALT)


@pytest.mark.parametrize("index", [-1, 0x8000])
def test_a_symbol_index_outside_the_wire_is_refused(index: int) -> None:
    with pytest.raises(WireError):
        Encoder(b"leopard", 2, SALT).symbol(index)


def extra_symbols(count: int, loss: float, trials: int) -> float:
    """Mean number of received symbols beyond K until the object is known."""
    extra = 0
    for trial in range(trials):
        rng = random.Random(f"{count}-{trial}")
        salt = rng.randbytes(16)
        encoder, decoder = Encoder(bytes(count), 1, salt), Decoder(count, 1, salt)
        index, received, done = 0, 0, False
        while not done:
            if rng.random() >= loss:
                done = decoder.add(index, encoder.symbol(index))
                received += 1
            index += 1
        extra += received - count
    return extra / trials


def test_hardly_ever_is_a_symbol_more_than_k_wanted() -> None:
    assert extra_symbols(19, 0.3, 300) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("count", [19, 36, 86])
def test_a_thousand_objects_at_thirty_per_cent_loss_want_hardly_a_symbol_more(count: int) -> None:
    assert extra_symbols(count, 0.3, 1000) <= 0.05


def test_neither_side_needs_numpy() -> None:
    code = """
import sys
sys.modules["numpy"] = None
from firmware.wire import airtime, alert, ledger, objects, packet, regions, replay, rlc
encoder, decoder = rlc.Encoder(b"leopard" * 30, 9, b"s"), rlc.Decoder(210, 9, b"s")
assert any(decoder.add(n, encoder.symbol(n)) for n in range(5, 40))
assert decoder.data() == b"leopard" * 30
"""
    subprocess.run([sys.executable, "-c", code], check=True)
