"""`rosette demo` as a newcomer runs it: a process, its exit status, and what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from firmware.demo.broker import find_mosquitto

TIMEOUT_S = 240.0


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demo, with all its temporary files under `tmp_path`."""
    return subprocess.Popen(
        [sys.executable, "-m", "firmware", "demo", *arguments],
        env=os.environ | {"TMPDIR": str(tmp_path), "COLUMNS": "140"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip


def left_behind(tmp_path: Path) -> list[str]:
    """Processes that mention the folder, and files in it."""
    mentions = [
        " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(process.info["cmdline"] or ())
    ]
    return mentions + [str(path) for path in tmp_path.iterdir()]


def finished(tmp_path: Path, *arguments: str) -> str:
    """The output of a demo that must succeed and leave nothing behind."""
    demo = start(tmp_path, *arguments)
    output, _ = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 0, output
    assert not left_behind(tmp_path)
    return output


def figures(output: str) -> tuple[int, ...]:
    match = re.search(
        r"leopard-positive items: (\d+) expected, (\d+) at the base, (\d+) missing, (\d+) doubled",
        output,
    )
    assert match, output
    return tuple(int(n) for n in match.groups())


@pytest.mark.skipif(find_mosquitto() is None, reason="Mosquitto is not installed")
def test_the_demo_delivers_every_leopard_item_once_and_leaves_nothing(tmp_path: Path) -> None:
    output = finished(tmp_path, "--headless", "--traps", "2", "--events", "3")
    expected, arrived, missing, doubled = figures(output)
    assert expected == arrived > 0
    assert (missing, doubled) == (0, 0)
    assert "rendered, not real" in output
    assert "broker: mosquitto" in output


@pytest.mark.slow
def test_the_demo_runs_on_the_embedded_broker_too(tmp_path: Path) -> None:
    output = finished(
        tmp_path, "--headless", "--traps", "1", "--events", "4", "--broker", "embedded"
    )
    expected, arrived, missing, doubled = figures(output)
    assert expected == arrived > 0
    assert (missing, doubled) == (0, 0)
    assert "amqtt" in output


@pytest.mark.slow
def test_the_demo_delivers_over_a_link_that_keeps_breaking(tmp_path: Path) -> None:
    output = finished(tmp_path, "--headless", "--traps", "2", "--events", "6", "--loss", "0.05")
    expected, arrived, missing, doubled = figures(output)
    assert expected == arrived > 0
    assert (missing, doubled) == (0, 0)


@pytest.mark.slow
def test_the_demo_replays_real_bursts(tmp_path: Path, frames_dir: Path) -> None:
    output = finished(
        tmp_path, "--headless", "--traps", "2", "--events", "6",
        "--frames", str(frames_dir / "bursts"),
    )  # fmt: skip
    _, _, missing, doubled = figures(output)
    assert (missing, doubled) == (0, 0)
    assert "Verdicts" in output and "rendered" not in output


@pytest.mark.slow
def test_ctrl_c_ends_the_demo_without_remains(tmp_path: Path) -> None:
    demo = start(tmp_path, "--headless", "--traps", "1", "--events", "8")
    assert demo.stdout is not None
    killer = threading.Timer(TIMEOUT_S, demo.kill)
    killer.start()
    for line in demo.stdout:
        if "burst 0:" in line or "burst 1:" in line:
            os.kill(demo.pid, signal.SIGINT)
            break
    demo.communicate(timeout=TIMEOUT_S)
    killer.cancel()
    assert demo.returncode == 130
    assert not left_behind(tmp_path)


def test_a_folder_without_pictures_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    demo = start(tmp_path, "--headless", "--frames", str(empty))
    output, _ = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 1
    assert "no pictures" in output and str(empty) in output
    assert "Traceback" not in output
