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


def test_the_demo_delivers_every_leopard_item_once_and_leaves_nothing(tmp_path: Path) -> None:
    output = finished(tmp_path, "--headless", "--traps", "2", "--events", "3")
    expected, arrived, missing, doubled = figures(output)
    assert expected == arrived > 0
    assert (missing, doubled) == (0, 0)
    assert "rendered, not real" in output
    assert f"broker: {'amqtt' if find_mosquitto() is None else 'mosquitto'}" in output


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


def interrupted(
    tmp_path: Path, at: str, *signals: signal.Signals, options: tuple[str, ...] = ()
) -> str:
    """The output of a demo whose whole process group, as a terminal does it, gets these signals
    when it has printed `at`."""
    demo = start(tmp_path, "--headless", "--traps", "1", "--events", "8", *options)
    assert demo.stdout is not None
    killer = threading.Timer(TIMEOUT_S, demo.kill)
    killer.start()
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if at in line:
            break
    for number in signals:
        os.killpg(demo.pid, number)
        threading.Event().wait(0.05)
    output = "".join(lines) + demo.communicate(timeout=TIMEOUT_S)[0]
    killer.cancel()
    assert demo.returncode == 130, output
    with pytest.raises(ProcessLookupError):  # the processes that render have no folder's name
        os.killpg(demo.pid, 0)
    return output


@pytest.mark.parametrize("at", ["rendering", "are starting"])
def test_ctrl_c_before_the_first_burst_ends_the_demo_without_remains(
    tmp_path: Path, at: str
) -> None:
    assert "Traceback" not in interrupted(tmp_path, at, signal.SIGINT)
    assert not left_behind(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "signals", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT,) * 4]
)
def test_a_signal_in_mid_run_and_impatience_leave_no_remains(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    assert "Traceback" not in interrupted(tmp_path, "burst 0:", *signals)
    assert not left_behind(tmp_path)


@pytest.mark.slow
def test_by_lora_every_alert_and_picture_arrives_once_though_a_fifth_of_the_frames_is_lost(
    tmp_path: Path,
) -> None:
    output = finished(
        tmp_path, "--headless", "--link", "lora", "--loss", "0.2", "--traps", "1", "--events", "2"
    )
    expected, arrived, missing, doubled = figures(output)
    assert expected == arrived > 0 and expected % 3 == 0
    assert (missing, doubled) == (0, 0)
    for kind in ("sighting-0", "preview-0", "preview-1"):
        assert f"{kind} is at the base" in output


@pytest.mark.slow
def test_the_demo_by_lora_leaves_no_remains_when_it_is_interrupted(tmp_path: Path) -> None:
    output = interrupted(tmp_path, "burst 0:", signal.SIGINT, options=("--link", "lora"))
    assert "Traceback" not in output
    assert not left_behind(tmp_path)


@pytest.mark.slow
def test_the_demo_works_in_a_folder_whose_name_needs_quoting(tmp_path: Path) -> None:
    odd = tmp_path / "it's [/b] #1?"
    odd.mkdir(parents=True)
    expected, arrived, *_ = figures(finished(odd, "--headless", "--traps", "1", "--events", "2"))
    assert expected == arrived > 0


def test_a_card_without_one_readable_picture_is_a_failure(tmp_path: Path) -> None:
    card = tmp_path / "card [/b]"
    card.mkdir(parents=True)
    (card / "frame.jpg").write_bytes(b"not a picture")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    demo = start(temporary, "--headless", "--traps", "1", "--events", "1", "--frames", str(card))
    output, _ = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 1, output
    assert "no burst" in output and "card [/b]" in output
    assert not left_behind(temporary)


def test_a_folder_without_pictures_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    demo = start(tmp_path, "--headless", "--frames", str(empty))
    output, _ = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 1
    assert "no pictures" in output and str(empty) in output
    assert "Traceback" not in output
