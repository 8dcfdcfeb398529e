"""The bell: heard at once by who listens, nothing to who rings it."""

import os
import queue
from pathlib import Path

import pytest

from firmware.loop import Events
from firmware.trap.bell import Bell, pipe_of, ring
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId

ITEM = ItemId(7, 1, "sighting")


def test_a_ring_is_heard_by_the_one_that_listens(tmp_path: Path) -> None:
    events = Events()
    with Bell(tmp_path / "outbox", events):
        for _ in range(3):
            ring(tmp_path / "outbox")
            assert events.get(timeout=5) is None


def test_who_rings_never_waits_however_often_and_whoever_listens(tmp_path: Path) -> None:
    ring(tmp_path / "nobody")
    os.mkfifo(pipe_of(tmp_path / "outbox"))
    reader = os.open(pipe_of(tmp_path / "outbox"), os.O_RDWR)
    for _ in range(70_000):  # more than a pipe holds, and nobody reads it
        ring(tmp_path / "outbox")
    os.close(reader)


def test_nothing_is_heard_after_the_end(tmp_path: Path) -> None:
    events = Events()
    with Bell(tmp_path / "outbox", events):
        pass
    ring(tmp_path / "outbox")
    with pytest.raises(queue.Empty):
        events.get_nowait()


def test_where_there_can_be_no_pipe_the_bell_is_silent(tmp_path: Path) -> None:
    pipe_of(tmp_path / "outbox").symlink_to("/dev/null")
    with Bell(tmp_path / "outbox", Events()):
        ring(tmp_path / "outbox")


def test_what_is_put_into_an_outbox_rings_its_bell(tmp_path: Path) -> None:
    events = Events()
    path = tmp_path / "outbox.sqlite"
    with Bell(path, events), Outbox(path, 10**7) as outbox:
        outbox.put(ITEM, b"{}", "application/json", 0, 1.0)
        assert events.get(timeout=5) is None
