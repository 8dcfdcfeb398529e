"""Who sends from an outbox: one process, and whether it is the first of this boot.

Promises that two uplinks never send from one outbox: the second would take the first one's items
for a dead one's, and the two would push each other off the broker. Tells a power cut from a sender
that died while the machine ran on, for a tired battery is not the fault of the item that was sent.
"""

import fcntl
from pathlib import Path
from types import TracebackType

from firmware.trap.outbox import OutboxError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class OnlySender:
    """A lock on `<outbox>.sender`, held until closed; the file names the boot that it was held in.

    `rebooted`: the last sender was another boot's. Raises OutboxError when another one is at work,
    OSError when the file cannot be written.
    """

    def __init__(self, outbox: Path, boot_id: str) -> None:
        self._lock = Path(f"{outbox}.sender").open("a+b")  # noqa: SIM115 - closed by __exit__
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lock.seek(0)
            before = self._lock.read(100).decode(errors="replace")
            self._lock.truncate(0)
            self._lock.write(boot_id.encode())
            self._lock.flush()
        except BlockingIOError as error:
            self._lock.close()
            raise OutboxError(
                f"{outbox}: another uplink is at work on it: stop that first"
            ) from error
        self.rebooted = before not in ("", boot_id)

    def __enter__(self) -> "OnlySender":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()


def this_boot() -> str:
    """The kernel's name for the time since the last start; empty where it has none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
