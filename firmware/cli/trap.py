"""`rosette trap`: the field unit's daemons."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware.cli.options import config_option, load_or_exit, log_option
from firmware.logs import log_to_stderr

if TYPE_CHECKING:
    from firmware.trap.settings import TrapSettings


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
@click.option(
    "--link",
    type=click.Choice(["mqtt", "lora"]),
    default="mqtt",
    show_default=True,
    help="Over the network to the broker, or by LoRa. A unit with both runs one of each.",
)
@click.option(
    "--new",
    is_flag=True,
    help="With --link lora: make the unit's secret, if need be, begin its unit.epoch, and exit.",
)
@log_option
def trap_uplink(file: Path, link: str, new: bool, log_level: str) -> None:
    """Daemon 2: from the queue to the base's receipt."""
    from firmware.trap.settings import TrapSettings

    if new and link != "lora":
        raise click.UsageError("--new is for --link lora: over MQTT nothing is to be begun")
    settings = load_or_exit(file, TrapSettings)
    log_to_stderr(log_level)
    if new:
        _begin_lora(settings)
    else:
        run = _run_lora if link == "lora" else _run_mqtt
        run(settings)


def _begin_lora(settings: "TrapSettings") -> None:
    from firmware.trap.uplink.lora import daemon

    try:
        daemon.begin(settings)
        unit = settings.unit
        click.echo(f"{unit.id} begins epoch {unit.epoch}; its gateway needs a copy of "
                   f"lora.key_file as {unit.id}.key in p2p.keys_dir")  # fmt: skip
    except daemon.NoLora as error:
        raise click.UsageError(str(error)) from error
    except daemon.FATAL as error:
        raise click.ClickException(str(error)) from error


def _run_mqtt(settings: "TrapSettings") -> None:
    from firmware.trap.outbox import OutboxError
    from firmware.trap.uplink import daemon

    if settings.mqtt is None:
        raise click.UsageError("the config has no section [mqtt]: add it, or take --link lora")
    try:
        daemon.run(settings, time.time)  # noqa: TID251 - the entry point picks the clock
    except (OutboxError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _run_lora(settings: "TrapSettings") -> None:
    from firmware.trap.uplink.lora import daemon

    try:
        daemon.run(settings, time.time)  # noqa: TID251 - the entry point picks the clock
    except daemon.NoLora as error:
        raise click.UsageError(str(error)) from error
    except daemon.FATAL as error:
        raise click.ClickException(str(error)) from error
