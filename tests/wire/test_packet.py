"""Packets: what was sealed opens once, and nothing else does."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.errors import WireError
from firmware.wire.packet import (
    COMMAND,
    MANIFEST,
    PORTS,
    RECEIPT,
    SIGHTING,
    SYMBOL,
    Direction,
    Forged,
    Header,
    Keys,
    derive_keys,
    overhead_bytes,
    parse_header,
    seal,
    unseal,
)
from firmware.wire.replay import ReplayWindow

MASTER = bytes(range(32))
KEYS = derive_keys(MASTER, 7)
KNOWN_UP = "cc4da3a728402ba871381c4c0c585268"
KNOWN_DOWN = "0abca4d3a3cebbf5a8630fe07ec7209f"
KNOWN_FRAME = "41000700026c040a1dcd3173c6c7c0842625da94"

units, ports = st.integers(1, 0xFFFF), st.sampled_from(PORTS)
counters, epochs = st.integers(0, 2**32 - 1), st.integers(0, 0xFFFF)
directions, payloads = st.sampled_from(Direction), st.binary(max_size=241)


@given(directions, epochs, units, ports, counters, payloads)
def test_what_was_sealed_opens_and_says_where_it_belongs(
    direction: Direction, epoch: int, unit: int, port: int, counter: int, payload: bytes
) -> None:
    frame = seal(KEYS.up, direction, epoch, unit, port, counter, payload)
    assert parse_header(frame) == Header(unit, port, counter & 0xFFFF)
    assert unseal(KEYS.up, direction, epoch, counter, frame) == payload
    assert len(frame) == len(payload) + overhead_bytes(port)


def test_the_bytes_are_the_specified_ones() -> None:
    frame = seal(KEYS.up, Direction.UP, 1, 7, SIGHTING, 0x10002, b"leopard")
    assert frame[:5].hex() == "4100070002"
    assert overhead_bytes(SYMBOL) == 9
    assert {overhead_bytes(port) for port in PORTS if port != SYMBOL} == {13}
    assert b"leopard" not in frame


def test_keys_and_packets_never_change_between_versions() -> None:
    assert (KEYS.up.hex(), KEYS.down.hex()) == (KNOWN_UP, KNOWN_DOWN)
    assert seal(KEYS.up, Direction.UP, 1, 7, SIGHTING, 0x10002, b"leopard").hex() == KNOWN_FRAME


def test_every_unit_and_direction_has_keys_of_its_own() -> None:
    keys = [derive_keys(MASTER, unit) for unit in range(1, 200)]
    assert len({key for pair in keys for key in (pair.up, pair.down)}) == 2 * len(keys)


def test_a_short_master_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        derive_keys(bytes(15), 7)


@pytest.mark.parametrize(
    ("epoch", "unit", "port", "counter"),
    [(-1, 7, 1, 0), (65536, 7, 1, 0), (0, 0, 1, 0), (0, 65536, 1, 0), (0, 7, 5, 0), (0, 7, 64, 0),
     (0, 7, 1, -1), (0, 7, 1, 2**32)],
)  # fmt: skip
def test_numbers_that_the_wire_has_not_are_refused(
    epoch: int, unit: int, port: int, counter: int
) -> None:
    with pytest.raises(WireError):
        seal(KEYS.up, Direction.UP, epoch, unit, port, counter, b"")


@given(st.binary(max_size=60))
def test_a_header_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        header = parse_header(data)
    except WireError:
        return
    assert header.port in PORTS and len(data) >= overhead_bytes(header.port)


EPOCH = 3
DOWN_PORTS = (RECEIPT, COMMAND)


@dataclass
class Base:
    """The receive path of a base: header, the unit's key and window, tag, then the counter."""

    keys: dict[int, Keys]
    windows: dict[int, ReplayWindow] = field(default_factory=dict)

    def take(self, frame: bytes) -> bytes:
        header = parse_header(frame)
        if header.unit not in self.keys:
            raise WireError("unknown unit")
        window = self.windows.get(header.unit, ReplayWindow())
        counter = window.counter_of(header.counter_low)
        payload = unseal(self.keys[header.unit].up, Direction.UP, EPOCH, counter, frame)
        self.windows[header.unit] = window.accept(counter)
        return payload


UNITS = (7, 8, 9)
GENUINE = 50


def besieged_base(rng: random.Random) -> tuple[Base, list[bytes]]:
    """A base that has taken 50 packets of each unit, and these packets."""
    base = Base({unit: derive_keys(MASTER, unit) for unit in UNITS})
    frames = [
        seal(base.keys[unit].up, Direction.UP, EPOCH, unit, rng.choice(PORTS), counter,
             rng.randbytes(rng.choice((4, 24, 29, 60))))
        for counter in range(GENUINE) for unit in UNITS
    ]  # fmt: skip
    assert all(base.take(frame) for frame in frames), "genuine packets must pass"
    return base, frames


