"""A process for the kill tests: `put` or `claim` on an outbox until it is killed.

Each line on stdout is printed only after the outbox has returned."""

import hashlib
import itertools
import sys
from pathlib import Path

from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId


def body(sighting: int) -> bytes:
    """Bytes that only this sighting has; some fill several pages."""
    return hashlib.sha256(sighting.to_bytes(4, "big")).digest() * (1 + sighting % 1500)


def say(sighting: int) -> None:
    sys.stdout.write(f"{sighting}\n")
    sys.stdout.flush()


def put(path: Path, first: int) -> None:
    with Outbox(path, 10**9) as outbox:
        for sighting in itertools.count(first):
            outbox.put(ItemId(7, sighting, "frame", 1), body(sighting), "image/jpeg", 3, 0.0)
            say(sighting)


def claim(path: Path, limit: int) -> None:
    with Outbox(path, 10**9) as outbox:
        outbox.release(0.0)
        while items := outbox.claim(0.0, limit):
            for item in items:
                assert item.body == body(item.id.sighting)
                outbox.stored(item.id, item.sha256)
                say(item.id.sighting)


if __name__ == "__main__":
    work, path, number = sys.argv[1:]
    {"put": put, "claim": claim}[work](Path(path), int(number))
