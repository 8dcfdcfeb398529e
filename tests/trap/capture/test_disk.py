"""The capture daemon on outboxes that are corrupt and on disks that are full or read-only: real
ones, mounted in a namespace of the test's own (see `test_outbox_disk.py`)."""

import logging
import random
from pathlib import Path

import pytest

from firmware.trap.capture.classifier import Classifier
from tests.trap.capture.rig import Rig
from tests.trap.capture.tiny_model import ORANGE
from tests.trap.test_outbox_disk import in_namespace

FILLED_AND_FREED = """
import logging, os, subprocess, sys
from pathlib import Path
from firmware.trap.capture.classifier import Classifier
from firmware.trap.settings import Archive
from tests.trap.capture.rig import Rig
from tests.trap.capture.tiny_model import ORANGE
logging.basicConfig(stream=sys.stdout, format="%(message)s")
data, model = Path(sys.argv[1]), Path({model!r})
with Rig(data, Classifier(model), [[ORANGE] * 3], archive=Archive(min_free_mb=10)) as rig:
    rig.edge()
    subprocess.run(["sh", "-c", f"cat /dev/zero > {{data}}/ballast"], stderr=subprocess.DEVNULL)
    rig.edge()
    os.unlink(data / "ballast")
    rig.edge()
    assert rig.archived[-1] == "T0007-000002", rig.archived
    assert len(rig.queued) == 8 and not any("-000001-" in item for item in rig.queued)
"""
FULL_AT_THE_START = """
import logging, subprocess, sys
from pathlib import Path
from firmware.trap.capture.classifier import Classifier
from firmware.trap.settings import Archive
from tests.trap.capture.rig import Rig
from tests.trap.capture.tiny_model import GREY, ORANGE
logging.basicConfig(stream=sys.stdout, format="%(message)s")
data, classifier = Path(sys.argv[1]), Classifier(Path({model!r}))
with Rig(data, classifier, [[GREY] * 3], archive=Archive(min_free_mb=10)) as rig:
    rig.edge()
(empty,) = (data / "archive").glob("*/*")
(empty / "frame_9.jpg").write_bytes(bytes(12_000_000))
for file in data.glob("outbox.sqlite*"):
    file.unlink()
subprocess.run(["sh", "-c", f"cat /dev/zero > {{data}}/ballast"], stderr=subprocess.DEVNULL)
with Rig(data, classifier, [[ORANGE] * 3], archive=Archive(min_free_mb=10)) as rig:
    rig.edge()
    (kept,) = rig.archived
    assert kept == "T0007-000064", "a restart goes on with a new block of numbers"
    assert len(rig.queued) == 4, rig.queued
"""
READ_ONLY = """
import sys
from pathlib import Path
from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture import daemon
from tests.trap.capture.rig import Rig
from tests.trap.capture.tiny_model import ORANGE
try:
    Rig(Path(sys.argv[1]), Classifier(Path({model!r})), [[ORANGE] * 3])
except daemon._FATAL as error:
    sys.stdout.write(str(error))
"""


def test_a_corrupt_outbox_at_the_start_is_moved_aside_and_capture_goes_on(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outbox.sqlite").write_bytes(random.Random(0).randbytes(50_000))
    with Rig(tmp_path, classifier, [[ORANGE] * 3]) as rig:
        rig.edge()
        assert len(rig.queued) == 4 and len(rig.archived) == 1
    assert [r.message.split()[0] for r in caplog.records if r.levelno >= logging.ERROR] == [
        "outbox_corrupt"
    ]


def test_an_outbox_that_turns_corrupt_costs_no_later_burst(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [[ORANGE] * 3]) as rig:
        rig.edge()
        for suffix in ("", "-wal"):
            file = tmp_path / f"outbox.sqlite{suffix}"
            file.write_bytes(random.Random(0).randbytes(file.stat().st_size))
        rig.edge()
        assert len(rig.archived) == 2
        assert sum("-000001-" in item for item in rig.queued) == 4


def test_a_disk_that_is_full_and_then_not_costs_only_the_bursts_between(
    tmp_path: Path, tiny: Path
) -> None:
    script = FILLED_AND_FREED.format(model=str(tiny))
    said = in_namespace(f"mount -t tmpfs -o size=20m none {tmp_path}", script, tmp_path)
    assert "outbox_failed sighting=1" in said and "full" in said


def test_a_disk_that_is_full_at_the_start_gives_room_to_the_first_alert(
    tmp_path: Path, tiny: Path
) -> None:
    script = FULL_AT_THE_START.format(model=str(tiny))
    said = in_namespace(f"mount -t tmpfs -o size=30m none {tmp_path}", script, tmp_path)
    assert "outbox_failed" not in said


def test_a_read_only_disk_at_the_start_ends_the_daemon_with_the_reason(
    tmp_path: Path, tiny: Path
) -> None:
    mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    said = in_namespace(mount, READ_ONLY.format(model=str(tiny)), tmp_path)
    assert "Read-only file system" in said
