"""Sighting numbers are never used twice, whatever happens to the file or the process."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.trap.capture.numbering import BLOCK, SKIP, Numbering, NumberingError
from firmware.wire.ids import first_sighting


def nothing() -> Iterable[int]:
    return ()


def must_not_ask() -> Iterable[int]:
    raise AssertionError("the file was good")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sightings"


def test_numbers_count_up_from_the_epochs_first(path: Path) -> None:
    numbering = Numbering(path, 3, nothing)
    first = first_sighting(3)
    assert [numbering.take() for _ in range(200)] == list(range(first, first + 200))


def test_a_restart_skips_at_most_a_block_and_repeats_nothing(path: Path) -> None:
    used: list[int] = []
    known: Callable[[], Iterable[int]] = nothing
    for count in (1, 5, BLOCK, BLOCK + 1, 3):
        numbering = Numbering(path, 0, known)
        used += [numbering.take() for _ in range(count)]
        known = must_not_ask
    assert used == sorted(set(used))
    assert used[-1] < sum((1, 5, BLOCK, BLOCK + 1, 3)) + 5 * BLOCK


def test_a_process_that_takes_nothing_uses_nothing_up(path: Path) -> None:
    Numbering(path, 0, nothing).take()
    for _ in range(10):
        Numbering(path, 0, must_not_ask)
    assert Numbering(path, 0, must_not_ask).take() == BLOCK


def test_a_torn_write_of_either_slot_leaves_the_numbers_new(path: Path) -> None:
    highest = -1
    for torn in (b"", b"0000000999 deadbeef\n", b"\xff" * 20):
        numbering = Numbering(path, 0, must_not_ask if path.exists() else nothing)
        for _ in range(3 * BLOCK):
            highest = max(highest, numbering.take())
        content = path.read_bytes()
        slots = [content[:20], content[20:]]
        older = slots.index(min(slots))
        # A write that a power cut tears is always of the slot that was the older one.
        path.write_bytes(b"".join(torn.ljust(20, b"\0") if i == older else slot
                                  for i, slot in enumerate(slots)))  # fmt: skip
        after = Numbering(path, 0, must_not_ask)
        assert after.take() > highest
        highest += BLOCK


@pytest.mark.parametrize("content", [None, b"", b"rubbish", b"\0" * 40])
def test_a_lost_file_goes_on_far_above_what_is_known(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    assert Numbering(path, 0, lambda: [7, 1200, 3]).take() == 1200 + SKIP


def test_a_raised_epoch_starts_its_own_range_and_a_lowered_one_changes_nothing(path: Path) -> None:
    Numbering(path, 1, nothing).take()
    assert Numbering(path, 2, must_not_ask).take() == first_sighting(2)
    assert Numbering(path, 0, must_not_ask).take() == first_sighting(2) + BLOCK


def test_a_used_up_epoch_is_refused_rather_than_run_into_the_next(path: Path) -> None:
    numbering = Numbering(path, 0, lambda: [first_sighting(1) - SKIP - BLOCK - 1])
    last = [numbering.take() for _ in range(BLOCK)][-1]
    assert last == first_sighting(1) - 2
    with pytest.raises(NumberingError, match=r"raise unit\.epoch"):
        numbering.take()


def test_a_disk_that_cannot_be_written_refuses_and_recovers(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    numbering = Numbering(folder / "sightings", 0, nothing)
    with pytest.raises(NumberingError, match="cannot be written: No such file or directory"):
        numbering.take()
    folder.mkdir()
    assert numbering.take() == 0


def test_the_second_block_needs_no_free_space(path: Path) -> None:
    numbering = Numbering(path, 0, nothing)
    for _ in range(2 * BLOCK + 1):
        numbering.take()
    size, inode = path.stat().st_size, path.stat().st_ino
    for _ in range(4 * BLOCK):
        numbering.take()
    assert (path.stat().st_size, path.stat().st_ino) == (size, inode)


@settings(max_examples=20, deadline=None)  # each block is an fsync
@given(st.lists(st.integers(0, 3 * BLOCK), max_size=8))
def test_any_sequence_of_restarts_gives_rising_numbers(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        used: list[int] = []
        for count in counts:
            numbering = Numbering(Path(folder) / "sightings", 0, nothing)
            used += [numbering.take() for _ in range(count)]
        assert used == sorted(set(used))
