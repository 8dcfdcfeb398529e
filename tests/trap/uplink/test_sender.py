"""One sender an outbox, and whether the machine was restarted since the last one."""

from pathlib import Path

import pytest

from firmware.trap.outbox import OutboxError
from firmware.trap.uplink.sender import OnlySender, this_boot


def test_a_second_sender_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.sqlite"
    with OnlySender(outbox, "boot-1"), pytest.raises(OutboxError, match="another uplink"):
        OnlySender(outbox, "boot-1")
    with OnlySender(outbox, "boot-1") as again:
        assert not again.rebooted


def test_a_sender_of_another_boot_is_told_from_one_that_died(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.sqlite"
    seen = []
    for boot in ("boot-1", "boot-1", "boot-2", "boot-2"):
        with OnlySender(outbox, boot) as sender:
            seen.append(sender.rebooted)
    assert seen == [False, False, True, False]


def test_linux_names_its_boots() -> None:
    assert len(this_boot()) == 36
