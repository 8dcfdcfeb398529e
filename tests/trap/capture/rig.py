"""A capture daemon on a bench: real model, outbox and archive in a folder; virtual clock, and a
camera that does what its script says."""

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gpiozero.pins.mock import MockPin
from PIL import Image

from firmware.broker import Broker
from firmware.sim.clock import VirtualClock
from firmware.trap.capture.camera import Frame, Rgb
from firmware.trap.capture.classifier import Classifier
from firmware.trap.capture.daemon import Capture, Edge
from firmware.trap.capture.queues import LinkName, Queues
from firmware.trap.outbox import Outbox
from firmware.trap.settings import (
    CameraSettings,
    ClassifierSettings,
    OutboxSettings,
    Pir,
    TrapSettings,
    Unit,
)

Colour = tuple[int, int, int]
Act = Sequence[Colour | Rgb] | Callable[[], Iterable[Frame]]


def picture(colour: Colour, size: tuple[int, int] = (160, 90)) -> Rgb:
    """A flat picture with a little noise, as every sensor has."""
    noise = np.random.default_rng(sum(colour)).normal(0, 2, (size[1], size[0], 3))
    return np.asarray(np.clip(np.array(colour) + noise, 0, 255), np.uint8)


def frame(pixels: Rgb, time_s: float = 0.0, **changes: Any) -> Frame:
    """A frame with its JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return Frame(file.getvalue(), pixels, time_s, **({"night": False} | changes))


class WiredPin(MockPin):  # type: ignore[misc]
    """A mock pin that a sensor's output drives: a pull-down is weaker and does not move it."""

    def _set_pull(self, value: str) -> None:
        self._pull = value


class ScriptCamera:
    """Plays one act a burst: colours, pixels, or a call; the last act again and again."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self.acts, self.bursts, self.closed = list(acts), 0, False

    def burst(self, frames: int, interval_s: float) -> Iterable[Frame]:
        act = self.acts[min(self.bursts, len(self.acts) - 1)]
        self.bursts += 1
        if callable(act):
            return act()
        return [frame(p if isinstance(p, np.ndarray) else picture(p)) for p in act][:frames]

    def close(self) -> None:
        self.closed = True


def settings(folder: Path, model: Path, **changes: Any) -> TrapSettings:
    """A unit whose data lies in `folder`."""
    parts: dict[str, Any] = {
        "unit": Unit("T0007", folder),
        "mqtt": Broker(host="localhost"),
        "pir": Pir(quiet_s=5.0),
        "camera": CameraSettings(frames=3, interval_s=0.0, timeout_s=5.0),
        "classifier": ClassifierSettings(model=model, threads=1),
        "outbox": OutboxSettings(max_mb=10),
    }
    return TrapSettings(**(parts | changes))


def encrypted(config: TrapSettings) -> bool:
    return config.mqtt is not None and config.mqtt.encrypted


class Rig:
    """A `Capture` and what it works on; a context manager that closes the outbox."""

    def __init__(
        self, folder: Path, classifier: Classifier, acts: Sequence[Act], **changes: Any
    ) -> None:
        self.clock = VirtualClock()
        self.line_high = False
        self.camera = ScriptCamera(acts)
        self.folder = folder
        folder.mkdir(exist_ok=True)
        config = settings(folder, classifier.sidecar.file, **changes)
        self.outbox = Outbox(folder / "outbox.sqlite", config.outbox.max_mb * 10**6)
        self.lora_outbox = Outbox(config.unit.lora_outbox, 10**8)
        outboxes: dict[LinkName, Outbox] = {"mqtt": self.outbox}
        if config.lora is not None:
            outboxes["lora"] = self.lora_outbox
        queues = Queues(outboxes, self.clock.now, encrypted=encrypted(config))
        self.capture = Capture(
            config, self.camera, classifier, queues, self.clock.now, self.clock.monotonic,
            lambda: self.line_high,
        )  # fmt: skip

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        self.outbox.close()
        self.lora_outbox.close()

    def edge(self, after_s: float = 10.0) -> float | None:
        """The PIR's line goes high `after_s` from now."""
        self.clock.advance(after_s)
        return self.capture.step(Edge(self.clock.monotonic(), self.clock.now()))

    @property
    def queued(self) -> list[str]:
        """Items in the outbox, in the order of sending."""
        return [str(row.id) for row in self.outbox.rows()]

    @property
    def queued_for_lora(self) -> list[str]:
        return [str(row.id) for row in self.lora_outbox.rows()]

    @property
    def archived(self) -> list[str]:
        return sorted(folder.name for folder in (self.folder / "archive").glob("*/*"))
