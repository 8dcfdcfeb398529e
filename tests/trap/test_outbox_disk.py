"""The outbox on disks that are full, read-only, or damage the file.

Full and read-only disks are real ones: a tmpfs and a read-only bind mount in a namespace of the
test's own (which needs no root), and a file-size limit, which works everywhere.
"""

import logging
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.trap.outbox import Outbox, OutboxError
from firmware.wire.ids import ItemId

LIMIT_BYTES = 10**9
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def fill(path: Path, count: int, size_bytes: int = 5000) -> None:
    with Outbox(path, LIMIT_BYTES) as outbox:
        for sighting in range(count):
            put(outbox, sighting, size_bytes)


def put(outbox: Outbox, sighting: int, size_bytes: int = 5000) -> None:
    body = random.Random(sighting).randbytes(size_bytes)
    outbox.put(ItemId(7, sighting, "frame", 1), body, "image/jpeg", 3, 0.0)


def in_namespace(mount: str, script: str, path: Path) -> str:
    """What `script` printed, run on `path` after `mount`. Skips where the kernel says no."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed: no private mounts for a full or read-only disk")
    if subprocess.run([*NAMESPACE, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this kernel allows no private mounts: no full or read-only disk to test on")
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", f'{mount} && exec "$0" "$@"', sys.executable, "-c", script, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_gives_an_error_that_says_so_and_keeps_what_was_committed(
    tmp_path: Path,
) -> None:
    script = f"""
import os, sys
from pathlib import Path
from firmware.trap.outbox import Outbox, OutboxError
from tests.trap.test_outbox_disk import put
with Outbox(Path(sys.argv[1]), {LIMIT_BYTES}) as outbox:
    done = 0
    try:
        while True:
            put(outbox, done)
            done += 1
    except OutboxError as error:
        sys.stdout.write(f"{{error}}\\n")
    assert done > 5
    assert len(outbox.rows()) == done
    os.unlink(sys.argv[1] + ".ballast")
    put(outbox, done)
    assert len(outbox.rows()) == done + 1
with Outbox(Path(sys.argv[1]), {LIMIT_BYTES}) as outbox:
    assert len(outbox.claim(0.0, 10**6)) == done + 1
"""
    mount = (
        f"mount -t tmpfs -o size=2m none {tmp_path} && "
        f"head -c 1000000 /dev/zero > {tmp_path}/outbox.sqlite.ballast"
    )
    said = in_namespace(mount, script, tmp_path / "outbox.sqlite")
    assert "outbox.sqlite: " in said
    assert "full" in said and "space" in said


@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_disk_gives_an_error_that_says_so(tmp_path: Path, exists: bool) -> None:
    if exists:
        fill(tmp_path / "outbox.sqlite", 2)
    script = f"""
import sys
from pathlib import Path
from firmware.trap.outbox import Outbox, OutboxError
try:
    Outbox(Path(sys.argv[1]), {LIMIT_BYTES}).stats()
except OutboxError as error:
    sys.stdout.write(str(error))
