"""`kill -9` at random moments. Proves what a killed process loses (nothing); says nothing of power
cuts, which only a card can show."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.trap.outbox import Outbox
from tests.trap import outbox_worker


def killed_after(seconds: float, *arguments: str) -> list[int]:
    """What a worker had acknowledged when it was killed."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.trap.outbox_worker", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    first = worker.stdout.readline()
    try:
        worker.wait(seconds)
    except subprocess.TimeoutExpired:
        worker.kill()
    rest = worker.stdout.read()
    worker.wait()
    worker.stdout.close()
    return [int(line) for line in (first + rest).split("\n")[:-1]]


@pytest.mark.parametrize("seed", range(3))
def test_everything_that_a_killed_putter_acknowledged_is_there(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "outbox.sqlite"
    rng = random.Random(seed)
    said: list[int] = []
    for round_ in range(2):
        said += killed_after(rng.uniform(0, 0.25), "put", str(path), str(round_ * 10**5))
    with Outbox(path, 10**9) as outbox:
        held = {item.id.sighting for item in outbox.claim(0.0, 10**6)}
        assert set(said) <= held
        assert len(held) - len(said) <= 2  # at most the one that was being committed, per kill
        assert not outbox.rows("rejected")


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_claimer_loses_nothing_and_its_successor_finishes(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "outbox.sqlite"
    killed_after(0.3, "put", str(path), "0")
    with Outbox(path, 10**9) as outbox:
        put = {row.id.sighting for row in outbox.rows()}
        rng = random.Random(seed)
        for _ in range(3):
            killed_after(rng.uniform(0, 0.1), "claim", str(path), "3")
            assert {row.id.sighting for row in outbox.rows()} == put
        killed_after(30, "claim", str(path), "3")
        assert {row.id.sighting for row in outbox.rows("stored")} == put


def test_a_putter_and_a_claimer_at_once_never_lock_each_other_out(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, 10**9) as outbox:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.trap.outbox_worker", "put", str(path), "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout is not None
        worker.stdout.readline()
        seen: set[int] = set()
        while len(seen) < 50:
            for item in outbox.claim(0.0, 4):
                assert item.body == outbox_worker.body(item.id.sighting)
                assert outbox.stored(item.id, item.sha256)
                seen.add(item.id.sighting)
        assert worker.poll() is None
        worker.kill()
        worker.wait()
        worker.stdout.close()
    assert seen == set(range(len(seen)))
