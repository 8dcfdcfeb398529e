"""From the PIR's edge to the committed sighting, and what the daemon costs while nothing moves.

Edge to committed: the daemon's own `Capture` with the shipped model, a rendered burst at the unit's
full frame size, a camera that encodes its JPEGs when asked (as the Pi's adapter does), no pause
between frames. Bare is what cannot be left out: as many model invocations as there were views, the
same JPEG encodes, and one SQLite FULL commit of the same record. Both in turns on the same disk.

Idle: the daemon as a process of its own with a mock pin, after one burst.
"""

import io
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from bench import Result
from bench.uplink import wakeups
from firmware.broker import Broker
from firmware.sim.scene import Site, Visit, render_burst
from firmware.trap.capture.camera import Frame, Rgb
from firmware.trap.capture.classifier import Classifier, shipped_model
from firmware.trap.capture.daemon import Capture, Edge
from firmware.trap.capture.picamera import lores_size
from firmware.trap.capture.queues import Queues
from firmware.trap.outbox import Outbox
from firmware.trap.settings import CameraSettings, ClassifierSettings, Pir, TrapSettings, Unit
from firmware.wire.ids import ItemId

BURSTS = 60
IDLE_S = 20.0
CAMERA = CameraSettings(interval_s=0.0)
# Every burst must raise an alert, whatever the model thinks of the rendered leopard.
CLASSIFIER = ClassifierSettings(thresholds={"leopard": 0.0})


def run() -> list[Result]:
    """Edge to committed by the daemon against bare; idle processor time, wakeups and memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        return [*latency(Path(place)), *_idle(Path(place) / "idle")]


class BenchCamera:
    """Encodes the same pictures in every burst, as picamera.py does from the sensor's buffers."""

    def __init__(self, pictures: Sequence[Image.Image]) -> None:
        self.pictures = pictures
        self._full: list[Rgb] = [np.asarray(picture) for picture in pictures]
        self._small: list[Rgb] = [np.asarray(p.resize(lores_size(CAMERA))) for p in pictures]

    def burst(self, frames: int, interval_s: float) -> Iterator[Frame]:
        for picture, full, small in zip(self.pictures, self._full, self._small, strict=True):
            yield Frame(encode(picture), full, time.time(), night=True, small=small)

    def close(self) -> None:
        """Nothing is open."""


class TimedOutbox(Outbox):
    """Notes when each item was committed, and its bytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 10**12)
        self.committed: list[tuple[float, bytes]] = []

    def put(self, item: ItemId, body: bytes, *rest: Any) -> None:
        super().put(item, body, *rest)
        self.committed.append((time.perf_counter(), body))


class CountingClassifier(Classifier):
    """Counts its invocations."""

    views = 0

    def scores(self, views: Sequence[Rgb]) -> Any:
        self.views += len(views)
        return super().scores(views)


def encode(picture: Image.Image) -> bytes:
    """As the camera's adapter encodes."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=CAMERA.jpeg_quality)
    return file.getvalue()


def latency(place: Path, bursts: int = BURSTS) -> list[Result]:
    """Edge to committed, median and worst, without the pause between frames."""
    pir = Pir(quiet_s=0, debounce_s=0, bursts_per_hour=999)
    settings = TrapSettings(Unit("T0007", place), Broker("localhost"), pir, CAMERA, CLASSIFIER)
    classifier = CountingClassifier(shipped_model(), CLASSIFIER)
    camera = BenchCamera(_pictures())
    bare_db = _bare_database(place / "bare.sqlite")
    pairs: list[tuple[float, float]] = []
    outbox = TimedOutbox(settings.unit.outbox)
    with outbox:
        queues = Queues({"mqtt": outbox}, time.time, encrypted=True)
        capture = Capture(settings, camera, classifier, queues, time.time, time.monotonic, bool)
        for _ in range(bursts):
            classifier.views = 0
            outbox.committed.clear()
            start_s = time.perf_counter()
            capture.step(Edge(time.monotonic(), time.time()))
            end_s, record = outbox.committed[0]
            bare_s = _bare(camera, classifier, classifier.views, bare_db, record)
            pairs.append((end_s - start_s, bare_s))
        views = classifier.views
    bare_db.close()
    ours_ms, bare_ms = ([s * 1e3 for s in column] for column in zip(*pairs, strict=True))
    return [
        Result(f"edge to committed, {views} views", statistics.median(ours_ms), "ms", "<= 1.25",
               statistics.median(bare_ms), "invocations + JPEGs + commit"),
        Result("edge to committed, worst burst", max(ours_ms), "ms", "",
               max(bare_ms), "worst bare"),
    ]  # fmt: skip


def _bare(
    camera: BenchCamera, classifier: Classifier, views: int, db: sqlite3.Connection, record: bytes
) -> float:
    """Seconds of what no design can leave out."""
    batch = classifier.prepare(np.zeros((224, 224, 3), np.uint8))
    start_s = time.perf_counter()
    for picture in camera.pictures:
        encode(picture)
    for _ in range(views):
        classifier.logits(batch)
    db.execute("INSERT INTO t VALUES (?)", (record,))
    return time.perf_counter() - start_s


def _bare_database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t (body BLOB)")
    return db


def _pictures() -> list[Image.Image]:
    site = Site(seed=5, season="snow", width=CAMERA.width, height=CAMERA.height)
    visit = Visit("leopard", individual=3, distance_m=4.0)
    return render_burst(site, visit, True, CAMERA.frames, 0.5, np.random.default_rng(1))


_DAEMON = """
import sys, threading, time
from pathlib import Path
import numpy as np
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from firmware import loop
from firmware.broker import Broker
from firmware.trap.capture import daemon
from firmware.trap.capture.camera import Frame
from firmware.trap.settings import CameraSettings, TrapSettings, Unit

class Camera:
    def burst(self, frames, interval_s):
        pixels = np.random.default_rng(0).integers(0, 255, (648, 1152, 3), np.uint8)
        return [Frame(bytes(400_000), pixels, 0.0, False)] * frames
    def close(self): pass

Device.pin_factory = MockFactory()
settings = TrapSettings(Unit("T0007", Path(sys.argv[1])), Broker("localhost"))
events = loop.Events()
events.put(daemon.Edge(time.monotonic(), time.time()))
with loop.stop_on_signals(events):
    daemon.run(settings, Camera(), time.time, events=events)
"""


def _idle(place: Path) -> list[Result]:
    place.mkdir()
    command = [sys.executable, "-c", _DAEMON, str(place)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        try:
            while not list((place / "archive").glob("*/*/verdict.json")):
                if daemon.poll() is not None:
                    raise RuntimeError("the capture daemon has ended")
                threading.Event().wait(0.2)
            threading.Event().wait(1)
            return _cost(psutil.Process(daemon.pid))
        finally:
            daemon.terminate()


def _cost(process: psutil.Process) -> list[Result]:
    before, cpu_s = wakeups(process.pid), sum(process.cpu_times()[:2])
    threading.Event().wait(IDLE_S)
    rate = (wakeups(process.pid) - before) / IDLE_S
    share = (sum(process.cpu_times()[:2]) - cpu_s) / IDLE_S * 100
    return [
        Result("capture idle, processor", share, "% of a core", "<= 0.5"),
        Result("capture idle, wakeups", rate, "/s", "<= 2"),
        Result("capture after a burst, RSS", process.memory_info().rss / 2**20, "MB", "<= 110"),
    ]
