"""`rosette base export` and `rosette base import`: what leaves the base, and what cards bring."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from firmware.cli.options import config_option, load_or_exit
from firmware.cli.survey import by_option, now_s, when

if TYPE_CHECKING:
    from firmware.base.survey.reading_cards import Brought

T = TypeVar("T")
ALERTS = ("leopard", "tiger", "human", "vehicle")
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


@click.command("import", epilog="Example: rosette base import --config base.toml /media/card")
@config_option
@click.argument("card", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--empties", is_flag=True, help="Pictures of empty bursts too; most of a card.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a missed sighting.")
@by_option
def import_(file: Path, card: Path, empties: bool, as_json: bool, who: str) -> None:
    """Take a unit's SD card in, and tell what the radio had missed.

    CARD is where the card is mounted, or the archive on it. Nothing is stored twice; started again
    it goes on. What cannot be read is one warning each.
    """
    from firmware.base.admission import Limits
    from firmware.base.settings import BaseSettings
    from firmware.base.store import Store, StoreError
    from firmware.base.survey.book import Survey
    from firmware.base.survey.reading_cards import read_card

    settings = load_or_exit(file, BaseSettings)
    most = settings.receiver
    limits = Limits(int(most.max_item_mb * 10**6), most.max_megapixels * 10**6)
    try:
        with (
            Survey(settings.store.data_dir, settings.survey.independence_s) as survey,
            Store(settings.store.data_dir) as store,
        ):
            brought = read_card(card, survey, store, limits, who, now_s(),
                                empties=empties, progress=bar("sightings"))  # fmt: skip
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    if not brought.on_card:
        raise click.ClickException(
            f"no sighting found in {card}: expected folders like 2026-03-01/T0007-000123"
        )
    _tell(brought, as_json)


def _tell(brought: "Brought", as_json: bool) -> None:
    import dataclasses
    import json

    if as_json:
        for kept in brought.missed:
            click.echo(json.dumps(dataclasses.asdict(kept.record)))
        return
    missed = Counter(kept.record.species for kept in brought.missed)
    click.echo(f"{'verdict':16}{'on the card':>12}{'not by radio':>14}")
    for label, count in brought.on_card.most_common():
        click.echo(f"{label:16}{count:12}{missed[label]:14}")
    for kept in brought.missed:
        if kept.record.species in ALERTS:
            record = kept.record
            click.echo(f"missed: {record.species} {record.unit}-{record.sighting:06d} "
                       f"{when(record.time_s)} {record.confidence:.2f}")  # fmt: skip
    click.echo(f"{brought.new_pictures} new pictures; {len(brought.bad)} files could not be read")


def bar(what: str) -> Callable[[Iterable[T], int], Iterable[T]]:
    """Shows how far a long loop is, where stderr is a terminal."""

    def shown(things: Iterable[T], total: int) -> Iterable[T]:
        from rich.console import Console
        from rich.progress import track

        if not sys.stderr.isatty() or total < 2:
            return things
        return track(things, what, total, console=Console(stderr=True))

    return shown
