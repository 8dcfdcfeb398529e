"""The outbox against bare SQLite: what its promises cost beyond one durable commit.

Bare is one table, one blob, one commit with the same journal mode and `synchronous=FULL`, on the
same disk, in turns with ours, so that a slow second of the disk meets both.
"""

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import Result
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId

ROUNDS = 120
WAITING = 100_000
NOW_S = 1_800_000_000.0
SIZES = {"record, 400 B": 400, "frame, 150 KB": 150_000, "frame, 1 MB": 1_000_000}


def run() -> list[Result]:
    """Puts per second of three sizes, and a claim with many items waiting."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        results = [_put(Path(place), name, size) for name, size in SIZES.items()]
        return results + _claim(Path(place))


def _put(place: Path, name: str, size_bytes: int) -> Result:
    bodies = [random.Random(n).randbytes(size_bytes) for n in range(ROUNDS)]
    with Outbox(place / f"ours-{size_bytes}", 10**12) as outbox:
        bare = _bare(place / f"bare-{size_bytes}")
        ours_s, bare_s = _in_turns(
            lambda n: outbox.put(ItemId(7, n, "frame", 1), bodies[n], "image/jpeg", 3, NOW_S),
            lambda n: _bare_put(bare, bodies[n]),
        )
        bare.close()
    return Result(
        f"outbox put, {name}", 1 / ours_s, "/s", ">= 0.7", 1 / bare_s, "bare SQLite FULL commit"
    )


def _claim(place: Path) -> list[Result]:
    path = place / "waiting"
    with Outbox(path, 10**12) as outbox:
        outbox.put(ItemId(7, 0, "frame", 1), b"shape of a row", "image/jpeg", 3, NOW_S)
        _fill(path)
        body = bytes(150_000)
        for n in range(ROUNDS):
            item = ItemId(8, n, "frame", 1)
            outbox.put(item, n.to_bytes(4, "big") + body, "image/jpeg", 1, NOW_S)
        bare = _bare(place / "bare-claim")
        _bare_put(bare, b"")
        ours_s, bare_s = _in_turns(
            lambda n: outbox.claim(NOW_S, 1),
            lambda n: bare.execute("UPDATE t SET n = n + 1"),
        )
        bare.close()
        looks_s = _mean_s(lambda n: outbox.changed())
    return [
        Result(f"outbox claim, {WAITING} waiting", ours_s * 1e3, "ms", "", bare_s * 1e3, "commit"),
        Result("outbox claim beyond one bare commit", (ours_s - bare_s) * 1e3, "ms", "<= 2"),
        Result("outbox look for changes", looks_s * 1e6, "us"),
    ]


def _fill(path: Path) -> None:
    """So many waiting rows at once, by SQL: a hundred thousand commits would take minutes."""
    with sqlite3.connect(path) as db:
        db.executemany(
            "INSERT INTO item (id, sha256, content_type, priority, size_bytes, created_s)"
            " VALUES (?, ?, 'image/jpeg', ?, 4, 0)",
            ((f"T0007-{n:06d}-frame-1", "0" * 64, 2 + n % 3) for n in range(1, WAITING)),
        )
        db.execute("INSERT INTO body SELECT row, x'00' FROM item WHERE row > 1")
    db.close()


def _bare(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (n INTEGER DEFAULT 0, body BLOB)")
    return db


def _bare_put(db: sqlite3.Connection, body: bytes) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO t (body) VALUES (?)", (body,))
    db.execute("COMMIT")


def _in_turns(ours: Callable[[int], object], bare: Callable[[int], object]) -> tuple[float, float]:
    """Mean seconds of each over the rounds, without the slowest and fastest tenth."""
    taken: tuple[list[float], list[float]] = ([], [])
    for n in range(ROUNDS):
        pairs = list(zip((ours, bare), taken, strict=True))
        for work, into in pairs if n % 2 else reversed(pairs):
            start_s = time.perf_counter()
            work(n)
            into.append(time.perf_counter() - start_s)
    edge = ROUNDS // 10
    first, second = (statistics.fmean(sorted(times)[edge:-edge]) for times in taken)
    return first, second


def _mean_s(work: Callable[[int], object]) -> float:
    start_s = time.perf_counter()
    for n in range(ROUNDS):
        work(n)
    return (time.perf_counter() - start_s) / ROUNDS
