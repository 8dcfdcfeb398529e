"""`rosette base`: the base station's receiver and gateway, and what it has."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from firmware.cli.options import config_option, load_or_exit, log_option
from firmware.logs import log_to_stderr
from firmware.wire.commands import Action

if TYPE_CHECKING:
    from firmware.base.command import Issued

BROKER_S = 3.0


@click.group()
def base() -> None:
    """The base station."""


@base.command("run", epilog="Example: rosette base run --config /etc/rosette/base.toml")
@config_option
@log_option
def base_run(file: Path, log_level: str) -> None:
    """Receive, store durably, answer with receipts."""
    from firmware.base import receiver
    from firmware.base.settings import BaseSettings

    settings = load_or_exit(file, BaseSettings)
    log_to_stderr(log_level)
    raise SystemExit(receiver.main(settings))


@base.command("gateway", epilog="Example: rosette base gateway --config /etc/rosette/gateway.toml")
@config_option
@log_option
@click.option(
    "--new", is_flag=True, help="Make the state of a gateway never used before, and exit."
)
def base_gateway(file: Path, log_level: str, new: bool) -> None:
    """Pass on between LoRa units, or a LoRaWAN server, and the base's broker."""
    from firmware.base.gateway import daemon
    from firmware.base.gateway.settings import GatewaySettings

    settings = load_or_exit(file, GatewaySettings)
    log_to_stderr(log_level)
    raise SystemExit(daemon.main(settings, new=new))


@base.command("list", epilog="Example: rosette base list --config base.toml --json")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def base_list(file: Path, as_json: bool) -> None:
    """What has arrived, newest sighting last."""
    from firmware.base.listing import list_sightings, print_sightings
    from firmware.base.settings import BaseSettings
    from firmware.base.store import StoreError

    settings = load_or_exit(file, BaseSettings)
    try:
        print_sightings(list_sightings(settings), as_json=as_json)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


@base.command(
    "command", epilog="Example: rosette base command T0007 frame 123 --config base.toml --wait 60"
)
@click.argument("unit")
@click.argument("action", type=click.Choice(get_args(Action)))
@click.argument("words", nargs=-1)
@config_option
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 86400),
    default=0.0,
    metavar="S",
    help="Wait so many seconds for the unit's answer.",
)
@click.option(
    "--valid", default="7d", show_default=True, metavar="DURATION",
    help="A unit that hears it later does not do it.",
)  # fmt: skip
def base_command(
    unit: str, action: Action, words: tuple[str, ...], file: Path, wait_s: float, valid: str
) -> None:
    """Have a unit do something; the receiver sends it until the unit has answered.

    \b
    frame SIGHTING [PICTURE]              send its full pictures
    threshold LABEL PROBABILITY|config    believe this verdict from this probability on
    interval DURATION|config              report health so often
    reboot
    mute DURATION                         transmit nothing, on no link; at most 7d
    unmute

    A DURATION is 90s, 30m, 12h or 7d; `config` means as the unit's config has it. The exit status
    is 1 when the unit refuses or, with --wait, does not answer in time. A muted unit hears nothing
    over MQTT: its mute ends by itself.
    """
    from firmware.base.command import BookError
    from firmware.base.command_line import BadWords, give, seconds, text, wait_for
    from firmware.base.settings import BaseSettings
    from firmware.wire.errors import WireError

    folder = load_or_exit(file, BaseSettings).store.data_dir
    try:
        now_s = time.time()  # noqa: TID251 - the entry point picks the clock
        given = give(folder, unit, action, words, now_s, seconds(valid))
        issued = wait_for(
            folder, given, time.monotonic, wait_s or BROKER_S, answer=wait_s > 0
        )  # fmt: skip
    except (BadWords, WireError) as error:
        raise click.UsageError(str(error)) from error
    except BookError as error:
        raise click.ClickException(str(error)) from error
    click.echo(text(issued))
    _end(issued, wanted=wait_s > 0)


@base.command("commands", epilog="Example: rosette base commands --config base.toml T0007")
@click.argument("unit", required=False)
@config_option
def base_commands(unit: str | None, file: Path) -> None:
    """Every command given, of one unit or of all, and what became of it; newest last."""
    from firmware.base.command import BookError, list_issued
    from firmware.base.command_line import text
    from firmware.base.settings import BaseSettings

    settings = load_or_exit(file, BaseSettings)
    try:
        for issued in list_issued(settings.store.data_dir, unit):
            click.echo(text(issued))
    except BookError as error:
        raise click.ClickException(str(error)) from error


def _end(issued: "Issued", *, wanted: bool) -> None:
    """The exit status of a command to a unit."""
    if issued.answer is not None:
        raise SystemExit(0 if issued.answer.outcome == "done" else 1)
    if not issued.taken:
        click.echo(
            "kept, but the broker does not have it: is `rosette base run` at work?", err=True
        )
    if wanted:
        raise click.ClickException("no answer yet; it goes on being sent: see `base commands`")
