"""`rosette base deployment` and `rosette base review`: where units stand, and what was seen."""

import contextlib
import datetime
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware.cli.options import config_option, load_or_exit

if TYPE_CHECKING:
    from firmware.base.survey.book import Survey
    from firmware.base.survey.reading import Deployment
    from firmware.base.survey.statements import Statement

by_option = click.option(
    "--by", "who", default=getpass.getuser, show_default="your user name", metavar="NAME",
    help="Who says it.",
)  # fmt: skip


@click.group()
def deployment() -> None:
    """Where units stand, from when to when."""


@deployment.command(
    "add",
    epilog="Example: rosette base deployment add --config base.toml T0007 'Ridge 3' "
    "43.0512 131.1487 --start 2026-03-01T09:30",
)
@config_option
@click.argument("unit")
@click.argument("place")
@click.argument("latitude", type=float)
@click.argument("longitude", type=float)
@click.option("--start", required=True, metavar="TIME", help="ISO 8601, UTC.")
@click.option("--end", metavar="TIME", help="Where it has ended already.")
@click.option("--notes", default="", help="How it is placed: height, aspect, trail, bait.")
@by_option
def deployment_add(
    file: Path, unit: str, place: str, latitude: float, longitude: float, start: str,
    end: str | None, notes: str, who: str,
) -> None:  # fmt: skip
    """A unit was put up at a place (WGS 84, decimal degrees)."""
    from firmware.base.survey.deployment_csv import parse_time
    from firmware.base.survey.statements import Placed, deployment_name

    with _book(file) as survey:
        until = parse_time(end) if end else None
        placed = Placed(unit, place, latitude, longitude, parse_time(start), until, notes)
        (number,) = survey.state([placed], who, now_s())
    click.echo(f"{deployment_name(number)}: {unit} at {place}")


@deployment.command(
    "end", epilog="Example: rosette base deployment end --config base.toml D0007 --at 2026-06-01"
)
@config_option
@click.argument("name", metavar="DEPLOYMENT")
@click.option("--at", required=True, metavar="TIME", help="ISO 8601, UTC.")
@by_option
def deployment_end(file: Path, name: str, at: str, who: str) -> None:
    """A unit was taken away."""
    from firmware.base.survey.deployment_csv import parse_time
    from firmware.base.survey.statements import Ended, parse_deployment

    with _book(file) as survey:
        survey.state([Ended(parse_deployment(name), parse_time(at))], who, now_s())
    click.echo(f"{name} ended")


@deployment.command(
    "void",
    epilog="Example: rosette base deployment void --config base.toml D0007 --reason 'wrong hill'",
)
@config_option
@click.argument("name", metavar="DEPLOYMENT")
@click.option("--reason", required=True, help="Kept beside the mistake.")
@by_option
def deployment_void(file: Path, name: str, reason: str, who: str) -> None:
    """A deployment was stated wrongly: it counts no more, and what was said stays on record."""
    from firmware.base.survey.statements import Voided, parse_deployment

    with _book(file) as survey:
        survey.state([Voided(parse_deployment(name), reason)], who, now_s())
    click.echo(f"{name} voided")


@deployment.command(
    "import", epilog="Example: rosette base deployment import --config base.toml places.csv"
)
@config_option
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@by_option
def deployment_import(file: Path, table: Path, who: str) -> None:
    """Deployments from CSV, all or none.

    Columns: unit, place, latitude, longitude, start, end, notes. Give the same table again when it
    has grown: rows that are known are left as they are, and an end that was added ends them.
    """
    from firmware.base.survey.deployment_csv import TableError, changes, read_deployments
    from firmware.base.survey.statements import Ended

    with _book(file) as survey:
        try:
            rows = read_deployments(table.read_text(encoding="utf-8-sig").splitlines())
        except TableError as error:
            raise click.ClickException(f"{table}:\n  " + "\n  ".join(error.problems)) from error
        except UnicodeDecodeError as error:
            raise click.ClickException(f"{table} is not UTF-8 text: save it as such") from error
        said = changes(rows, _deployments(survey))
        survey.state(said, who, now_s())
    ended = sum(isinstance(one, Ended) for one in said)
    click.echo(f"{len(said) - ended} new, {ended} ended, {len(rows) - len(said)} known already")


@deployment.command("list", epilog="Example: rosette base deployment list --config base.toml")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def deployment_list(file: Path, as_json: bool) -> None:
    """Where units stand and stood. Shows exact coordinates."""
    import dataclasses
    import json

    with _book(file) as survey:
        for one in _deployments(survey):
            if as_json:
                click.echo(json.dumps({"name": one.name} | dataclasses.asdict(one)))
            else:
                until = "still there" if one.end_s is None else when(one.end_s)
                click.echo(f"{one.name}  {one.unit}  {one.latitude:9.5f} {one.longitude:10.5f}  "
                           f"{when(one.start_s)} to {until:17}  {one.place}")  # fmt: skip


