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
    """Every problem of a trap's or a base's config file at once."""
    from firmware.base.settings import BaseSettings
    from firmware.trap.settings import TrapSettings

    kind: type[object] = BaseSettings if _names_a_store(file) else TrapSettings
    load_or_exit(file, kind)
    click.echo(f"{file}: good ({'base' if kind is BaseSettings else 'trap'})")


def _names_a_store(file: Path) -> bool:
    """Whether the file means to be a base's: those have a [store], which no unit has."""
    try:
        return any(line.strip().startswith("[store") for line in file.read_text().splitlines())
    except (OSError, UnicodeDecodeError):
        return False  # loading says what is wrong
