"""Manifests, symbols and receipts: round trips, exact sizes, canonical bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.objects import (
    MANIFEST_BYTES,
    Done,
    Entry,
    Manifest,
    ManifestWanted,
    Need,
    ObjectRefused,
    Rejected,
    Stored,
    Symbol,
    digest_of,
    pack_manifest,
    pack_receipts,
    pack_symbol,
    unpack_manifest,
    unpack_receipts,
    unpack_symbol,
)
from firmware.wire.picture import CONTENT_TYPES

MANIFEST = Manifest(7, 123, 1, "image/avif", 4096, 228, 1, bytes(range(16)))

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 255), st.integers(1, 150)).flatmap(
    lambda s: st.tuples(st.just(s[0]), st.integers(1, min(s[0] * s[1], 0xFFFF)))
)
manifests = sizes.flatmap(
    lambda s: st.builds(
        Manifest, u16, u32, u8, st.sampled_from(sorted(CONTENT_TYPES.values())), st.just(s[1]),
        st.just(s[0]), st.just(1), st.binary(min_size=16, max_size=16),
    )
)  # fmt: skip
symbols = st.builds(
    Symbol, u16, st.integers(0, 0x7FFF), st.booleans(), st.binary(min_size=1, max_size=241)
) | st.builds(Symbol, u16, st.integers(0, 0x7FFF), st.just(True), st.just(b""))
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Stored, u32), st.builds(Rejected, u32, u8), st.builds(Done, u16),
    st.builds(Need, u16, u8), st.builds(ManifestWanted, u16, u8), st.builds(ObjectRefused, u16),
)  # fmt: skip


@given(manifests)
def test_a_manifest_survives_a_round_trip_in_29_bytes(manifest: Manifest) -> None:
    packed = pack_manifest(manifest)
    assert len(packed) == MANIFEST_BYTES == 29
    assert unpack_manifest(packed) == manifest


def test_a_manifest_has_the_documented_layout() -> None:
    expected = "0100070000007b01031000e401000102030405060708090a0b0c0d0e0f"
    assert pack_manifest(MANIFEST).hex() == expected


@pytest.mark.parametrize(
    ("at", "value", "word"),
    [(0, 2, "0x01"), (8, 0, "content type"), (8, 9, "content type"), (9, 0xFF, "symbols of"),
     (11, 0, "symbols of"), (12, 2, "code"), (11, 1, "not 1..150")],
)  # fmt: skip
def test_a_manifest_that_cannot_be_is_refused(at: int, value: int, word: str) -> None:
    packed = bytearray(pack_manifest(MANIFEST))
    packed[at] = value
    with pytest.raises(WireError, match=word):
        unpack_manifest(bytes(packed))


def test_an_empty_object_is_refused() -> None:
    packed = bytearray(pack_manifest(MANIFEST))
    packed[9:11] = bytes(2)
    with pytest.raises(WireError):
        unpack_manifest(bytes(packed))


@given(symbols)
def test_a_symbol_survives_a_round_trip(symbol: Symbol) -> None:
    packed = pack_symbol(symbol)
    assert len(packed) == 4 + len(symbol.data)
    assert unpack_symbol(packed) == symbol


def test_a_bare_poll_is_four_bytes_and_an_empty_symbol_without_poll_is_refused() -> None:
    assert pack_symbol(Symbol(7, 0, True, b"")).hex() == "00078000"
    with pytest.raises(WireError, match="no poll"):
        unpack_symbol(bytes.fromhex("00070000"))


@given(st.lists(entries, min_size=1, max_size=20).map(tuple))
def test_receipts_survive_a_round_trip(receipts: tuple[Entry, ...]) -> None:
    assert unpack_receipts(pack_receipts(receipts)) == receipts


def test_receipts_have_the_documented_layout() -> None:
    packed = pack_receipts([Stored(1), Rejected(2, 3), Done(4), Need(5, 6), ManifestWanted(7, 8),
                            ObjectRefused(9)])  # fmt: skip
    assert packed.hex(" ", -1) == (
        "01 00 00 00 01 02 00 00 00 02 03 03 00 04 04 00 05 06 05 00 07 08 06 00 09"
    )


def test_the_receipt_of_an_alert_fits_the_smallest_data_rate() -> None:
    assert len(pack_receipts([Stored(2**32 - 1)])) <= 11


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x07\0\0", b"\x03\0", b"\x03\0\1\x03"])
def test_receipts_that_cannot_be_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        unpack_receipts(data)


@pytest.mark.parametrize("entry", [Stored(2**32), Need(1, 256), Done(-1), Rejected(1, 256)])
def test_a_receipt_that_does_not_fit_is_refused(entry: Entry) -> None:
    with pytest.raises(WireError):
        pack_receipts([entry])


@given(st.binary(max_size=64))
def test_whatever_is_read_as_receipts_or_symbol_is_written_back_the_same(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert pack_receipts(unpack_receipts(data)) == data
    with contextlib.suppress(WireError):
        assert pack_symbol(unpack_symbol(data)) == data


def test_the_digest_is_half_a_sha256() -> None:
    assert digest_of(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223"
