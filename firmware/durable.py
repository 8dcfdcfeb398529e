"""Files that survive a power cut: whole and on the disk, or not there.

Promises nothing for a card that acknowledges writes and forgets them.
"""

import os
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """The file under its name, whole; its directory entry needs `sync_directory` to be durable.
    Raises OSError and leaves no temporary file then, as far as the disk allows."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        if temporary.exists():
            temporary.unlink()
        raise


def sync_directory(path: Path) -> None:
    """What was created, renamed or removed in the directory is so on the disk too."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