@click.command(
    epilog="Example: rosette base review --config base.toml T0007-000123 --species tiger --count 2"
)
@config_option
@click.argument("sighting")
@click.option("--confirm", is_flag=True, help="It is as shown.")
@click.option("--not-animal", is_flag=True, help="Nothing is there.")
@click.option("--undo", is_flag=True, help="Take the last review back.")
@click.option("--species", default="", help="The label that is right.")
@click.option("--count", type=click.IntRange(1, 1000), help="How many animals.")
@click.option("--sex", type=click.Choice(["female", "male"]), default=None, help="Where visible.")
@click.option("--age", type=click.Choice(["adult", "subadult", "juvenile"]), default=None,
              help="Where visible.")  # fmt: skip
@click.option("--people/--no-people", default=None,
              help="Whether somebody, or a vehicle, is on the pictures.")  # fmt: skip
@by_option
def review(
    file: Path, sighting: str, confirm: bool, not_animal: bool, undo: bool, species: str,
    count: int | None, sex: str | None, age: str | None, people: bool | None, who: str,
) -> None:  # fmt: skip
    """Say what a sighting shows; without an option, show what has been said of it."""
    from firmware.base.survey.statements import Review

    corrects = bool(species or count or sex or age or people is not None)
    if sum((confirm, not_animal, undo, corrects)) > 1:
        raise click.UsageError("give only one of --confirm, --not-animal, --undo and a correction")
    with _book(file) as survey:
        number = _observation(survey, sighting)
        if undo:
            survey.undo(number, who, now_s())
        elif confirm or not_animal:
            action = "confirm" if confirm else "not_animal"
            survey.state([Review(number, action)], who, now_s())
        elif corrects:
            said = Review(number, "correct", species, count, sex or "", age or "", people)
            survey.state([said], who, now_s())
        _show(survey, number)


def now_s() -> float:
    """The clock, picked here and passed on."""
    return datetime.datetime.now(datetime.UTC).timestamp()


def when(at_s: float) -> str:
    """A time as people read it."""
    return f"{datetime.datetime.fromtimestamp(at_s, datetime.UTC):%Y-%m-%dT%H:%MZ}"


@contextlib.contextmanager
def _book(file: Path) -> Iterator["Survey"]:
    """The survey of the base with this config; whatever is wrong is one line."""
    from firmware.base.settings import BaseSettings
    from firmware.base.store import StoreError
    from firmware.base.survey.book import Survey
    from firmware.wire.errors import WireError

    settings = load_or_exit(file, BaseSettings)
    try:
        with Survey(settings.store.data_dir, settings.survey.independence_s) as survey:
            yield survey
    except (StoreError, WireError) as error:
        raise click.ClickException(str(error)) from error


def _deployments(survey: "Survey") -> list["Deployment"]:
    from firmware.base.survey.reading import Reader

    with Reader(survey.data_dir) as reader:
        return reader.deployments()


def _observation(survey: "Survey", sighting: str) -> int:
    from firmware.base.survey.reading import Reader
    from firmware.wire.ids import ItemId

    item = ItemId.parse(f"{sighting}-sighting-0")
    with Reader(survey.data_dir) as reader:
        found = reader.find(sighting[:5], item.sighting)
    if not found:
        raise click.ClickException(f"there is no sighting {sighting}; see `rosette base list`")
    return found[-1]


def _show(survey: "Survey", number: int) -> None:
    from firmware.base.survey.reading import Reader

    with Reader(survey.data_dir) as reader:
        one = reader.observation(number)
        history = reader.history(number)
    click.echo(f"{one.name}  {when(one.at_s)}  machine: {one.machine_species} "
               f"{one.machine_confidence:.2f}")  # fmt: skip
    for said, undone in history:
        note = "  (undone)" if undone else ""
        click.echo(f"  {when(said.said_s)}  {said.who}: {_words(said.statement)}{note}")
    click.echo(f"  now: {one.species} x{one.count} {one.sex} {one.age}".rstrip())


def _words(statement: "Statement") -> str:
    """A review's action, and of its fields those that say something."""
    import dataclasses

    said = dataclasses.asdict(statement)
    del said["observation"]
    action = said.pop("action")
    fields = (f"{name}={value}" for name, value in said.items() if value not in ("", None))
    return " ".join((action, *fields))
