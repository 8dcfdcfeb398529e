"""Takes counters and prints each one as used, until it is killed. Run by test_counter.py.

counter_worker.py FILE EPOCH [STEP]     STEP: die at this step of the second reservation
"""

import os
import signal
import sys
from pathlib import Path

from firmware import durable
from firmware.radio import counter


def die() -> None:
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(step: str) -> None:
    """The steps of a reservation: before it, after the temporary file is written, after it has
    its name, after the directory is on the disk."""
    real_write, real_sync, real_replace = durable.write_file, durable.sync_directory, Path.replace
    writes = 0

    def write(path: Path, content: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == 2 and step == "before":
            die()
        real_write(path, content)
        if writes == 2 and step == "named":
            die()

    def replace(self: Path, target: Path) -> Path:
        if writes == 2 and step == "written":
            die()
        return real_replace(self, target)

    def sync(path: Path) -> None:
        real_sync(path)
        if writes == 2 and step == "synced":
            die()

    vars(counter).update(write_file=write, sync_directory=sync)
    Path.replace = replace  # type: ignore[method-assign, assignment]


def main() -> None:
    file, epoch = Path(sys.argv[1]), int(sys.argv[2])
    if len(sys.argv) > 3:
        die_at(sys.argv[3])
    counters = counter.Counters(file, epoch)
    while True:
        os.write(1, b"%d\n" % counters.take())


main()
