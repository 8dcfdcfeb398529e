"""What the capture daemon notes of its bursts."""

from pathlib import Path

import pytest

from firmware.trap.activity import Activity, ActivityLog, read_activity


def test_counts_go_on_across_restarts_and_the_model_is_the_running_one(tmp_path: Path) -> None:
    log = ActivityLog(tmp_path, "0a1b2c3d", ("tiger", "leopard"))
    assert read_activity(tmp_path) == Activity("0a1b2c3d", "leopard tiger")
    log.burst(5.0, empty=True)
    log.burst(7.5, empty=False)
    again = ActivityLog(tmp_path, "ffffffff", ("leopard",))
    again.burst(9.0, empty=False)
    assert read_activity(tmp_path) == Activity("ffffffff", "leopard", 3, 1, 9.0)


@pytest.mark.parametrize("content", [b"", b"{", b'{"bursts":"many"}'])
def test_a_damaged_file_begins_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "activity.json").write_bytes(content)
    assert read_activity(tmp_path) == Activity()
    ActivityLog(tmp_path, "0a1b2c3d", ()).burst(5.0, empty=False)
    assert read_activity(tmp_path).bursts == 1


def test_a_disk_that_takes_nothing_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = ActivityLog(tmp_path / "missing", "0a1b2c3d", ())
    log.burst(5.0, empty=False)
    assert {record.levelname for record in caplog.records} == {"WARNING"}
