"""One virtual unit: `python -m firmware.demo.unit CONFIG CARD EVENTS EVERY_S SEED`.

The real capture daemon with a mock PIR pin and a folder camera in place of the hardware; ends by
itself after the last event. Logs `pir_pulses n=`, and before each burst `shown source=` with the
path (percent-encoded) of what the camera saw.
"""

import logging
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from firmware import loop
from firmware.config import load
from firmware.logs import log_to_stderr
from firmware.sim.camera import FolderCamera
from firmware.sim.pir import PirPlayer, Script, regular
from firmware.trap.capture import daemon
from firmware.trap.capture.camera import CameraError, CameraHung, Frame
from firmware.trap.settings import TrapSettings

log = logging.getLogger(__name__)


class CardCamera:
    """The folder camera as the daemon's `Camera`: says what it shows; a bad file is a failure of
    the camera."""

    def __init__(self, card: Path, seed: int, stop: threading.Event) -> None:
        shuffled = np.random.default_rng(seed) if seed else None
        self._camera: FolderCamera[Frame] = FolderCamera(
            card, Frame, time.time, stop.wait, shuffled  # noqa: TID251 - the entry point
        )  # fmt: skip
        self._card = card

    def burst(self, frames: int, interval_s: float) -> list[Frame]:
        """The next burst on the card. Raises CameraError."""
        try:
            return self._camera.burst(frames, interval_s)
        except OSError as error:
            raise CameraError(str(error)) from error
        finally:
            seen = self._camera.last
            shown = seen[0] if len(seen) == 1 else seen[0].parent
            log.info("shown source=%s", quote(os.fsencode(os.path.relpath(shown, self._card))))

    def close(self) -> None:
        self._camera.close()


def short(script: Script, high_s: float) -> Script:
    """The pulses of a sensor whose hold time is turned down, so that they stay apart."""
    return tuple(replace(pulse, high_s=min(pulse.high_s, high_s)) for pulse in script)


def play(script: Script, settings: TrapSettings, events: loop.Events) -> PirPlayer:
    """A player for the script on the daemon's own pin; puts `Stop` behind the last edge."""
    pin = Device.pin_factory.pin(settings.pir.pin)
    player = PirPlayer(script, pin)

    def stop_behind_the_last_edge() -> None:
        if player.wait_done(script[-1].at_s + script[-1].high_s + 60):
            log.info("pir_pulses n=%d", len(script))
            events.put(loop.Stop())

    threading.Thread(target=stop_behind_the_last_edge, daemon=True).start()
    return player


def main(arguments: list[str]) -> int:
    """Run the unit; the exit status is the daemon's."""
    config, card, pulses, every_s, seed = arguments
    settings = load(Path(config), TrapSettings)
    Device.pin_factory = MockFactory()
    events, stop = loop.Events(), threading.Event()
    rng = np.random.default_rng(int(seed))
    script = short(regular(int(pulses), float(every_s), rng), float(every_s) / 3)
    with loop.stop_on_signals(events):
        camera = CardCamera(Path(card), int(seed), stop)
        with play(script, settings, events):
            try:
                daemon.run(settings, camera, time.time, events=events)  # noqa: TID251
            except CameraHung:
                return 1
    return 0


if __name__ == "__main__":
    log_to_stderr("info")
    sys.exit(main(sys.argv[1:]))
