"""The capture daemon: from an edge to committed items, and all that may go wrong on the way."""

import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from firmware import loop
from firmware.broker import Broker
from firmware.sim.camera import BlackCamera, HangingCamera
from firmware.trap.activity import read_activity
from firmware.trap.capture import daemon
from firmware.trap.capture.camera import CameraError, CameraHung, Frame
from firmware.trap.capture.classifier import Classifier, ModelError, shipped_model
from firmware.trap.capture.sidecar import load_sidecar
from firmware.trap.commands.orders import OrdersFile
from firmware.trap.outbox import Outbox
from firmware.trap.settings import CameraSettings, OutboxSettings, Pir
from firmware.wire.ids import ItemId
from firmware.wire.records import Sighting, load_record
from tests.trap.capture.rig import (
    Act,
    Rig,
    ScriptCamera,
    WiredPin,
    frame,
    picture,
    settings,
)
from tests.trap.capture.tiny_model import BLUE, GREEN, GREY, ORANGE

LEOPARD: Act = [ORANGE] * 3
EMPTY: Act = [GREY] * 3
ENCRYPTED = Broker(host="localhost", ca_file=Path("/etc/ca.pem"))


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def errors(log: pytest.LogCaptureFixture, level: str = "ERROR") -> list[str]:
    return [record.message.split()[0] for record in log.records if record.levelname == level]