"""
    mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    said = in_namespace(mount, script, tmp_path / "outbox.sqlite")
    assert "Read-only file system" in said
    assert "check that the data directory exists, is writable" in said


def test_a_disk_that_turns_read_only_gives_errors_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
        # What SQLite reports for a disk that the kernel has remounted read-only.
        outbox._file._connection().execute("PRAGMA query_only = ON")
        with pytest.raises(OutboxError, match=r"outbox\.sqlite: .*read.?only.*remount it"):
            put(outbox, 2)
        with pytest.raises(OutboxError, match="remount it"):
            outbox.claim(0.0, 1)
        outbox._file._connection().execute("PRAGMA query_only = OFF")
        assert len(outbox.claim(0.0, 9)) == 1


def test_a_write_that_the_system_refuses_half_way_leaves_nothing_half_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.sqlite"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Outbox(path, LIMIT_BYTES) as outbox:
            put(outbox, 1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
            with pytest.raises(OutboxError, match="check its space"):
                put(outbox, 2, 500_000)
            assert [row.id.sighting for row in outbox.rows()] == [1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            put(outbox, 2, 500_000)
            assert len(outbox.claim(0.0, 9)) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, kept)


def test_a_missing_directory_gives_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="No such file or directory; check that the data"):
        Outbox(tmp_path / "absent" / "outbox.sqlite", LIMIT_BYTES).stats()


def test_a_file_that_is_no_database_is_kept_aside_and_a_fresh_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outbox.sqlite"
    for number in (1, 2):
        garbage = random.Random(number).randbytes(50_000)
        path.write_bytes(garbage)
        with Outbox(path, LIMIT_BYTES) as outbox:
            put(outbox, 1)
            assert len(outbox.claim(0.0, 9)) == 1
        assert (tmp_path / f"outbox.sqlite.corrupt-{number}").read_bytes() == garbage
    events = [r for r in caplog.records if r.message.startswith("outbox_corrupt")]
    assert [r.levelno for r in events] == [logging.ERROR] * 2


def test_corruption_found_by_a_put_does_not_stop_captures(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    fill(path, 50)
    with Outbox(path, LIMIT_BYTES) as outbox:
        outbox.claim(0.0, 1)
        damage(path)
        put(outbox, 100)
        assert [row.id.sighting for row in outbox.rows()] == [100]
    assert (tmp_path / "outbox.sqlite.corrupt-1").exists()


def test_the_other_process_follows_to_the_fresh_file(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    fill(path, 50)
    with Outbox(path, LIMIT_BYTES) as uplink, Outbox(path, LIMIT_BYTES) as capture:
        assert uplink.changed()
        damage(path)
        put(capture, 100)
        assert uplink.changed()
        (item,) = uplink.claim(0.0, 9)
        put(capture, 101)
        assert uplink.changed()
        assert uplink.stored(item.id, item.sha256)
        assert [item.id.sighting for item in uplink.claim(0.0, 9)] == [101]
    with Outbox(path, LIMIT_BYTES) as outbox:
        assert len(outbox.rows()) == 2
    assert not (tmp_path / "outbox.sqlite.corrupt-2").exists()


def test_a_file_taken_away_by_a_person_is_begun_afresh(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1)
        path.rename(tmp_path / "elsewhere")
        put(outbox, 2)
        assert [row.id.sighting for row in outbox.rows()] == [2]


def test_records_come_along_from_a_corrupt_file_and_frames_stay_behind(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, LIMIT_BYTES) as outbox:
        for sighting in range(200):
            put(outbox, sighting, 300 if sighting % 2 else 5000)
        (sent,) = outbox.claim(0.0, 1)
        damage_index(outbox)
        put(outbox, 1000, 300)
        kept = [row.id.sighting for row in outbox.rows()]
        assert kept == [*range(1, 200, 2), 1000]
        assert sent.id.sighting == 0
        for item in outbox.claim(0.0, 1000):
            assert item.body == random.Random(item.id.sighting).randbytes(300)


def test_a_corrupt_file_on_a_full_disk_is_an_error_until_there_is_room_and_then_salvaged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.sqlite"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1, 300)
        damage_index(outbox)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            for _ in range(2):
                with pytest.raises(OutboxError, match="space"):
                    put(outbox, 2, 300)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        put(outbox, 2, 300)
        assert [row.id.sighting for row in outbox.rows()] == [1, 2]


@pytest.mark.parametrize("moved", [("",), ("", "-wal"), ("", "-wal", "-shm")])
def test_a_power_cut_while_a_corrupt_file_is_replaced_costs_no_record(
    tmp_path: Path, moved: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    path, left = tmp_path / "outbox.sqlite", tmp_path / "left"
    with Outbox(path, LIMIT_BYTES) as outbox:
        put(outbox, 1, 300)
        left.mkdir()
        for suffix in ("", "-wal", "-shm"):  # as a power cut leaves them: the record is in the WAL
            name = f"outbox.sqlite{'.corrupt-1' if suffix in moved else ''}{suffix}"
            shutil.copy(f"{path}{suffix}", left / name)
    (left / "outbox.sqlite.fresh").touch()
    with Outbox(left / "outbox.sqlite", LIMIT_BYTES) as outbox:
        assert [row.id.sighting for row in outbox.rows()] == [1]
    assert "outbox_corrupt" in caplog.text and not (left / "outbox.sqlite.fresh").exists()


def test_damage_anywhere_in_the_file_ends_in_service_and_never_in_wrong_bytes(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole"
    fill(whole, 20)
    kept = 0
    for seed in range(40):
        rng = random.Random(seed)
        path = tmp_path / f"damaged-{seed}"
        damaged = bytearray(whole.read_bytes())
        for _ in range(rng.choice([1, 4, 64])):
            at = rng.randrange(len(damaged))
            damaged[at : at + 16] = rng.randbytes(len(damaged[at : at + 16]))
        path.write_bytes(damaged)
        try:
            with Outbox(path, LIMIT_BYTES) as outbox:
                put(outbox, 100, 300)
                outbox.release(0.0)
                for item in outbox.claim(0.0, 100):
                    size_bytes = 300 if item.id.sighting == 100 else 5000
                    assert item.body == random.Random(item.id.sighting).randbytes(size_bytes)
                kept += ItemId(7, 100, "frame", 1) in {row.id for row in outbox.rows()}
                put(outbox, 101, 300)
        except OutboxError as error:  # only damage that reads as another format's number
            assert "has format" in str(error)
    assert kept >= 38


def damage_index(outbox: Outbox) -> None:
    """Overwrite a page without which no item can be put, and with which none is lost."""
    (page,) = outbox._file.read(
        lambda db: db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'item_waiting'")
    ).fetchone()
    damage(outbox._file.path, page)


def damage(path: Path, page: int | None = None) -> None:
    """Overwrite one page, or every page but the first, of the file that is open elsewhere."""
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    first, size_bytes = (page - 1, 4096) if page else (1, path.stat().st_size - 4096)
    with path.open("r+b") as file:
        file.seek(first * 4096)
        file.write(random.Random(0).randbytes(size_bytes))
