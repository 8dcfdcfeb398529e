"""What the demo reads from the logs of its processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from firmware.demo.processes import Child

LINE = "2026-11-23 12:00:00,250Z INFO stored item=T0001-000001-frame-1 bytes=12\n"


@pytest.fixture
def child(tmp_path: Path) -> Child:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    log = tmp_path / "base.log"
    log.touch()
    return Child("base", ("x",), log, done)


def append(child: Child, text: str) -> None:
    with child.log.open("a") as file:
        file.write(text)


def test_a_line_that_is_being_written_is_an_event_only_when_it_is_whole(child: Child) -> None:
    append(child, LINE + LINE[:50])
    assert [event.name for event in child.events()] == ["stored"]
    append(child, LINE[50:])
    assert [event.values["bytes"] for event in child.events()] == ["12", "12"]


def test_events_have_a_time_and_other_lines_are_none(child: Child) -> None:
    append(child, "Traceback (most recent call last):\n" + LINE)
    (event,) = child.events()
    assert event.time_s == 1795435200.25
    assert event.values == {"item": "T0001-000001-frame-1", "bytes": "12"}
    assert child.last_line() == LINE.rstrip()
