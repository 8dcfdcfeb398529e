"""Pictures on the base's disk, named by their content: `<root>/ab/cd/<sha256>.jpg`.

Promises: when `keep` returns, every file is whole and will be there after a power cut (data, then
name, then directory are flushed); a name never holds other bytes than it says, because a file gets
it only when complete. Cut short at any point it leaves at most files in `<root>/tmp`, which `clean`
removes, or a picture that no row speaks of, which is harmless. Only `store.py` uses this.

Does not promise that a dying disk gives back what it took, and never deletes a picture.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from firmware.durable import sync_directory

FLUSHES = 8  # at once; more gained nothing

SUFFIXES = {"image/jpeg": ".jpg", "image/webp": ".webp", "image/avif": ".avif"}
T = TypeVar("T")


class Media:
    """The folder of pictures. Methods raise OSError and leave nothing half written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._temps = root / "tmp"
        self._temps.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(FLUSHES, "flush")

    def close(self) -> None:
        """End the threads that wait for the disk."""
        self._pool.shutdown()

    def path(self, sha256: str, content_type: str) -> Path:
        """Where the picture with this hash (hex) is or would be."""
        return picture_path(self.root, sha256, content_type)

    def keep(self, files: Iterable[tuple[str, str, bytes]]) -> None:
        """Store (sha256, content type, bytes) durably. What is there already is not written again.

        One flush of the disk serves many files: all writes are started before the first is waited
        for, all names are given before the first directory is, and the waiting is done side by
        side, where the kernel joins the flushes (a dozen times faster than one after the other).
        """
        wanted = {self.path(sha256, kind): body for sha256, kind, body in files}
        missing = {path: body for path, body in wanted.items() if _size(path) != len(body)}
        with contextlib.ExitStack() as cleanup:
            temps = [self._begin(body, cleanup) for body in missing.values()]
            self._wait_for(os.fsync, [fd for fd, _ in temps])
            for (_, temp), path in zip(temps, missing, strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                temp.rename(path)
        # Also of files that were there: who wrote them may have died before this.
        self._wait_for(sync_directory, {d for path in wanted for d in path.parents[:3]})

    def clean(self) -> int:
        """Remove what a process that died in `keep` left, and return how many. A living one holds
        a lock on each of its files, so several processes may share the folder."""
        removed = 0
        for temp in self._temps.iterdir():
            with contextlib.suppress(FileNotFoundError, BlockingIOError), temp.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                temp.unlink()
                removed += 1
        return removed

    def _wait_for(self, flush: Callable[[T], None], things: Iterable[T]) -> None:
        """Flush all of them side by side; raises the first OSError after all have ended."""
        done = [self._pool.submit(flush, thing) for thing in things]
        wait(done)
        for future in done:
            future.result()

    def _begin(self, body: bytes, cleanup: contextlib.ExitStack) -> tuple[int, Path]:
        """A locked temporary file with these bytes on their way to the disk."""
        fd, name = tempfile.mkstemp(dir=self._temps)
        cleanup.callback(os.close, fd)
        cleanup.callback(Path(name).unlink, missing_ok=True)
        fcntl.flock(fd, fcntl.LOCK_EX)
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # starts the write without waiting
        return fd, Path(name)


def picture_path(root: Path, sha256: str, content_type: str) -> Path:
    """Where the picture with this hash (hex) lies under a folder of pictures."""
    return root / sha256[:2] / sha256[2:4] / (sha256 + SUFFIXES[content_type])


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