def test_a_leopard_is_queued_alert_first_and_kept_on_the_card(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        edge_s = rig.clock.now() + 10
        assert rig.edge() is None
        assert rig.queued == ["T0007-000000-sighting-0"] + [
            f"T0007-000000-frame-{n}" for n in (1, 2, 3)
        ]
        head, first = rig.outbox.claim(rig.clock.now(), 2)
        record = load_record(head.body, Sighting)
        assert (record.species, record.frames, record.time_s) == ("leopard", 3, edge_s)
        assert record.model == classifier.sidecar.id
        (folder,) = (tmp_path / "archive").glob("*/T0007-000000")
        assert (folder / "frame_1.jpg").read_bytes() == first.body
    assert "burst sighting=0 verdict=leopard leopard=1.00 frames=3 edge_to_queued_s=0.0" in log.text


def test_the_jpeg_of_the_camera_is_stored_byte_for_byte(
    tmp_path: Path, classifier: Classifier
) -> None:
    shot = Frame(b"\xff\xd8 exactly these bytes", picture(ORANGE), 0.0, night=True)
    with Rig(tmp_path, classifier, [lambda: [shot]]) as rig:
        rig.edge()
        assert [item.body for item in rig.outbox.claim(0, 9) if item.id.kind == "frame"] == [
            shot.jpeg
        ]


def test_what_is_no_alert_stays_on_the_card(tmp_path: Path, classifier: Classifier) -> None:
    with Rig(tmp_path, classifier, [EMPTY, [GREEN] * 3]) as rig:
        rig.edge()
        rig.edge()
        assert rig.queued == [] and rig.archived == ["T0007-000000", "T0007-000001"]
        assert rig.capture.counts()["verdict_empty"] == rig.capture.counts()["verdict_deer"] == 1


def test_pictures_of_a_person_are_queued_only_for_an_encrypted_link(
    tmp_path: Path, classifier: Classifier
) -> None:
    for name, broker, items in (("plain", Broker(host="b"), 1), ("tls", ENCRYPTED, 4)):
        (tmp_path / name).mkdir()
        with Rig(tmp_path / name, classifier, [[BLUE] * 3], mqtt=broker) as rig:
            rig.edge()
            assert len(rig.queued) == items and len(rig.archived) == 1


def test_a_small_animal_is_found_by_what_moved_before_the_learnt_empty_scene(
    tmp_path: Path, classifier: Classifier
) -> None:
    scene = picture(GREY, (320, 180))
    shots = []
    for x in (40, 110, 180):
        shot = scene.copy()
        shot[90:130, x : x + 48] = ORANGE
        shots.append(shot)
    with Rig(tmp_path / "a", classifier, [shots[:1]]) as rig:
        rig.edge()
        assert rig.queued == [], "one frame, no empties: too small to see"
    acts: list[Act] = [[scene] * 3, [scene] * 3, shots[:1]]
    with Rig(tmp_path / "b", classifier, acts) as rig:
        for _ in acts:
            rig.edge()
        assert "T0007-000002-sighting-0" in rig.queued


def test_ignored_edges_are_counted_and_take_no_picture(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    with Rig(tmp_path, classifier, [EMPTY], pir=Pir(quiet_s=5, bursts_per_hour=2)) as rig:
        for after_s in (10, 0.01, 1, 10, 10):
            rig.edge(after_s)
        assert rig.camera.bursts == 2
        counts = rig.capture.counts()
        assert [counts[f"ignored_{why}"] for why in ("bounce", "quiet", "rate")] == [1, 1, 1]
    assert "trigger_ignored reason=quiet" in log.text


def test_what_came_in_the_quiet_period_and_still_moves_gets_its_burst(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [EMPTY, LEOPARD, LEOPARD]) as rig:
        assert rig.edge() is None
        assert rig.edge(after_s=3) == pytest.approx(2)
        rig.line_high = True
        rig.clock.advance(1)
        assert rig.capture.step(None) == pytest.approx(1)
        rig.clock.advance(1.01)
        assert rig.capture.step(None) is None
        assert rig.camera.bursts == 2 and "T0007-000001-sighting-0" in rig.queued
        rig.clock.advance(60)
        assert rig.capture.step(None) is None and rig.camera.bursts == 2


def test_what_came_in_the_quiet_period_and_went_gets_none(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [EMPTY]) as rig:
        rig.edge()
        rig.edge(after_s=3)
        rig.clock.advance(3)
        assert rig.capture.step(None) is None and rig.camera.bursts == 1


def test_a_clock_that_steps_by_years_changes_no_gap_and_no_number(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        for step_s in (0, 10 * 365 * 86400, -20 * 365 * 86400, 0):
            rig.clock.step_wall(step_s)
            assert rig.edge() is None
        rig.clock.step_wall(10**8)
        rig.edge(after_s=1)
        assert rig.camera.bursts == 4 and rig.capture.counts()["ignored_quiet"] == 1
        assert rig.archived == [f"T0007-00000{n}" for n in range(4)]


def _raise(error: Exception) -> list[Frame]:
    raise error


@pytest.mark.parametrize("error", [CameraError("no frame"), OSError("b.jpg: cannot be decoded")])
def test_a_camera_that_raises_costs_one_burst(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture, error: Exception
) -> None:
    with Rig(tmp_path, classifier, [lambda: _raise(error), list, LEOPARD]) as rig:
        rig.edge()
        rig.edge()  # no frame at all
        rig.edge()
        assert len(rig.queued) == 4 and rig.capture.counts()["bursts_lost"] == 2
    assert errors(log) == ["burst_lost", "burst_lost"] and str(error) in log.text


def test_frames_before_the_cameras_failure_are_not_lost(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    def breaks() -> Iterator[Frame]:
        yield frame(picture(ORANGE))
        raise OSError("the sensor does not answer")

    with Rig(tmp_path, classifier, [breaks]) as rig:
        rig.edge()
        assert rig.queued == ["T0007-000000-sighting-0", "T0007-000000-frame-1"]
    assert errors(log, "WARNING") == ["burst_cut_short"] and not errors(log)


def test_frames_before_the_camera_hangs_are_safe_when_the_daemon_ends(
    tmp_path: Path, classifier: Classifier
) -> None:
    release = threading.Event()

    def hangs() -> Iterator[Frame]:
        yield frame(picture(ORANGE))
        release.wait()

    limits = CameraSettings(frames=3, interval_s=0.0, timeout_s=0.05)
    with Rig(tmp_path, classifier, [hangs], camera=limits) as rig:
        with pytest.raises(CameraHung):
            rig.edge()
        release.set()
        assert len(rig.queued) == 2 and len(rig.archived) == 1


def test_black_frames_are_counted_and_uncertain(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        black = BlackCamera(
            lambda jpeg, rgb, time_s, night: Frame(jpeg, rgb, time_s, night),
            rig.clock.now, rig.clock.wait, (160, 90),
        )  # fmt: skip
        rig.camera.acts = [lambda: black.burst(3, 0.5)]
        rig.edge()
        assert rig.queued == [] and rig.capture.counts()["frames_black"] == 3
        (verdict,) = (tmp_path / "archive").glob("*/*/verdict.json")
        stored = json.loads(verdict.read_text())
        assert (stored["verdict"], stored["reason"]) == ("uncertain", "no_usable_frame")
    assert errors(log, "WARNING") == ["no_usable_frame"]


def test_unsettled_frames_are_kept_but_not_judged(tmp_path: Path, classifier: Classifier) -> None:
    shots = [frame(picture(ORANGE), settled=False), frame(picture(GREY))]
    with Rig(tmp_path, classifier, [lambda: shots]) as rig:
        rig.edge()
        assert rig.queued == [] and rig.capture.counts()["verdict_empty"] == 1
        assert len(list((tmp_path / "archive").glob("*/*/*.jpg"))) == 2


def test_a_camera_that_hangs_ends_the_daemon_with_an_error(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    stuck: HangingCamera[Frame] = HangingCamera(BlackCamera(Frame, float, float), 60, release.wait)
    limits = CameraSettings(frames=3, interval_s=0.0, timeout_s=0.05)
    with Rig(tmp_path, classifier, [lambda: stuck.burst(3, 0.0)], camera=limits) as rig:
        with pytest.raises(CameraHung, match=r"kept us waiting for more than 0\.05 s"):
            rig.edge()
        release.set()
    assert errors(log) == ["camera_hung"]


def test_a_hung_camera_ends_the_process_with_status_1(tmp_path: Path, tiny: Path) -> None:
    """The stuck thread and a `close` that would hang as well must not keep the process."""
    script = textwrap.dedent(f"""
        import threading
        from pathlib import Path
        from gpiozero import Device
        from gpiozero.pins.mock import MockFactory
        from firmware.trap.capture.daemon import main
        from firmware.trap.settings import CameraSettings
        from tests.trap.capture.rig import WiredPin, settings

        class Stuck:
            def burst(self, frames, interval_s): threading.Event().wait()
            def close(self): threading.Event().wait()

        Device.pin_factory = MockFactory(pin_class=WiredPin)
        config = settings(Path({str(tmp_path)!r}), Path({str(tiny)!r}),
                          camera=CameraSettings(interval_s=0.0, timeout_s=0.2))
        Device.pin_factory.pin(config.pir.pin).drive_high()
        raise SystemExit(main(config, Stuck))
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], timeout=30, capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 1 and "camera_hung limit_s=0.2" in done.stderr


@contextlib.contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """No file may grow beyond the limit: the write fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_error_a_burst_and_capture_goes_on(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        with full_disk(100):
            rig.edge()
        assert rig.queued == []
        assert errors(log) == ["archive_failed", "outbox_failed"]
        assert not list((tmp_path / "archive").rglob("*.jpg")), "half a frame under its name"
        rig.edge()
        assert len(rig.queued) == 4 and rig.archived[-1] == "T0007-000001"
        assert not list((tmp_path / "archive").rglob("*.tmp"))


def test_an_archive_that_fails_does_not_stop_the_alert(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "archive").write_text("a file where the folder should be")
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        rig.edge()
        rig.edge()
        assert len(rig.queued) == 8
    assert errors(log) == ["archive_failed"] * 2


def test_an_outbox_that_is_full_does_not_stop_the_archive(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    big = Frame(os.urandom(1_200_000), picture(ORANGE), 0.0, night=True)
    limit = OutboxSettings(max_mb=1)
    with Rig(tmp_path, classifier, [lambda: [big]], outbox=limit) as rig:
        rig.edge()
        assert rig.queued == ["T0007-000000-sighting-0"] and rig.archived == ["T0007-000000"]
    assert errors(log) == ["outbox_failed"]


def test_a_data_partition_that_is_gone_loses_bursts_but_not_the_daemon(
    tmp_path: Path, classifier: Classifier, log: pytest.LogCaptureFixture
) -> None:
    with Rig(tmp_path / "data", classifier, [LEOPARD]) as rig:
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        rig.edge()
        (tmp_path / "elsewhere").rename(tmp_path / "data")
        rig.edge()
        assert rig.archived == ["T0007-000000"] and len(rig.queued) == 4
    assert errors(log) == ["burst_lost"] and "is the disk read-only or full?" in log.text


def test_a_restart_goes_on_with_new_numbers_even_without_the_counter(
    tmp_path: Path, classifier: Classifier
) -> None:
    seen: list[str] = []
    for lost in (False, False, True):
        if lost:
            (tmp_path / "sightings").unlink()
        with Rig(tmp_path, classifier, [LEOPARD]) as rig:
            rig.edge()
            rig.edge()
            seen = rig.archived
    assert len(seen) == 6


def test_reports_and_answers_in_the_outbox_are_taken_for_no_sightings(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        rig.edge()
        for kind in ("health", "answer"):
            item = ItemId.parse(f"T0007-1800000000-{kind}-0")
            rig.outbox.put(item, b"{}", "application/json", 1, 0.0)
    (tmp_path / "sightings").unlink()
    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        rig.edge()
        assert max(rig.archived) < "T0007-010000", "numbers go on above the last sighting's"


def test_a_threshold_ordered_by_the_base_holds_from_the_next_burst_on(
    tmp_path: Path, classifier: Classifier
) -> None:
    orders = OrdersFile(tmp_path)

    def ordered(thresholds: dict[str, float]) -> None:
        with orders.alone() as before:
            orders.change(replace(before, thresholds=thresholds))

    with Rig(tmp_path, classifier, [LEOPARD]) as rig:
        rig.edge()
        ordered({"leopard": 1.0, "other": 1.0, "no_such_label": 0.5})
        rig.edge()
        ordered({})
        rig.edge()
        verdicts = [json.loads((folder / "verdict.json").read_text())["verdict"]
                    for folder in sorted((tmp_path / "archive").glob("*/*"))]  # fmt: skip
        assert verdicts == ["leopard", "uncertain", "leopard"]


def test_the_health_report_learns_of_each_burst_and_of_the_model(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD, EMPTY]) as rig:
        rig.edge()
        rig.edge()
        activity = read_activity(tmp_path)
        assert (activity.bursts, activity.empty) == (2, 1)
        assert activity.last_burst_s == rig.clock.now()
        assert activity.model == classifier.sidecar.id
        assert {"leopard", "other"} <= set(activity.labels.split())


class Stopping(ScriptCamera):
    """Ends the loop once it has given so many bursts; `taken` lets a test wait for each."""

    def __init__(self, acts: list[Act], events: loop.Events, last: int) -> None:
        super().__init__(acts)
        self.events, self.last, self.taken = events, last, threading.Semaphore(0)

    def burst(self, frames: int, interval_s: float) -> list[Frame]:
        taken = list(super().burst(frames, interval_s))
        if self.bursts == self.last:
            self.events.put(loop.Stop())
        self.taken.release()
        return taken


def test_a_line_that_is_high_at_the_start_is_an_edge(tmp_path: Path, tiny: Path) -> None:
    events, factory = loop.Events(), MockFactory(pin_class=WiredPin)
    factory.pin(Pir().pin).drive_high()
    camera = Stopping([LEOPARD], events, last=1)
    daemon.run(settings(tmp_path, tiny), camera, lambda: 1e9, events=events, pin_factory=factory)
    with Outbox(tmp_path / "outbox.sqlite", 10**6) as outbox:
        assert len(outbox.rows()) == 4
    assert not camera.closed, "who opened it closes it"


def test_pulses_of_30_ms_on_the_pin_become_bursts_and_the_loop_ends_on_stop(
    tmp_path: Path, tiny: Path, log: pytest.LogCaptureFixture
) -> None:
    events, factory = loop.Events(), MockFactory(pin_class=WiredPin)
    camera = Stopping([EMPTY], events, last=5)
    config = settings(tmp_path, tiny, pir=Pir(pin=22, quiet_s=0.0, debounce_s=0.0))
    started = threading.Event()

    def now() -> float:
        started.set()
        return 1e9

    pin = factory.pin(22)
    pin.drive_high()  # the first burst: the line is high before the daemon is there
    thread = threading.Thread(
        target=daemon.run, args=(config, camera, now),
        kwargs={"events": events, "pin_factory": factory}, daemon=True,
    )  # fmt: skip
    thread.start()
    for _ in range(4):
        assert camera.taken.acquire(timeout=10)
        pin.drive_low()
        pin.drive_high()
    thread.join(timeout=10)
    assert not thread.is_alive() and camera.bursts == 5
    assert "capture_started unit=T0007" in log.text and "capture_stopped" in log.text
    assert "verdict_empty=5" in log.text


def test_without_a_data_directory_the_daemon_says_that_nothing_is_mounted(
    tmp_path: Path, tiny: Path
) -> None:
    config = settings(tmp_path / "absent", tiny)
    with pytest.raises(OSError, match="mount the data partition"):
        daemon.run(config, ScriptCamera([]), lambda: 0.0, pin_factory=MockFactory())
    assert not (tmp_path / "absent").exists()


def test_a_camera_that_hangs_while_it_is_opened_ends_the_process(tmp_path: Path) -> None:
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from firmware.broker import Broker\n"
        "from firmware.trap.capture import daemon\n"
        "from firmware.trap.settings import TrapSettings, Unit\n"
        "daemon.OPEN_LIMIT_S = 0.2\n"
        "settings = TrapSettings(Unit('T0007', Path(sys.argv[1])), Broker('h'))\n"
        "sys.exit(daemon.main(settings, threading.Event().wait))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "opening the camera kept us waiting" in done.stderr


def test_a_broken_model_gives_way_to_the_shipped_one(
    tmp_path: Path, tiny: Path, log: pytest.LogCaptureFixture
) -> None:
    model = tmp_path / "rosette.tflite"
    model.write_bytes(tiny.read_bytes() + b"x")
    model.with_suffix(".json").write_text(tiny.with_suffix(".json").read_text())
    events = loop.Events()
    events.put(loop.Stop())
    daemon.run(
        settings(tmp_path, model), ScriptCamera([]), lambda: 0.0, events=events,
        pin_factory=MockFactory(),
    )  # fmt: skip
    assert "model_refused" in log.text and "SHA-256" in log.text
    assert f"model={load_sidecar(shipped_model()).id}" in log.text


def test_a_policy_for_a_verdict_that_the_model_cannot_give_is_refused(
    tmp_path: Path, classifier: Classifier
) -> None:
    policy = {"lepard": ("alert",)}
    with pytest.raises(ModelError, match=r"policy\.lepard: rosette\.tflite gives no such verdict"):
        Rig(tmp_path, classifier, [LEOPARD], policy=policy)


def test_a_policy_for_one_verdict_leaves_the_others_as_they_are(
    tmp_path: Path, classifier: Classifier
) -> None:
    with Rig(tmp_path, classifier, [LEOPARD, [GREEN] * 3], policy={"deer": ("frames",)}) as rig:
        rig.edge()
        rig.edge()
        assert len(rig.queued) == 8


def test_a_data_directory_without_its_parent_is_an_unmounted_disk(
    tmp_path: Path, tiny: Path, log: pytest.LogCaptureFixture
) -> None:
    config = settings(tmp_path / "not-mounted" / "data", tiny)
    assert daemon.main(config, lambda: ScriptCamera([LEOPARD])) == 1
    assert "capture_failed" in log.text and "not-mounted" in log.text


def test_main_says_what_failed_and_closes_the_camera(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    camera = ScriptCamera([LEOPARD])
    assert daemon.main(settings(tmp_path / "gone", tmp_path / "any.tflite"), lambda: camera) == 1
    assert camera.closed and "capture_failed reason=unit.data_dir" in log.text


def test_flat_pictures_of_the_rig_are_what_the_tiny_model_takes_them_for(
    classifier: Classifier,
) -> None:
    scores = classifier.scores([picture(ORANGE), picture(GREY)])
    assert [int(np.argmax(s)) for s in scores] == [0, 14]
