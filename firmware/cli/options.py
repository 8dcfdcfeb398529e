"""What several commands take, and how a config file ends one of them."""

from pathlib import Path
from typing import TypeVar

import click

C = TypeVar("C")

FILE = click.Path(dir_okay=False, path_type=Path)
config_option = click.option(
    "--config", "file", type=FILE, required=True, metavar="FILE", help="The TOML config file."
)
log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least important event to log on stderr.",
)


class BadConfig(click.ClickException):
    """A config file with problems; all of them are shown."""

    exit_code = 2


def load_or_exit(file: Path, kind: type[C]) -> C:
    """The config file, or the end of the command with all its problems."""
    from firmware.config import ConfigError, load

    try:
        return load(file, kind)
    except ConfigError as error:
        lines = "".join(f"\n  {problem}" for problem in error.problems)
        count = len(error.problems)
        raise BadConfig(f"{file}: {count} problem{'s' * (count > 1)}{lines}") from error
