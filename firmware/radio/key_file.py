"""Secrets as files: a unit's for LoRa point to point (32 or more hex digits), or its AppKey
for LoRaWAN (32), and nothing else.

Promises that a file others may read is refused, so that nobody goes on with a secret that is none,
and that `make_key` never writes over one. The unit and its gateway each have a copy of the first.
"""

import os
import re
import secrets
from pathlib import Path

from firmware.durable import sync_directory
from firmware.wire.packet import KEY_BYTES, Keys, derive_keys

_KEY = re.compile(r"\s*((?:[0-9a-fA-F]{2}){16,256})\s*", re.ASCII)


class KeyUnusable(Exception):
    """A key file that cannot be used; says which, why, and what to do."""


def read_keys(file: Path, unit: int) -> Keys:
    """The unit's keys from its secret. Raises KeyUnusable."""
    return derive_keys(_digits(file), unit)


def read_app_key(file: Path) -> bytes:
    """The 16 bytes of an AppKey. Raises KeyUnusable."""
    key = _digits(file)
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"{file} holds {2 * len(key)} hex digits, not {2 * KEY_BYTES}")
    return key


def _digits(file: Path) -> bytes:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII text"
        raise KeyUnusable(f"{file} cannot be read: {reason}") from error
    if mode & 0o077:
        raise KeyUnusable(
            f"{file} may be read by others (mode {mode & 0o777:04o}): chmod 600 {file}, and if "
            f"anybody else has been on this machine, give the unit a new key"
        )
    match = _KEY.fullmatch(text)
    if match is None:
        raise KeyUnusable(f"{file} is no key: it must hold 32 or more hex digits and nothing else")
    return bytes.fromhex(match[1])


def make_key(file: Path) -> None:
    """A new random secret, on the disk when this returns. Raises KeyUnusable where it cannot be
    written or a file is there already."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex(KEY_BYTES) + "\n")
            new.flush()
            os.fsync(new.fileno())
        sync_directory(file.parent)
    except OSError as error:
        raise KeyUnusable(f"{file} cannot be written: {error.strerror}") from error
