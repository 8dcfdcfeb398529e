"""What survives: progress, ledger and its clock, the replay window; also kill -9 and damage."""

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as checks
from hypothesis import strategies as st

from firmware.trap.uplink.lora.account import TICK_S, Account
from firmware.trap.uplink.lora.job import Job, Sending
from firmware.trap.uplink.lora.memory import MemoryState
from firmware.trap.uplink.lora.state import StateError, StateFile
from firmware.trap.uplink.lora.transfer import Transfer
from firmware.wire.ids import ItemId
from firmware.wire.ledger import WINDOW_S, Ledger
from firmware.wire.objects import CODE_RLC, Manifest, digest_of
from firmware.wire.replay import ReplayWindow
from tests.trap.uplink.lora.field import Field

DATA = bytes(range(200))


def job(sighting: int = 1, objects: int = 2) -> Job:
    cut = []
    for index in range(objects):
        kind = ("image/webp", "image/avif")[index]
        manifest = Manifest(
            10 * sighting + index, sighting, index, kind, len(DATA), 50, CODE_RLC, digest_of(DATA)
        )
        cut.append(Sending(manifest, DATA, Transfer.begin(4)))
    return Job(ItemId(7, sighting, "preview"), "0" * 64, tuple(cut))


def moved(job: Job, place: int = 0) -> Job:
    sending = job.objects[place]
    return job.with_object(
        place, Sending(sending.manifest, sending.data, sending.transfer.sent(), sending.fate)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lora.sqlite"


@pytest.fixture
def state(path: Path) -> Iterator[StateFile]:
    with closing(StateFile(path, 36.0, doubtful=False)) as opened:
        yield opened


def reopened(path: Path, *, doubtful: bool = False) -> StateFile:
    return StateFile(path, 36.0, doubtful=doubtful)


def test_a_job_comes_back_as_far_as_it_was(state: StateFile, path: Path) -> None:
    first, second = job(1), job(2, objects=1)
    state.begin(first)
    state.begin(second)
    first = moved(first)
    state.enter(Ledger().after(5.0, 1.0), 5.0, (first, 0))
    first = first.ended(0, "done")
    state.progress(first)
    state.end(second.item)
    with closing(reopened(path)) as again:
        saved = again.load()
    assert saved.jobs == (first,)
    assert saved.ledger == Ledger(((5.0, 1.0),)) and saved.clock_s == 6.0


def test_the_ledger_keeps_what_an_hour_can_reach_and_no_more(state: StateFile, path: Path) -> None:
    ledger = Ledger()
    for at in range(0, 9000, 300):
        ledger = ledger.after(float(at), 2.0)
        state.enter(ledger, float(at), None)
    with closing(reopened(path)) as again:
        assert again.load().ledger == ledger
    assert len(ledger.entries) < 20


def test_a_frame_that_went_later_than_it_was_entered_is_kept_as_it_was(
    state: StateFile, path: Path
) -> None:
    now_s = 0.0
    account = Account(state, state.load(), lambda: now_s)
    account.enter(1.0, None)
    now_s = 8.0  # the modem was busy
    account.over()
    account.keep()
    with closing(reopened(path)) as again:
        saved = again.load()
    assert saved.ledger == Ledger(((7.0, 1.0),)) and saved.clock_s == 8.0


def test_time_that_the_unit_was_off_does_not_count_as_waited(state: StateFile) -> None:
    now_s = 100.0
    account = Account(state, state.load(), lambda: now_s)
    account.enter(1.0, None)
    now_s = 1000.0
    account.tick()
    later = Account(state, state.load(), lambda: 5.0)  # another boot, whenever
    assert later.at_s() == pytest.approx(account.at_s())


def test_the_clock_is_kept_while_anything_hangs_on_it_and_then_not(state: StateFile) -> None:
    now_s, writes = 0.0, 0
    real = state.tick

    def counting(ledger: Ledger, clock_s: float) -> None:
        nonlocal writes
        writes += 1
        real(ledger, clock_s)

    state.tick = counting  # type: ignore[method-assign]
    account = Account(state, state.load(), lambda: now_s)
    account.tick()
    assert writes == 0, "nothing was sent yet"
    account.enter(1.0, None)
    while now_s < 6 * WINDOW_S:
        now_s += 60.0
        account.tick()
    assert WINDOW_S / TICK_S - 1 <= writes <= WINDOW_S / TICK_S + 2


def test_object_numbers_go_on_after_a_restart_and_begin_anywhere(path: Path) -> None:
    taken: list[int] = []
    for _ in range(3):
        with closing(reopened(path)) as state:
            taken += [state.next_object() for _ in range(4)]
    assert taken == [(taken[0] + n) % 0x10000 for n in range(12)]


def test_the_replay_window_comes_back_for_its_epoch_alone(state: StateFile, path: Path) -> None:
    window = ReplayWindow().accept(3).accept(60).accept(41)
    state.keep_window(2, window)
    with closing(reopened(path)) as again:
        assert again.window(2) == window
        assert again.window(3) == ReplayWindow()


def test_a_file_that_is_new_although_something_was_sent_counts_as_a_full_hour(path: Path) -> None:
    for _ in range(2):  # also when the process dies before it has sent anything
        with closing(reopened(path, doubtful=True)) as state:
            assert state.load().ledger == Ledger(((0.0, 36.0),))


@pytest.mark.parametrize("damage", ["start", "middle", "text"])
def test_a_damaged_file_is_moved_aside_and_counts_as_a_full_hour(path: Path, damage: str) -> None:
    with closing(reopened(path)) as state:
        state.begin(job())
        state.enter(Ledger().after(5.0, 1.0), 5.0, None)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    match damage:
        case "start":
            raw[:200] = bytes(200)
        case "middle":
            raw[4096:middle] = random.Random(1).randbytes(middle - 4096)
        case _:
            raw[:] = b"not a database at all, but long enough to be looked at" * 100
    path.write_bytes(raw)
    with closing(reopened(path)) as state:
        assert state.load().ledger == Ledger(((0.0, 36.0),)) and state.load().jobs == ()
    assert path.with_name("lora.sqlite.corrupt-1").exists()


def test_a_file_of_a_newer_firmware_is_refused_and_left_alone(path: Path) -> None:
    reopened(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(StateError, match="format 9, this firmware reads 1"):
        reopened(path)


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="check that the data directory exists"):
        reopened(tmp_path / "missing" / "lora.sqlite")


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_every_frame_that_went_is_in_the_ledger(path: Path, seed: int) -> None:
    with closing(reopened(path)) as state:
        state.begin(job(objects=1))
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.trap.uplink.lora.state_worker", str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdout is not None
    printed = [worker.stdout.readline() for _ in range(random.Random(seed).randint(1, 40))]
    worker.send_signal(signal.SIGKILL)
    printed += worker.stdout.read().splitlines()
    worker.wait()
    worker.stdout.close()
    went = [line.split() for line in printed if len(line.split()) == 2]
    with closing(reopened(path)) as state:
        saved = state.load()
    assert len(saved.ledger.entries) >= len(went) >= 1
    assert saved.clock_s >= float(went[-1][1]) - 0.01
    assert saved.jobs[0].objects[0].transfer.next_index >= int(went[-1][0])


@checks(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.5, 40.0), min_size=1, max_size=5))
def test_on_the_card_as_in_memory_a_unit_that_reboots_delivers_all(lives: list[float]) -> None:
    with closing(StateFile(Path(":memory:"), 36.0, doubtful=False)) as state:
        for kept in (state, MemoryState()):
            field = Field(state=kept, limit_s=360.0)
            field.put_alert(1)
            field.put_crop(1)
            for seconds in lives:
                field.run(seconds)
                field.start()
            field.run(1000, lambda: len(field.queue.ended) == 2)  # noqa: B023
            assert len(field.queue.ended) == 2
