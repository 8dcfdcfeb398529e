"""What the uplink costs: idle processor time, wakeups and memory, and how soon an alert leaves.

The daemon runs as a process of its own on a private broker, with a base that answers.
"""

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench import Result
from firmware.demo.broker import private_broker
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId
from tests.contract.brokers import Base

IDLE_S = 20.0
ALERTS = 8
FRAMES = 200


def run() -> list[Result]:
    """Idle cost, latency of an alert, and throughput of 150 KB frames."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as place,
        private_broker(Path(place) / "broker", time.sleep) as broker,
        Base(broker.address) as base,
        Outbox(Path(place) / "outbox.sqlite", 10**12) as outbox,
        _uplink(Path(place), broker.address.port, broker.address.protocol) as pid,
    ):
        busy = _frames(outbox, base)
        latency_s = _alerts(outbox, base)
        return [*_idle(psutil.Process(pid)), latency_s, busy]


@contextlib.contextmanager
def _uplink(place: Path, port: int, protocol: str) -> Iterator[int]:
    config = place / "trap.toml"
    config.write_text(
        f'[unit]\nid = "T0007"\ndata_dir = "{place}"\n[mqtt]\nhost = "127.0.0.1"\n'
        f'port = {port}\nprotocol = "{protocol}"\nusername = "T0007"\n'
    )
    command = [sys.executable, "-m", "tests.trap.uplink.uplink_worker", str(config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
        try:
            yield worker.pid
        finally:
            worker.terminate()


def _idle(process: psutil.Process) -> list[Result]:
    threading.Event().wait(2)
    before, cpu_s = wakeups(process.pid), sum(process.cpu_times()[:2])
    threading.Event().wait(IDLE_S)
    rate = (wakeups(process.pid) - before) / IDLE_S
    share = (sum(process.cpu_times()[:2]) - cpu_s) / IDLE_S * 100
    return [
        Result("uplink idle, processor", share, "% of a core", "<= 0.5"),
        Result("uplink idle, wakeups", rate, "/s", "<= 2"),
        Result("uplink after 200 frames, RSS", process.memory_info().rss / 2**20, "MB", "<= 45"),
    ]


def wakeups(pid: int) -> int:
    """Voluntary context switches of all threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def _alerts(outbox: Outbox, base: Base) -> Result:
    taken_s = []
    for n in range(ALERTS):
        threading.Event().wait(0.9 + 0.1 * n)
        start_s = time.perf_counter()
        outbox.put(ItemId(7, 10**6 + n, "frame", 1), b"alert %d" % n, "image/jpeg", 0, 0.0)
        base.got.get(timeout=30)
        taken_s.append(time.perf_counter() - start_s)
    return Result("alert, commit to base, worst of 8", max(taken_s), "s", "<= 1")


def _frames(outbox: Outbox, base: Base) -> Result:
    start_s = time.perf_counter()
    for n in range(FRAMES):
        body = n.to_bytes(4, "big") + bytes(150_000)
        outbox.put(ItemId(7, n, "frame", 1), body, "image/jpeg", 3, 0.0)
    for _ in range(FRAMES):
        base.got.get(timeout=60)
    rate = FRAMES / (time.perf_counter() - start_s)
    return Result("uplink, 150 KB frames, put to base", rate, "/s")