def flipped(rng: random.Random, base: Base, frame: bytes) -> bytes:
    changed = bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(frame) * 8)
        changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def cut_or_longer(rng: random.Random, base: Base, frame: bytes) -> bytes:
    return frame[: rng.randrange(len(frame))] if rng.random() < 0.5 else frame + rng.randbytes(3)


def noise(rng: random.Random, base: Base, frame: bytes) -> bytes:
    return rng.randbytes(rng.randrange(70))


def forged(rng: random.Random, base: Base, frame: bytes) -> bytes:
    """A perfect header with a fresh counter, and a guessed rest."""
    low = (GENUINE + rng.randrange(1000)).to_bytes(2, "big")
    return frame[:3] + low + rng.randbytes(len(frame) - 5)


def replayed(rng: random.Random, base: Base, frame: bytes) -> bytes:
    return frame


def replayed_later(rng: random.Random, base: Base, frame: bytes) -> bytes:
    """The genuine ciphertext under a counter that was not used yet."""
    return frame[:3] + (GENUINE + rng.randrange(1000)).to_bytes(2, "big") + frame[5:]


def cross_unit(rng: random.Random, base: Base, frame: bytes) -> bytes:
    other = rng.choice(UNITS)
    if rng.random() < 0.5 and other != parse_header(frame).unit:
        return frame[:1] + other.to_bytes(2, "big") + frame[3:]
    pretended = rng.choice([unit for unit in UNITS if unit != other])
    return seal(base.keys[other].up, Direction.UP, EPOCH, pretended, SIGHTING, GENUINE + 5, b"x")


def cross_direction(rng: random.Random, base: Base, frame: bytes) -> bytes:
    unit, counter = rng.choice(UNITS), GENUINE + rng.randrange(99)
    key = rng.choice((base.keys[unit].down, base.keys[unit].up))
    return seal(key, Direction.DOWN, EPOCH, unit, rng.choice(DOWN_PORTS), counter, b"reboot")


def cross_epoch(rng: random.Random, base: Base, frame: bytes) -> bytes:
    unit, counter = rng.choice(UNITS), GENUINE + rng.randrange(99)
    epoch = rng.choice((EPOCH - 1, EPOCH + 1, 0, 65535))
    return seal(base.keys[unit].up, Direction.UP, epoch, unit, SIGHTING, counter, b"leopard")


def cross_port(rng: random.Random, base: Base, frame: bytes) -> bytes:
    """A sighting passed off as a symbol, whose tag is shorter, and the other way round."""
    port = rng.choice([port for port in PORTS if port != frame[0] & 0x3F])
    return bytes((0x40 | port,)) + frame[1:3] + (GENUINE + 1).to_bytes(2, "big") + frame[5:]


ATTACKS: tuple[Callable[[random.Random, Base, bytes], bytes], ...] = (
    flipped, cut_or_longer, noise, forged, replayed, replayed_later, cross_unit, cross_direction,
    cross_epoch, cross_port,
)  # fmt: skip


def attacks(count: int, seed: int) -> Iterator[tuple[Base, bytes]]:
    rng = random.Random(seed)
    base, frames = besieged_base(rng)
    for n in range(count):
        yield base, ATTACKS[n % len(ATTACKS)](rng, base, rng.choice(frames))


def accepted(count: int, seed: int) -> int:
    passed = 0
    for base, frame in attacks(count, seed):
        try:
            base.take(frame)
        except WireError:
            continue
        passed += 1
    return passed


def test_no_attack_passes() -> None:
    assert accepted(5_000, seed=1) == 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_base_under_attack_still_takes_the_next_genuine_packet(
    attack: Callable[[random.Random, Base, bytes], bytes],
) -> None:
    rng = random.Random(2)
    base, frames = besieged_base(rng)
    for _ in range(50):
        with pytest.raises(WireError):
            base.take(attack(rng, base, rng.choice(frames)))
    genuine = seal(base.keys[8].up, Direction.UP, EPOCH, 8, MANIFEST, GENUINE, b"next")
    assert base.take(genuine) == b"next"


def test_the_short_tag_is_checked_in_all_its_32_bits() -> None:
    frame = seal(KEYS.up, Direction.UP, EPOCH, 7, SYMBOL, 1, b"symbol")
    for bit in range(32):
        changed = bytearray(frame)
        changed[len(frame) - 4 + bit // 8] ^= 1 << bit % 8
        with pytest.raises(Forged):
            unseal(KEYS.up, Direction.UP, EPOCH, 1, bytes(changed))


def test_a_counter_with_the_wrong_low_part_is_forged_before_the_tag_is_looked_at() -> None:
    frame = seal(KEYS.up, Direction.UP, EPOCH, 7, SIGHTING, 1, b"x")
    with pytest.raises(Forged, match="ends in 1"):
        unseal(KEYS.up, Direction.UP, EPOCH, 2, frame)
    with pytest.raises(Forged):
        unseal(KEYS.up, Direction.UP, EPOCH, 1 + 0x10000, frame)


@pytest.mark.slow
def test_none_of_a_million_attacks_passes() -> None:
    assert accepted(1_000_000, seed=3) == 0
