"""Every parser of the wire, fed with what nobody should send: WireError, or a value."""

import random
from collections.abc import Callable

import pytest

from firmware.wire.alert import pack_sighting, unpack_sighting
from firmware.wire.commands import (
    Command,
    CommandResult,
    pack_answer,
    pack_command,
    unpack_answer,
    unpack_command,
)
from firmware.wire.errors import WireError
from firmware.wire.health import Health, pack_health, unpack_health
from firmware.wire.ids import ItemId, parse_unit
from firmware.wire.objects import (
    Done,
    Manifest,
    Need,
    Rejected,
    Stored,
    Symbol,
    pack_manifest,
    pack_receipts,
    pack_symbol,
    unpack_manifest,
    unpack_receipts,
    unpack_symbol,
)
from firmware.wire.packet import SIGHTING, Direction, parse_header, seal, unseal
from firmware.wire.picture import pack_picture, unpack_picture
from firmware.wire.records import Receipt, Sighting, Status, dump_record, load_record
from firmware.wire.replay import ReplayWindow
from firmware.wire.rlc import Decoder
from firmware.wire.topics import parse_command_topic, parse_status_topic, parse_up_topic

KEY = bytes(16)
SEEN = Sighting(
    "T0007", 123, 1.7e9, "leopard", 0.97, 1, 3, True, "ntp", "0a1b2c3d", 3, 3700, -30
)  # fmt: skip
GIVEN = Receipt("T0007-000123-frame-1", "ab" * 32, "stored")
ORDER = Command("T0007", 12, "frame", 1_800_000_000, sighting=123, index=2)
ANSWER = CommandResult("T0007", 12, 1_800_000_000, "refused", "no_broadband")
REPORT = Health("T0007", 5, 1_800_000_000, "ntp", 1500, 30_000, 17, 4321, model="0a1b2c3d")


def as_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "replace"))


def open_packet(frame: bytes) -> object:
    counter = ReplayWindow(1000, 1).counter_of(parse_header(frame).counter_low)
    return unseal(KEY, Direction.UP, 0, counter, frame)


def add_symbol(data: bytes) -> object:
    symbol = unpack_symbol(data)
    return Decoder(100, 10, b"").add(symbol.index, symbol.data)


# Parser, and a genuine input for it that is then mutilated.
PARSERS: tuple[tuple[Callable[[bytes], object], bytes], ...] = (
    (parse_header, b"\x41\0\7\0\1" + bytes(32)),
    (open_packet, seal(KEY, Direction.UP, 0, 7, SIGHTING, 1001, b"x" * 24)),
    (unpack_sighting, pack_sighting(SEEN)),
    (unpack_manifest, pack_manifest(Manifest(1, 2, 0, "image/webp", 600, 200, 1, bytes(16)))),
    (unpack_symbol, pack_symbol(Symbol(1, 2, True, b"symbol"))),
    (add_symbol, pack_symbol(Symbol(1, 2, False, b"0123456789"))),
    (unpack_receipts, pack_receipts([Stored(1), Done(2), Need(3, 4), Rejected(5, 6)])),
    (unpack_picture, pack_picture(b"RIFF" + bytes(40), "image/webp")),
    (lambda data: load_record(data, Sighting), dump_record(SEEN)),
    (lambda data: load_record(data, Receipt), dump_record(GIVEN)),
    (lambda data: load_record(data, Status), dump_record(Status("T0007", "online", 1.0))),
    (unpack_command, pack_command(ORDER)),
    (unpack_answer, pack_answer(ANSWER)),
    (unpack_health, pack_health(REPORT)),
    (lambda data: load_record(data, Command), dump_record(ORDER)),
    (lambda data: load_record(data, CommandResult), dump_record(ANSWER)),
    (lambda data: load_record(data, Health), dump_record(REPORT)),
    (as_text(parse_unit), b"T0007"),
    (as_text(ItemId.parse), b"T0007-000123-frame-1"),
    (as_text(parse_up_topic), b"trap/T0007/up/frame/123/1"),
    (as_text(parse_status_topic), b"trap/T0007/status"),
    (as_text(parse_command_topic), b"trap/T0007/down/command"),
)


def mutilated(rng: random.Random, genuine: bytes) -> bytes:
    """Noise, or the genuine bytes with some changed, cut, doubled or put in."""
    data = bytearray(genuine)
    match rng.randrange(6):
        case 0:
            return rng.randbytes(rng.randrange(2 * len(genuine) + 2))
        case 1:
            del data[rng.randrange(len(data)) :]
        case 2:
            at = rng.randrange(len(data))
            data[at:at] = rng.randbytes(rng.randrange(1, 5))
        case 3:
            at = rng.randrange(len(data))
            data[at:at] = data[: rng.randrange(len(data))]
        case _:
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.choice((0, 0x7F, 0xFF, rng.randrange(256)))
    return bytes(data)


def bombard(count: int, seed: int) -> list[int]:
    """How many inputs each parser refused; anything but WireError goes through."""
    rng = random.Random(seed)
    refused = [0] * len(PARSERS)
    for n in range(count):
        which = n % len(PARSERS)
        parse, genuine = PARSERS[which]
        try:
            parse(mutilated(rng, genuine))
        except WireError:
            refused[which] += 1
    return refused


@pytest.mark.parametrize(("parse", "genuine"), PARSERS)
def test_every_parser_takes_the_genuine_bytes(
    parse: Callable[[bytes], object], genuine: bytes
) -> None:
    parse(genuine)


def test_thousands_of_hostile_inputs_raise_wire_errors_only() -> None:
    refused = bombard(8_000, seed=1)
    assert min(refused) > 20, f"a parser that refuses nothing is not one: {refused}"


@pytest.mark.slow
def test_a_million_hostile_inputs_raise_wire_errors_only() -> None:
    refused = bombard(1_000_000, seed=2)
    assert min(refused) > 1000
