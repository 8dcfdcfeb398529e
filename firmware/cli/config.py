"""`rosette config`: check config files."""

from pathlib import Path

import click

from firmware.cli.options import FILE, load_or_exit


@click.group()
def config() -> None:
    """Config files."""


@config.command("check", epilog="Example: rosette config check trap.toml")
@click.argument("file", type=FILE)
def config_check(file: Path) -> None:
    """Every problem of a trap's, a base's or a gateway's config file at once."""
    name = _owner(file)
    load_or_exit(file, _kind(name))
    click.echo(f"{file}: good ({name})")


def _kind(name: str) -> type[object]:
    from firmware.base.gateway.settings import GatewaySettings
    from firmware.base.settings import BaseSettings
    from firmware.trap.settings import TrapSettings

    return {"base": BaseSettings, "gateway": GatewaySettings}.get(name, TrapSettings)


def _owner(file: Path) -> str:
    """Whose the file means to be, by the sections that only one of them has."""
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        return "trap"  # loading says what is wrong
    if any(line.startswith("[store") for line in lines):
        return "base"
    if any(line.startswith(("[gateway", "[p2p", "[lorawan")) for line in lines):
        return "gateway"
    return "trap"
