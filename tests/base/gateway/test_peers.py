"""Nothing forged, nothing twice: what the gateway believes of a packet."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.base.gateway.peers import (
    EPOCHS_AHEAD,
    KeyFolder,
    Packet,
    Peers,
    Unknown,
)
from firmware.base.gateway.state import State, StateError, create
from firmware.radio.counter import CounterLost
from firmware.radio.key_file import KeyUnusable
from firmware.wire.errors import WireError
from firmware.wire.packet import (
    HEALTH,
    MANIFEST,
    RECEIPT,
    SIGHTING,
    SYMBOL,
    Direction,
    Forged,
    derive_keys,
    seal,
    unseal,
)
from firmware.wire.replay import Replayed

MASTER = bytes(range(16))
OTHER = bytes(16)


def write_key(folder: Path, unit: int, master: bytes = MASTER, mode: int = 0o600) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"T{unit:04X}.key"
    file.write_text(master.hex() + "\n")
    file.chmod(mode)
    return file


class Place:
    """A gateway's keys and state, which can be closed and opened again."""

    def __init__(self, tmp_path: Path) -> None:
        self.keys_dir = tmp_path / "keys"
        self.data_dir = tmp_path / "data"
        write_key(self.keys_dir, 7)
        write_key(self.keys_dir, 8, OTHER)
        create(self.data_dir)
        self.open()

    def open(self) -> None:
        self.state = State(self.data_dir)
        self.peers = Peers(KeyFolder(self.keys_dir), self.state)

    def restart(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.peers.close()
        self.state.__exit__()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def up(
    counter: int, port: int = SIGHTING, payload: bytes = b"hello", *, epoch: int = 0, unit: int = 7,
    master: bytes = MASTER,
) -> bytes:  # fmt: skip
    return seal(
        derive_keys(master, unit).up, Direction.UP, epoch, unit, port, counter, payload
    )  # fmt: skip


def test_a_unit_s_packet_is_opened_once(place: Place) -> None:
    assert place.peers.open(up(3)) == Packet(7, SIGHTING, b"hello")
    with pytest.raises(Replayed):
        place.peers.open(up(3))


def test_replays_are_known_after_a_restart_and_what_was_missed_is_still_taken(place: Place) -> None:
    place.peers.open(up(3))
    place.peers.open(up(5))
    place.restart()
    for counter in (3, 5):
        with pytest.raises(Replayed):
            place.peers.open(up(counter))
    assert place.peers.open(up(4)).payload == b"hello"


def test_that_a_packet_was_taken_is_on_the_disk_before_it_is_given_out(place: Place) -> None:
    place.peers.open(up(9))
    assert place.state.peers()[7].window.highest == 9
    place.state.__exit__()
    with pytest.raises(StateError):
        place.peers.open(up(10))
    place.open()
    assert place.peers.open(up(10)).payload == b"hello"


@pytest.mark.parametrize(
    "frame",
    [
        up(1, unit=8),
        up(1, master=OTHER),
        up(1)[:-1],
        up(1)[:-1] + bytes((up(1)[-1] ^ 1,)),
        seal(derive_keys(MASTER, 7).down, Direction.DOWN, 0, 7, SIGHTING, 1, b"hello"),
        seal(derive_keys(MASTER, 7).up, Direction.DOWN, 0, 7, SIGHTING, 1, b"hello"),
    ],
    ids=["another unit's key", "another key", "cut", "flipped", "our own", "turned round"],
)
def test_a_forged_packet_changes_nothing(place: Place, frame: bytes) -> None:
    with pytest.raises(Forged):
        place.peers.open(frame)
    assert place.state.peers() == {}
    assert place.peers.open(up(0)).payload == b"hello"


def test_a_packet_renamed_to_another_unit_is_forged(place: Place) -> None:
    frame = bytearray(up(1))
    frame[2] = 8
    with pytest.raises(Forged):
        place.peers.open(bytes(frame))


def test_a_unit_without_a_key_is_unknown_until_its_key_comes(place: Place) -> None:
    with pytest.raises(Unknown, match="T0009"):
        place.peers.open(up(1, unit=9))
    write_key(place.keys_dir, 9)
    assert place.peers.open(up(1, unit=9)).unit == 9


def test_a_higher_epoch_is_believed_and_never_left(place: Place) -> None:
    place.peers.open(up(500))
    assert place.peers.open(up(0, epoch=2)).anew
    assert not place.peers.open(up(1, epoch=2)).anew
    place.restart()
    for epoch in (0, 1):
        with pytest.raises(Forged):
            place.peers.open(up(600, epoch=epoch))


@pytest.mark.parametrize("ahead", [EPOCHS_AHEAD + 1, 1000])
def test_an_epoch_far_ahead_is_not_believed(place: Place, ahead: int) -> None:
    place.peers.open(up(0))
    with pytest.raises(Forged):
        place.peers.open(up(0, epoch=ahead))


def test_a_symbol_s_short_tag_opens_no_epoch_and_no_gap(place: Place) -> None:
    with pytest.raises(Forged):
        place.peers.open(up(0, SYMBOL))
    place.peers.open(up(0))
    for frame in (up(0, SYMBOL, epoch=1), up(70_000, SYMBOL)):
        with pytest.raises(Forged):
            place.peers.open(frame)
    assert place.peers.open(up(1, SYMBOL)).port == SYMBOL


def test_a_unit_that_was_long_unheard_is_found_by_its_next_long_tag(place: Place) -> None:
    place.peers.open(up(10))
    assert place.peers.open(up(200_000, MANIFEST)).port == MANIFEST
    assert place.peers.open(up(200_001, SYMBOL)).port == SYMBOL
    with pytest.raises(Forged):
        place.peers.open(up(11))


def test_a_unit_that_has_started_four_thousand_times_unheard_is_still_found(place: Place) -> None:
    place.peers.open(up(10))
    assert place.peers.open(up(4_000 * 256, SIGHTING)).port == SIGHTING


def test_a_unit_that_was_never_heard_may_have_sent_much(place: Place) -> None:
    assert place.peers.open(up(150_000, HEALTH, epoch=5)).port == HEALTH


def test_answers_are_sealed_in_the_unit_s_epoch_with_counters_that_go_on(place: Place) -> None:
    down = derive_keys(MASTER, 7).down
    place.peers.open(up(0))
    assert unseal(down, Direction.DOWN, 0, 0, place.peers.seal(7, RECEIPT, b"a")) == b"a"
    assert unseal(down, Direction.DOWN, 0, 1, place.peers.seal(7, RECEIPT, b"b")) == b"b"
    place.restart()
    assert unseal(down, Direction.DOWN, 0, 256, place.peers.seal(7, RECEIPT, b"c")) == b"c"
    place.peers.open(up(0, epoch=1))
    assert unseal(down, Direction.DOWN, 1, 0, place.peers.seal(7, RECEIPT, b"d")) == b"d"


def test_counters_that_were_lost_begin_anew_with_the_units_next_epoch_and_not_before(
    place: Place,
) -> None:
    place.peers.open(up(0))
    place.peers.seal(7, RECEIPT, b"a")
    place.close()
    (place.data_dir / "T0007.counter").unlink()
    place.open()
    place.peers.open(up(1))
    with pytest.raises(CounterLost):
        place.peers.seal(7, RECEIPT, b"b")
    place.peers.open(up(0, epoch=1))
    sealed = place.peers.seal(7, RECEIPT, b"c")
    assert unseal(derive_keys(MASTER, 7).down, Direction.DOWN, 1, 0, sealed) == b"c"


@pytest.mark.parametrize("name", ["T00ab.key", "Tzzzz.key", "T0000.key", "T00_7.key"])
def test_a_key_file_of_no_unit_is_told_at_once(place: Place, name: str) -> None:
    (place.keys_dir / name).write_text(MASTER.hex())
    with pytest.raises(KeyUnusable, match=name):
        KeyFolder(place.keys_dir)


def test_nothing_is_said_to_a_unit_that_was_never_heard(place: Place) -> None:
    with pytest.raises(Unknown):
        place.peers.seal(7, RECEIPT, b"a")


def test_counters_that_are_lost_are_not_made_again(place: Place) -> None:
    place.peers.open(up(0))
    place.close()
    (place.data_dir / "T0007.counter").unlink()
    place.open()
    place.peers.open(up(1))
    with pytest.raises(CounterLost):
        place.peers.seal(7, RECEIPT, b"a")


def test_a_gateway_without_its_state_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="--new"):
        State(tmp_path)
    create(tmp_path / "data")
    with pytest.raises(StateError, match="in use"):
        create(tmp_path / "data")
    with pytest.raises(StateError, match="disk"):
        create(tmp_path / "not" / "there")


