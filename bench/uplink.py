"""What the uplink costs: idle processor time, wakeups and memory, and how soon an alert leaves.

The daemon runs as a process of its own on a private broker, with a base that answers; the one of
LoRa on an emulated modem, alone on the air.
"""

import contextlib
import io
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from PIL import Image

from bench import Result
from firmware.demo.broker import private_broker
from firmware.demo.configs import trap_config
from firmware.demo.lora import air, provision
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId
from tests.contract.brokers import Base

IDLE_S = 20.0
ALERTS = 8
FRAMES = 200
UNIT = "T0001"


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
        idle = _idle(psutil.Process(pid), "uplink")
        rss_mb = psutil.Process(pid).memory_info().rss / 2**20
        memory = Result("uplink after 200 frames, RSS", rss_mb, "MB", "<= 45")
        return [*idle, memory, latency_s, busy, *_lora()]


def _lora() -> list[Result]:
    """Idle cost by LoRa, and what is left of the memory that a picture took."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as name,
        air(Path(name) / "air", [UNIT], 0.0, 1) as here,
    ):
        folder, config = Path(name) / UNIT, Path(name) / "trap.toml"
        folder.mkdir()
        provision(folder)
        config.write_text(trap_config(UNIT, folder, here.unit_section(UNIT)))
        command = [sys.executable, "-m", "firmware", "trap", "uplink", "--link", "lora"]
        with (
            subprocess.Popen([*command, "--config", config], stderr=subprocess.PIPE) as worker,
            contextlib.ExitStack() as stack,
        ):
            stack.callback(worker.terminate)
            process = psutil.Process(worker.pid)
            _logged(worker, b"air_up")
            idle = _idle(process, "LoRa uplink")
            rss = [
                Result("LoRa uplink idle, RSS", process.memory_info().rss / 2**20, "MB", "<= 45")
            ]
            with Outbox(folder / "outbox-lora.sqlite", 10**8) as outbox:
                outbox.put(ItemId(1, 1, "preview"), _crop(), "image/jpeg", 2, time.time())
            _logged(worker, b"picture_begun")
            threading.Event().wait(2)
            held_mb = process.memory_info().rss / 2**20
            return [*idle, *rss, Result("LoRa uplink after a picture, RSS", held_mb, "MB")]


def _logged(worker: subprocess.Popen[bytes], text: bytes) -> None:
    assert worker.stderr is not None
    while text not in (line := worker.stderr.readline()):
        assert line, "the uplink has ended"


def _crop() -> bytes:
    file = io.BytesIO()
    noise = Image.effect_noise((80, 60), 60).resize((640, 480), Image.Resampling.BICUBIC)
    noise.convert("RGB").save(file, "JPEG", quality=85)
    return file.getvalue()


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


def _idle(process: psutil.Process, who: str) -> list[Result]:
    threading.Event().wait(2)
    before, cpu_s = wakeups(process.pid), sum(process.cpu_times()[:2])
    threading.Event().wait(IDLE_S)
    rate = (wakeups(process.pid) - before) / IDLE_S
    share = (sum(process.cpu_times()[:2]) - cpu_s) / IDLE_S * 100
    return [
        Result(f"{who} idle, processor", share, "% of a core", "<= 0.5"),
        Result(f"{who} idle, wakeups", rate, "/s", "<= 2"),
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
