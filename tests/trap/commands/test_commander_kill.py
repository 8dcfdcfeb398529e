"""kill -9 between any two durable steps of a command, and several processes at once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def work(mode: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.trap.commands.dying_worker", mode, str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("action", ["frame", "threshold", "reboot"])
def test_a_command_whose_process_is_killed_at_any_step_has_one_answer_and_its_effect(
    tmp_path: Path, action: str
) -> None:
    found = work(action, tmp_path)
    assert found["deaths"] >= {"frame": 12, "threshold": 4, "reboot": 6}[action]
    for left in found["left"]:
        assert left["answers"] == [[7, "done", ""]]
        assert not left["begun"]
        assert left["frames"] == (3 if action == "frame" else 0)
        assert left["thresholds"] == ({"tiger": 0.3} if action == "threshold" else {})
        assert left["reboots"] <= 1
    if action == "reboot":
        reboots = [left["reboots"] for left in found["left"]]
        assert 1 in reboots and 0 in reboots, "at most once: not after a death in between"


def test_four_processes_at_once_judge_each_number_once(tmp_path: Path) -> None:
    found = work("crowd", tmp_path)
    assert found["ends"] == [0] * 4
    assert [number for number, _, _ in found["answers"]] == list(range(1, 25))
    done = [number for number, outcome, _ in found["answers"] if outcome == "done"]
    stale = [number for number, _, reason in found["answers"] if reason == "stale"]
    assert sorted(done + stale) == list(range(1, 25)) and 24 in done
    last = max(number for number in done if number % 3)
    assert found["thresholds"] == {"tiger": last / 100}
