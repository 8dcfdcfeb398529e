"""Daemon 1: from the PIR's edge to a committed item. Start reading at `run`, then `Capture`.

Promises that an alert is in the outbox before anything else is written, that every frame goes to
the archive, and that a bad camera, a full or read-only disk or a full outbox is one ERROR and the
next edge is served all the same. A camera that hangs ends the process (nothing else frees it) and
systemd starts it again. The uplink is another process; the outbox is all they share.

Logs, one line a burst:
`burst sighting=12 verdict=leopard leopard=0.97 frames=3 edge_to_queued_s=1.31`.
Loss window: a burst is lost if the process dies before its sighting is committed; its pictures, if
it dies before theirs are.
"""

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Container
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from gpiozero import DigitalInputDevice, GPIOZeroError

from firmware import loop
from firmware.trap.activity import ActivityLog
from firmware.trap.capture.archive import Archive, ArchiveError
from firmware.trap.capture.artefact import load_classifier
from firmware.trap.capture.camera import Camera, CameraError, CameraHung, Frame
from firmware.trap.capture.classifier import Classifier, ModelError
from firmware.trap.capture.classify import judge_of
from firmware.trap.capture.clock import clock_quality
from firmware.trap.capture.crop import Grey
from firmware.trap.capture.deadline import Overdue, each_within
from firmware.trap.capture.numbering import Numbering, NumberingError
from firmware.trap.capture.policy import Burst
from firmware.trap.capture.queues import LinkName, Queues, crop_jpeg
from firmware.trap.capture.trigger import Trigger
from firmware.trap.capture.verdict import EMPTY, UNCERTAIN, Judge, Look
from firmware.trap.commands.orders import OrdersFile
from firmware.trap.outbox import OutboxError
from firmware.trap.settings import TrapSettings
from firmware.wire.ids import MAX_SIGHTING

log = logging.getLogger(__name__)

T = TypeVar("T")

EMPTIES_KEPT = 5
OPEN_LIMIT_S = 60.0
_FATAL = (ModelError, CameraError, NumberingError, OutboxError, GPIOZeroError, OSError)


@dataclass(frozen=True)
class Edge:
    """The PIR's line went high: on the monotonic clock, and in unix seconds UTC."""

    monotonic_s: float
    time_s: float


def run(
    settings: TrapSettings,
    camera: Camera,
    now: Callable[[], float],
    *,
    events: loop.Events | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    pin_factory: Any = None,
) -> None:
    """Serve edges until `Stop`. Raises CameraHung, ModelError, NumberingError, OutboxError.

    Does not close the camera. `pin_factory`: gpiozero's, where the default is not meant.
    """
    events = events or loop.Events()
    if not settings.unit.data_dir.is_dir():  # made here, it would hide that nothing is mounted
        raise OSError(
            f"unit.data_dir: {settings.unit.data_dir} is not a directory: mount the data partition,"
            " or make the directory once on a new one"
        )
    classifier = load_classifier(settings)
    with (
        Queues.of(settings, now) as queues,
        DigitalInputDevice(settings.pir.pin, pull_up=False, pin_factory=pin_factory) as pir,
    ):
        capture = Capture(
            settings, camera, classifier, queues, now, monotonic, lambda: bool(pir.is_active)
        )
        pir.when_activated = lambda: events.put(Edge(monotonic(), now()))
        if pir.is_active:  # a line that is high already gives no edge
            events.put(Edge(monotonic(), now()))
        log.info("capture_started unit=%s model=%s runtime=%s",
                 settings.unit.id, classifier.sidecar.id, classifier.runtime)  # fmt: skip
        loop.run(capture.step, events)
        log.info("capture_stopped %s", " ".join(f"{k}={v}" for k, v in capture.counts().items()))


def main(settings: TrapSettings, open_camera: Callable[[], Camera]) -> int:
    """The process: signals, the real clock, and the exit status that makes systemd restart it."""
    events = loop.Events()
    with loop.stop_on_signals(events):
        try:
            with ExitStack() as stack:
                camera = _within_limit("opening", open_camera)
                stack.callback(_within_limit, "closing", camera.close)
                try:
                    run(settings, camera, time.time, events=events)  # noqa: TID251 - entry point
                except CameraHung:
                    stack.pop_all()  # it would not close either
                    raise
        except CameraHung as error:
            log.error("capture_failed reason=%s", error)  # noqa: TRY400 - says all in its message
            logging.shutdown()
            os._exit(1)  # the camera's thread would keep the interpreter from ending
        except _FATAL as error:
            log.error("capture_failed reason=%s", error)  # noqa: TRY400 - says all in its message
            return 1
    return 0


