"""Commands and answers: round trips in both forms, and WireError alone on hostile bytes."""

import contextlib
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.commands import (
    ACTIONS,
    INTERVAL_LEAST_S,
    LABELS,
    LEOPARD_MOST,
    MAX_COMMAND_BYTES,
    MUTE_MOST_S,
    OUTCOMES,
    REASONS,
    Action,
    Command,
    CommandResult,
    pack_answer,
    pack_command,
    unpack_answer,
    unpack_command,
)
from firmware.wire.errors import WireError
from firmware.wire.records import dump_record, load_record

NOW_S = 1_800_000_000
U32 = st.integers(1, 2**32 - 1)
units = st.integers(1, 0xFFFF).map(lambda n: f"T{n:04X}")


def order(action: Action, **arguments: object) -> Command:
    return Command("T0007", 12, action, NOW_S, **arguments)  # type: ignore[arg-type]


@st.composite
def commands(draw: st.DrawFn) -> Command:
    action = draw(st.sampled_from(ACTIONS))
    arguments: dict[str, st.SearchStrategy[object]] = {}
    match action:
        case "frame":
            arguments = {"sighting": st.integers(0, 2**32 - 1), "index": st.none() | _byte}
        case "threshold":
            thousandths = st.integers(0, 1000).map(lambda n: n / 1000)
            arguments = {"label": st.sampled_from(LABELS), "value": st.none() | thousandths}
        case "interval":
            arguments = {"seconds": st.none() | U32}
        case "mute":
            arguments = {"seconds": U32}
    given_ = {name: draw(strategy) for name, strategy in arguments.items()}
    return Command(
        draw(units), draw(U32), action, draw(st.integers(0, 2**32 - 1)), draw(st.none() | U32),
        **given_,  # type: ignore[arg-type]
    )  # fmt: skip


_byte = st.integers(1, 255)
answers = st.builds(
    CommandResult, units, U32, st.integers(0, 2**32 - 1), st.sampled_from(OUTCOMES),
    st.sampled_from(REASONS), st.booleans(),
)  # fmt: skip


@given(commands())
def test_every_command_survives_both_forms_and_fits_the_smallest_frames(command: Command) -> None:
    assert load_record(dump_record(command), Command) == command
    assert unpack_command(pack_command(command)) == command
    assert len(pack_command(command)) <= MAX_COMMAND_BYTES


@given(answers)
def test_every_answer_survives_both_forms(answer: CommandResult) -> None:
    assert load_record(dump_record(answer), CommandResult) == answer
    assert unpack_answer(pack_answer(answer)) == answer


def test_the_bytes_are_as_the_module_says() -> None:
    packed = pack_command(order("frame", sighting=0x00010203, index=2, expires_s=NOW_S + 1))
    assert packed.hex() == "1300070000000c016b49d2006b49d2010001020302"
    packed = pack_command(order("threshold", label="tiger", value=0.5))
    assert packed.hex() == "1300070000000c026b49d200000000000101f4"
    answer = CommandResult("T0007", 12, NOW_S, "refused", "no_broadband", expiry_ignored=True)
    assert pack_answer(answer).hex() == "1400070000000c6b49d2008203"


@pytest.mark.parametrize(
    ("action", "arguments", "named"),
    [("frame", {}, "sighting"), ("frame", {"sighting": 1, "index": 0}, "index"),
     ("frame", {"sighting": 2**32}, "sighting"), ("reboot", {"seconds": 5}, "seconds"),
     ("threshold", {"value": 0.5}, "label"), ("threshold", {"label": "X"}, "label"),
     ("threshold", {"label": "tiger", "value": 1.01}, "value"),
     ("threshold", {"label": "tiger", "value": float("nan")}, "value"),
     ("mute", {}, "seconds"), ("mute", {"seconds": 0}, "seconds"), ("unmute", {"label": "a"}, "l"),
     ("unmute", {"expires_s": 0}, "expires_s")],
)  # fmt: skip
def test_a_command_with_a_missing_wrong_or_foreign_argument_is_refused_by_name(
    action: Action, arguments: dict[str, object], named: str
) -> None:
    with pytest.raises(WireError, match=named):
        order(action, **arguments)


def test_what_no_unit_does_is_well_formed_so_that_the_unit_can_say_no() -> None:
    assert not order("threshold", label="leopard", value=LEOPARD_MOST + 0.01).in_range
    assert not order("threshold", label="leopard", value=0.0).in_range
    assert not order("interval", seconds=INTERVAL_LEAST_S - 1).in_range
    assert not order("mute", seconds=MUTE_MOST_S + 1).in_range
    for command in (
        order("threshold", label="leopard", value=LEOPARD_MOST),
        order("threshold", label="leopard"),
        order("threshold", label="tiger", value=0.0),
        order("interval", seconds=INTERVAL_LEAST_S),
        order("interval"),
        order("mute", seconds=MUTE_MOST_S),
        order("unmute"),
    ):
        assert command.in_range, command


def test_a_label_of_some_other_model_goes_over_mqtt_alone() -> None:
    command = order("threshold", label="snow_leopard", value=0.5)
    assert load_record(dump_record(command), Command) == command
    with pytest.raises(WireError, match="snow_leopard"):
        pack_command(command)


@pytest.mark.parametrize("unpack", [unpack_command, unpack_answer])
@given(data=st.binary(max_size=30), form=st.sampled_from([b"", b"\x13", b"\x14"]))
def test_random_bytes_give_a_record_or_a_wire_error(
    unpack: Callable[[bytes], object], data: bytes, form: bytes
) -> None:
    with contextlib.suppress(WireError):
        unpack(form + data)


@given(commands(), st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_gives_a_command_that_packs_to_the_same_or_a_wire_error(
    command: Command, at: int, byte: int
) -> None:
    packed = bytearray(pack_command(command))
    packed[at % len(packed)] = byte
    try:
        changed = unpack_command(bytes(packed))
    except WireError:
        return
    assert pack_command(changed) == packed


@given(st.sampled_from([*Command.__annotations__]), st.none() | st.integers() | st.text(max_size=5))
def test_any_value_in_any_field_is_taken_or_a_wire_error(field: str, value: object) -> None:
    raw = json.loads(dump_record(order("frame", sighting=5))) | {field: value}
    with contextlib.suppress(WireError):
        load_record(json.dumps(raw).encode(), Command)


@pytest.mark.slow
def test_a_million_hostile_inputs_raise_nothing_but_wire_error() -> None:
    rng = random.Random(4)
    seen = dict.fromkeys(("taken", "refused"), 0)
    for _ in range(500_000):
        for unpack, form in ((unpack_command, 0x13), (unpack_answer, 0x14)):
            data = bytes((form, 0, 7)) + rng.randbytes(
                rng.choice((10, 13, 16, 17, 18, rng.randrange(30)))
            )
            try:
                unpack(data)
                seen["taken"] += 1
            except WireError:
                seen["refused"] += 1
    assert min(seen.values()) > 1000, seen
