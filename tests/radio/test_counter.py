"""A counter is never used twice, whatever happens to the process or the file."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware import durable
from firmware.radio import counter
from firmware.radio.counter import (
    BLOCK,
    MOST_COUNTER,
    CounterError,
    CounterLost,
    Counters,
    start_epoch,
)

WORKER = Path(__file__).with_name("counter_worker.py")


def begun(folder: Path, epoch: int = 1) -> Path:
    file = folder / "counter"
    start_epoch(file, epoch)
    return file


def taken(file: Path, epoch: int, count: int) -> list[int]:
    counters = Counters(file, epoch)
    numbers = [counters.take() for _ in range(count)]
    counters.close()
    return numbers


def test_counters_start_at_zero_and_go_up_by_one(tmp_path: Path) -> None:
    assert taken(begun(tmp_path), 1, 600) == list(range(600))


def test_a_start_that_sends_nothing_uses_nothing_up_and_knows_what_was_used(
    tmp_path: Path,
) -> None:
    file = begun(tmp_path)
    for _ in range(3):
        counters = Counters(file, 1)
        assert not counters.used
        counters.close()
    assert taken(file, 1, 1) == [0]
    counters = Counters(file, 1)
    assert counters.used
    counters.close()


def test_a_new_process_goes_on_above_everything_that_was_reserved(tmp_path: Path) -> None:
    file = begun(tmp_path)
    assert taken(file, 1, 3) == [0, 1, 2]
    assert taken(file, 1, 1) == [BLOCK]
    assert taken(file, 1, BLOCK + 1)[-1] == 3 * BLOCK


def test_the_disk_is_written_once_a_block_and_before_its_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = begun(tmp_path)
    written: list[bytes] = []

    def write(path: Path, content: bytes) -> None:
        written.append(content)
        durable.write_file(path, content)

    monkeypatch.setattr(counter, "write_file", write)
    counters = Counters(file, 1)
    for number in range(2 * BLOCK):
        assert counters.take() == number
        assert len(written) == 1 + number // BLOCK
        assert f"next={(1 + number // BLOCK) * BLOCK} ".encode() in written[-1]


def test_opening_without_taking_uses_nothing(tmp_path: Path) -> None:
    file = begun(tmp_path)
    for _ in range(5):
        Counters(file, 1).close()
    assert taken(file, 1, 1) == [0]


@pytest.mark.parametrize("step", ["before", "written", "named", "synced"])
def test_killed_at_any_step_of_a_reservation_no_counter_comes_twice(
    step: str, tmp_path: Path
) -> None:
    file = begun(tmp_path)
    worker = [sys.executable, str(WORKER), str(file), "1", step]
    used = [
        int(n) for _ in range(2) for n in subprocess.run(worker, capture_output=True).stdout.split()
    ]
    assert len(used) == 2 * BLOCK
    used += taken(file, 1, 1)
    assert len(set(used)) == len(used) and used == sorted(used)


def test_killed_at_random_points_no_counter_comes_twice(tmp_path: Path) -> None:
    file, rng = begun(tmp_path), random.Random(4)
    used: list[int] = []
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, str(WORKER), str(file), "1"], stdout=subprocess.PIPE
        ) as worker:
            assert worker.stdout is not None
            used += [int(worker.stdout.readline()) for _ in range(rng.randrange(1, 1500))]
            worker.kill()
            # What came out but was cut in the middle of its digits was not used by anybody.
            used += [int(line) for line in worker.stdout.read().splitlines(True) if b"\n" in line]
    assert len(used) > 1000
    assert len(set(used)) == len(used) and used == sorted(used)


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CounterLost, match=r"counter is missing.*provision this link anew"):
        Counters(tmp_path / "counter", 1)
    assert not (tmp_path / "counter").exists()


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_file_with_any_other_content_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("c") / "counter"
    file.write_bytes(content)
    for what in (lambda: Counters(file, 1), lambda: start_epoch(file, 9)):
        with pytest.raises(CounterLost, match="damaged"):
            what()


def test_a_file_with_any_bit_flipped_is_refused(tmp_path: Path) -> None:
    file = begun(tmp_path)
    taken(file, 1, 1)
    good = file.read_bytes()
    for bit in range(8 * len(good)):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        with pytest.raises(CounterLost, match="damaged"):
            Counters(file, 1)
    for length in range(len(good)):
        file.write_bytes(good[:length])
        with pytest.raises(CounterLost, match="damaged"):
            Counters(file, 1)


def test_a_higher_epoch_in_the_config_starts_at_zero_and_the_old_one_is_over(
    tmp_path: Path,
) -> None:
    file = begun(tmp_path)
    taken(file, 1, 5)
    assert taken(file, 2, 2) == [0, 1]
    with pytest.raises(CounterLost, match="epoch 2 was used already, the config says 1"):
        Counters(file, 1)


def test_an_epoch_that_was_used_never_starts_again(tmp_path: Path) -> None:
    file = begun(tmp_path, 5)
    for epoch in (5, 4, 0):
        with pytest.raises(CounterLost, match="take 6 or higher"):
            start_epoch(file, epoch)
    start_epoch(file, 6)
    assert taken(file, 6, 1) == [0]


def test_an_epoch_outside_the_nonces_field_is_refused(tmp_path: Path) -> None:
    for epoch in (-1, 65536):
        with pytest.raises(ValueError, match="outside"):
            start_epoch(tmp_path / "counter", epoch)


def test_the_last_counter_is_given_and_then_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = begun(tmp_path)
    counter._write(file, 1, MOST_COUNTER - 1)
    counters = Counters(file, 1)
    assert [counters.take(), counters.take()] == [MOST_COUNTER - 1, MOST_COUNTER]
    for _ in range(2):
        with pytest.raises(CounterLost, match="used up: raise the epoch"):
            counters.take()


def test_a_full_disk_gives_no_counter_and_uses_none_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = begun(tmp_path)
    counters = Counters(file, 1)
    with monkeypatch.context() as broken:

        def full(path: Path, content: bytes) -> None:
            raise OSError(28, "No space left on device")

        broken.setattr(counter, "write_file", full)
        with pytest.raises(CounterError, match="No space left on device") as caught:
            counters.take()
        assert not isinstance(caught.value, CounterLost)
    assert counters.take() == 0


def test_two_processes_cannot_take_from_one_file(tmp_path: Path) -> None:
    file = begun(tmp_path)
    first = Counters(file, 1)
    with pytest.raises(CounterError, match="another process"):
        Counters(file, 1)
    with pytest.raises(CounterError, match="another process"):
        start_epoch(file, 2)
    first.close()
    assert taken(file, 1, 1) == [0]


def test_a_closed_counter_gives_nothing(tmp_path: Path) -> None:
    counters = Counters(begun(tmp_path), 1)
    counters.take()
    counters.close()
    with pytest.raises(CounterLost):
        counters.take()


class Life(RuleBasedStateMachine):
    """A unit's years: takes, restarts, new epochs, lost and damaged files, in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(self.tmp.mktemp("life"))
        self.epoch, self.used = 1, set[tuple[int, int]]()
        self.file = begun(self.folder, self.epoch)
        self.counters: Counters | None = Counters(self.file, self.epoch)

    tmp: pytest.TempPathFactory

    @rule(count=st.integers(1, 2 * BLOCK))
    def take(self, count: int) -> None:
        for _ in range(count if self.counters else 0):
            assert self.counters is not None
            number = (self.epoch, self.counters.take())
            assert number not in self.used
            self.used.add(number)

    @rule(raised=st.booleans())
    def restart(self, raised: bool) -> None:
        if self.counters is not None:
            self.counters.close()
        self.epoch += raised
        try:
            self.counters = Counters(self.file, self.epoch)
        except CounterLost:
            self.counters = None

    @rule(damage=st.sampled_from([None, b"", b"epoch=1 next=0 crc=00000000\n"]))
    def lose_the_file(self, damage: bytes | None) -> None:
        if self.counters is not None:
            self.counters.close()
            self.counters = None
        self.file.unlink(missing_ok=True)
        if damage is not None:
            self.file.write_bytes(damage)

    @rule()
    def provision_anew(self) -> None:
        if self.counters is None:
            self.file.unlink(missing_ok=True)
            self.epoch += 1
            start_epoch(self.file, self.epoch)

    @invariant()
    def nothing_is_given_without_a_file(self) -> None:
        assert self.counters is None or self.file.exists()


def test_no_history_of_a_unit_gives_a_counter_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    Life.tmp = tmp_path_factory
    machine = Life.TestCase
    machine.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
    machine().runTest()
