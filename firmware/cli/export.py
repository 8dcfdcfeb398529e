"""`rosette base export` and `rosette base import`: what leaves the base, and what cards bring."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click

from firmware.cli.options import config_option, load_or_exit
from firmware.cli.survey import by_option, now_s

T = TypeVar("T")
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(
    epilog="Example: rosette base export --config base.toml --format camtrap-dp --profile public "
    "--out leopards-2026"
)
@config_option
@click.option(
    "--format", "form", required=True,
    type=click.Choice(["camtrap-dp", "darwin-core", "wildlife-insights", "csv"]),
)  # fmt: skip
@click.option(
    "--profile", default="public", show_default=True,
    type=click.Choice(["public", "partner", "internal"]),
    help="public: 0.1 degree cells, months, embargo; partner: exact, for a named recipient; "
    "internal: exact, and people listed.",
)  # fmt: skip
@click.option("--out", required=True, type=FOLDER, metavar="DIR", help="A new or empty folder.")
@click.option("--recipient", default="", metavar="NAME", help="Who gets it; kept in the audit.")
@click.option(
    "--media/--no-media", default=None, show_default="not in the public profile",
    help="Pictures too, without metadata; never of people. A habitat can give a place away.",
)  # fmt: skip
@by_option
def export(
    file: Path, form: str, profile: str, out: Path, recipient: str, media: bool | None, who: str
) -> None:
    """Write the survey's data for others, as coarse as the profile says.

    Every export is kept in the audit before its first file is written.
    """
    from firmware.base.export.profiles import PROFILES
    from firmware.base.export.write import Order, export
    from firmware.base.settings import BaseSettings
    from firmware.base.store import StoreError
    from firmware.base.survey.book import Survey

    settings = load_or_exit(file, BaseSettings)
    pictures = profile != "public" if media is None else media
    order = Order(form, PROFILES[profile], out, pictures, who, recipient)
    try:
        with Survey(settings.store.data_dir, settings.survey.independence_s) as survey:
            done = export(survey, settings.survey, order, now_s(), bar("pictures"))
    except (StoreError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{done.places} deployments, {done.occurrences} events and {done.pictures} pictures "
               f"in {out} ({profile})")  # fmt: skip
    if done.left_out:
        click.echo(f"{done.left_out} pictures are gone or cannot be read: left out", err=True)


def bar(what: str) -> Callable[[Iterable[T], int], Iterable[T]]:
    """Shows how far a long loop is, where stderr is a terminal."""

    def shown(things: Iterable[T], total: int) -> Iterable[T]:
        from rich.console import Console
        from rich.progress import track

        if not sys.stderr.isatty() or total < 2:
            return things
        return track(things, what, total, console=Console(stderr=True))

    return shown
