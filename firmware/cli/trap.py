"""`rosette trap`: the field unit's daemons."""

import time
from pathlib import Path

import click

from firmware.cli.options import config_option, load_or_exit, log_option
from firmware.logs import log_to_stderr


@click.group()
def trap() -> None:
    """The field unit's daemons."""


@trap.command("capture", epilog="Example: rosette trap capture --config /etc/rosette/trap.toml")
@config_option
@log_option
def trap_capture(file: Path, log_level: str) -> None:
    """Daemon 1: from motion to the queue, with the Pi's camera and pins."""
    from firmware.trap.capture import daemon, picamera
    from firmware.trap.settings import TrapSettings

    settings = load_or_exit(file, TrapSettings)
    log_to_stderr(log_level)
    raise SystemExit(daemon.main(settings, lambda: picamera.open_camera(settings.camera)))


@trap.command("uplink", epilog="Example: rosette trap uplink --config /etc/rosette/trap.toml")
@config_option
@log_option
def trap_uplink(file: Path, log_level: str) -> None:
    """Daemon 2: from the queue to the base's receipt."""
    from firmware.trap.outbox import OutboxError
    from firmware.trap.settings import TrapSettings
    from firmware.trap.uplink import daemon

    settings = load_or_exit(file, TrapSettings)
    log_to_stderr(log_level)
    try:
        daemon.run(settings, time.time)  # noqa: TID251 - the entry point picks the clock
    except (OutboxError, OSError) as error:
        raise click.ClickException(str(error)) from error