def test_one_gateway_at_a_time_has_the_state(place: Place) -> None:
    with pytest.raises(StateError, match="no other gateway"):
        State(place.data_dir)


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    (tmp_path / "gateway.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StateError, match=r"gateway\.sqlite"):
        State(tmp_path)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (MASTER.hex(), 0o644, "chmod 600"),
        (MASTER.hex(), 0o620, "chmod 600"),
        ("", 0o600, "32 or more"),
        ("00" * 15, 0o600, "32 or more"),
        ("0" * 33, 0o600, "32 or more"),
        ("secret" * 10, 0o600, "32 or more"),
    ],
    ids=["readable by all", "writable by the group", "empty", "short", "odd", "no hex"],
)
def test_a_key_file_that_is_no_good_is_refused_at_once(
    tmp_path: Path, content: str, mode: int, says: str
) -> None:
    file = tmp_path / "T0007.key"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(KeyUnusable, match=says) as raised:
        KeyFolder(tmp_path)
    assert str(file) in str(raised.value)
    assert content == "" or content not in str(raised.value)


def test_a_key_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="no folder"):
        KeyFolder(tmp_path / "keys")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=st.binary(max_size=60), whole=st.booleans())
def test_no_frame_escapes_as_another_exception(place: Place, frame: bytes, whole: bool) -> None:
    head = bytes((0x40 | SIGHTING, 0, 7)) if whole else b""
    with pytest.raises(WireError):
        place.peers.open(head + frame)
    assert place.state.peers() == {}


@pytest.mark.slow
def test_of_a_hundred_thousand_hostile_frames_none_is_taken(place: Place) -> None:
    rng = random.Random(2)
    heard = [up(n, rng.choice((SIGHTING, SYMBOL, HEALTH))) for n in range(200)]
    for frame in heard:
        if frame[0] & 0x3F != SYMBOL or place.state.peers():
            place.peers.open(frame)
    for _ in range(100_000):
        mangled = bytearray(rng.choice(heard))
        for _ in range(rng.randrange(3)):
            mangled[rng.randrange(len(mangled))] ^= 1 << rng.randrange(8)
        with pytest.raises(WireError):
            place.peers.open(bytes(mangled))
    assert place.state.peers()[7].window.highest == 199
