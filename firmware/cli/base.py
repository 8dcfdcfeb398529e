"""`rosette base`: the base station's receiver and gateway, and what it has."""

from pathlib import Path

import click

from firmware.cli.options import config_option, load_or_exit, log_option
from firmware.logs import log_to_stderr


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