def _within_limit(doing: str, call: Callable[[], T]) -> T:
    """What the camera's driver gives, which may hang. Raises CameraHung."""
    try:
        return next(each_within(OPEN_LIMIT_S, lambda: [call()]))
    except Overdue as error:
        raise CameraHung(f"{doing} the camera {error}") from error


class Capture:
    """What happens on an edge. `step` is for `loop.run`; `level()` is the PIR's line."""

    def __init__(
        self,
        settings: TrapSettings,
        camera: Camera,
        classifier: Classifier,
        queues: Queues,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        level: Callable[[], bool],
    ) -> None:
        self._settings, self._camera, self._classifier = settings, camera, classifier
        self._queues, self._now, self._monotonic, self._level = queues, now, monotonic, level
        self._judge = judge_of(classifier)
        _check_policy(settings, classifier)
        self._trigger = Trigger(settings.pir)
        folder = settings.unit.data_dir
        self._archive = Archive(
            folder / "archive", settings.archive.min_free_mb * 10**6, self._unsent
        )
        self._orders = OrdersFile(folder)
        self._ordered: dict[str, float] = {}
        self._activity = ActivityLog(folder, classifier.sidecar.id, classifier.thresholds)
        self._numbering = Numbering(
            folder / "sightings", settings.unit.epoch, lambda: self._known_numbers()
        )
        self._empties: dict[bool, deque[Grey]] = {
            night: deque(maxlen=EMPTIES_KEPT) for night in (True, False)
        }
        wanted = settings.camera
        self._limit_s = wanted.timeout_s + wanted.frames * wanted.interval_s
        self._missed = False  # an edge fell into the quiet period
        self._counts: Counter[str] = Counter()

    def step(self, event: Any | None) -> float | None:
        """Serve an edge. After a quiet period in which one was ignored, look whether the line is
        still high: something may have come that the last burst has not seen."""
        if isinstance(event, Edge):
            self._edge(event)
        elif self._missed and self._trigger.quiet_left_s(self._monotonic()) == 0:
            self._missed = False
            if self._level():
                self._edge(Edge(self._monotonic(), self._now()))
        return self._trigger.quiet_left_s(self._monotonic()) if self._missed else None

    def counts(self) -> dict[str, int]:
        """Since the start: verdicts, ignored edges by reason, black frames, failures."""
        ignored = {f"ignored_{why}": n for why, n in self._trigger.ignored.items()}
        return dict(sorted((dict(self._counts) | ignored).items()))

    def _edge(self, edge: Edge) -> None:
        ignored = self._trigger.edge(edge.monotonic_s)
        if ignored is not None:
            self._missed = self._missed or ignored == "quiet"
            log.debug("trigger_ignored reason=%s", ignored)
            return
        self._missed = False
        try:
            self._burst(edge)
        except CameraHung:
            log.error("camera_hung limit_s=%g", self._limit_s)  # noqa: TRY400 - says all
            raise
        except (CameraError, NumberingError, OSError) as error:
            self._counts["bursts_lost"] += 1
            log.error("burst_lost reason=%s", error)  # noqa: TRY400 - says all in its message
        finally:
            self._trigger.burst_over(self._monotonic())

    def _burst(self, edge: Edge) -> None:
        """One burst, with as many frames as the camera gives. Raises CameraError, CameraHung,
        NumberingError, OSError, the camera's only after the frames before it are safe."""
        look = Look(self._classifier.scores, self._ordered_judge())
        frames: list[Frame] = []
        failure = self._take(frames, look)
        if frames:
            self._serve(edge, frames, look)
        if failure is None and not frames:
            raise CameraError("the camera gave no frame")
        if isinstance(failure, CameraHung) or (failure is not None and not frames):
            raise failure
        if failure is not None:
            log.warning("burst_cut_short frames=%d reason=%s", len(frames), failure)

    def _ordered_judge(self) -> Judge:
        """The model's, with the thresholds that the base has ordered over the config's."""
        ordered = dict(self._orders.read().thresholds)
        if ordered != self._ordered:
            log.info("thresholds_ordered %s", " ".join(f"{k}={v:g}" for k, v in ordered.items()))
            self._ordered = ordered
        known = {name: ordered[name] for name in ordered if name in self._judge.thresholds}
        return replace(self._judge, thresholds=dict(self._judge.thresholds) | known)

    def _take(self, frames: list[Frame], look: Look) -> CameraError | OSError | None:
        """Frames as they come, each looked at while the camera takes the next; then its error."""
        wanted = self._settings.camera
        try:
            for frame in each_within(
                self._limit_s, lambda: self._camera.burst(wanted.frames, wanted.interval_s)
            ):
                frames.append(frame)
                look.add(frame)
        except Overdue as error:
            return CameraHung(f"the camera {error}")
        except (CameraError, OSError) as error:
            return error
        return None

    def _serve(self, edge: Edge, frames: list[Frame], look: Look) -> None:
        night = frames[-1].night
        verdict = look.verdict(self._empties[night])
        burst = Burst(
            self._settings.unit.id, self._numbering.take(), edge.time_s, clock_quality(), night,
            [frame.jpeg for frame in frames], verdict, self._classifier.sidecar.id,
        )  # fmt: skip
        self._counts[f"verdict_{verdict.label}"] += 1
        crop = cache(lambda: crop_jpeg(look.closest()))
        queued_s, failed = self._queue(burst, crop)
        self._keep(burst)
        if failed:
            queued_s, failed = self._queue(burst, crop)  # keeping it may have made room
        for link, error in failed.items():
            self._counts["outbox_failed"] += 1
            log.error("outbox_failed sighting=%d link=%s reason=%s", burst.sighting, link, error)
        log.info(
            "burst sighting=%d verdict=%s leopard=%.2f frames=%d edge_to_queued_s=%.3f",
            burst.sighting, verdict.label, verdict.leopard, len(frames),
            queued_s - edge.monotonic_s,
        )  # fmt: skip
        self._counts["frames_black"] += look.black
        if verdict.reason == "no_usable_frame":
            log.warning("no_usable_frame black=%d of=%d", look.black, len(frames))
        self._activity.burst(edge.time_s, empty=verdict.label == EMPTY)
        if verdict.label == EMPTY:
            self._empties[night].append(look.greys[-1])

    def _queue(
        self, burst: Burst, crop: Callable[[], bytes | None]
    ) -> tuple[float, dict[LinkName, OutboxError]]:
        """Into the outboxes, the alert first: when that was in, on the monotonic clock, and what
        is not in."""
        queued_s = self._monotonic()

        def queued() -> None:
            nonlocal queued_s
            queued_s = self._monotonic()

        failed = self._queues.put(burst, self._settings.actions, crop, queued)
        return queued_s, failed

    def _keep(self, burst: Burst) -> None:
        try:
            self._archive.store(burst)
        except (ArchiveError, OutboxError) as error:
            self._counts["archive_failed"] += 1
            log.error("archive_failed sighting=%d reason=%s", burst.sighting, error)  # noqa: TRY400

    def _unsent(self) -> Container[int]:
        try:
            return self._queues.ids("waiting", "sending", "rejected")
        except OutboxError as error:
            log.warning("unsent_unknown reason=%s", error)
            return range(MAX_SIGHTING + 1)  # nobody knows, so every sighting counts as unsent

    def _known_numbers(self) -> list[int]:
        """Numbers that must not be given again, should the counter's file be lost."""
        return [*self._archive.numbers(), *self._queues.ids()]


def _check_policy(settings: TrapSettings, classifier: Classifier) -> None:
    """A misspelt verdict in the table would be an alert that never comes."""
    known = {*classifier.sidecar.labels, UNCERTAIN}
    if unknown := sorted(settings.actions.keys() - known):
        raise ModelError(
            f"policy.{unknown[0]}: {classifier.sidecar.file.name} gives no such verdict; it gives "
            f"{', '.join(sorted(known))}"
        )
